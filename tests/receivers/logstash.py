"""Stand-ins for three inputs of Logstash, which cannot be installed here: beats, http, tcp.

Not Logstash. The beats server reads Lumberjack version 2 strictly by the protocol's description and
keeps an event before it acknowledges it; an independent client (pylogbeat) is held against it in
`tests/sinks/test_logstash.py`. The http input takes a JSON object or array and answers `ok`, the
tcp input reads lines.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

from tests.receivers.http import HttpReceiver, Request, Response


class _Server:
    """Accepts connections and serves each in a thread."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.events: list[Any] = []
        self.problems: list[str] = []
        self._context = context
        self._open: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._run, args=(client,), daemon=True).start()

    def _run(self, client: socket.socket) -> None:
        self._open.add(client)
        try:
            if self._context is not None:
                client = self._context.wrap_socket(client, server_side=True)
                self._open.add(client)
            self.serve(client)
        except (OSError, EOFError):
            pass
        finally:
            self._open.discard(client)
            client.close()

    def serve(self, client: socket.socket) -> None:
        raise NotImplementedError

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for client in list(self._open):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class BeatsInput(_Server):
    """Speaks Lumberjack version 2.

    Attributes:
        ack_delay_s: Before each acknowledgement.
        ack_every: Acknowledge after so many events of a window as well; 0 only at its end.
        never: Acknowledge nothing.
        windows: Sizes that were announced.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.ack_delay_s = 0.0
        self.ack_every = 0
        self.never = False
        self.windows: list[int] = []
        super().__init__(context)

    def serve(self, client: socket.socket) -> None:
        read = _reader(client)
        window, seen = 0, 0
        expected = None
        while True:
            version, kind = read(1), read(1)
            if version != b"2":
                self.problems.append(f"version {version!r}")
                return
            if kind == b"W":
                if seen != window:
                    self.problems.append("a window before the last one was full")
                    return
                (window,) = struct.unpack(">I", read(4))
                self.windows.append(window)
                seen, expected = 0, None
            elif kind == b"C":
                (size,) = struct.unpack(">I", read(4))
                data = zlib.decompress(read(size))
                inner = _reader_of(data)
                while (head := inner(2)) != b"":
                    if head != b"2J":
                        self.problems.append(f"frame {head!r} in a compressed one")
                        return
                    seen, expected = self._document(client, inner, seen, expected, window)
            elif kind == b"J":
                seen, expected = self._document(client, read, seen, expected, window)
            else:
                self.problems.append(f"frame {kind!r}")
                return

    def _document(
        self,
        client: socket.socket,
        read: Callable[[int], bytes],
        seen: int,
        expected: int | None,
        window: int,
    ) -> tuple[int, int]:
        number, size = struct.unpack(">II", read(8))
        if expected is not None and number != expected:
            self.problems.append(f"sequence {number} after {expected - 1}")
        self.events.append(json.loads(read(size)))
        seen += 1
        if seen > window:
            self.problems.append("more events than the window has room for")
        if not self.never and (seen == window or (self.ack_every and seen % self.ack_every == 0)):
            time.sleep(self.ack_delay_s)
            client.sendall(b"2A" + struct.pack(">I", number))
        return seen, number + 1


class LinesInput(_Server):
    """Reads JSON lines."""

    def serve(self, client: socket.socket) -> None:
        rest = b""
        while data := client.recv(65536):
            *lines, rest = (rest + data).split(b"\n")
            self.events += [json.loads(line) for line in lines]
        if rest:
            self.problems.append("the last line has no end")


class HttpInput(HttpReceiver):
    """Takes JSON; an array is one event per item."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.events: list[Any] = []
        super().__init__(self._answer, context)

    def _answer(self, request: Request) -> Response:
        if request.headers.get("content-type") != "application/json":
            return Response(400, b"no codec")
        found = json.loads(request.body)
        self.events += found if isinstance(found, list) else [found]
        return Response(200, b"ok", {"content-type": "text/plain"})


def _reader(client: socket.socket) -> Callable[[int], bytes]:
    def read(size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = client.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    return read


def _reader_of(data: bytes) -> Callable[[int], bytes]:
    at = 0

    def read(size: int) -> bytes:
        nonlocal at
        found = data[at : at + size]
        at += len(found)
        if found and len(found) < size:
            raise EOFError
        return found

    return read
