"""Conditions on alerts: whatever an alert holds, they are true or false."""

from __future__ import annotations

from itertools import product

import pytest

from rulekit.alert import Alert
from rulekit.delivery.condition import compile_condition
from rulekit.errors import RuleError
from rulekit.text.source import SourceText

FIELDS = {"a.n": 5, "a.name": "x", "a.l": ["a", "b"], "a.f": 1.5, "a.b": True}
ALERT = Alert(1, "r", "Warning", "m", output_fields=FIELDS)


def holds(text: str) -> bool:
    return compile_condition(SourceText("x", text))(ALERT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("join('-', a.l) = a-b", True),
        ("join(a.l, '-') exists", False),
        ("join('-', a.name) exists", False),
        ("getopt(a.name, 'x') exists", False),
        ("b64(a.l) exists", False),
        ("concat(a.name, a.n) = x5", True),
        ("len(a.l) = 2", True),
    ],
)
def test_transformers_of_what_an_alert_has(text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize("text", ["join(a.l) = x", "tolower(a.name, a.l) = x", "getopt(a.l) = x"])
def test_a_wrong_number_of_arguments_is_a_mistake_in_the_text(text: str) -> None:
    with pytest.raises(RuleError, match="takes"):
        holds(text)


def test_no_value_of_an_alert_is_too_much() -> None:
    lefts = [f"{name}({field})" for name, field in product(("len", "b64", "toupper"), FIELDS)]
    lefts += [
        f"{name}({a}, {b})" for name in ("join", "getopt") for a, b in product(FIELDS, FIELDS)
    ]
    operators = ("= x", "!= 5", "in (x, 5)", "> 5", "intersects (x)", "exists", "pmatch (/a)")
    for left, operator in product((*FIELDS, *lefts), operators):
        assert holds(f"{left} {operator}") in (True, False)
