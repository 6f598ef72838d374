"""What a service counts, for Prometheus. On prometheus-client (extra ``service``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from rulekit import __version__
from rulekit.delivery.pipeline import Delivery
from rulekit.engine.pipeline import Engine
from rulekit.service.status import Status
from rulekit.sources.base import Source

_LOST = "lost_"
_REFUSED = "_refused"


class ServiceCollector(Collector):
    """Reads engine, source and sinks when it is asked.

    Args:
        source: Of events; None where it has nothing to tell.
        delivery: The sinks, None when there are none.
    """

    def __init__(
        self, engine: Engine, status: Status, source: Source | None, delivery: Delivery | None
    ) -> None:
        self._engine = engine
        self._status = status
        self._source = source
        self._delivery = delivery

    def collect(self) -> Iterable[Metric]:
        yield from self._events()
        yield from self._state()
        yield from self._reloads()
        if self._delivery is not None:
            yield from self._sinks(self._delivery)

    def _events(self) -> Iterator[Metric]:
        stats = self._engine.look()
        yield InfoMetricFamily("rulekit", "The program.", {"version": __version__})
        yield CounterMetricFamily("rulekit_events", "Events read.", stats.events)
        yield CounterMetricFamily("rulekit_events_visible", "Events shown to rules.", stats.visible)
        drops = CounterMetricFamily(
            "rulekit_drops", "Events lost before rules saw them.", labels=["reason"]
        )
        by_reason = self._engine.losses()
        by_reason["recorder"] = max(0, stats.drops - sum(by_reason.values()))
        for reason, n in by_reason.items():
            drops.add_metric([reason], n)
        yield drops
        matches = CounterMetricFamily(
            "rulekit_rule_matches", "Matches of a rule.", labels=["rule", "priority"]
        )
        alerts = dict(stats.alerts)
        for rule in self._engine.rules:
            matches.add_metric([rule.name, rule.priority.label], alerts.pop(rule.name, 0))
        for name, n in alerts.items():  # of rules that a reload took away
            matches.add_metric([name, ""], n)
        yield matches
        others = CounterMetricFamily(
            "rulekit_counted", "Whatever else was counted, by name.", labels=["what"]
        )
        for name, n in stats.counters.items():
            if not name.startswith(_LOST) and not name.endswith(_REFUSED):
                others.add_metric([name], n)
        yield others

    def _state(self) -> Iterator[Metric]:
        entries = GaugeMetricFamily(
            "rulekit_state_entries", "Entries of the tables of the state.", labels=["table"]
        )
        for table, n in self._engine.tables().items():
            entries.add_metric([table], n)
        yield entries
        refused = CounterMetricFamily(
            "rulekit_state_refused", "What found no room in a table.", labels=["table"]
        )
        counters = self._engine.look().counters
        for table in ("threads", "fds", "containers", "accounts", "strings"):
            refused.add_metric([table], counters.get(table + _REFUSED, 0))
        yield refused
        filled = getattr(self._source, "filled", None)
        if filled is not None:
            yield GaugeMetricFamily(
                "rulekit_buffer_filled_ratio", "How full the buffer of the source is.", filled
            )

    def _reloads(self) -> Iterator[Metric]:
        status = self._status
        reloads = CounterMetricFamily("rulekit_reloads", "Reloads.", labels=["result"])
        reloads.add_metric(["ok"], status.reloads)
        reloads.add_metric(["failed"], status.failed_reloads)
        yield reloads
        yield GaugeMetricFamily(
            "rulekit_last_reload_timestamp_seconds", "The last reload.", status.reloaded_s
        )
        yield GaugeMetricFamily(
            "rulekit_last_reload_ok", "1 unless the last reload failed.", not status.problem
        )
        yield GaugeMetricFamily("rulekit_rules", "Rules that run.", len(self._engine.rules))
        yield GaugeMetricFamily(
            "rulekit_silent_seconds", "Since the engine last went on.", status.silent_s
        )

    def _sinks(self, delivery: Delivery) -> Iterator[Metric]:
        found = delivery.status()
        for name, text, values in (
            ("accepted", "Alerts put into the spool.", [s.stats.accepted for s in found]),
            ("delivered", "Alerts that the receiver has.", [s.stats.delivered for s in found]),
            ("refused", "Alerts that it will never take.", [s.stats.refused for s in found]),
            ("repeated", "Alerts sent once more.", [s.stats.repeated for s in found]),
            ("failures", "Attempts that failed.", [s.stats.failures for s in found]),
        ):
            counter = CounterMetricFamily(f"rulekit_sink_{name}", text, labels=["sink"])
            for each, value in zip(found, values, strict=True):
                counter.add_metric([each.name], value)
            yield counter
        dropped = CounterMetricFamily(
            "rulekit_sink_dropped", "Alerts that the spool lost.", labels=["sink", "cause"]
        )
        waiting = GaugeMetricFamily("rulekit_sink_waiting", "Alerts that wait.", labels=["sink"])
        waiting_bytes = GaugeMetricFamily(
            "rulekit_sink_waiting_bytes", "What they take.", labels=["sink"]
        )
        up = GaugeMetricFamily("rulekit_sink_up", "1 while it delivers.", labels=["sink"])
        for each in found:
            for cause, n in each.dropped.items():
                dropped.add_metric([each.name, cause], n)
            waiting.add_metric([each.name], each.waiting)
            waiting_bytes.add_metric([each.name], each.waiting_bytes)
            up.add_metric([each.name], each.stats.state == "ok")
        yield from (dropped, waiting, waiting_bytes, up)


def registry_of(collector: ServiceCollector) -> CollectorRegistry:
    """Return what is shown: the figures of the service, and of its process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    ProcessCollector(registry=registry)
    return registry
