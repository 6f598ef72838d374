"""A sink as it stands, for whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass

from rulekit.delivery.worker import SinkStats, SinkWorker


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """A sink as it stands.

    Attributes:
        waiting: Alerts in its spool or on their way; `waiting_bytes` what they take.
        dropped: Alerts that its spool lost, by cause.
        disk_full: Whether its spool could not write to the disk last time.
        counters: What the sink itself counts.
    """

    name: str
    stats: SinkStats
    waiting: int
    waiting_bytes: int
    dropped: dict[str, int]
    disk_full: bool
    counters: dict[str, int]


def status_of(worker: SinkWorker) -> SinkStatus:
    """Return a sink as it stands; by any thread."""
    return SinkStatus(
        worker.name,
        worker.stats,
        worker.spool.unsettled,
        worker.spool.n_bytes,
        dict(worker.spool.dropped),
        worker.spool.disk_full,
        worker.plan.sink.counters(),
    )
