"""Which combinations of truths no event can show, as far as that can be proved.

Only comparisons of one and the same field are looked at together. When one of them names the whole
value (``=``, ``in``), the value is known and decides the others; when none does, and when the field
is null, what remains is taken as possible. So nothing that can happen is called infeasible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from rulekit.compiler.reference import holds, kind_of, quantifier_of
from rulekit.explain.condition import Condition
from rulekit.rules.bound import BoundComparison, Operand, TypedValue
from rulekit.schema.types import Kind

_WHOLE = frozenset({"=", "in"})

Vector: TypeAlias = "tuple[int, int]"
"""Predicates that are known, bits by place, and those of them that hold."""


class Feasibility:
    """What comparisons allow together.

    Args:
        comparisons: By place, the number of their bit in a combination.
    """

    def __init__(self, comparisons: Mapping[int, BoundComparison]) -> None:
        groups = _by_operand(comparisons).values()
        self._groups = [_possible(group) for group in groups if len(group) > 1]

    def possible(self, true: int) -> bool:
        """Tell whether a combination (bits by place) can occur; True also when that is unknown."""
        return all(any(true & known == held for known, held in vectors) for vectors in self._groups)

    def combinations(self, by_place: Mapping[int, int], whole: int) -> int:
        """Return those that can occur, or of which that is unknown, of a set of combinations.

        Args:
            by_place: The combinations in which a predicate holds (`rulekit.explain.outcomes`).
            whole: The set.
        """
        found = whole
        for vectors in self._groups:
            allowed = 0
            for known, held in vectors:
                shown = whole
                for place, column in by_place.items():
                    if known >> place & 1:
                        shown &= column if held >> place & 1 else ~column
                allowed |= shown
            found &= allowed
        return found


def comparisons_by_place(condition: Condition) -> dict[int, BoundComparison]:
    """Return the distinct comparisons of a condition."""
    found: dict[int, BoundComparison] = {}
    for part, bound in zip(condition.comparisons, condition.bound, strict=True):
        if part.place is not None:
            found.setdefault(part.place, bound)
    return found


def _by_operand(
    comparisons: Mapping[int, BoundComparison],
) -> dict[object, dict[int, BoundComparison]]:
    groups: dict[object, dict[int, BoundComparison]] = {}
    for place, bound in comparisons.items():
        if bound.other is None:
            groups.setdefault(_key(bound.left), {})[place] = bound
    return groups


def _key(operand: Operand) -> object:
    # Spans differ between two mentions of a field.
    name = getattr(operand, "field", None)
    if name is not None:
        return (name.name, operand.index, operand.key)  # type: ignore[union-attr]
    args = getattr(operand, "args", ())
    if not args:
        return id(operand)
    return (operand.name, operand.key, *map(_key, args))  # type: ignore[union-attr]


def _possible(group: dict[int, BoundComparison]) -> list[Vector]:
    """Return vectors of which every event shows one."""
    everything = _bits(group)
    first = next(iter(group.values()))
    # Several values may satisfy several comparisons; a network is named by a range.
    if quantifier_of(first.left) != "one" or kind_of(first.left) is Kind.NETWORK:
        return [(0, 0)]
    vectors: dict[Vector, None] = {(everything, 0): None}  # the field is null
    naming = {p: c for p, c in group.items() if c.op in _WHOLE and c.modifier in (None, "anyof")}
    for value in {_value(v) for comparison in naming.values() for v in comparison.values}:
        held = _bits(p for p, c in group.items() if _holds(c, value))
        vectors[everything, held] = None
    # A value that none of them names.
    unnamed = _bits(naming)
    opposite = _bits(p for p, c in group.items() if _is_opposite(c, naming.values()))
    exists = _bits(p for p, c in group.items() if c.op == "exists")
    vectors[unnamed | opposite | exists, opposite | exists] = None
    return list(vectors)


def _is_opposite(comparison: BoundComparison, naming: Iterable[BoundComparison]) -> bool:
    """Tell whether a ``!=`` holds for every value that no comparison names."""
    named = {_value(v) for each in naming for v in each.values}
    return comparison.op == "!=" and all(_value(v) in named for v in comparison.values)


def _value(value: TypedValue) -> TypedValue:
    return value.rstrip(b"\0") if isinstance(value, bytes) else value


def _holds(comparison: BoundComparison, value: TypedValue) -> bool:
    kind = kind_of(comparison.left)
    if comparison.op == "exists":
        return True
    return holds(comparison.op, comparison.modifier, kind, "one", value, comparison.values)  # type: ignore[arg-type]


def _bits(places: Iterable[int]) -> int:
    bits = 0
    for place in places:
        bits |= 1 << place
    return bits
