"""Which system calls Linux audit has to report for rules to see what they ask for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from rulekit.rules.bound import (
    Bound,
    BoundComparison,
    BoundField,
    BoundNot,
    BoundTransform,
    BoundTuple,
    Operand,
)
from rulekit.rules.ruleset import Rule
from rulekit.schema.events import event_types
from rulekit.schema.linux_audit import known_params
from rulekit.schema.values import value_tables
from rulekit.tools.lint.facts import current_events
from rulekit.tools.linux_audit.knowable import judge
from rulekit.tools.linux_audit.truth import always, on_failure, on_files, on_reading

EXEC = ("execve", "execveat")
CLONE = ("clone", "clone3", "fork", "vfork")
OPEN = ("open", "openat", "openat2", "creat", "open_by_handle_at")
DIRECTORY = ("chdir", "fchdir")
COPY = ("dup", "dup2", "dup3")
CONNECT = ("socket", "connect", "accept", "accept4", "bind")
OTHER_FDS = ("pipe", "pipe2", "socketpair", "memfd_create")
# The argument that holds the flags of an open; others pass them in memory, or have none.
FLAGS_AT = {"open": 1, "openat": 2, "open_by_handle_at": 2}
# Calls whose paths can be relative to a directory that was opened before.
AT = frozenset({
    "mkdirat", "unlinkat", "renameat", "renameat2", "linkat", "symlinkat", "fchmodat", "fchownat",
    "mknodat", "newfstatat",
})  # fmt: skip

_ARGUMENTS = frozenset({
    "proc.args", "proc.cmdline", "proc.exe", "proc.exeline", "proc.cmdnargs", "proc.cmdlenargs",
    "proc.exe_ino",
})  # fmt: skip
_BIRTH = frozenset({"proc.duration", "proc.ppid.duration", "proc.pid.ts", "proc.ppid.ts"})
_FIRST_FDS = ("proc.stdin.", "proc.stdout.", "proc.stderr.")
_PATHS = ("fd.name", "fd.directory", "fd.filename", "fs.path.", "evt.abspath")


ANY = frozenset({"any"})


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that is to be reported.

    Attributes:
        name: As the kernel calls it on x86_64.
        for_state: Only to know processes and descriptors: no rule asks for the event itself.
        failures: Failed calls are wanted as well.
        opens: Of the open family, what is wanted: ``any``, those that are for ``writing``, those of
            ``directories``; of other calls ``any``.
    """

    name: str
    for_state: bool = False
    failures: bool = False
    opens: frozenset[str] = ANY


@dataclass(slots=True)
class Needs:
    """What a rule needs.

    Attributes:
        calls: By name.
        why: What a call for the state is needed for, by name.
        lost: The rule can never match on audit, whatever is reported.
    """

    rule: Rule
    calls: dict[str, Call] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    lost: bool = False


def needs_of(rule: Rule) -> Needs:
    """Return the calls that one rule of system calls needs."""
    found = Needs(rule)
    if judge(rule).never:
        found.lost = True
        return found
    named = _calls_of(rule)
    failures = always(rule.bound, on_failure) is not False
    writing = always(rule.bound, on_reading) is False
    for name in named:
        opens = frozenset({"writing"}) if writing and name in FLAGS_AT else ANY
        found.calls[name] = Call(name, failures=failures, opens=opens)
    _add_state(found, set(named))
    return found


def all_needs(rules: Iterable[Rule]) -> list[Needs]:
    """Return what each rule of system calls needs."""
    return [needs_of(rule) for rule in rules if rule.source == "syscall"]


def merged(needs: Iterable[Needs]) -> list[Call]:
    """Return the calls that rules need together, by name, each as widely as any of them does."""
    found: dict[str, Call] = {}
    for one in needs:
        for name, call in one.calls.items():
            found[name] = call if name not in found else _wider(call, found[name])
    return [found[name] for name in sorted(found)]


def _wider(one: Call, other: Call) -> Call:
    return Call(
        one.name,
        for_state=one.for_state and other.for_state,
        failures=one.failures or other.failures,
        opens=one.opens | other.opens,
    )


@cache
def _names_by_event() -> dict[int, tuple[str, ...]]:
    """Return the calls of each exit event type, by id."""
    found: dict[int, list[str]] = {}
    for call in value_tables()["syscalls_x86_64"].values():
        if call["exit"] is not None:
            found.setdefault(call["exit"], []).append(call["name"])
    return {number: tuple(names) for number, names in found.items()}


def _calls_of(rule: Rule) -> list[str]:
    """Return the calls whose events a rule looks at."""
    names: set[str] = set()
    generic = {c["name"] for c in value_tables()["syscalls_x86_64"].values() if not c["exit"]}
    for number in rule.event_types.codes & current_events() & known_params().keys():
        event = event_types()[number]
        if event.name == "procexit":
            names.add("exit_group")
        names.update(_names_by_event().get(number, ()))
    if 1 in rule.event_types.codes:
        names.update(generic & rule.event_types.syscalls)
    names.discard("exit")
    return sorted(names)


def _add_state(found: Needs, named: set[str]) -> None:
    fields = {bound.field.name for bound in _fields(found.rule)}

    def need(calls: Iterable[str], why: str, *, opens: frozenset[str] = ANY) -> None:
        for name in calls:
            call = Call(name, for_state=True, opens=opens if name in FLAGS_AT else ANY)
            known = found.calls.get(name)
            found.calls[name] = call if known is None else _wider(known, call)
            if known is None:
                found.why[name] = why

    if fields & _ARGUMENTS:
        need(EXEC, "arguments of programs")
    if any(name.startswith(("proc.p", "proc.a")) and name not in _OWN for name in fields):
        need(EXEC, "programs of parents")
        need(CLONE, "parents")
    if fields & _BIRTH:
        need(CLONE, "the start of processes")
    if "proc.cwd" in fields:
        need(DIRECTORY, "working directories")
    if any(name.startswith(_FIRST_FDS) for name in fields):
        need((*OPEN, *COPY, *CONNECT, *OTHER_FDS), "open descriptors")
        need(CLONE, "inherited descriptors")
    if any(name.startswith("fd.") for name in fields):
        _add_descriptors(found.rule, named, need)
    if any(name.startswith(_PATHS) for name in fields) and named & AT and "openat" not in named:
        why = "directories that paths are relative to"
        need(("open", "openat", "openat2"), why, opens=frozenset({"directories"}))


_OWN = frozenset({"proc.args", "proc.pid", "proc.pid.ts", "proc.pidns_init_start_ts"})


class _Need(Protocol):
    def __call__(self, calls: Iterable[str], why: str) -> None: ...


def _add_descriptors(rule: Rule, named: set[str], need: _Need) -> None:
    """Ask for the calls that make the descriptors which a rule looks at."""
    if named & {"connect", "bind", "listen", "sendto", "sendmsg", "recvfrom", "recvmsg"}:
        need(("socket",), "kinds of sockets")
    if named & {"listen", "getsockopt", "setsockopt", "shutdown"}:
        need(("bind",), "addresses of sockets")
    using = {
        name
        for number in rule.event_types.codes & current_events()
        if "USES_FD" in event_types()[number].flags
        for name in _names_by_event().get(number, ())
    }
    using -= {"connect", "bind", "listen", *AT}
    if not using:
        return
    need(CONNECT, "connections")
    need(COPY, "copies of descriptors")
    if always(rule.bound, on_files) is not False:
        need((*OPEN, *OTHER_FDS), "open files")
    need(CLONE, "inherited descriptors")


def _fields(rule: Rule) -> list[BoundField]:
    found = [bound for _, bound in rule.template.fields]
    stack: list[Bound] = [rule.bound]
    while stack:
        node = stack.pop()
        if isinstance(node, BoundComparison):
            operands = [node.left] if node.other is None else [node.left, node.other]
            found += _fields_in(operands)
        elif isinstance(node, BoundNot):
            stack.append(node.child)
        else:
            stack.extend(node.children)
    return found


def _fields_in(operands: list[Operand]) -> list[BoundField]:
    found = []
    while operands:
        operand = operands.pop()
        if isinstance(operand, BoundField):
            found.append(operand)
        elif isinstance(operand, BoundTransform):
            operands.extend(operand.args)
        elif isinstance(operand, BoundTuple):
            operands.extend(operand.items)
    return found
