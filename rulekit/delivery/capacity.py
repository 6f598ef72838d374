"""What a spool can hold at all: alerts for which no time is the right one."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from rulekit.alert import Alert, priority_number
from rulekit.delivery.routing import Router
from rulekit.delivery.worker import SinkWorker
from rulekit.formats.base import Formatter
from rulekit.sinks.base import Record

_LARGE_BYTES = 16 << 10  # few alerts have more


def record_of(alert: Alert, formatter: Formatter) -> Record:
    """Return what goes into the spool of a sink."""
    body = formatter.format(alert)
    number = priority_number(alert.priority)
    return Record(alert.id, alert.time_ns, number, alert.rule, alert.source, alert.hostname, body)


def may_exceed(number: int, workers: Sequence[SinkWorker]) -> bool:
    """Return whether so many alerts can be too many for a spool; quicker than `excess_of`."""
    return any(number * _LARGE_BYTES > worker.spool.capacity_bytes for worker in workers)


def excess_of(
    alerts: Sequence[Alert], workers: Sequence[SinkWorker], router: Router, *, alone: bool
) -> str | None:
    """Return why some alerts can never be taken together, None when they can at some time.

    That is so when one of them has no sink whose spool, when it is empty, takes it and all the
    others that go there. A spool that blocks takes them one after the other.

    Args:
        alone: Each is looked at for itself: noise control may leave few of many.
    """
    goes: list[list[tuple[int, int | None]]] = []
    total = [0] * len(workers)
    for alert in alerts:
        sizes: list[tuple[int, int | None]] = []
        for i in router.sinks(alert):
            with contextlib.suppress(Exception):  # a format's mistake, told elsewhere
                size = workers[i].spool.size_of(record_of(alert, workers[i].plan.formatter))
                sizes.append((i, size))
                total[i] += size or 0
        goes.append(sizes)
    excessive = [
        not alone and worker.plan.spool.full != "block" and total[i] > worker.spool.capacity_bytes
        for i, worker in enumerate(workers)
    ]
    for sizes in goes:
        if not sizes or any(size is not None and not excessive[i] for i, size in sizes):
            continue
        i, size = sizes[-1]
        spool = f"the spool of sink {workers[i].name}"
        if size is None:
            return f"an alert is too large for {spool} (spool.max_bytes)"
        return (
            f"all alerts together take {total[i]} bytes, {spool} holds"
            f" {workers[i].spool.capacity_bytes} (spool.max_bytes)"
        )
    return None
