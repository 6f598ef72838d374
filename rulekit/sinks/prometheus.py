"""Alerts as metrics that Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from rulekit.alert import PRIORITIES
from rulekit.errors import SinkError, reason
from rulekit.sinks.base import Options, Receipt, Record, Sink

Label = Literal["rule", "priority", "source", "host"]


class PrometheusOptions(Options, kw_only=True):
    """Where the metrics are served, and how finely they are told apart."""

    address: Annotated[str, Meta(description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on")] = 9465
    labels: Annotated[list[Label], Meta(description="labels of each counter")] = msgspec.field(
        default_factory=lambda: ["rule", "priority", "source"]
    )


class PrometheusSink(Sink):
    """Counts alerts and serves the counts to Prometheus; they begin at zero with the process."""

    Options = PrometheusOptions
    default_format = "text"
    acknowledges = False

    def __init__(self, options: PrometheusOptions) -> None:
        try:
            import prometheus_client
        except ImportError:
            raise SinkError("needs prometheus-client: pip install 'rulekit[prometheus]'") from None
        self._library = prometheus_client
        self._options = options
        self._registry = prometheus_client.CollectorRegistry()
        self._alerts = prometheus_client.Counter(
            "rulekit_alerts", "Alerts raised", options.labels, registry=self._registry
        )
        self._last = prometheus_client.Gauge(
            "rulekit_last_alert_timestamp_seconds",
            "Time of the newest alert",
            registry=self._registry,
        )
        self._server: Any = None

    @property
    def port(self) -> int:
        """Port that is listened on."""
        found: int = self._server[0].server_port
        return found

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Count a batch."""
        if self._server is None:
            self.start()
        for record in batch:
            values = {
                "rule": record.rule,
                "priority": PRIORITIES[record.priority],
                "source": record.source,
                "host": record.host,
            }
            labels = [values[name] for name in self._options.labels]
            (self._alerts.labels(*labels) if labels else self._alerts).inc()
            self._last.set(record.time_ns / 1e9)
        return None

    def start(self) -> None:
        """Begin to serve the metrics."""
        try:
            self._server = self._library.start_http_server(
                self._options.port, self._options.address, self._registry
            )
        except OSError as error:
            where = f"{self._options.address}:{self._options.port}"
            raise SinkError(f"{where}: {reason(error)}") from error

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            server, thread = self._server
            server.shutdown()
            server.server_close()
            thread.join()
            self._server = None


SINK = PrometheusSink
