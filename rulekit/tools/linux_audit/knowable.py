"""What becomes of a rule when its events come from Linux audit.

A field that audit cannot know is null, and so every comparison of it false. What follows from that
is worked out on the condition: a rule may become one that never matches, may miss some of what it
looks for, or may lose an exclusion and alert more often.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rulekit.rules.bound import (
    Bound,
    BoundAnd,
    BoundComparison,
    BoundField,
    BoundNot,
    BoundOr,
    BoundTransform,
    BoundTuple,
    Operand,
)
from rulekit.rules.ruleset import Rule
from rulekit.schema.events import event_types
from rulekit.schema.linux_audit import known_params, partly_known_fields, unknown_fields
from rulekit.text.source import Span
from rulekit.tools.lint.facts import current_events

_TYPE_FIELDS = frozenset({"evt.type", "syscall.type"})
_ARGUMENTS = frozenset({"evt.arg", "evt.rawarg"})
# Calls that show the client's end as the own one, and those that show the server's.
_OUTGOING = frozenset({"connect", "sendto", "sendmsg", "sendmmsg"})
_INCOMING = frozenset({"accept", "accept4", "recvfrom", "recvmsg", "recvmmsg"})
_ONE_END = "of a connection audit has the other end only"


@dataclass(frozen=True, slots=True)
class Loss:
    """A comparison that audit cannot answer, or can for some events only."""

    span: Span
    why: str


@dataclass(slots=True)
class Judgement:
    """What is left of a rule.

    Attributes:
        never: Why the rule can never match; empty when it can.
        missed: What else it would have matched.
        unexcluded: Comparisons under a ``not`` that exclude nothing any more.
        depends: Comparisons that can be answered for some processes or logs only.
        printed_null: Fields of the output that are always null.
    """

    rule: Rule
    never: list[Loss] = field(default_factory=list)
    missed: list[Loss] = field(default_factory=list)
    unexcluded: list[Loss] = field(default_factory=list)
    depends: list[Loss] = field(default_factory=list)
    printed_null: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether the condition means what it means on a capture."""
        return not (self.never or self.missed or self.unexcluded)


def judge(rule: Rule) -> Judgement:
    """Return what is left of a rule of system calls."""
    found = Judgement(rule)
    walk = _Walk(rule, found)
    value = walk.value(rule.bound, negated=False)
    if value is False:
        found.never = walk.culprits(rule.bound)
        found.missed, found.unexcluded, found.depends = [], [], []
    names = [bound.field.name for _, bound in rule.template.fields]
    found.printed_null = sorted({name for name in names if name in unknown_fields()})
    return found


class _Walk:
    def __init__(self, rule: Rule, found: Judgement) -> None:
        self._events = rule.event_types.codes & current_events() & known_params().keys()
        self._found = found
        self._lost: dict[int, Loss] = {}  # comparisons that are always false, by identity

    def value(self, node: Bound, negated: bool) -> bool | None:
        """Return what a condition always is, None when it varies; notes what is lost on the way."""
        if isinstance(node, BoundComparison):
            return self._comparison(node, negated)
        if isinstance(node, BoundNot):
            inner = self.value(node.child, not negated)
            return None if inner is None else not inner
        values = [self.value(child, negated) for child in node.children]
        decisive = isinstance(node, BoundOr)
        if decisive in values:
            return decisive
        return None if None in values else not decisive

    def culprits(self, node: Bound, wanted: bool = False) -> list[Loss]:
        """Return the comparisons that make a condition always what it is."""
        if isinstance(node, BoundComparison):
            return [self._lost[id(node)]] if id(node) in self._lost else []
        if isinstance(node, BoundNot):
            return self.culprits(node.child, not wanted)
        fixed = [child for child in node.children if self._fixed(child) is wanted]
        if isinstance(node, BoundAnd) != wanted:
            return self.culprits(fixed[0], wanted) if fixed else []
        return [loss for child in fixed for loss in self.culprits(child, wanted)]

    def _fixed(self, node: Bound) -> bool | None:
        if isinstance(node, BoundComparison):
            return False if id(node) in self._lost else None
        if isinstance(node, BoundNot):
            inner = self._fixed(node.child)
            return None if inner is None else not inner
        values = [self._fixed(child) for child in node.children]
        decisive = isinstance(node, BoundOr)
        if decisive in values:
            return decisive
        return None if None in values else not decisive

    def _comparison(self, node: BoundComparison, negated: bool) -> bool | None:
        why, some = self._reason(node)
        if why is None:
            if some is not None:
                self._found.depends.append(Loss(node.span, some))
            return None
        loss = Loss(node.span, why)
        self._lost[id(node)] = loss
        (self._found.unexcluded if negated else self._found.missed).append(loss)
        return False

    def _reason(self, node: BoundComparison) -> tuple[str | None, str | None]:
        """Return why a comparison is always false, and on what it depends otherwise."""
        some: str | None = None
        operands = (node.left,) if node.other is None else (node.left, node.other)
        for bound in _fields(operands):
            name = bound.field.name
            if name in unknown_fields():
                return unknown_fields()[name], None
            if name in _TYPE_FIELDS:
                why, part = _types(node)
            elif name in _ARGUMENTS:
                why, part = self._argument(bound)
            elif name.startswith(("fd.c", "fd.s")) and name in partly_known_fields():
                why, part = self._end(name)
            else:
                why, part = None, partly_known_fields().get(name)
            if why is not None:
                return why, None
            some = some or part
        return None, some

    def _argument(self, bound: BoundField) -> tuple[str | None, str | None]:
        with_it: list[tuple[str, str]] = []
        without: list[tuple[str, str]] = []
        for number in sorted(self._events):
            event = event_types()[number]
            names = [param.name for param in event.params]
            if bound.index is not None and bound.index < len(names):
                name = names[bound.index]
            elif bound.key in names:
                name = bound.key
            else:
                continue
            (with_it if name in known_params()[number] else without).append((event.name, name))
        if not without:
            return None, None
        events = ", ".join(sorted({event for event, _ in without}))
        why = f"audit has no `{without[0][1]}` of {events}"
        return (None, why) if with_it else (why, None)

    def _end(self, name: str) -> tuple[str | None, str | None]:
        names = {event_types()[number].name for number in self._events}
        own, other = _INCOMING, _OUTGOING
        if name.startswith("fd.c"):
            own, other = other, own
        if names and names <= own:
            return _ONE_END, None
        return None, None if names and names <= other else partly_known_fields()[name]


def _types(node: BoundComparison) -> tuple[str | None, str | None]:
    """Return whether audit reports the event types that a comparison names."""
    if node.op not in ("=", "in") or node.modifier is not None or node.other is not None:
        return None, None
    named = {value.decode() for value in node.values if isinstance(value, bytes)}
    known = {event_types()[number].name for number in known_params()}
    events = {event.name for event in event_types() if event.id in current_events()}
    absent = sorted(name for name in named if name in events - known)
    if not absent:
        return None, None
    why = f"audit does not report {', '.join(absent)}"
    return (why, None) if len(absent) == len(named) else (None, why)


def _fields(operands: Sequence[Operand]) -> Iterator[BoundField]:
    stack: list[Operand] = list(operands)
    while stack:
        operand = stack.pop()
        if isinstance(operand, BoundField):
            yield operand
        elif isinstance(operand, BoundTransform):
            stack.extend(operand.args)
        elif isinstance(operand, BoundTuple):
            stack.extend(operand.items)


def judge_all(rules: Iterable[Rule]) -> list[Judgement]:
    """Return what is left of each rule of system calls."""
    return [judge(rule) for rule in rules if rule.source == "syscall"]
