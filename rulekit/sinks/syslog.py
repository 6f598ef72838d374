"""Alerts to syslog: Unix socket, UDP, TCP, TLS, RELP."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta

from rulekit.errors import SinkError, reason
from rulekit.sinks._relp import RelpSession
from rulekit.sinks._stream import Address, Connection, Recent
from rulekit.sinks._tls import TlsOptions, tls_context
from rulekit.sinks.base import Receipt, Record, Sink
from rulekit.sinks.values import Duration
from rulekit.text.syslog import facility_number, syslog_header

_PORTS = {"udp": 514, "tcp": 514, "tls": 6514, "relp": 2514, "relp+tls": 2514}
_SCHEMES = ("unix", *_PORTS)
_HEADER = re.compile(rb"<\d{1,3}>1 ").match
_MAX_DATAGRAM = 65_000


class SyslogOptions(TlsOptions, kw_only=True):
    """Where the syslog server is."""

    url: Annotated[
        str,
        Meta(description="unix:/dev/log, udp://host:514, tcp://, tls://, relp:// or relp+tls://"),
    ] = "unix:/dev/log"
    facility: Annotated[
        str, Meta(description="of messages whose format has no header of its own")
    ] = "local0"
    app_name: Annotated[str, Meta(description="of such messages")] = "rulekit"
    framing: Annotated[
        Literal["octets", "lines"], Meta(description="how messages follow each other on a stream")
    ] = "octets"
    timeout: Annotated[Duration, Meta(description="longest wait for the receiver")] = Duration(10)


class SyslogSink(Sink):
    """Sends alerts to a syslog server; only RELP confirms that they arrived.

    Formats without a syslog header (all but ``rfc5424``) get one.
    """

    Options = SyslogOptions
    acknowledges = False
    default_format = "rfc5424"

    def __init__(self, options: SyslogOptions) -> None:
        self._options = options
        self._address = Address(options.url, _SCHEMES, _PORTS.get(options.url.partition(":")[0]))
        self._scheme = self._address.scheme
        try:
            self._facility = facility_number(options.facility)
        except ValueError as error:
            raise SinkError(str(error)) from None
        secure = self._scheme in ("tls", "relp+tls")
        self._context = tls_context(options) if secure else None
        self.acknowledges = self._scheme.startswith("relp")
        self._datagrams: socket.socket | None = None
        self._connection: Connection | None = None
        self._session: RelpSession | None = None
        self._recent = Recent()

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Send a batch; a broken connection counts what may be lost with it."""
        messages = [self._message(record) for record in batch]
        if self._scheme in ("udp", "unix"):
            return self._send_datagrams(messages)
        if self._scheme.startswith("relp"):
            return self._send_relp(messages)
        self._send_stream(messages)
        return None

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()
        for each in (self._connection, self._datagrams):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.close()
        self._connection = self._datagrams = self._session = None

    def counters(self) -> dict[str, int]:
        """Return how many alerts may be lost: sent shortly before a connection broke."""
        return {"possibly_lost": self._recent.possibly_lost}

    def _message(self, record: Record) -> bytes:
        line = record.line
        if _HEADER(line):
            return line
        header = syslog_header(
            self._facility,
            record.priority,
            record.time_ns,
            record.host,
            self._options.app_name,
            "alert",
        )
        return f"{header} - ".encode() + line

    def _send_stream(self, messages: list[bytes]) -> None:
        if self._options.framing == "octets":
            data = b"".join(b"%d %s" % (len(message), message) for message in messages)
        else:
            data = b"".join(message + b"\n" for message in messages)
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.check()
            self._recent.alive()
            self._connection.send(data)
            # Delivered means here: in the receiver's hands as far as TCP can tell.
            self._connection.drain()
        except SinkError:
            self._recent.broke()
            self.close()
            raise
        self._recent.sent(len(messages))

    def _send_relp(self, messages: list[bytes]) -> Receipt | None:
        try:
            if self._session is None:
                self._connection = self._connect()
                self._session = RelpSession(self._connection)
            left = self._session.deliver(messages)
        except SinkError:
            self.close()
            raise
        if left:
            self.close()
            return Receipt(again=left, reason="the receiver did not confirm all messages")
        return None

    def _send_datagrams(self, messages: list[bytes]) -> Receipt | None:
        refused: dict[int, str] = {}
        try:
            if self._datagrams is None:
                self._datagrams = self._open_datagrams()
            for i, message in enumerate(messages):
                if len(message) > _MAX_DATAGRAM:
                    refused[i] = f"{len(message)} bytes are too many for a datagram"
                    continue
                self._datagrams.send(message)
            # A receiver that is gone shows with the datagram after, or here.
            error = self._datagrams.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error))
            self._recent.alive()
        except OSError as error:
            self._recent.broke()
            self.close()
            raise SinkError(f"{self._options.url}: {reason(error)}") from error
        self._recent.sent(len(messages) - len(refused))
        return Receipt(refused=refused) if refused else None

    def _open_datagrams(self) -> socket.socket:
        if self._scheme == "unix":
            found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            found.settimeout(self._options.timeout)
            found.connect(self._address.path)
            return found
        family, kind, number, _, target = socket.getaddrinfo(
            self._address.host, self._address.port, type=socket.SOCK_DGRAM
        )[0]
        found = socket.socket(family, kind, number)
        found.settimeout(self._options.timeout)
        found.connect(target)
        return found

    def _connect(self) -> Connection:
        return Connection(self._address, self._context, self._options.timeout)


SINK = SyslogSink
