"""Conditions that the program proves to mean the same."""

from __future__ import annotations

from collections.abc import Sequence

from rulekit.compiler._graph import Graph
from rulekit.compiler.ir import (
    FALSE,
)
from rulekit.compiler.lower import Lowering, lower
from rulekit.compiler.passes.fold import fold
from rulekit.compiler.written import comparisons_of
from rulekit.explain.feasible import Feasibility
from rulekit.rules.bound import Bound, BoundAnd, BoundComparison, BoundNot

MAX_DISTINCT = 14


def equivalent(original: Bound, others: Sequence[Bound]) -> list[bool]:
    """Tell of each condition whether it provably has the outcome of the original on every event."""
    if not others:
        return []
    conditions = [("", bound, None) for bound in (original, *others)]
    lowered = lower(conditions)
    forms: list[set[tuple[tuple[int, ...], int]]] = [set() for _ in conditions]
    for each in fold(lowered):
        for rule, root in each.rules:
            forms[rule].add((each.slots, root))
    return [
        form == forms[0] or _same_table(original, other)
        for form, other in zip(forms[1:], others, strict=True)
    ]


def _same_table(one: Bound, other: Bound) -> bool:
    """Compare the outcomes for every combination of truths that can occur."""
    lowering = Lowering(Graph())
    lowering.rule = 1
    places: dict[int, int] = {}
    of: dict[int, int | None] = {}
    group: dict[int, BoundComparison] = {}
    for comparison in (*comparisons_of(one), *comparisons_of(other)):
        node = lowering.comparison(comparison)
        if lowering.graph.ordered[node]:
            return False  # the order of evaluation matters
        of[id(comparison)] = None if node == FALSE else places.setdefault(node, len(places))
        if node != FALSE:
            group.setdefault(places[node], comparison)
    if len(places) > MAX_DISTINCT:
        return False
    feasible = Feasibility(group)
    return not any(
        _holds(one, of, true) != _holds(other, of, true) and feasible.possible(true)
        for true in range(1 << len(places))
    )


def _holds(node: Bound, of: dict[int, int | None], true: int) -> bool:
    if isinstance(node, BoundComparison):
        place = of[id(node)]
        return place is not None and bool(true >> place & 1)
    if isinstance(node, BoundNot):
        return not _holds(node.child, of, true)
    children = (_holds(child, of, true) for child in node.children)
    return all(children) if isinstance(node, BoundAnd) else any(children)
