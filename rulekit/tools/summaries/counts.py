"""Summaries of their own kind: descriptors, processor time, bytes over time, shells."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.engine._tally import Tally
from rulekit.tools.summaries.base import Argument, Column, Report, Request, Row, Summary, operand
from rulekit.tools.summaries.groups import counted

_SECOND = 1_000_000_000


def fdcount_by(request: Request) -> Report:
    """Count the different descriptors (number and name) that are used, by a field."""
    key = str(request.values["key"])
    tally = Tally([operand(name) for name in (key, "fd.num", "fd.name")], distinct=2)
    report = Report((Column("fds", "FDs"), Column(key, key)), ())

    loop = request.open('fd.num > 0 and fd.name != ""')
    report.rows = counted(
        report, loop, (tally,), lambda: ((total, *found) for found, total, _ in tally.rows())
    )
    return report


def event_counts(request: Request) -> Report:
    """Count the events of each type, most frequent first."""
    tally = Tally([operand("evt.dir"), operand("evt.type")])
    report = Report((Column("evt.dir", ""), Column("evt.type", ""), Column("calls", "")), ())

    report.rows = counted(
        report,
        request.open(),
        (tally,),
        lambda: ((*found, total) for found, total, _ in tally.rows()),
    )
    report.line = lambda row: f"{row[0]} {row[1]:<19} {row[2]}"
    return report


def _cpu(keys: tuple[tuple[str, str], ...], request: Request) -> Report:
    """Share of the capture's time that one processor worked for each group.

    Recorders that look at /proc every second say so themselves (procinfo); of others only the
    switches between threads tell, where they are recorded.
    """
    names = [operand(name) for name, _ in keys]
    sampled = Tally(names, operand("thread.cpu"))
    switched = Tally(names, operand("thread.exectime"))
    columns = (
        Column("cpu", "CPU%", "percent"),
        *(Column(name, heading) for name, heading in keys),
    )
    report = Report(columns, ())

    questions = [
        (request.condition, "evt.type = procinfo"),
        (request.condition, "evt.type = switch"),
    ]
    loop = request.open_any(questions)

    def rows() -> Iterator[Row]:
        tally, scale = (sampled, _SECOND / 100) if sampled.n_groups else (switched, 1.0)
        for found, total, _ in tally.rows(10):
            yield (total * scale / loop.span_ns * 100 if loop.span_ns else 0.0, *found)
        if not tally.n_groups:
            report.notes.append(
                "this capture has neither procinfo nor switch events: nothing is known of"
                " processor time"
            )

    report.rows = counted(report, loop, (sampled, switched), rows)
    return report


def topprocs_cpu(request: Request) -> Report:
    """Processes by processor time."""
    keys = (("proc.name", "Process"), ("proc.pid", "PID"))
    if request.containers:
        keys = (
            ("proc.name", "Process"),
            ("proc.pid", "Host_pid"),
            ("proc.vpid", "Container_pid"),
            ("container.name", "container.name"),
        )  # type: ignore[assignment]
    return _cpu(keys, request)


def topcontainers_cpu(request: Request) -> Report:
    """Containers by processor time."""
    return _cpu((("container.name", "container.name"),), request)


def _bytes_over_time(where: str, request: Request) -> Report:
    tally = Tally([operand("evt.datetime.s"), operand("evt.io_dir")], operand("evt.rawarg.res"))
    names = ("evt.datetime.s", "in", "out", "total")
    report = Report(tuple(Column(name, name) for name in names), ())

    def rows() -> Iterator[Row]:
        seconds: dict[str, dict[str, int]] = {}
        for (second, direction), total, _ in tally.rows():
            seconds.setdefault(str(second), {})[str(direction)] = int(total)
        for second, sums in sorted(seconds.items()):
            taken, given = sums.get("read", 0), sums.get("write", 0)
            yield second, taken, given, taken + given

    report.rows = counted(report, request.open(where), (tally,), rows)
    report.line = lambda row: f"{row[0]} in:{row[1]} out:{row[2]} tot:{row[3]}"
    return report


def list_login_shells(request: Request) -> Report:
    """Login shells below which programs were started."""
    where = "evt.type = execve and evt.failed = false and proc.loginshellid exists"
    command, arguments = request.values.get("command"), request.values.get("arguments")
    if command not in (None, "*"):
        where += f" and proc.exe contains {quoted(str(command))}"
    if arguments is not None:
        where += f" and proc.args contains {quoted(str(arguments))}"
    keys = ["proc.loginshellid"]
    if request.containers:
        keys += ["container.name", "container.id"]
    tally = Tally([operand(key) for key in keys])
    report = Report((*(Column(key, key) for key in keys), Column("programs", "programs")), ())

    report.rows = counted(
        report,
        request.open(where),
        (tally,),
        lambda: ((*found, total) for found, total, _ in sorted(tally.rows())),
    )
    return report


def quoted(text: str) -> str:
    """Return text as a literal of a condition."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_FIELD = Argument("key", "field", "the field that makes the groups", required=True)

COUNTS = (
    Summary("fdcount_by", "I/O", "descriptors in use, counted by any field", fdcount_by, (_FIELD,)),
    Summary(
        "iobytes",
        "I/O",
        "bytes read and written in each second",
        lambda request: _bytes_over_time("evt.is_io = true", request),
    ),
    Summary(
        "iobytes_file",
        "I/O",
        "bytes read from and written to files in each second",
        lambda request: _bytes_over_time("evt.is_io = true and fd.type = file", request),
    ),
    Summary(
        "iobytes_net",
        "Net",
        "bytes received and sent in each second",
        lambda request: _bytes_over_time("evt.is_io = true and fd.type in (ipv4, ipv6)", request),
    ),
    Summary("topprocs_cpu", "CPU Usage", "processes by processor time", topprocs_cpu),
    Summary("topcontainers_cpu", "CPU Usage", "containers by processor time", topcontainers_cpu),
    Summary(
        "list_login_shells",
        "Security",
        "login shells below which programs were started",
        list_login_shells,
        (
            Argument("command", "text", "only programs whose name contains this; * is any"),
            Argument("arguments", "text", "only programs whose arguments contain this"),
        ),
    ),
)
