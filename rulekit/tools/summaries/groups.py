"""Summaries that group events by fields and count or add up: the greatest groups first.

Names, keys, conditions and units are those of the chisels that sysdig 0.29 ships.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from rulekit.engine._loop import EventLoop
from rulekit.engine._tally import Tally
from rulekit.engine.stats import Stats
from rulekit.errors import SourceError
from rulekit.tools.summaries.base import Argument, Column, Report, Request, Row, Summary, operand

_FILES = "fd.type = file and evt.is_io = true"
_NETWORK = "fd.type in (ipv4, ipv6) and evt.is_io = true"
_CONTAINER = "container.id != host"
_PROCESS = (("proc.name", "Process"), ("proc.pid", "PID"))
_CONTAINED_PROCESS = (
    ("proc.name", "Process"),
    ("proc.pid", "Host_pid"),
    ("thread.vtid", "Container_pid"),
    ("container.name", "container.name"),
)

Keys = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which events are grouped by what.

    Attributes:
        keys: Fields and their headings.
        value: What is added up: a field, ``calls`` for a mere count, or ``latency`` for the time
            between enter and exit of the calls.
        where: Condition; None is every event.
        contained: Keys when containers are to be told apart.
        most: Groups that are shown.
    """

    keys: Keys
    value: str
    heading: str
    unit: str
    where: str | None
    contained: Keys | None = None
    most: int | None = 10


def grouped(grouping: Grouping, request: Request) -> Report:
    """Return the greatest groups."""
    keys = grouping.contained if request.containers and grouping.contained else grouping.keys
    latency = grouping.value == "latency"
    field = None if latency or grouping.value == "calls" else operand(grouping.value)
    tally = Tally([operand(name) for name, _ in keys], field, latency=latency)
    columns = (
        Column(grouping.value, grouping.heading, grouping.unit),
        *(Column(name, heading) for name, heading in keys),
    )
    report = Report(columns, ())
    loop = request.open(grouping.where)
    if latency:
        loop.time_calls()

    def rows() -> Iterator[Row]:
        for found, total, _ in tally.rows(grouping.most):
            yield (total, *found)
        if latency and not loop.n_enters:
            report.notes.append(NO_TIMES)

    report.rows = counted(report, loop, (tally,), rows)
    return report


NO_TIMES = (
    "this capture records only where calls end, not where they begin: nobody can say how long"
    " they took"
)


def counted(
    report: Report, loop: EventLoop, tallies: Sequence[Tally], rows: Callable[[], Iterable[Row]]
) -> Iterator[Row]:
    """Run a loop to its end, then yield `rows` and note what is missing from them.

    Raises:
        SourceError: The capture is damaged; the rows of what came before were yielded.
    """
    damage = None
    with closing(loop):
        loop.tally(tallies)
        try:
            while loop.next() is not None:
                pass
        except SourceError as error:
            damage = error
        yield from rows()
        report.notes += losses(loop)
    dropped = sum(tally.dropped for tally in tallies)
    if dropped:
        report.notes.append(
            f"{count(dropped, 'event')} not counted: there are more groups than can be kept"
        )
    if damage is not None:
        raise damage


# Counters of the loop that make a summary wrong, and what they mean to its reader.
_LOSSES = {
    "threads_refused": "more threads than can be kept",
    "fds_refused": "more descriptors than can be kept",
    "strings_refused": "more texts than can be kept",
    "calls_evicted": "more calls under way than can be timed",
}


def losses(loop: EventLoop) -> list[str]:
    """Return what the capture or the limits of the state have kept from the reader."""
    stats = Stats()
    loop.fill(stats)
    notes = []
    if stats.drops:
        notes.append(f"{count(stats.drops, 'drop record')}: the recorder lost or skipped events")
    for name, meaning in _LOSSES.items():
        if number := stats.counters.get(name):
            notes.append(f"{meaning}: {number} left out")
    return notes


def count(number: int, noun: str) -> str:
    """Return ``1 event``, ``2 events``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _top(name: str, category: str, help: str, grouping: Grouping) -> Summary:
    return Summary(name, category, help, lambda request: grouped(grouping, request))


def _by_field(
    name: str, help: str, value: str, heading: str, unit: str, where: str, most: int
) -> Summary:
    def run(request: Request) -> Report:
        key = str(request.values["key"])
        return grouped(Grouping(((key, key),), value, heading, unit, where, most=most), request)

    return Summary(name, "I/O", help, run, (_KEY,))


_KEY = Argument("key", "field", "the field that makes the groups", required=True)


def _in_container(*keys: tuple[str, str]) -> Keys:
    return (*keys, ("container.name", "container.name"))


_BY_CONTAINER = _in_container()
_FILE: Keys = (("fd.name", "Filename"),)
_CALL: Keys = (("evt.type", "Syscall"),)
_RESULT = "evt.rawarg.res"

GROUPS = (
    _top(
        "topprocs_file",
        "I/O",
        "processes by bytes read from and written to files",
        Grouping(_PROCESS, _RESULT, "Bytes", "bytes", _FILES, _CONTAINED_PROCESS),
    ),
    _top(
        "topfiles_bytes",
        "I/O",
        "files by bytes read and written",
        Grouping(
            _FILE, _RESULT, "Bytes", "bytes", _FILES, (("container.name", "container.name"), *_FILE)
        ),
    ),
    _top(
        "topfiles_time",
        "I/O",
        "files by time spent reading and writing",
        Grouping(_FILE, "latency", "Time", "time", _FILES, _in_container(*_FILE)),
    ),
    _top(
        "topcontainers_file",
        "I/O",
        "containers by bytes read from and written to files",
        Grouping(_BY_CONTAINER, _RESULT, "Bytes", "bytes", f"{_FILES} and {_CONTAINER}"),
    ),
    _by_field(
        "fdbytes_by",
        "bytes read and written, grouped by any field",
        _RESULT,
        "Bytes",
        "bytes",
        "evt.is_io = true and evt.failed = false",
        30,
    ),
    _by_field(
        "fdtime_by",
        "time spent reading and writing, grouped by any field",
        "latency",
        "Time",
        "time",
        "evt.is_io = true",
        10,
    ),
    _top(
        "topprocs_net",
        "Net",
        "processes by bytes received and sent",
        Grouping(_PROCESS, _RESULT, "Bytes", "bytes", _NETWORK, _CONTAINED_PROCESS, 100),
    ),
    _top(
        "topconns",
        "Net",
        "connections by bytes received and sent",
        Grouping(
            (("fd.l4proto", "Proto"), ("fd.name", "Conn")),
            _RESULT,
            "Bytes",
            "bytes",
            _NETWORK,
            (("container.name", "container.name"), ("fd.l4proto", "Proto"), ("fd.name", "Conn")),
            30,
        ),
    ),
    _top(
        "topports_server",
        "Net",
        "server ports by bytes received and sent",
        Grouping(
            (("fd.sport", "Srv Port"),),
            _RESULT,
            "Bytes",
            "bytes",
            _NETWORK,
            _in_container(("fd.sport", "Srv Port")),
            100,
        ),
    ),
    _top(
        "topcontainers_net",
        "Net",
        "containers by bytes received and sent",
        Grouping(
            _BY_CONTAINER, _RESULT, "Bytes", "bytes", f"{_NETWORK} and {_CONTAINER}", most=100
        ),
    ),
    _top(
        "topprocs_errors",
        "Errors",
        "processes by failed system calls",
        Grouping(
            _PROCESS, "calls", "#Errors", "count", "evt.failed = true", _CONTAINED_PROCESS, 100
        ),
    ),
    _top(
        "topfiles_errors",
        "Errors",
        "files by failed system calls",
        Grouping(
            _FILE,
            "calls",
            "#Errors",
            "count",
            "fd.type = file and evt.failed = true",
            _in_container(*_FILE),
            100,
        ),
    ),
    _top(
        "topcontainers_error",
        "Errors",
        "containers by failed system calls",
        Grouping(
            _BY_CONTAINER,
            "calls",
            "#Errors",
            "count",
            f"evt.failed = true and {_CONTAINER}",
            most=100,
        ),
    ),
    _top(
        "errors",
        "Errors",
        "failed system calls by kind and error",
        Grouping(
            (*_CALL, ("evt.res", "Error")),
            "calls",
            "#Errors",
            "count",
            "evt.failed = true",
            _in_container(*_CALL, ("evt.res", "Error")),
            100,
        ),
    ),
    _top(
        "topscalls",
        "Performance",
        "system calls by how often they were made",
        Grouping(
            _CALL, "calls", "# Calls", "count", "evt.type != switch", _in_container(*_CALL), 30
        ),
    ),
    _top(
        "topscalls_time",
        "Performance",
        "system calls by the time spent in them",
        Grouping(_CALL, "latency", "Time", "time", None, _in_container(*_CALL), 30),
    ),
)
