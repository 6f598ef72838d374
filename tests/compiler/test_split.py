"""A rule is its demands on process and keys, and a rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulekit.compiler._graph import Graph
from rulekit.compiler.ir import (
    TRUE,
)
from rulekit.compiler.lower import lower
from rulekit.compiler.passes.split import Splitter, choose_keys
from rulekit.compiler.tables import NodeOp
from tests.properties import conditions as c


def evaluate(graph: Graph, node: int, truth: dict[int, bool]) -> bool:
    op, args = graph.ops[node], graph.args[node]
    if op == NodeOp.PREDICATE:
        return truth[args[0]]
    if op == NodeOp.NOT:
        return not evaluate(graph, args[0], truth)
    if op == NodeOp.AND:
        return all(evaluate(graph, child, truth) for child in args)
    if op == NodeOp.OR:
        return any(evaluate(graph, child, truth) for child in args)
    return node == TRUE


# Directory and file name speak about the path, so that random truths would contradict it.
FREE = [f for f in c.PROCESS_FIELDS + c.EVENT_FIELDS if f[0] not in ("fd.directory", "fd.filename")]


@settings(max_examples=300, deadline=None)
@given(condition=c.conditions(FREE), data=st.data())
def test_the_parts_together_are_the_rule(condition: Any, data: st.DataObject) -> None:
    lowered = lower([("r", condition, None)])
    graph = lowered.graph
    keys = [
        graph.predicates[graph.args[node][0]].left
        for node in graph.reachable(lowered.roots)
        if graph.ops[node] == NodeOp.PREDICATE
    ]
    parts = Splitter(graph, list(dict.fromkeys(keys))[:3]).split(lowered.roots[0])
    truth = {i: data.draw(st.booleans()) for i in range(len(graph.predicates))}
    demands = [parts.process, *(node for _, node in parts.keys), parts.rest]
    together = all(evaluate(graph, node, truth) for node in demands)
    assert evaluate(graph, parts.root, truth) == together


@pytest.mark.parametrize(
    ("text", "process", "path"),
    [
        ("proc.name = a and fd.name = b", True, True),
        ("proc.name = a or fd.name = b", False, False),
        ("(proc.name = a and evt.rawres = 1) or (proc.name = b and evt.rawres = 2)", True, False),
        ("not (proc.name = a or evt.rawres = 1)", True, False),
        ("fd.directory = /etc", False, True),
        ("fd.directory = /", False, False),
        ("not fd.directory = /etc", False, False),
        ("fd.filename endswith .so", False, True),
        ("fd.directory pmatch (/etc, /)", False, False),
        ("proc.duration > 5", False, False),
        ("proc.sname = bash", False, False),
        ("evt.deltatime > 5 and proc.name = a", False, False),
    ],
)
def test_demands_are_found(text: str, process: bool, path: bool) -> None:
    lowered = lower([("r", c.bound(text), None)])
    name = lowered.graph.operand(lower([("p", c.bound("fd.name = x"), None)]).graph.operands[0])
    parts = Splitter(lowered.graph, [name]).split(lowered.roots[0])
    assert (parts.process != TRUE, bool(parts.keys)) == (process, path)


def test_texts_that_many_comparisons_look_at_become_keys() -> None:
    rules = [
        (str(i), c.bound(f"evt.arg.path = /{i} or evt.arg.flags = x"), None) for i in range(40)
    ]
    lowered = lower(rules)
    keys = choose_keys(lowered.graph, lowered.roots)
    assert [lowered.graph.operands[key].key for key in keys] == ["path"]  # type: ignore[union-attr]
