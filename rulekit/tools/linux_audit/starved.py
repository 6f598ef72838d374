"""Which rules a set of audit rules starves: they ask for what is not reported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rulekit.schema.linux_audit import audit_table
from rulekit.schema.values import value_tables
from rulekit.tools.linux_audit.needs import EXEC, FLAGS_AT, OPEN, Call, Needs
from rulekit.tools.linux_audit.parse import AuditRule, AuditRules, Filter

# Calls that tell paths, addresses or arguments in records of their own.
_RECORDS = {
    "PATH": "paths",
    "CWD": "working directories",
    "EXECVE": "arguments of programs",
    "SOCKADDR": "addresses",
}
# Sources of parameters, in the table of what audit knows, that are paths.
_PATHS = frozenset({"path", "old", "new", "target"})
_NET = frozenset({"connect", "bind", "accept", "accept4", "sendto", "sendmsg", "recvfrom"})


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is not reported, or only at times.

    Attributes:
        calls: System calls.
        how: ``missing``, or what they are limited to.
        why: What a rule wants them for; empty for the events that it looks at.
    """

    calls: tuple[str, ...]
    how: str
    why: str = ""

    def __str__(self) -> str:
        text = f"{', '.join(self.calls)}: {self.how}"
        return f"{text} (needed for {self.why})" if self.why else text


@dataclass(slots=True)
class Starved:
    """What one rule lacks.

    Attributes:
        blind: None of its own events is reported: it cannot match.
    """

    needs: Needs
    blind: bool = False
    gaps: list[Gap] = field(default_factory=list)


def starved(needs: Sequence[Needs], rules: AuditRules, *, narrow: bool = True) -> list[Starved]:
    """Return the rules that lack something, in their order.

    Args:
        narrow: Also ask for the calls of 32-bit programs.
    """
    found = []
    for one in needs:
        if one.lost:
            continue
        result = Starved(one)
        result.gaps += _gaps(one, rules, narrow)
        own = [call for call in one.calls.values() if not call.for_state]
        result.blind = bool(own) and all(_coverage(c, "b64", rules) == "missing" for c in own)
        if result.gaps:
            found.append(result)
    return found


def _gaps(one: Needs, rules: AuditRules, narrow: bool) -> Iterator[Gap]:
    by_how: dict[tuple[str, str], list[str]] = {}
    for call in one.calls.values():
        why = one.why.get(call.name, "") if call.for_state else ""
        how = _coverage(call, "b64", rules)
        if how is None and narrow:
            narrow_how = _coverage(call, "b32", rules)
            how = None if narrow_how is None else f"{narrow_how} for 32-bit programs"
        if how is not None:
            by_how.setdefault((how, why), []).append(call.name)
    for (how, why), calls in by_how.items():
        yield Gap(tuple(calls), how, why)
    for type_, what in _RECORDS.items():
        if _excludes(type_, rules) and _uses(type_, one):
            yield Gap((type_,), "records of this type are excluded", what)


def _uses(type_: str, one: Needs) -> bool:
    if type_ == "EXECVE":
        return "execve" in one.calls
    if type_ == "SOCKADDR":
        return bool(one.calls.keys() & _NET)
    sources = audit_table()["events"]
    return any(_PATHS & set(sources.get(name, {}).values()) for name in one.calls)


def _excludes(type_: str, rules: AuditRules) -> bool:
    return any(
        rule.list == "exclude"
        and any(f.name == "msgtype" and f.op == "=" and f.value == type_ for f in rule.filters)
        for rule in rules.rules
    )


def _coverage(call: Call, arch: str, rules: AuditRules) -> str | None:
    """Return None when a call is reported as widely as it is wanted, else how far it is."""
    if rules.disabled:
        return "missing, the file switches auditing off"
    if arch == "b64":
        return _covered(call, {call.name, _number(call.name)}, arch, rules)
    names = [*audit_table()["i386"]["names"].get(call.name, (call.name,))]
    if call.name in _NET or call.name in ("socket", "listen"):
        names.append("socketcall")
    # All of the ways to make this call are wanted.
    found = [_covered(call, {name}, arch, rules) for name in names]
    return next((how for how in found if how is not None), None)


def _covered(call: Call, names: set[str], arch: str, rules: AuditRules) -> str | None:
    limits: list[str] = []
    for rule in rules.rules:
        if rule.list != "exit" or arch not in rule.arches or not _names(rule, call, names):
            continue
        narrowing = [f for f in rule.filters if f.name != "arch" and not _harmless(f, call)]
        if rule.always and not narrowing:
            return None
        if rule.always:
            limits.append(" and ".join(map(str, narrowing)))
        elif not narrowing:
            break
    if not limits:
        return "missing"
    shown = " or ".join(dict.fromkeys(limits[:3]))
    return f"only where {shown}" + (f" (and {len(limits) - 3} more)" if len(limits) > 3 else "")


def _names(rule: AuditRule, call: Call, names: set[str]) -> bool:
    if rule.calls is not None:
        return bool(names & rule.calls)
    letters = "".join(f.value for f in rule.filters if f.name == "perm")
    watched = (_PERMISSIONS.get(letter, frozenset()) for letter in letters)
    return not letters or any(call.name in calls for calls in watched)


def _number(name: str) -> str:
    for number, call in value_tables()["syscalls_x86_64"].items():
        if call["name"] == name:
            return str(number)
    return ""


def _harmless(each: Filter, call: Call) -> bool:
    """Return whether a filter leaves out nothing that is wanted."""
    if each.name == "key":
        return True
    if each.name == "success":
        return not call.failures and each.op == "=" and each.value in ("1", "yes")
    if each.name == "exit":
        return not call.failures and str(each) in ("exit>=0", "exit>-1")
    if each.op == "&" and "any" not in call.opens and each.name == f"a{FLAGS_AT[call.name]}":
        try:
            bits = int(each.value, 8 if each.value[:1] == "0" and each.value.isdigit() else 0)
        except ValueError:
            return False
        wanted = {"writing": 3, "directories": 0o200000}
        return all(bits & wanted[part] == wanted[part] for part in call.opens)
    return False


_CHANGES = frozenset({
    *OPEN, "rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "symlink",
    "symlinkat", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat",
})  # fmt: skip
# What the permissions of a watch stand for.
_PERMISSIONS = {
    "r": frozenset(OPEN),
    "w": _CHANGES,
    "x": frozenset(EXEC),
    "a": frozenset({
        "chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown", "link", "linkat",
    }),
}  # fmt: skip
