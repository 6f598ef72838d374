"""An HTTP server on 127.0.0.1 that stand-ins for HTTP receivers are made of.

It is strict where clients are sloppy: a body needs its length, gzip must be whole, and nothing is
read twice. What `answer` accepts it puts into a ledger.
"""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    """A request as it came, its body inflated."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Response:
    """What to answer; `hang_s` before doing so, `drop` to close the connection instead."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


class HttpReceiver:
    """Serves requests with a function, each in a thread; the function is called under a lock."""

    def __init__(
        self, answer: Callable[[Request], Response], context: ssl.SSLContext | None = None
    ) -> None:
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def serve(self) -> None:
                length = self.headers.get("content-length")
                if length is None and self.command in ("POST", "PUT"):
                    self.send_error(411)
                    return
                body = self.rfile.read(int(length or 0))
                if length is not None and len(body) != int(length):
                    self.close_connection = True  # the client went away: nothing was received
                    return
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, self.path, headers, body)
                with receiver._lock:
                    receiver.requests.append(request)
                    response = answer(request)
                if response.drop:
                    self.close_connection = True
                    return
                self.send_response(response.status)
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(response.body)))
                self.end_headers()
                self.wfile.write(response.body)

            do_POST = do_PUT = do_GET = do_HEAD = do_DELETE = serve

            def log_message(self, *args: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request: object, client_address: object) -> None:
                return  # clients that break off are part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.scheme = "http"
        if context is not None:
            self.scheme = "https"
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> HttpReceiver:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
