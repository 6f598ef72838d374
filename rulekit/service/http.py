"""Answers /healthz and /metrics."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rulekit.errors import RulekitError, reason

MAX_CONNECTIONS = 16
_TIMEOUT_S = 10.0

Answer = tuple[int, str, bytes]
"""Status, content type, body."""


def parse_listen(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; IPv6 addresses stand in brackets.

    Raises:
        ValueError: It is none.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"`{text}` is no HOST:PORT")
    return host, int(port)


class StatusServer:
    """Listens at once; answers from `start` on, until `close`.

    Args:
        listen: HOST:PORT; port 0 is any that is free.

    Raises:
        RulekitError: The address cannot be listened on.
    """

    def __init__(self, listen: str) -> None:
        try:
            host, port = parse_listen(listen)
            self._server = _Server((host, port), ":" in host)
        except ValueError as error:
            raise RulekitError(f"service.listen: {error}") from None
        except OSError as error:
            raise RulekitError(f"service.listen: {listen}: {reason(error)}") from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="status", daemon=True
        )

    @property
    def address(self) -> str:
        """Where it listens, as a URL."""
        host, port = self._server.server_address[:2]
        shown = host.decode() if isinstance(host, bytes) else host
        return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"

    def start(self, answers: dict[str, Callable[[str], Answer]]) -> None:
        """Answer from now on.

        Args:
            answers: By path; called with what the client accepts.
        """
        self._server.answers = answers
        self._thread.start()

    def close(self) -> None:
        """Listen no more. Idempotent."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    answers: dict[str, Callable[[str], Answer]]

    def __init__(self, address: tuple[str, int], v6: bool) -> None:
        if v6:
            self.address_family = socket.AF_INET6
        self.answers = {}
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)  # more than anybody needs
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nothing to speak of."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "rulekit"
    sys_version = ""
    timeout = _TIMEOUT_S

    def do_GET(self) -> None:
        self._answer(True)

    def do_HEAD(self) -> None:
        self._answer(False)

    def _answer(self, with_body: bool) -> None:
        make = self.server.answers.get(self.path.partition("?")[0])
        if make is None:
            status, kind, body = 404, "text/plain", b"there are /healthz and /metrics\n"
        else:
            status, kind, body = make(self.headers.get("Accept", ""))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: who asks, asks every few seconds."""


def json_answer(status: int, content: object) -> Answer:
    """Return an answer of JSON."""
    return status, "application/json", json.dumps(content).encode() + b"\n"
