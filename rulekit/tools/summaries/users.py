"""What users did at their shells: the programs they started and the directories they went to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from rulekit.tools.summaries.base import (
    Argument,
    Column,
    Report,
    Request,
    Row,
    Summary,
    fields_output,
)

_ANCESTORS = 16
# Of processes remembered; beyond it everything is forgotten, and found again from ancestors.
_MOST = 1 << 16
_WHERE = (
    "evt.failed = false and (evt.type in (execve, execveat)"
    " or (evt.type = chdir and proc.name contains sh and not proc.name contains sshd))"
)
_FIELDS = (
    "evt.type",
    "evt.time.s",
    "proc.exe",
    "proc.args",
    "evt.arg.path",
    "user.name",
    "proc.pid",
    "proc.ppid",
    "container.name",
)


class _Shells:
    """Below which shell a process is, and how deep: (depth, pid of the shell), or None."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[int, Any] | None] = {}

    def place(self, values: dict[str, Any]) -> tuple[int, Any] | None:
        """Return the place of an event's process."""
        if len(self._known) > _MOST:
            self._known.clear()
        pid, parent = values["proc.pid"], values["proc.ppid"]
        first = 1
        if values["evt.type"] == "chdir":
            parent, first = pid, 0  # the shell itself goes
        if parent not in self._known:
            self._known[parent] = self._search(values, first)
        above = self._known[parent]
        if above is None:
            return None
        if values["evt.type"] == "chdir":
            return above
        if self._known.get(pid) is None:
            self._known[pid] = (above[0] + 1, above[1])
        depth, shell = self._known[pid]  # type: ignore[misc]
        return depth - 1, shell

    def _search(self, values: dict[str, Any], first: int) -> tuple[int, Any] | None:
        """Return the place of the ancestor `first` (0: the process), by the last shell above it."""
        found = None
        for i in range(first, _ANCESTORS + 1):
            name, pid = values[f"proc.aname[{i}]"], values[f"proc.apid[{i}]"]
            if pid is None:
                break
            if name is not None and len(name) >= 2 and name.endswith("sh"):
                found = (i - first if pid in self._known else 0, pid)
        return found


def spy_users(request: Request) -> Report:
    """Programs started below shells, and directories that shells went to."""
    most = request.values.get("max_depth")
    levels = [f"proc.{what}[{i}]" for what in ("aname", "apid") for i in range(_ANCESTORS + 1)]
    output = fields_output((*_FIELDS, *levels))
    names = ("depth", "shell", "evt.time.s", "user.name", "container.name", "command")

    loop = request.open(_WHERE)

    def rows() -> Iterator[Row]:
        shells = _Shells()
        with closing(loop):
            while (found := loop.next()) is not None:
                if not found:
                    continue
                values = loop.fields(output)
                place = shells.place(values)
                if place is None or (most is not None and place[0] > most):
                    continue
                if values["evt.type"] == "chdir":
                    command = f"cd {values['evt.arg.path']}"
                else:
                    command = f"{values['proc.exe']} {values['proc.args'] or ''}".rstrip()
                when, user = values["evt.time.s"], values["user.name"]
                yield (*place, when, user, values["container.name"], command)

    def line(row: Row) -> str:
        depth, shell, when, user, container, command = row
        who = user or "<NA>"
        if request.containers:
            who = f"{who}@{container}"
        return f"{' ' * (3 * depth)}{shell} {clock(when)} {who}) {command}"

    return Report(tuple(Column(name, name) for name in names), rows(), line)


def clock(time_ns: int) -> str:
    """Return the time of day without fractions."""
    from rulekit.formats.base import time_of_day

    return time_of_day(time_ns)[:8]


USERS = (
    Summary(
        "spy_users",
        "Security",
        "programs that users start at shells, and directories they go to",
        spy_users,
        (Argument("max_depth", "number", "not deeper below the shell than this"),),
    ),
)
