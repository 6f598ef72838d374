"""Bound conditions become a graph in which equal parts are one node."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rulekit.compiler._graph import Graph
from rulekit.compiler.ir import (
    FALSE,
    TRUE,
)
from rulekit.compiler.lower import Lowered, lower
from rulekit.compiler.tables import MAX_DEPTH, NodeOp
from rulekit.errors import RuleError
from rulekit.rules.bound import Bound, BoundAnd, BoundNot
from rulekit.schema.types import Kind
from tests.properties.conditions import SPAN, bound, check


def lowered(*conditions: str) -> Lowered:
    return lower([(text, bound(text), None) for text in conditions])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("proc.name = cat", "proc.name == cat"),
        ("proc.name = cat", "proc.name in (cat)"),
        ("proc.name in (a, b)", "proc.name in (b, a, b)"),
        ("proc.name in (a, b)", "proc.name = anyof (a, b)"),
        ("proc.name in (a, b)", "proc.name intersects (a, b)"),
        ("not (not proc.name = cat)", "proc.name = cat"),
        (
            "proc.name = cat and (fd.num = 1 and fd.num = 2)",
            "proc.name = cat and fd.num = 1 and fd.num = 2",
        ),
        ("proc.name = cat or proc.name = cat", "proc.name = cat"),
        ("proc.name in () or fd.num = 1", "fd.num = 1"),
    ],
)
def test_conditions_that_mean_the_same_are_one_node(one: str, other: str) -> None:
    first, second = lowered(one, other).roots
    assert first == second


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("proc.name = cat", "proc.name != cat"),
        ("proc.name = cat", "proc.pname = cat"),
        ("proc.aname = cat", "proc.aname[2] = cat"),
        ("proc.env[A] = x", "proc.env[B] = x"),
        ("fd.types in (file)", "fd.types intersects (file)"),
        ("proc.name contains a", "proc.name icontains a"),
        ("fd.num = 1", "fd.sport = 1"),
        ("proc.name = val(proc.pname)", "proc.name = val(proc.exe)"),
    ],
)
def test_conditions_that_differ_are_two_nodes(one: str, other: str) -> None:
    first, second = lowered(one, other).roots
    assert first != second


def test_long_lists_lose_what_they_have_twice_and_numbers_are_sorted() -> None:
    texts = tuple(b"%d" % (i % 5000) for i in range(9, 6000))
    numbers = tuple(i % 5000 for i in range(9, 6000))
    for kind, name, values in ((Kind.TEXT, "proc.name", texts), (Kind.INT, "fd.num", numbers)):
        comparison = replace(check(name, "in", 1), values=values)  # type: ignore[type-var]
        (predicate,) = lower([("r", comparison, None)]).graph.predicates
        assert predicate.kind is kind
        assert len(predicate.values) == 5000
        assert sorted(predicate.values) == sorted(set(values))  # type: ignore[type-var]
        assert kind is Kind.TEXT or predicate.values == tuple(range(5000))


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("proc.name in ()", FALSE),
        ("proc.name = cat and not proc.name = cat", FALSE),
        ("proc.name = cat or not proc.name = cat", TRUE),
        ("not proc.name in ()", TRUE),
    ],
)
def test_constants_are_seen(text: str, root: int) -> None:
    assert lowered(text).roots == (root,)


def test_a_macro_shared_by_rules_is_lowered_once() -> None:
    shared = bound("proc.name in (a, b) and fd.num > 3")
    rules = [(str(i), BoundAnd((shared, check("fd.num", "=", i)), SPAN), None) for i in range(50)]
    graph = lower(rules).graph
    # Two comparisons of the macro, one of each rule, one conjunction each, the two constants and
    # the macro's own conjunction.
    assert len(graph.ops) == 2 + 2 + 1 + 50 + 50


def test_fields_with_a_memory_are_shared_within_a_rule_and_not_between_rules() -> None:
    graph = lowered("evt.deltatime > 5 and evt.deltatime < 9", "evt.deltatime > 5").graph
    assert len(graph.operands) == 2
    assert len(graph.predicates) == 3


def test_parts_before_a_field_with_a_memory_keep_their_place() -> None:
    result = lowered("evt.deltatime > 5 and proc.name in ()")
    (root,) = result.roots
    assert result.graph.ops[root] == NodeOp.AND
    assert result.graph.ordered[root]


def nested(levels: int) -> Bound:
    node: Bound = check("fd.num", "=", 0)
    for i in range(levels // 2):
        node = BoundNot(BoundAnd((node, check("fd.num", "!=", i)), SPAN), SPAN)
    return node


def test_conditions_nested_deeper_than_python_recurses_are_lowered() -> None:
    result = lower([("deep", nested(4000), None)])
    assert result.graph.depth[result.roots[0]] == 4001


def test_conditions_nested_too_deep_are_refused_by_name() -> None:
    with pytest.raises(RuleError, match="rule `deep`: condition nested deeper"):
        lower([("deep", nested(MAX_DEPTH + 10), None)])


def test_children_have_smaller_numbers_than_parents() -> None:
    graph: Graph = lowered(
        "(proc.name = a or fd.num = 1) and not (fd.num = 2 or proc.name = b)"
    ).graph
    for node, op in enumerate(graph.ops):
        if op >= NodeOp.NOT:
            assert max(graph.args[node]) < node
