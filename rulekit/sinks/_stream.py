"""Connections over TCP, TLS and Unix sockets that say what they know of what was sent."""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket
import ssl
import struct
import termios
import time
from collections import deque
from urllib.parse import urlsplit

from rulekit.errors import SinkError, reason

# A receiver that is alive has read what it got so long ago; what came later may go down with it.
SETTLED_S = 1.0
_POLL_S = 0.002


class Address:
    """Where to: ``tcp://host:port``, ``tls://host:port``, ``unix:/path`` and the like.

    Raises:
        SinkError: The scheme is none of `schemes`, or there is no host.
    """

    def __init__(self, url: str, schemes: tuple[str, ...], default_port: int | None = None) -> None:
        self.url = url
        parts = urlsplit(url)
        if parts.scheme not in schemes:
            known = ", ".join(f"{scheme}:" for scheme in schemes)
            raise SinkError(f"{url}: an address begins with one of {known}")
        self.scheme = parts.scheme
        self.path = parts.path
        self.host = parts.hostname or ""
        try:
            self.port = parts.port or default_port or 0
        except ValueError:
            raise SinkError(f"{url}: the port is no number up to 65535") from None
        if self.scheme != "unix" and not (self.host and self.port):
            raise SinkError(f"{url}: say host and port")
        if self.scheme == "unix" and not self.path:
            raise SinkError(f"{url}: say the path of the socket")


class Connection:
    """One connection; for one thread.

    Args:
        address: Where to.
        context: For TLS, None sends in the clear.
        timeout_s: Longest wait for the connection, and for each part sent or received.

    Raises:
        SinkError: It cannot be made.
    """

    def __init__(
        self, address: Address, context: ssl.SSLContext | None = None, timeout_s: float = 10.0
    ) -> None:
        self._address = address
        self._timeout_s = timeout_s
        try:
            if address.scheme == "unix":
                raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                raw.settimeout(timeout_s)
                raw.connect(address.path)
            else:
                raw = socket.create_connection((address.host, address.port), timeout_s)
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._raw = raw
            self.socket: socket.socket = raw
            if context is not None:
                # Wrapping detaches the descriptor: `_raw` keeps one of its own for questions.
                self._raw = raw.dup()
                self.socket = context.wrap_socket(raw, server_hostname=address.host)
        except OSError as error:
            raise self._error(error) from error

    def send(self, data: bytes) -> None:
        """Hand bytes to the kernel; raises `SinkError` when the connection is broken."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise self._error(error) from error

    def receive(self, most: int = 65536) -> bytes:
        """Return what comes, at least a byte; raises `SinkError` when nothing does."""
        try:
            data = self.socket.recv(most)
        except OSError as error:
            raise self._error(error) from error
        if not data:
            raise SinkError(f"{self._address.url}: the receiver closed the connection")
        return data

    def check(self) -> None:
        """Raise `SinkError` when the receiver has closed the connection.

        Without this question the first data after that would go nowhere, and nobody would know.
        """
        try:
            readable, _, _ = select.select([self._raw], [], [], 0)
            if not readable:
                return
            if isinstance(self.socket, ssl.SSLSocket):
                self.socket.setblocking(False)
                try:
                    data = self.socket.recv(1)
                finally:
                    self.socket.settimeout(self._timeout_s)
            else:
                data = self._raw.recv(1, socket.MSG_PEEK)
        except (ssl.SSLWantReadError, BlockingIOError):
            return
        except OSError as error:
            raise self._error(error) from error
        if not data:
            raise SinkError(f"{self._address.url}: the receiver closed the connection")

    def drain(self) -> None:
        """Wait until the receiver's kernel has everything that was sent.

        Raises:
            SinkError: The connection broke, or it takes too long.
        """
        deadline_s = time.monotonic() + self._timeout_s
        while self._unsent():
            if time.monotonic() > deadline_s:
                raise SinkError(f"{self._address.url}: timed out")
            self.check()
            time.sleep(_POLL_S)
        self.check()

    def close(self) -> None:
        """Close the connection; never raises."""
        for each in (self.socket, self._raw):
            with contextlib.suppress(OSError):
                each.close()

    def _unsent(self) -> int:
        answer = fcntl.ioctl(self._raw, termios.TIOCOUTQ, b"\0\0\0\0")
        found: int = struct.unpack("i", answer)[0]
        return found

    def _error(self, error: OSError) -> SinkError:
        if isinstance(error, TimeoutError):
            return SinkError(f"{self._address.url}: timed out")
        if isinstance(error, ssl.SSLCertVerificationError):
            return SinkError(f"{self._address.url}: {error.verify_message}")
        return SinkError(f"{self._address.url}: {reason(error)}")


class Recent:
    """Counts what was sent shortly before a connection broke: the most that may be lost.

    A record is safe when the connection was seen alive `SETTLED_S` after it was sent.

    Attributes:
        possibly_lost: All records so far that were not safe when a connection broke.
    """

    def __init__(self) -> None:
        self.possibly_lost = 0
        self._sent: deque[tuple[float, int]] = deque()

    def sent(self, n_records: int) -> None:
        """Note records that the receiver's kernel has."""
        self._sent.append((time.monotonic(), n_records))

    def alive(self) -> None:
        """Note that the receiver is still there."""
        limit_s = time.monotonic() - SETTLED_S
        while self._sent and self._sent[0][0] < limit_s:
            self._sent.popleft()

    def broke(self) -> None:
        """Note that the connection broke."""
        self.possibly_lost += sum(n for _, n in self._sent)
        self._sent.clear()
