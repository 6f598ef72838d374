"""One request and its answer: what both servers ask of a client before they look at the body."""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from rulekit.server.plan import ServerPlan

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_INFLATED_BYTES = 256 * 1024
_DISCARD_BYTES = 64 << 20
_DISCARD_S = 10.0


class Refusal(Exception):
    """A request that is not taken.

    Attributes:
        status: Of the answer.
        headers: Further ones.
    """

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Gone(Exception):
    """The client went away before its request was complete."""


class Exchange:
    """A request of a client."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, plan: ServerPlan) -> None:
        self.path: str = scope["path"]
        self._method: str = scope["method"]
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._send = send
        self._plan = plan
        self._is_read = False

    def check(self) -> None:
        """Refuse what is none of this server's business.

        Raises:
            Refusal: Another path, method or kind of content, no right token, too large.
        """
        if self.path != self._plan.path:
            raise Refusal(404, f"nothing is here; post to {self._plan.path}")
        if self._method != "POST":
            raise Refusal(405, "only POST is understood", allow="POST")
        if not self._plan.admits(self._headers.get(b"authorization", b"")):
            raise Refusal(401, "the token is missing or wrong", www_authenticate="Bearer")
        kind = self._headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            raise Refusal(415, "only application/json is understood")
        if self._encoding() not in (b"", b"identity", b"gzip"):
            raise Refusal(415, "no compression but gzip is understood")
        length = self.length()
        if length is not None and length > self._plan.max_body_bytes:
            raise self._too_large("body", self._plan.max_body_bytes)

    def length(self) -> int | None:
        """Return how many bytes the client says it sends, or None."""
        try:
            return int(self._headers[b"content-length"])
        except (KeyError, ValueError):
            return None

    async def body(self) -> bytes:
        """Return the body, inflated.

        Raises:
            Refusal: It is too large, damaged, or comes too slowly.
            Gone: The client does not send all of it.
        """
        try:
            data = await asyncio.wait_for(self._read(), self._plan.body_s)
        except asyncio.TimeoutError:
            # An API server sends again what it is told to; 408 alone says nothing to it.
            late = f"the request took more than {self._plan.body_s:g} s"
            raise Refusal(408, late, retry_after="1") from None
        if self._encoding() == b"gzip":
            # Some milliseconds for a body that inflates to the limit: not in the way of others.
            data = await asyncio.to_thread(self._inflate, data)
        return data

    async def discard(self) -> None:
        """Read what is still to come of a body, as far as it is reasonable, and forget it.

        Most clients see an answer only when they have sent everything.
        """
        with contextlib.suppress(asyncio.TimeoutError, Gone):
            await asyncio.wait_for(self._skip(), _DISCARD_S)

    async def _skip(self) -> None:
        size = 0
        while not self._is_read and size < _DISCARD_BYTES:
            size += len(await self._part())

    async def _part(self) -> bytes:
        """Return the next part of the body."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise Gone
        self._is_read = not message.get("more_body", False)
        part: bytes = message.get("body", b"")
        return part

    async def answer(
        self, status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer with JSON; ends the connection when too much of the request is still to come."""
        body = json.dumps(content).encode()
        found = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **(headers or {}),
        }
        if status in (408, 413) and not self._is_read:
            found["connection"] = "close"
        raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in found.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})
        await self._send({"type": "http.response.body", "body": body})

    async def refuse(self, refusal: Refusal) -> None:
        """Answer that a request is not taken."""
        await self.answer(refusal.status, {"error": str(refusal)}, refusal.headers)

    def _encoding(self) -> bytes:
        return self._headers.get(b"content-encoding", b"").strip().lower()

    async def _read(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            part = await self._part()
            size += len(part)
            if size > self._plan.max_body_bytes:
                raise self._too_large("body", self._plan.max_body_bytes)
            parts.append(part)
            if self._is_read:
                return b"".join(parts)

    def _inflate(self, data: bytes) -> bytes:
        found: list[bytes] = []
        size = 0
        while data:
            member = zlib.decompressobj(wbits=31)
            while not member.eof:
                try:
                    part = member.decompress(data, _INFLATED_BYTES)
                except zlib.error as error:
                    raise Refusal(400, f"damaged gzip data: {error}") from None
                if not part and not member.unconsumed_tail and not member.eof:
                    raise Refusal(400, "the gzip data break off")
                size += len(part)
                if size > self._plan.max_inflated_bytes:
                    raise self._too_large("inflated body", self._plan.max_inflated_bytes)
                found.append(part)
                data = member.unconsumed_tail
            data = member.unused_data
        return b"".join(found)

    @staticmethod
    def _too_large(what: str, limit_bytes: int) -> Refusal:
        return Refusal(413, f"the {what} is larger than {limit_bytes} bytes")
