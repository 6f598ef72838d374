"""The quick check of conditions gives what the full one gives, or leaves the condition to it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from rulekit.rules._check import QuickCheck
from rulekit.rules.ast import AndNode, Node, NotNode, OrNode
from rulekit.rules.check import check_condition
from rulekit.rules.event_types import types_in
from rulekit.rules.parser import parse_condition
from rulekit.rules.shared import SharedTrees
from rulekit.rules.syntax import ConditionSyntaxError
from rulekit.text.source import SourceText


def _trees(texts: list[str]) -> list[Node]:
    found = []
    for text in texts:
        with suppress(ConditionSyntaxError):
            found.append(parse_condition(SourceText("condition", text)))
    return found


@pytest.fixture(scope="module")
def trees(shared: Path) -> list[Node]:
    folder = shared / "reference/conformance"
    lines = (folder / "conditions.jsonl").read_text("utf-8").splitlines()
    texts = [json.loads(line)["cond"] for line in lines]
    lines = (folder / "eval.jsonl").read_text("utf-8").splitlines()
    texts += {json.loads(line)["filter"] for line in lines if "filter" in json.loads(line)}
    return _trees([text for text in texts if text])


@pytest.mark.parametrize("source", ["syscall", "k8s_audit"])
def test_both_checks_agree(trees: list[Node], source: str) -> None:
    quick = QuickCheck(source, {})
    taken = 0
    for node in trees:
        found = quick.check(node)
        if found is None:
            continue
        taken += 1
        bound, events = found
        full = check_condition(node, source)
        assert full.bound == bound, node
        assert repr(full.bound) == repr(bound), node
        assert full.events == types_in(events), node
        told = [d.code for d in full.diagnostics]
        assert told in ([], ["RK406"]), node
    assert taken > (800 if source == "syscall" else 10)


def test_what_has_a_remark_or_a_mistake_is_left_to_the_full_check() -> None:
    for text, source in (
        ("proc.name = 'evt.type'", "syscall"),
        ("proc.name = 'val(proc.name)'", "syscall"),
        ("evt.dir = <", "syscall"),
        ("evt.latency > 5", "syscall"),
        ("proc.name regex 'abc'", "syscall"),
        ("evt.type = nosuch", "syscall"),
        ("evt.type = val(proc.name)", "syscall"),
        ("tolower(evt.type) = open", "syscall"),
        ("proc.pid = x", "syscall"),
        ("nosuch.field = x", "syscall"),
        ("proc.pid contains 5", "syscall"),
        ("proc.name = " + "x" * 256, "syscall"),
        ("proc.name = '<NA>' and proc.nosuch exists", "syscall"),
        ("ka.verb = '<NA>'", "k8s_audit"),
        ("ka.verb in (create, '<NA>')", "k8s_audit"),
        ("a_macro", "syscall"),
    ):
        node = parse_condition(SourceText("condition", text))
        assert QuickCheck(source, {}).check(node) is None, text
        full = check_condition(node, source)
        assert full.diagnostics, text


def test_trees_of_macros_are_walked_once() -> None:
    macro = parse_condition(SourceText("m", "proc.name = a or evt.type = open"))
    shared = SharedTrees()
    shared.add(macro)
    quick = QuickCheck("syscall", shared.nodes)
    other = parse_condition(SourceText("r", "evt.type in (open, close)"))
    first = quick.check(AndNode((macro, other), macro.span))
    again = quick.check(OrNode((NotNode(macro, macro.span), other), macro.span))
    assert first is not None
    assert again is not None
    assert first[0].children[0] is again[0].children[0].child  # type: ignore[union-attr]
    for (_, events), node in (
        (first, AndNode((macro, other), macro.span)),
        (again, OrNode((NotNode(macro, macro.span), other), macro.span)),
    ):
        assert check_condition(node, "syscall").events == types_in(events)
