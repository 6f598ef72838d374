"""Summaries of what was open and running at one moment: lsof, ps, netstat, lscontainers.

The moment is just after the first event for which the request's condition holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from rulekit._fastmatch import Matcher
from rulekit.engine._loop import EventLoop
from rulekit.tools.look import matcher_of
from rulekit.tools.summaries.base import (
    Argument,
    Column,
    Report,
    Request,
    Row,
    Summary,
    fields_output,
)
from rulekit.tools.summaries.groups import losses
from rulekit.tools.summaries.text import value_text

_FILTER = (Argument("filter", "condition", "only the rows for which this holds"),)
_KIB = 1024
_Texts = tuple[str, ...]


def reach(loop: EventLoop) -> bool:
    """Go to the first event that is shown; False when there is none."""
    while (found := loop.next()) is not None:
        if found:
            return True
    return False


def _only(request: Request, condition: str | None = None) -> Matcher | None:
    # Not the loop's matcher: its caches are keyed by events, and rows are none.
    return matcher_of([(condition, request.values.get("filter"))], caches=False)


def _table(
    request: Request,
    fields: tuple[str, ...],
    columns: tuple[Column, ...],
    *,
    descriptors: bool,
    where: str | None = None,
) -> Report:
    output = fields_output(fields)
    only = _only(request, where)
    report = Report(columns, ())
    loop = request.open()

    def rows() -> Iterator[Row]:
        with closing(loop):
            if not reach(loop):
                report.notes.append("no event matches: there is no moment to look at")
                return
            found = loop.descriptors(output, only) if descriptors else loop.threads(output, only)
            for each in found:
                yield tuple(each[name] for name in fields)
            report.notes += losses(loop)

    report.rows = rows()
    return report


def lsof(request: Request) -> Report:
    """Open descriptors of every thread."""
    fields: _Texts = (
        "proc.name",
        "proc.pid",
        "thread.tid",
        "user.name",
        "fd.num",
        "fd.type",
        "fd.name",
    )
    headings: _Texts = ("COMMAND", "PID", "TID", "USER", "FD", "TYPE", "NAME")
    widths: tuple[int, ...] = (20, 8, 8, 8, 8, 12, 20)
    if request.containers:
        fields, headings = ("container.name", *fields), ("CONTAINER", *headings)
        widths = (20, *widths)
    return _table(request, fields, _columns(fields, headings, widths), descriptors=True)


def ps(request: Request) -> Report:
    """Running threads with user, memory and limit of descriptors."""
    fields: _Texts = (
        "thread.tid",
        "proc.pid",
        "user.name",
        "proc.vmsize",
        "proc.vmrss",
        "proc.fdlimit",
        "proc.name",
    )
    headings: _Texts = ("TID", "PID", "USER", "VIRT", "RES", "FDLIMIT", "CMD")
    widths: tuple[int, ...] = (8, 8, 12, 11, 11, 10, 20)
    if request.containers:
        fields, headings = ("container.name", *fields), ("CONTAINER", *headings)
        widths = (20, *widths)
    report = _table(request, fields, _columns(fields, headings, widths), descriptors=False)
    sizes = [fields.index(name) for name in ("proc.vmsize", "proc.vmrss")]

    def in_bytes(rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            values = list(row)
            for i in sizes:
                values[i] = None if values[i] is None else values[i] * _KIB
            yield values

    report.rows = in_bytes(iter(report.rows))
    return report


def netstat(request: Request) -> Report:
    """Sockets of every thread with both ends and their state."""
    fields: _Texts = ("fd.l4proto", "fd.name", "fd.sip", "fd.sport", "fd.cip", "fd.cport")
    fields += ("thread.tid", "proc.pid", "proc.name", "container.name")
    names = ("proto", "server", "client", "state", "thread.tid", "proc.pid", "proc.name")
    headings = ("Proto", "Server Address", "Client Address", "State", "TID/PID/Program Name")
    widths = (6, 25, 25, 15, 20)
    report = _table(
        request, fields, (), descriptors=True, where="fd.type in (ipv4, ipv6) and fd.name != ''"
    )
    report.columns = tuple(
        Column(name, heading, width=width)
        for name, heading, width in zip(names, (*headings, "", ""), (*widths, 0, 0), strict=True)
    )
    if request.containers:
        report.columns += (Column("container.name", ""),)
    report.rows = _sockets(report.rows, request.containers)
    report.line = _socket_line
    return report


def _sockets(rows: object, containers: bool) -> Iterator[Row]:
    for proto, name, sip, sport, cip, cport, tid, pid, comm, container in rows:  # type: ignore[attr-defined]
        if cip is None:
            # No client: a bound socket. What a process list says of one is its name only.
            server, client, state = name, "0.0.0.0:*", "LISTEN"
        else:
            server, client, state = f"{sip}:{sport}", f"{cip}:{cport}", "ESTABLISHED"
        row = (proto, server, client, state, tid, pid, comm)
        yield (*row, container) if containers else row


def _socket_line(row: Row) -> str:
    proto, server, client, state, tid, pid, comm, *container = row
    owner = f"{tid}/{pid}/{value_text(Column('', ''), comm)}"
    tail = f" {container[0]}" if container else ""
    return f"{value_text(Column('', ''), proto):<6}{server:<25}{client:<25}{state:<15}{owner}{tail}"


def lscontainers(request: Request) -> Report:
    """Containers of the threads that run."""
    fields = ("container.type", "container.image", "container.name", "container.id")
    columns = _columns(fields, fields, (15, 25, 25, 13))
    report = _table(request, fields, columns, descriptors=False, where="container.id != host")

    def once(rows: Iterator[Row]) -> Iterator[Row]:
        yield from sorted(set(rows), key=lambda row: [str(value) for value in row])

    report.rows = once(iter(report.rows))
    return report


def _columns(
    names: tuple[str, ...], headings: tuple[str, ...], widths: tuple[int, ...]
) -> tuple[Column, ...]:
    units = {"proc.vmsize": "bytes", "proc.vmrss": "bytes"}
    return tuple(
        Column(name, heading, units.get(name, "count"), width)
        for name, heading, width in zip(names, headings, widths, strict=True)
    )


_STATE = "System State"
TABLES = (
    Summary("lsof", _STATE, "open descriptors of every thread", lsof, _FILTER),
    Summary("ps", _STATE, "running threads with user, memory and limits", ps, _FILTER),
    Summary("netstat", _STATE, "sockets of every thread, both ends and state", netstat, _FILTER),
    Summary("lscontainers", _STATE, "containers in which threads run", lscontainers),
)
