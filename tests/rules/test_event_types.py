"""Event types of conditions: sets, negation, names, the warning's limit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rulekit.rules.ast import Node, NotNode
from rulekit.rules.event_types import (
    EventTypeError,
    EventTypes,
    event_names,
    event_types_of,
    generic_syscalls,
)
from rulekit.rules.parser import parse_condition
from rulekit.schema.events import event_types
from rulekit.text.source import SourceText


def node(text: str) -> Node:
    return parse_condition(SourceText("condition", text))


def types(text: str) -> EventTypes:
    return event_types_of(node(text))


def codes_named(*names: str) -> frozenset[int]:
    return frozenset(e.id for e in event_types()[2:] if e.name in names)


ALL = frozenset(range(len(event_types())))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("evt.type = open", ["open"]),
        ("evt.type in (open, close)", ["open", "close"]),
        ("evt.type = open and evt.type = close", []),
        ("evt.type = open or evt.type = close", ["open", "close"]),
        ("evt.type = open and proc.name = a", ["open"]),
        ("evt.type in (open, close) and not evt.type = close", ["open"]),
        ("not (evt.type != open)", ["open"]),
        ("not (not evt.type = open)", ["open"]),
        ("not (evt.type != open or evt.type != open)", ["open"]),
        ("not evt.type exists", []),
        ("evt.type in ()", []),
        ('evt.type in ("", open)', ["open"]),
        ("syscall.type = nosuch", []),
        ("evt.type = open and not proc.name = a", ["open"]),
        ("evt.num = 0 and proc.name = a", []),
        ("evt.num < 1", []),
        ("evt.num in (0, 00)", []),
        ("not evt.num >= 1", []),
        ("evt.type in open", ["open"]),
    ],
)
def test_sets_follow_the_tree(text: str, names: list[str]) -> None:
    assert types(text).codes == codes_named(*names)


@pytest.mark.parametrize(
    "text",
    [
        "proc.name = a",
        "not proc.name = a",
        "evt.type exists",
        "evt.type = open or proc.name = a",
        "evt.type contains open",
        "evt.type = anyof (open)",
        "evt.num = 1",
        "evt.num > 0",
        "not evt.num = 0",
        "evt.num = anyof (0)",
        "mymacro",
        "proc.name = val(evt.type)",
        "tolower(evt.type) contains open",
    ],
)
def test_anything_else_stands_for_all_events(text: str) -> None:
    found = types(text)
    assert found.codes == ALL
    assert found.many
    assert len(event_names(found)) == 465


def test_negation_is_the_complement() -> None:
    assert types("evt.type != open").codes == ALL - codes_named("open")
    assert types("not evt.type in (open, close)").codes == ALL - codes_named("open", "close")


def test_calls_without_an_event_arrive_as_the_generic_one() -> None:
    found = types("evt.type = sync")
    assert found.codes == {0, 1}
    assert found.syscalls == {"sync"}
    assert event_names(found) == ("asyncevent", "sync")
    assert not found.many
    assert "open" not in generic_syscalls()


def test_names_are_shown_as_descriptions_show_them() -> None:
    assert event_names(types("evt.type = open")) == ("asyncevent", "open")
    assert event_names(types("evt.type in ()")) == ("asyncevent",)
    assert event_names(types("evt.num > 0"), "k8s_audit") == ("asyncevent", "pluginevent")
    assert types("evt.type = procexit").syscalls == {"sched_process_exit"}
    assert types("evt.type = accept4").syscalls == {"accept4"}


@pytest.mark.parametrize(
    "text",
    [
        "evt.type = val(proc.name)",
        "evt.type in val(proc.name)",
        "tolower(evt.type) = open",
        "tolower(toupper(syscall.type)) exists",
        'join(",", (proc.name, evt.type)) = a',
    ],
)
def test_some_uses_hide_the_event_types(text: str) -> None:
    with pytest.raises(EventTypeError):
        types(text)


def test_only_the_last_of_a_tuple_matters() -> None:
    assert types('join(",", (evt.type, proc.name)) = a').codes == ALL


def test_deep_and_shared_trees_are_fine() -> None:
    part = node("evt.type = open")
    for _ in range(5000):
        part = NotNode(part, part.span)
    assert event_types_of(part).codes == codes_named("open")


def test_rule_sets_of_the_corpus_show_the_same_names(shared: Path) -> None:
    """Rules on `evt.type = NAME` alone, whose tree tells the condition."""
    path = shared / "reference/conformance/expected.json"
    seen = 0
    for case in json.loads(path.read_text("utf-8")).values():
        for rule in case.get("rules") or () if isinstance(case, dict) else ():
            tree = rule["ast"]
            name = tree.removeprefix('(= (field evt.type) "').removesuffix('")')
            if name.isalnum() and rule.get("events"):
                seen += 1
                assert list(event_names(types(f"evt.type = {name}"))) == sorted(rule["events"])
    assert seen > 40
