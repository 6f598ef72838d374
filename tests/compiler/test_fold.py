"""What the event's type decides is decided when compiling."""

from __future__ import annotations

import pytest

from rulekit.compiler.ir import TRUE
from rulekit.compiler.lower import lower
from rulekit.compiler.passes.fold import ASYNC_EVENT, GENERIC_EXIT, fold, slot_table
from rulekit.compiler.tables import GENERIC_BASE
from rulekit.schema.events import event_types
from rulekit.schema.values import value_tables
from tests.properties.conditions import bound

UNKNOWN = {GENERIC_EXIT, ASYNC_EVENT}  # events whose type depends on a parameter


def slots(text: str, codes: frozenset[int] | None = None) -> dict[int, int]:
    """Return the root of a condition on each slot on which it is tried."""
    classes = fold(lower([(text, bound(text), codes)]))
    return {slot: each.rules[0][1] for each in classes for slot in each.slots}


def named(*names: str) -> set[int]:
    found = {e.id for e in event_types() if e.name in names and e.id > GENERIC_EXIT}
    calls = value_tables()["ppm_sc"]
    return found | {
        GENERIC_BASE + int(n) for n, name in calls.items() if name in names and n != "0"
    }


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("evt.type = open", ["open"]),
        ("evt.type in (open, execve)", ["open", "execve"]),
        ("evt.type = open and proc.name = cat", ["open"]),
        ("evt.type = open or evt.type = close", ["open", "close"]),
        ("not (evt.type != open)", ["open"]),
        ("evt.type = anyof (open, close)", ["open", "close"]),
        ("syscall.type = open", ["open"]),
        ("tolower(evt.type) = open", ["open"]),
        ("evt.type startswith openat2", ["openat2"]),
        ("evt.type = open and not evt.type = close", ["open"]),
        ("evt.type = val(evt.type) and evt.type = open", ["open"]),
    ],
)
def test_a_rule_is_tried_on_its_types_only(text: str, names: list[str]) -> None:
    assert set(slots(text)) - UNKNOWN == named(*names)


@pytest.mark.parametrize(
    "text",
    ["evt.type = open and evt.type = close", "evt.num = 0", "proc.name in ()", "evt.num < 1"],
)
def test_a_rule_that_can_never_hold_is_tried_nowhere(text: str) -> None:
    assert set(slots(text)) <= UNKNOWN
    if "evt.type" not in text:
        assert not slots(text)


def test_where_the_type_decides_everything_nothing_is_left_to_evaluate() -> None:
    found = slots("evt.type = open")
    assert {root for slot, root in found.items() if slot not in UNKNOWN} == {TRUE}


def test_events_named_by_a_parameter_are_always_tried() -> None:
    assert set(slots("evt.type = open")) >= UNKNOWN


def test_conditions_without_a_type_are_tried_everywhere() -> None:
    everything = {i for i in range(2000) if slot_table().everything >> i & 1}
    assert set(slots("proc.name = cat")) == everything


def test_events_of_other_origin_have_no_syscall_type() -> None:
    assert 186 not in slots("syscall.type exists")  # procexit
    assert 186 in slots("not syscall.type exists")


def test_the_direction_is_known() -> None:
    assert not {slot for slot in slots("evt.dir = <") if slot < 512 and slot % 2 == 0} - UNKNOWN


def test_the_caller_can_restrict_the_types() -> None:
    assert set(slots("proc.name = cat", frozenset({3, 293}))) == {3, 293}


def test_types_with_the_same_rules_in_the_same_form_are_one_class() -> None:
    rules = ["evt.type in (open, openat) and proc.name = cat", "evt.type in (open, openat)"]
    classes = fold(lower([(text, bound(text), None) for text in rules]))
    assert len([c for c in classes if not UNKNOWN & set(c.slots)]) == 1


def test_conditions_with_a_memory_are_tried_where_the_peer_tries_them() -> None:
    # Only plain comparisons of the type restrict a rule there, so that the memory is kept on
    # every event that a `contains` would exclude.
    assert set(slots("evt.deltatime > 5 and evt.type = open")) - UNKNOWN == named("open")
    assert 5 in slots("evt.deltatime > 5 and evt.type contains open")
