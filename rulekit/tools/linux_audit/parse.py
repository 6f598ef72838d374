"""Audit rules as auditctl reads them, from a file."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

_FILTER = re.compile(r"([a-zA-Z_0-9]+)\s*(!=|>=|<=|&=|=|<|>|&)\s*(.*)")


@dataclass(frozen=True, slots=True)
class Filter:
    """One ``-F``."""

    name: str
    op: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}{self.op}{self.value}"


@dataclass(frozen=True, slots=True)
class AuditRule:
    """One rule that decides which system calls are reported, or which records.

    Attributes:
        line: Number in the file, from 1.
        list: ``exit`` or ``exclude``; watches are rules of ``exit``.
        always: Report it; False: do not.
        calls: Names or numbers; None stands for all.
        filters: All of them must hold; the architecture is among them.
    """

    line: int
    text: str
    list: str
    always: bool
    calls: frozenset[str] | None
    filters: tuple[Filter, ...] = ()

    @property
    def arches(self) -> frozenset[str]:
        """``b64`` and ``b32`` as far as the rule is for them."""
        for each in self.filters:
            if each.name == "arch" and each.op == "=":
                narrow = each.value in ("b32", "i386", "i686", "x86")
                return frozenset({"b32" if narrow else "b64"})
        return frozenset({"b64", "b32"})


@dataclass(slots=True)
class AuditRules:
    """The rules of a file, in order.

    Attributes:
        problems: Lines that cannot be understood, with their numbers.
        disabled: The file switches auditing off.
    """

    rules: list[AuditRule] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    disabled: bool = False


def parse(text: str) -> AuditRules:
    """Return the rules of a file; what is no rule, such as buffer sizes, is left out."""
    found = AuditRules()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            words = shlex.split(stripped)
        except ValueError as error:
            found.problems.append((number, f"{stripped}: {error}"))
            continue
        problem = _take(found, number, stripped, words)
        if problem is not None:
            found.problems.append((number, f"{stripped}: {problem}"))
    return found


def _take(found: AuditRules, number: int, text: str, words: list[str]) -> str | None:
    """Take one line; return what is wrong with it."""
    action: str | None = None
    calls: set[str] = set()
    filters: list[Filter] = []
    watch: str | None = None
    permissions = ""
    first = False
    while words:
        option = words.pop(0)
        value = words.pop(0) if words and option not in ("-D", "-c", "-i", "-s", "-l") else ""
        if option == "-D":
            found.rules.clear()
            return None
        if option in ("-a", "-A"):
            action, first = value, option == "-A"
        elif option == "-S":
            calls.update(part.strip() for part in value.split(","))
        elif option in ("-F", "-C"):
            match = _FILTER.fullmatch(value)
            if match is None:
                return f"{value!r} is no filter"
            filters.append(Filter(match[1], match[2], match[3]))
        elif option == "-w":
            watch = value
        elif option == "-p":
            permissions = value
        elif option == "-e":
            found.disabled = value == "0"
        elif option == "-k" or (option.startswith("-") and option in _OTHERS):
            continue
        else:
            return f"unknown option {option}"
    if watch is not None:
        filters = [Filter("path", "=", watch), Filter("perm", "=", permissions or "rwxa")]
        action = "always,exit"
    if action is None:
        return None
    parts = {part.strip() for part in action.split(",")}
    kind = parts & {"exit", "exclude", "task", "user", "filesystem", "entry"}
    if not kind or not parts & {"always", "never"}:
        return f"{action!r} is no list and action"
    rule = AuditRule(
        line=number,
        text=text,
        list=kind.pop(),
        always="always" in parts,
        calls=None if not calls or "all" in calls else frozenset(calls),
        filters=tuple(filters),
    )
    found.rules.insert(0, rule) if first else found.rules.append(rule)
    return None


_OTHERS = frozenset({
    "-b", "-f", "-r", "-c", "-i", "-R", "-q", "-t", "-m", "--loginuid-immutable", "--signal",
    "--backlog_wait_time", "--reset-lost", "--reset_backlog_wait_time_actual",
})  # fmt: skip
