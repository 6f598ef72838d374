"""Runs an application until a signal ends it: TLS, limits on time, an end in order.

On uvicorn (extra ``server``), whose parser waits for the head of a request as long as a client
likes; `_Guarded` does not.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable
from typing import Any

from rulekit.errors import RulekitError, reason
from rulekit.server.plan import ServerPlan

try:
    import uvicorn
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
except ImportError as error:
    raise RulekitError(
        "servers need the libraries uvicorn and httptools: pip install rulekit[server]"
    ) from error


# Of the head of a request, with what comes of the body in the same piece.
_MAX_HEAD_BYTES = 1 << 20


class _Guarded(HttpToolsProtocol):
    """A connection that is given up when the head of a request is too long in coming."""

    header_s = 10.0
    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self._timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self._give_up()
                return
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        if self._timer is None:
            self._arm()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._disarm()
        super().on_headers_complete()

    def _arm(self) -> None:
        self._head_bytes = 0
        self._timer = self.loop.call_later(self.header_s, self._give_up)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._disarm()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()


class _Server(uvicorn.Server):
    """Tells when it listens, and reads its certificate again at SIGHUP."""

    def __init__(
        self,
        config: uvicorn.Config,
        plan: ServerPlan,
        on_ready: Callable[[int], None],
        tell: Callable[[str], None],
        stop_after_s: float | None,
    ) -> None:
        super().__init__(config)
        self._plan = plan
        self._on_ready = on_ready
        self._tell = tell
        self._stop_after_s = stop_after_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if sockets and not self.should_exit:
            self._on_ready(sockets[0].getsockname()[1])
        if self._stop_after_s is not None:
            asyncio.get_running_loop().call_later(self._stop_after_s, self._stop)
        tls = self._plan.tls
        context = self.config.ssl
        if tls is not None and context is not None:

            def reload() -> None:
                try:
                    context.load_cert_chain(tls.certificate, tls.key)
                except OSError as error:
                    self._tell(f"the certificate cannot be read again: {reason(error)}")

            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)

    def _stop(self) -> None:
        self.should_exit = True


def serve(
    app: Any,
    plan: ServerPlan,
    on_ready: Callable[[int], None] = lambda port: None,
    *,
    tell: Callable[[str], None] = lambda message: None,
    stop_after_s: float | None = None,
) -> None:
    """Answer requests until SIGTERM or SIGINT; then finish those that were begun.

    Args:
        app: An ASGI application.
        on_ready: Called with the port as soon as it can be connected to; that of the plan may be 0.
        tell: Called with a message when a new certificate cannot be used.
        stop_after_s: End by itself after so long; None waits for a signal.

    Raises:
        RulekitError: The address cannot be listened on, or a file for TLS cannot be used.
    """
    guarded = type("Guarded", (_Guarded,), {"header_s": plan.header_s})
    tls = plan.tls
    config = uvicorn.Config(
        app,
        http=guarded,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=plan.max_connections,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=max(1, round(plan.drain_s)),
        ssl_certfile=None if tls is None else str(tls.certificate),
        ssl_keyfile=None if tls is None else str(tls.key),
        ssl_ca_certs=None if tls is None or tls.client_ca is None else str(tls.client_ca),
        ssl_cert_reqs=ssl.CERT_NONE if tls is None or tls.client_ca is None else ssl.CERT_REQUIRED,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        used = (tls.certificate, tls.key, tls.client_ca) if tls is not None else ()
        names = ", ".join(str(path) for path in used if path is not None)
        raise RulekitError(f"TLS: {names}: {reason(error)}") from None
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    server = _Server(config, plan, on_ready, tell, stop_after_s)
    # uvicorn raises the signal that ended it once more; there is still something to be done then.
    former = {n: signal.signal(n, lambda *_: None) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        server.run(sockets=[_listen(plan)])
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _listen(plan: ServerPlan) -> socket.socket:
    family = socket.AF_INET6 if ":" in plan.host else socket.AF_INET
    # asyncio sends small answers at once only when the protocol is said.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((plan.host, plan.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise RulekitError(f"{plan.host}:{plan.port}: {reason(error)}") from None
    return listener
