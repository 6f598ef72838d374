"""What receives JSON by POST at one path, and is not buried under it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rulekit.alert import Alert
from rulekit.engine.pipeline import Engine
from rulekit.server.exchange import Exchange, Gone, Receive, Refusal, Scope, Send
from rulekit.server.plan import ServerPlan

_RETRY_AFTER_S = 1

Deliver = Callable[[Sequence[Alert]], None]
"""Makes alerts safe; raises `SinkError` when they are not. Called by one thread at a time."""


class Receiver(ABC):
    """An ASGI application; ``/healthz`` tells that it listens.

    Args:
        engine: For ``k8s_audit``.
        deliver: Takes the alerts of a request.
        room: Whether `deliver` may be asked for more; False sends clients away.
        tell: Called with a message when something goes wrong.

    Attributes:
        counters: What was seen so far, by name.
    """

    def __init__(
        self,
        engine: Engine,
        plan: ServerPlan,
        deliver: Deliver,
        *,
        room: Callable[[], bool] = lambda: True,
        tell: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._engine = engine
        self._plan = plan
        self._deliver = deliver
        self._room = room
        self._tell = tell
        self._waiting_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send, self._plan)
        if exchange.path == "/healthz":
            await exchange.answer(200, {"status": "ok"})
            return
        self.counters["requests"] += 1
        try:
            exchange.check()
            answer = await self._take(exchange)
        except Refusal as refusal:
            self.counters[f"answers {refusal.status}"] += 1
            await self._refused(refusal)
            if refusal.status == 413:
                await exchange.discard()
            await exchange.refuse(refusal)
        except Gone:
            self.counters["clients gone"] += 1
        else:
            await exchange.answer(200, answer)

    @abstractmethod
    def close(self) -> None:
        """Finish what is being worked on."""

    @abstractmethod
    async def _answer(self, body: bytes) -> Mapping[str, Any]:
        """Return the answer to a body; raises `Refusal`."""

    @abstractmethod
    async def _refused(self, refusal: Refusal) -> None:
        """Tell of a request that is not taken."""

    async def _take(self, exchange: Exchange) -> Mapping[str, Any]:
        expected = exchange.length()
        expected = self._plan.max_body_bytes if expected is None else expected
        if self._waiting_bytes + expected > self._plan.max_waiting_bytes or not self._room():
            raise later("too much is waiting")
        self._waiting_bytes += expected
        try:
            body = await exchange.body()
            more = max(0, len(body) - expected)
            self._waiting_bytes += more
            expected += more
            return await self._answer(body)
        finally:
            self._waiting_bytes -= expected


def later(text: str) -> Refusal:
    """Return what tells a client to come again."""
    return Refusal(429, text, retry_after=str(_RETRY_AFTER_S))
