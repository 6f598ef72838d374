"""What is cheap is tried first."""

from __future__ import annotations

import random
from array import array

import pytest

from rulekit.compiler.lower import lower
from rulekit.compiler.passes.order import Costs, predicate_cost
from rulekit.compiler.tables import NodeOp
from rulekit.rules.bound import Bound
from tests.properties.conditions import both, bound, check, either


def order_of(condition: Bound) -> list[str]:
    """Return the texts or numbers that the parts of a chain look for, as they are tried."""
    lowered = lower([("r", condition, None)])
    graph = lowered.graph
    nodes = graph.reachable(lowered.roots)
    used = [graph.args[node][0] for node in nodes if graph.ops[node] == NodeOp.PREDICATE]
    first, n, children, position = (
        array("I", table)
        for table in Costs(graph, set()).tables(nodes, {p: i for i, p in enumerate(used)})
    )
    at = position[lowered.roots[0]]
    parts = [nodes[child] for child in children[first[at] : first[at] + n[at]]]
    assert sorted(parts) == sorted(graph.args[lowered.roots[0]])
    return [str(graph.predicate_of(part).values[0]) for part in parts]


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("evt.args contains a and fd.num = 1", ["1", "b'a'"]),
        ("evt.args contains a or fd.num = 1", ["1", "b'a'"]),
        ("proc.aname = a and fd.num = 1 and proc.name = b", ["b'b'", "1", "b'a'"]),
        # Of equal ones the first stays the first.
        ("fd.num = 3 and fd.num = 1 and fd.num = 2", ["3", "1", "2"]),
        # A field with a memory: nothing moves.
        ("evt.args contains a and evt.deltatime > 5 and fd.num = 1", ["b'a'", "5", "1"]),
    ],
)
def test_what_is_cheap_is_tried_first(condition: str, wanted: list[str]) -> None:
    assert order_of(bound(condition)) == wanted


@pytest.mark.parametrize("size", [2, 23, 24, 25, 26, 400])
def test_chains_of_any_length_are_sorted_and_equal_parts_keep_their_order(size: int) -> None:
    rng = random.Random(size)
    parts = [
        check("fd.num", "=", i) if rng.random() < 0.5 else check("proc.name", "contains", b"%d" % i)
        for i in range(size)
    ]
    numbers = [str(i) for i, part in enumerate(parts) if part.op == "="]
    texts = [f"b'{i}'" for i, part in enumerate(parts) if part.op != "="]
    assert order_of(both(*parts)) == numbers + texts


def test_costs_of_conditions_that_double_stay_numbers() -> None:
    node: Bound = check("proc.name", "contains", b"x")
    for i in range(90):
        node = both(*(either(node, check("fd.num", "=", 6 * i + k)) for k in range(6)))
    lowered = lower([("r", node, None)])
    costs = Costs(lowered.graph, set())
    seen = [costs.cost(root) for root in range(2, len(lowered.graph.ops))]
    assert max(seen) == costs.cost(lowered.roots[0]) == 1 << 40
    assert min(seen) > 0
    name = predicate_cost(lowered.graph, lowered.graph.predicates[0])
    assert seen[0] == name


def test_comparisons_that_are_kept_as_bits_cost_next_to_nothing() -> None:
    graph = lower([("r", bound("evt.args contains a"), None)]).graph
    assert Costs(graph, {0}).cost(2) == 2 < Costs(graph, set()).cost(2)
