"""Audit rules as auditctl reads them: the fewest lines that report what rules need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rulekit.schema.events import event_types
from rulekit.schema.linux_audit import audit_table
from rulekit.schema.values import value_tables
from rulekit.tools.linux_audit.needs import (
    CLONE,
    DIRECTORY,
    EXEC,
    FLAGS_AT,
    OPEN,
    Call,
    Needs,
    merged,
)

ARCHES = ("x86_64", "aarch64")
_DIRECTORY_FLAG = {"x86_64": 0o200000, "aarch64": 0o40000}
_GROUPS = ("exec", "process", "open", "file", "net", "other")
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One audit rule.

    Attributes:
        arch: ``b64`` or ``b32``.
        calls: As auditctl knows them on that architecture.
        filters: What follows ``-F``.
        key: What records carry, see ``ausearch -k``.
        purpose: For whom it is.
    """

    arch: str
    calls: tuple[str, ...]
    filters: tuple[str, ...]
    key: str
    purpose: str

    def __str__(self) -> str:
        filters = "".join(f" -F {each}" for each in self.filters)
        return (
            f"-a always,exit -F arch={self.arch} -S {','.join(self.calls)}{filters} -k {self.key}"
        )


def lines_for(needs: Sequence[Needs], arch: str = "x86_64", *, narrow: bool = True) -> list[Line]:
    """Return the audit rules that report what rules need.

    Args:
        arch: Of the machine: ``x86_64`` or ``aarch64``.
        narrow: Also report the calls of 32-bit programs, which would be a way round the rules; only
            those of x86_64 are known.
    """
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    names = {call["name"] for call in value_tables()[f"syscalls_{arch}"].values()}
    for call in merged(needs):
        key = _group(call.name), _filters(call, arch)
        found.setdefault(key, []).append(call.name)
    lines = []
    socketcall = False  # all of it is reported by a line above
    for (group, filters), calls in sorted(found.items(), key=lambda i: (_GROUPS.index(i[0][0]), i)):
        purpose = _purpose(needs, calls)
        native = tuple(name for name in calls if name in names)
        if native:
            lines.append(Line("b64", native, filters, f"rulekit-{group}", purpose))
        if narrow and arch == "x86_64":
            compat = tuple(dict.fromkeys(n for name in calls for n in _compat(name)))
            if group == "net" and not socketcall:
                compat = (*compat, "socketcall")
                socketcall = not filters
            lines.append(Line("b32", compat, filters, f"rulekit-{group}", purpose))
    return lines


def write(lines: Sequence[Line]) -> Iterator[str]:
    """Yield the lines of a file for ``auditctl -R`` or /etc/audit/rules.d, with comments."""
    purpose = ""
    for line in lines:
        if line.purpose != purpose:
            purpose = line.purpose
            yield f"# {purpose}"
        yield str(line)


def _compat(name: str) -> Sequence[str]:
    names: Sequence[str] = audit_table()["i386"]["names"].get(name, (name,))
    return names


def _group(name: str) -> str:
    if name in EXEC:
        return "exec"
    if name in CLONE or name in DIRECTORY or name == "exit_group":
        return "process"
    if name in OPEN:
        return "open"
    for call in value_tables()["syscalls_x86_64"].values():
        if call["name"] == name and call["exit"] is not None:
            category = event_types()[call["exit"]].category
            if category == "NET" or name.startswith(("recv", "send")):
                return "net"
            if category == "FILE" or category.startswith("IO_"):
                return "file"
            if category in ("PROCESS", "USER"):
                return "process"
    return "other"


def _filters(call: Call, arch: str) -> tuple[str, ...]:
    filters = [] if call.failures else ["success=1"]
    if "any" not in call.opens:
        # One bit of a mask is enough for a match.
        mask = (3 if "writing" in call.opens else 0) | (
            _DIRECTORY_FLAG[arch] if "directories" in call.opens else 0
        )
        filters.append(f"a{FLAGS_AT[call.name]}&{mask:#x}")
    if call.name == "exit_group":
        filters = []  # it has no result
    return tuple(filters)


def _purpose(needs: Sequence[Needs], calls: Sequence[str]) -> str:
    rules = [
        one.rule.name
        for one in needs
        if any(name in one.calls and not one.calls[name].for_state for name in calls)
    ]
    parts = []
    if rules:
        more = len(rules) - _MOST_NAMED
        named = ", ".join(rules[:_MOST_NAMED])
        parts.append(f"{named} and {more} more" if more > 0 else named)
    reasons = sorted({one.why[name] for one in needs for name in calls if name in one.why})
    if reasons:
        parts.append(f"to know {', '.join(reasons)}")
    return "; ".join(parts)
