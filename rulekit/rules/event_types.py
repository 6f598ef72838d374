"""Which event types a condition can be true for: the index of rules and a warning use it.

Each leaf on ``evt.type`` or ``syscall.type`` names a set, every other leaf stands for all
events, `and` intersects, `or` unites, `not` is pushed down to the leaves. Sets are bit masks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache

from rulekit.rules.ast import (
    AndNode,
    Argument,
    ComparisonNode,
    FieldNode,
    ListNode,
    LiteralNode,
    Node,
    NotNode,
    OrNode,
    TransformNode,
    TupleNode,
)
from rulekit.rules.literals import read_number
from rulekit.rules.shared import SharedTrees
from rulekit.schema.events import EventType, event_types
from rulekit.schema.values import value_tables
from rulekit.text.source import Span

# A rule for more events than this has no useful index.
MANY_EVENTS = 100

_TYPE_FIELDS = frozenset({"evt.type", "syscall.type"})
_GENERIC = (0, 1)

# System calls that arrive as an event of another name. Besides these, calls named like a
# call that has an event of its own, followed by 32, arrive as that event.
_ARRIVES_AS = {
    "_llseek": "llseek",
    "fcntl64": "fcntl",
    "sendfile64": "sendfile",
    "ugetrlimit": "getrlimit",
    "sched_process_exit": "procexit",
    "sched_switch": "switch",
    "page_fault_user": "page_fault",
    "page_fault_kernel": "page_fault",
    "signal_deliver": "signaldeliver",
}


class EventTypeError(ValueError):
    """``evt.type`` is used where the event types cannot be told; `span` is the comparison."""

    def __init__(self, message: str, span: Span) -> None:
        super().__init__(message)
        self.span = span


@dataclass(frozen=True, slots=True)
class EventTypes:
    """What a condition can be true for.

    Attributes:
        codes: Ids of the event table.
        syscalls: System calls and tracepoints; those without an event of their own arrive as
            the generic event, which is then among `codes`.
    """

    codes: frozenset[int]
    syscalls: frozenset[str]

    @property
    def many(self) -> bool:
        """True when an index by event type would not help."""
        return len(self.codes) > MANY_EVENTS


def event_types_of(node: Node, shared: SharedTrees | None = None) -> EventTypes:
    """Return the event types of a condition; macros left in it count as any event.

    Raises:
        EventTypeError: ``evt.type`` is transformed or compared with another field.
    """
    return types_in(_evaluate(node, shared or SharedTrees()))


@lru_cache(maxsize=4096)
def types_in(events: int) -> EventTypes:
    """Return the event types in a set; the sets are few."""
    codes, calls = events & _all_codes(), events >> len(event_types())
    return EventTypes(
        frozenset(i for i in range(codes.bit_length()) if codes >> i & 1),
        frozenset(name for name, bit in _call_bits().items() if calls & bit),
    )


@lru_cache(maxsize=4096)
def event_names(types: EventTypes, source: str = "syscall") -> tuple[str, ...]:
    """Return the names of the events as a description of the rule shows them, sorted."""
    if source != "syscall":
        return ("asyncevent", "pluginevent")
    table = event_types()
    names = {"asyncevent"}
    names.update(table[code].name for code in types.codes if code not in _GENERIC)
    own = _events_of_call()
    for call in types.syscalls:
        names.update([table[code].name for code in own[call]] if call in own else [call])
    return tuple(sorted(names))


@cache
def generic_syscalls() -> frozenset[str]:
    """Return the system calls that have no event of their own."""
    return frozenset(_calls()) - _events_of_call().keys()


@cache
def _calls() -> tuple[str, ...]:
    """Return the names of system calls and tracepoints; placeholders are left out."""
    names = value_tables()["ppm_sc"].values()
    return tuple(n for n in names if n != "unknown" and not n.startswith("na_"))


@cache
def _call_bits() -> dict[str, int]:
    return {name: 1 << i for i, name in enumerate(_calls())}


@cache
def _events_of_call() -> dict[str, tuple[int, ...]]:
    """Return the event ids of each call that has events of its own."""
    found: dict[str, list[int]] = {}
    by_name: dict[str, list[EventType]] = {}
    for event in event_types():
        if "UNUSED" not in event.flags and event.id not in _GENERIC:
            by_name.setdefault(event.name, []).append(event)
    for call in _calls():
        short = call[:-2] if call.endswith("32") else call
        name = _ARRIVES_AS.get(call, call if call in by_name else short)
        ids = [e.id for e in by_name.get(name, ()) if call not in ("accept", "accept4")]
        if ids:
            found[call] = ids
    for event in event_types():
        if "UNUSED" in event.flags:
            continue
        calls = event.syscalls
        if event.name.startswith("accept"):
            calls = ("accept4",) if "ACCEPT4" in event.enum else ("accept",)
        for call in calls:
            if event.id not in (ids := found.setdefault(call, [])):
                ids.append(event.id)
    return {call: tuple(ids) for call, ids in found.items()}


@cache
def _code_bits() -> dict[str, int]:
    bits: dict[str, int] = {}
    for event in event_types()[len(_GENERIC) :]:
        bits[event.name] = bits.get(event.name, 0) | 1 << event.id
    return bits


@cache
def _all_codes() -> int:
    return (1 << len(event_types())) - 1


@cache
def all_events() -> int:
    """Return the set of all events: event types by id, above them the calls."""
    return (1 << len(event_types()) + len(_calls())) - 1


def _events_named(names: Iterable[str]) -> int:
    """Return the events that a comparison with these names can be true for."""
    codes = events = 0
    bits, calls, masks = _code_bits(), _call_bits(), _call_sets()
    for name in names:
        events |= masks.get(name, 0)
        if name in bits:
            codes |= bits[name]
        elif name in calls:
            codes |= 1 << _GENERIC[0] | 1 << _GENERIC[1]
    return codes | events << len(event_types())


@cache
def _call_sets() -> dict[str, int]:
    """Return the calls behind each name: those of its events, or the generic call itself."""
    codes = _code_bits()
    masks = {call: _call_bits()[call] for call in generic_syscalls()}
    for call, ids in _events_of_call().items():
        for name in {event_types()[code].name for code in ids}:
            if name in codes:
                masks[name] = masks.get(name, 0) | _call_bits()[call]
    return masks


def _evaluate(node: Node, shared: SharedTrees) -> int:
    """Return the set of `node` as a mask; visits shared subtrees once, at any depth."""
    everything, known = all_events(), shared.events
    done: dict[tuple[int, bool], int] = {}
    stack: list[tuple[Node, bool, bool]] = [(node, False, False)]
    while stack:
        part, negated, ready = stack.pop()
        key = id(part), negated
        if key in done:
            continue
        if key in known:
            done[key] = known[key]
            continue
        if isinstance(part, NotNode):
            if ready:
                done[key] = done[id(part.child), not negated]
            else:
                stack += ((part, negated, True), (part.child, not negated, False))
        elif isinstance(part, (AndNode, OrNode)):
            if not ready:
                stack.append((part, negated, True))
                stack += [(child, negated, False) for child in part.children]
                continue
            meet = isinstance(part, AndNode) != negated
            together = everything if meet else 0
            for child in part.children:
                mask = done[id(child), negated]
                together = together & mask if meet else together | mask
            done[key] = together
        elif isinstance(part, ComparisonNode):
            done[key] = events_of_leaf(part, negated)
        else:
            done[key] = everything
    for key, mask in done.items():
        if key[0] in shared.nodes:
            known[key] = mask
    return done[id(node), False]


def events_of_leaf(node: ComparisonNode, negated: bool) -> int:
    """Return the set of a comparison, or of its negation; raises as `event_types_of` does."""
    everything = all_events()
    truth = _constant(node)
    if truth is not None:
        return everything if truth != negated else 0
    if node.right is None:
        _refuse_transformed(node.left, node.span)
        return 0 if negated and is_type_field(node.left) else everything
    if node.modifier is None and node.op in ("=", "==", "!=", "in"):
        _refuse_transformed(node.left, node.span)
        if is_type_field(node.left):
            if isinstance(node.right, ListNode):
                mask = _events_named(set(node.right.texts()))
            elif isinstance(node.right, LiteralNode):
                mask = _events_named({node.right.text})
            else:
                raise EventTypeError("the event types of this comparison cannot be told", node.span)
            return everything & ~mask if negated != (node.op == "!=") else mask
    return everything


def is_type_field(operand: Argument) -> bool:
    """Whether an operand is the type of the event."""
    return isinstance(operand, FieldNode) and operand.name in _TYPE_FIELDS and operand.arg is None


def _refuse_transformed(operand: Argument, span: Span) -> None:
    """Refuse ``evt.type`` directly inside a transformer, or last in a tuple given to one."""
    stack: list[Argument] = [operand]
    while stack:
        part = stack.pop()
        if isinstance(part, TransformNode):
            for arg in part.args:
                last = arg.items[-1] if isinstance(arg, TupleNode) and arg.items else arg
                if is_type_field(last):
                    raise EventTypeError("the event types of this comparison cannot be told", span)
                stack.extend(arg.items if isinstance(arg, TupleNode) else (arg,))


def _constant(node: ComparisonNode) -> bool | None:
    """Return what a comparison of ``evt.num``, which begins at 1, always is; None if it varies."""
    left = node.left
    if not isinstance(left, FieldNode) or left.name != "evt.num" or left.arg or node.modifier:
        return None
    if node.op == "in":
        if not isinstance(node.right, ListNode):
            return None
        zeros = (read_number(text, 64, False) == 0 for text in node.right.texts())
        return False if all(zeros) else None
    if not isinstance(node.right, LiteralNode):
        return None
    number = read_number(node.right.text, 64, False)
    if number is None:
        return None
    if node.op in ("=", "==", "!=", "<=", ">"):
        return node.op in ("!=", ">") if number == 0 else None
    if node.op in ("<", ">="):
        return node.op == ">=" if number <= 1 else None
    return None
