"""Summaries that are a line per event: data read and written, slow calls, finished processes."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from rulekit.engine._loop import EventLoop
from rulekit.formats.base import escape_controls, time_of_day
from rulekit.tools.summaries.base import (
    Argument,
    Column,
    Report,
    Request,
    Row,
    Summary,
    fields_output,
)
from rulekit.tools.summaries.counts import quoted
from rulekit.tools.summaries.groups import NO_TIMES
from rulekit.tools.summaries.text import bytes_text

_MS = 1_000_000
_DATA = "evt.buffer"
_TRANSFER = "evt.is_io = true and evt.rawres > 0"


def _shown(loop: EventLoop, fields: tuple[str, ...], buffers: str) -> Iterator[tuple[Any, ...]]:
    """Yield the fields of every event that a loop shows, and close it."""
    output = fields_output(fields, buffers)
    with closing(loop):
        while (found := loop.next()) is not None:
            if found:
                values = loop.fields(output)
                yield tuple(values[name] for name in fields)


def _data(request: Request, where: str, fields: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Return the fields of events that moved data, with the data last."""
    events = _shown(request.open(where), (*fields, _DATA), request.buffers or "text")
    return (
        (*values[:-1], values[-1].removeprefix("\n")) for values in events if values[-1] is not None
    )


def _text(head: str, data: str, between: str = "\n") -> str:
    """Return a line of text and the data under or behind it; who prints it ends the last line."""
    return escape_controls(head) + between + data.removesuffix("\n")


def _standard(number: int, request: Request) -> Report:
    fields: tuple[str, ...] = ("container.id", "container.name") if request.containers else ()
    names = (*fields, _DATA)
    rows = _data(request, f"fd.num = {number} and {_TRANSFER}", fields)

    def line(row: Row) -> str:
        return _text("".join(f"{value!s:<20.20} " for value in row[:-1]), str(row[-1]), "")

    return Report(tuple(Column(name, name) for name in names), rows, line, with_data=True)


def echo_fds(request: Request) -> Report:
    """Print what processes read and write."""
    fields = ("evt.io_dir", "evt.rawres", "fd.name", "proc.name", "container.name", "container.id")

    def line(row: Row) -> str:
        direction, size, name, process, container, container_id, data = row
        what = "Write" if direction == "write" else "Read"
        where = "to" if direction == "write" else "from"
        inside = f" [{container}] [{container_id}] " if request.containers else " "
        head = f"------ {what} {bytes_text(size)} {where}{inside}{name or '<NA>'} ({process})"
        return _text(head, data)

    rows = _data(request, _TRANSFER, fields)
    return Report(
        tuple(Column(name, name) for name in (*fields, _DATA)), rows, line, with_data=True
    )


def _network(where: str, request: Request) -> Report:
    fields = ("evt.io_dir", "evt.rawres", "fd.name", "proc.name")

    def line(row: Row) -> str:
        direction, size, _, _, data = row
        what = "Write" if direction == "write" else "Read"
        return _text(f"------ {what} {bytes_text(size)}", data)

    rows = _data(request, f"{_TRANSFER} and fd.type in (ipv4, ipv6) and {where}", fields)
    return Report(
        tuple(Column(name, name) for name in (*fields, _DATA)), rows, line, with_data=True
    )


def spy_ip(request: Request) -> Report:
    """Print the data exchanged with an address."""
    return _network(f"fd.ip = {quoted(str(request.values['host_ip']))}", request)


def spy_port(request: Request) -> Report:
    """Print the data exchanged over a port."""
    return _network(f"fd.port = {int(request.values['host_port'])}", request)


def spy_file(request: Request) -> Report:
    """Print what is read from and written to files."""
    which = str(request.values.get("read_or_write", "RW")).upper()
    name = request.values.get("file_name")
    where = "fd.type = file and evt.failed = false and "
    where += {"R": "evt.is_io_read = true", "W": "evt.is_io_write = true"}.get(
        which, "evt.is_io = true"
    )
    if name:
        where += f" and fd.name = {quoted(str(name))}"
    else:
        where += " and not fd.name contains /dev/pt and not fd.name contains /dev/tty"
    fields = ("evt.time", "proc.name", "proc.pid", "evt.io_dir", "evt.rawres", "fd.name")

    def line(row: Row) -> str:
        when, process, pid, direction, size, file, data = row
        letter = "W" if direction == "write" else "R"
        head = f"{time_of_day(when)} {process}({pid}) {letter} {bytes_text(size)} {file} "
        return _text(head, data, "")

    rows = _data(request, where, fields)
    return Report(
        tuple(Column(name, name) for name in (*fields, _DATA)), rows, line, with_data=True
    )


def _slow(where: str, names: tuple[str, ...], request: Request) -> Report:
    fields = ("evt.datetime", "proc.name", "evt.type", *names)
    if request.containers:
        fields = ("container.id", "container.name", *fields)
    columns = (*(Column(name, name) for name in fields), Column("latency", "latency", "time"))
    report = Report(columns, ())
    least = int(float(request.values["min_ms"]) * _MS)
    at = fields.index("evt.datetime")

    loop = request.open(where)
    loop.slower_than(least + 1)

    def rows() -> Iterator[Row]:
        for values in _shown(loop, fields, "dots"):
            yield (*values, loop.latency_ns)
        if not loop.n_enters:
            report.notes.append(NO_TIMES)

    def line(row: Row) -> str:
        *before, process, kind = row[: at + 3]
        containers = "".join(f"{value!s:<20.20} " for value in before[:at])
        rest = "".join(f" {value}" for value in row[at + 3 : -1])
        when = f"{time_of_day(row[at])} {process or '<NA>':<15.15}"
        return f"{containers}{when} {kind:<14} {row[-1] / _MS:>12.6f}ms{rest}"

    report.rows, report.line = rows(), line
    return report


def bottlenecks(request: Request) -> Report:
    """The ten calls that took longest."""
    fields = ("evt.num", "proc.name", "thread.tid", "evt.type", "evt.args")
    report = Report((*(Column(name, name) for name in fields), Column("latency", "", "time")), ())
    output = fields_output(fields)
    loop = request.open("evt.type != switch")
    loop.slower_than(1)

    def rows() -> Iterator[Row]:
        slowest: list[tuple[int, int, dict[str, Any]]] = []
        with closing(loop):
            while (found := loop.next()) is not None:
                if not found or loop.latency_ns is None:
                    continue
                heapq.heappush(slowest, (loop.latency_ns, -loop.num, loop.fields(output)))
                if len(slowest) > 10:
                    heapq.heappop(slowest)
                if len(slowest) == 10:
                    loop.slower_than(slowest[0][0] + 1)  # the loop itself passes over the rest
            if not loop.n_enters:
                report.notes.append(NO_TIMES)
        for latency, _, values in sorted(slowest, key=lambda one: (-one[0], -one[1])):
            yield (*(values[name] for name in fields), latency)

    def line(row: Row) -> str:
        number, process, tid, kind, arguments, latency = row
        seconds, ns = divmod(latency, 1_000_000_000)
        return f"{number}) {seconds}.{ns:09d} {process or ''} ({tid}) < {kind} {arguments or ''}"

    report.rows, report.line = rows(), line
    return report


def proc_exec_time(request: Request) -> Report:
    """Finished processes and how long they ran, where the capture saw them start."""
    fields: tuple[str, ...] = ("proc.duration", "proc.name", "proc.args")
    units = {"proc.duration": "time"}
    if request.containers:
        fields = (fields[0], "container.id", "container.name", *fields[1:])
    widths = {"proc.duration": 14, "proc.name": 13}
    columns = tuple(
        Column(name, name, units.get(name, "count"), widths.get(name, 20)) for name in fields
    )

    events = _shown(request.open("evt.type = procexit"), fields, "dots")
    return Report(columns, (values for values in events if values[0] is not None))


_MIN = (Argument("min_ms", "number", "shorter ones are not shown", required=True),)
_FILE_IO = 'fd.type = file and evt.is_io = true and not fd.name startswith "/dev/"'
_NET_IO = "fd.type in (ipv4, ipv6) and evt.is_io = true"

STREAMS = (
    Summary("stdin", "I/O", "what processes read from fd 0", lambda r: _standard(0, r)),
    Summary("stdout", "I/O", "what processes write to fd 1", lambda r: _standard(1, r)),
    Summary("stderr", "I/O", "what processes write to fd 2", lambda r: _standard(2, r)),
    Summary("echo_fds", "I/O", "what processes read and write", echo_fds),
    Summary(
        "spy_file",
        "I/O",
        "what processes read from and write to files",
        spy_file,
        (
            Argument("read_or_write", "text", "R: only reads; W: only writes; RW: both (default)"),
            Argument("file_name", "text", "only this file"),
        ),
    ),
    Summary(
        "spy_ip",
        "Net",
        "data exchanged with an address",
        spy_ip,
        (Argument("host_ip", "text", "the address", required=True),),
    ),
    Summary(
        "spy_port",
        "Net",
        "data exchanged over a port",
        spy_port,
        (Argument("host_port", "number", "the port", required=True),),
    ),
    Summary(
        "fileslower",
        "Performance",
        "reads and writes of files that took long",
        lambda r: _slow(_FILE_IO, ("fd.name",), r),
        _MIN,
    ),
    Summary(
        "netlower",
        "Performance",
        "network reads and writes that took long",
        lambda r: _slow(_NET_IO, ("fd.name",), r),
        _MIN,
    ),
    Summary(
        "scallslower",
        "Performance",
        "system calls that took long",
        lambda r: _slow("evt.num exists", (), r),
        _MIN,
    ),
    Summary("bottlenecks", "Performance", "the ten calls that took longest", bottlenecks),
    Summary("proc_exec_time", "Performance", "how long processes ran", proc_exec_time),
)
