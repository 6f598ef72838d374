"""Alerts to Logstash: JSON lines over TCP, HTTP, or the protocol of Beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from rulekit.errors import SinkError
from rulekit.sinks import _lumberjack
from rulekit.sinks._http import HttpClient, HttpOptions
from rulekit.sinks._stream import Address, Connection, Recent
from rulekit.sinks._tls import tls_context
from rulekit.sinks.base import Receipt, Record, Sink

_PORTS = {"beats": 5044, "beats+tls": 5044, "tcp": 5000, "tls": 5000, "http": 8080, "https": 8080}


class LogstashOptions(HttpOptions, kw_only=True):
    """Which input of Logstash."""

    url: Annotated[
        str,
        Meta(
            pattern="^(beats|beats\\+tls|tcp|tls|https?)://",
            description="beats:// or beats+tls:// confirm, http:// and https:// too;"
            " tcp:// and tls:// do not",
        ),
    ]


class LogstashSink(Sink):
    """Sends alerts to an input of Logstash: ``beats``, ``http``, or ``tcp`` with JSON lines."""

    Options = LogstashOptions
    default_format = "ecs"

    def __init__(self, options: LogstashOptions) -> None:
        self._options = options
        scheme = options.url.partition(":")[0]
        self._address = Address(options.url, tuple(_PORTS), _PORTS[scheme])
        self._is_http = scheme in ("http", "https")
        self._is_beats = scheme.startswith("beats")
        self.acknowledges = self._is_http or self._is_beats
        self._client = HttpClient(options, "logstash") if self._is_http else None
        self._context = tls_context(options) if scheme.endswith("tls") else None
        self._connection: Connection | None = None
        self._recent = Recent()

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Send a batch by the protocol of the input."""
        if self._client is not None:
            body = b"[" + b",".join(record.line for record in batch) + b"]"
            headers = {"content-type": "application/json"}
            self._client.request("POST", self._options.url, body, headers).raise_for_status()
            return None
        try:
            if self._connection is None:
                self._connection = Connection(self._address, self._context, self._options.timeout)
            if self._is_beats:
                return self._send_beats(self._connection, batch)
            self._send_lines(self._connection, batch)
        except SinkError:
            self._recent.broke()
            self.close()
            raise
        return None

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def counters(self) -> dict[str, int]:
        """Return how many alerts may be lost: sent shortly before a TCP connection broke."""
        return {} if self.acknowledges else {"possibly_lost": self._recent.possibly_lost}

    def _send_beats(self, connection: Connection, batch: Sequence[Record]) -> Receipt | None:
        documents = [record.line for record in batch]
        confirmed = _lumberjack.deliver(connection, documents)
        if confirmed == len(batch):
            return None
        self.close()
        return Receipt(again=list(range(confirmed, len(batch))), reason="not all was confirmed")

    def _send_lines(self, connection: Connection, batch: Sequence[Record]) -> None:
        connection.check()
        self._recent.alive()
        connection.send(b"".join(record.body for record in batch))
        connection.drain()
        self._recent.sent(len(batch))


SINK = LogstashSink
