"""Decide per event type what can be decided; a rule that folds to false leaves that type.

An event's *slot* is its type code, or ``GENERIC_BASE + ppm_sc`` for a system call that has no event
type of its own. Sets of slots are integers with one bit per slot.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import compress

from rulekit.compiler import reference
from rulekit.compiler._graph import Graph, settled, specialised
from rulekit.compiler.ir import (
    FALSE,
    TRUE,
    CallOperand,
    FieldOperand,
    LiteralOperand,
    OperandNode,
    Predicate,
    TupleOperand,
)
from rulekit.compiler.lower import Lowered
from rulekit.compiler.reference import Value
from rulekit.compiler.tables import GENERIC_BASE, N_SLOTS, NodeOp
from rulekit.schema.events import event_types
from rulekit.schema.values import value_tables

GENERIC_EXIT = 1
ASYNC_EVENT = 402

_TYPE_NAMES = frozenset({"evt.type", "syscall.type"})


@dataclass(frozen=True, slots=True)
class EventClass:
    """Slots on which the same rules remain in the same form.

    Attributes:
        slots: Numbers of the slots.
        rules: Pairs of rule number and root node, in definition order.
    """

    slots: tuple[int, ...]
    rules: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class SlotTable:
    """What is known about an event from its slot alone.

    Attributes:
        everything: All slots in use; `fixed`: those whose name does not depend on the event.
        by_name: Slots of each fixed name; `with_syscall`: slots that have a `syscall.type`.
        groups: ``(slots, facts)``: slots with the same values; a fact is a field and its value.
        unknown: Slots of calls that the list of system calls lacks; not among `everything`.
    """

    everything: int
    fixed: int
    by_name: dict[bytes, int]
    with_syscall: int
    groups: tuple[tuple[int, dict[str, Value]], ...]
    unknown: tuple[int, ...]


@cache
def slot_table() -> SlotTable:
    """Return the table of slots, made from the event table and the list of system calls."""
    everything = fixed = with_syscall = 0
    by_name: dict[bytes, int] = {}
    groups: dict[tuple[Value, ...], int] = {}

    def add(slot: int, name: str | None, direction: str, origin: str | None) -> None:
        nonlocal everything, fixed, with_syscall
        bit = 1 << slot
        everything |= bit
        text = None if name is None else name.encode()
        syscall = text if origin == "SYSCALL" else None
        if text is not None:
            fixed |= bit
            by_name[text] = by_name.get(text, 0) | bit
        if origin == "SYSCALL":
            with_syscall |= bit
        key = (text, direction.encode(), syscall, origin == "SYSCALL")
        groups[key] = groups.get(key, 0) | bit

    for event in event_types():
        if event.id > GENERIC_EXIT:
            name = None if event.id == ASYNC_EVENT else event.name
            add(event.id, name, "<" if event.is_exit else ">", event.source)
    # The direction of generic calls is that of the exit: enter events are not delivered.
    add(GENERIC_EXIT, None, "<", "SYSCALL")
    for number, name in value_tables()["ppm_sc"].items():
        if 0 < int(number) < N_SLOTS - GENERIC_BASE:
            add(GENERIC_BASE + int(number), name, "<", "SYSCALL")
    facts = []
    for (text, direction, syscall, is_syscall), slots in groups.items():
        known: dict[str, Value] = {"evt.dir": direction}
        if text is not None:
            known["evt.type"] = text
            known["syscall.type"] = syscall
        elif not is_syscall:
            known["syscall.type"] = None
        facts.append((slots, known))
    unknown = tuple(n for n in range(GENERIC_BASE + 1, N_SLOTS) if not everything >> n & 1)
    return SlotTable(everything, fixed, by_name, with_syscall, tuple(facts), unknown)


def fold(lowered: Lowered) -> tuple[EventClass, ...]:
    """Return the classes of event types that any rule can match."""
    return _Folding(lowered).classes()


class _Folding:
    def __init__(self, lowered: Lowered) -> None:
        self.graph = graph = lowered.graph
        self.lowered = lowered
        self.table = slot_table()
        self._cuts: list[int] = []
        telling = {n for n, each in enumerate(graph.operands) if _may_tell(graph, n, each)}
        # Per node the slots on which it is certainly true, certainly false; whether something
        # below depends on the slot.
        self.true, self.false, self.varies = settled(
            graph, self.table.everything, telling, self._decide
        )

    def _decide(self, graph: Graph, predicate: Predicate) -> tuple[int, int]:
        true, false = decide(graph, predicate)
        if true or false:
            self._cuts += [true, false]
        return true, false

    def classes(self) -> tuple[EventClass, ...]:
        graph, lowered = self.graph, self.lowered
        roots = lowered.roots
        allowed = [self._allowed(rule) for rule in range(len(roots))]
        # Each part lies wholly within all of these sets, or outside; few of them are different.
        sets: dict[int, int] = {}
        numbers = [
            sets.setdefault(slots if graph.ordered[root] else slots & ~self.false[root], len(sets))
            for slots, root in zip(allowed, roots, strict=True)
        ]
        found: dict[tuple[tuple[int, int], ...], int] = {}
        for part in self._partition(allowed):
            alive = [bool(slots & part) for slots in sets]
            live = list(compress(enumerate(roots), map(alive.__getitem__, numbers)))
            if live:
                forms = self._specialise([root for _, root in live], part)
                rules = tuple(
                    [(rule, form) for rule, root in live if (form := forms[root]) != FALSE]
                )
                if rules:
                    found[rules] = found.get(rules, 0) | part
        return tuple(EventClass(tuple(_bits(slots)), rules) for rules, slots in found.items())

    def _allowed(self, rule: int) -> int:
        codes = self.lowered.event_codes[rule]
        slots = self.table.everything
        if codes is not None:
            slots = 0
            for code in codes:
                if code <= GENERIC_EXIT:
                    slots |= -1 << GENERIC_BASE | 1 << GENERIC_EXIT
                else:
                    slots |= 1 << code
            slots &= self.table.everything
        root = self.lowered.roots[rule]
        if self.graph.ordered[root]:
            slots &= self._event_set(root)
        return slots

    def _event_set(self, root: int) -> int:
        # Conditions with memory are tried exactly where the peer tries them: on the event types
        # that its own analysis allows, which looks at plain comparisons of the type only.
        graph, everything = self.graph, self.table.everything
        plain: dict[int, int] = {}
        negated: dict[int, int] = {}
        unknown = everything & ~self.table.fixed
        for node in graph.reachable([root]):
            op, args = graph.ops[node], graph.args[node]
            if op <= TRUE:
                plain[node], negated[node] = everything * node, everything * (1 - node)
            elif op == NodeOp.PREDICATE:
                plain[node] = negated[node] = everything
                predicate = graph.predicates[args[0]]
                if _names_type(graph, predicate):
                    plain[node] = self.true[node] | unknown
                    negated[node] = self.false[node] | unknown
            elif op == NodeOp.NOT:
                plain[node], negated[node] = negated[args[0]], plain[args[0]]
            else:
                both, either = (plain, negated) if op == NodeOp.AND else (negated, plain)
                all_of, any_of = everything, 0
                for child in args:
                    all_of &= both[child]
                    any_of |= either[child]
                both[node], either[node] = all_of, any_of
        return plain[root]

    def _partition(self, allowed: list[int]) -> list[int]:
        cuts = {mask for mask in allowed if mask != self.table.everything}
        cuts.update(self._cuts)
        parts = [self.table.everything]
        for cut in cuts:
            refined = []
            for part in parts:
                inside = part & cut
                if inside and inside != part:
                    refined += [inside, part & ~cut]
                else:
                    refined.append(part)
            parts = refined
        return parts

    def _specialise(self, roots: list[int], part: int) -> dict[int, int]:
        return specialised(self.graph, self.true, self.false, self.varies, roots, part)


def _may_tell(graph: Graph, number: int, operand: OperandNode) -> bool:
    # Whether a comparison of an operand may depend on the slot alone.
    if isinstance(operand, FieldOperand) and operand.name == "evt.num":
        return True
    return _fields_below(graph, number, set())


def _names_type(graph: Graph, predicate: Predicate) -> bool:
    left = graph.operands[predicate.left]
    return (
        isinstance(left, FieldOperand)
        and left.name in _TYPE_NAMES
        and predicate.modifier is None
        and predicate.other is None
        and predicate.op in ("in", "!=", "exists")
    )


def decide(graph: Graph, predicate: Predicate) -> tuple[int, int]:
    """Return the slots on which a comparison is certainly true, and certainly false."""
    table = slot_table()
    left = graph.operands[predicate.left]
    if isinstance(left, FieldOperand):
        if left.name == "evt.num":
            return _decide_number(predicate)
        if _names_type(graph, predicate) and predicate.op == "in":
            named = 0
            for value in predicate.values:
                if isinstance(value, bytes):
                    named |= table.by_name.get(value, 0)
            null = table.everything & ~table.with_syscall
            if left.name == "syscall.type":
                return named & table.with_syscall, (table.fixed & ~named) | null
            return named, table.fixed & ~named
    used: set[str] = set()
    if not _fields_below(graph, predicate.left, used) or (
        predicate.other is not None and not _fields_below(graph, predicate.other, used)
    ):
        return 0, 0
    true = false = 0
    for slots, facts in table.groups:
        if used <= facts.keys():
            if _holds(graph, predicate, facts):
                true |= slots
            else:
                false |= slots
    return true, false


def _decide_number(predicate: Predicate) -> tuple[int, int]:
    # Events are numbered from 1: rule writers say never with `evt.num=0`, always with `>=0`.
    if predicate.other is not None or predicate.modifier is not None:
        return 0, 0
    op, values = predicate.op, predicate.values
    everything = slot_table().everything
    always = (
        op == "exists"
        or (op == "!=" and values == (0,))
        or (op == ">" and values == (0,))
        or (op == ">=" and values in ((0,), (1,)))
    )
    never = (
        (op == "in" and values == (0,))
        or (op == "<" and values in ((0,), (1,)))
        or (op == "<=" and values == (0,))
    )
    return everything * always, everything * never


def _fields_below(graph: Graph, number: int, used: set[str]) -> bool:
    # False as soon as a field is met that the slot says nothing about.
    operand = graph.operands[number]
    if isinstance(operand, FieldOperand):
        used.add(operand.name)
        return operand.name in _TYPE_NAMES or operand.name == "evt.dir"
    if isinstance(operand, CallOperand):
        return all(_fields_below(graph, arg, used) for arg in operand.args)
    if isinstance(operand, TupleOperand):
        return all(_fields_below(graph, item, used) for item in operand.items)
    return True


def _holds(graph: Graph, predicate: Predicate, facts: dict[str, Value]) -> bool:
    left = _value(graph, predicate.left, facts)
    if left is None:
        return False
    values: Iterable[object] = predicate.values
    if predicate.other is not None:
        other = _value(graph, predicate.other, facts)
        if other is None:
            return False
        values = other if isinstance(other, list) else (other,)
    return reference.holds(
        predicate.op,
        predicate.modifier,
        predicate.kind,
        predicate.quantifier,
        left,
        values,  # type: ignore[arg-type]
    )


def _value(graph: Graph, number: int, facts: dict[str, Value]) -> Value:
    operand = graph.operands[number]
    if isinstance(operand, FieldOperand):
        return facts[operand.name]
    if isinstance(operand, LiteralOperand):
        return operand.value
    inner = operand.args if isinstance(operand, CallOperand) else operand.items
    values = [_value(graph, item, facts) for item in inner]
    if any(value is None for value in values):
        return None
    if isinstance(operand, CallOperand):
        return reference.transform(operand.name, values, operand.key)
    return values


def _bits(mask: int) -> Iterable[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
