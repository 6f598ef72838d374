"""The quick reader of conditions makes the trees of the grammar, or leaves the text to it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from rulekit.rules._read import read_condition, read_operand
from rulekit.rules.ast import Node
from rulekit.rules.grammar import read_with_grammar
from rulekit.rules.syntax import ConditionSyntaxError
from rulekit.text.source import SourceText

_PIECES = (
    *(" and ", " or ", " not ", "and(", "or(", "not(", "(", ")", "in", "in (", "'", '"', "\\"),
    *("val(", "len(", "[", "]", "=", "!=", "\x08", "\n", "\v", ",", "oneof ", "anyof (", "<", "_"),
    *("exists", " ", "0x1f", "1.5e+3", ".", "é", "\0", "concat(", "tolower(", "basename(", "b64("),
)


@pytest.fixture(scope="module")
def conditions(shared: Path) -> list[str]:
    path = shared / "reference/conformance/conditions.jsonl"
    return [json.loads(line)["cond"] for line in path.read_text("utf-8").splitlines()]


def _by_grammar(text: SourceText, depth: int) -> Node | None:
    try:
        node: Node = read_with_grammar(text, "condition", depth)[0]
    except ConditionSyntaxError:
        return None
    return node


def _same(condition: str, depth: int) -> bool:
    """Tell whether both read the text alike; the quick one may leave it to the grammar."""
    text = SourceText("condition", condition)
    quick = read_condition(text, depth, {})
    if quick is None:
        return True
    slow = _by_grammar(text, depth)
    # Places count; `repr` shows what equal values hide: True for 1.
    return slow is not None and quick == slow and repr(quick) == repr(slow)


def test_conditions_of_the_corpus_have_the_same_trees(conditions: list[str]) -> None:
    assert [c for c in conditions if c and not (_same(c, 100) and _same(c, 1000))] == []


def test_good_conditions_are_not_left_to_the_grammar(conditions: list[str]) -> None:
    left = [
        text
        for text in conditions
        if read_condition(SourceText("c", text), 1000, {}) is None
        and _by_grammar(SourceText("c", text), 1000) is not None
    ]
    assert left == []


def test_conditions_with_odd_pieces_have_the_same_trees(conditions: list[str]) -> None:
    rng = random.Random(20260701)
    short = [condition for condition in conditions if 0 < len(condition) < 400]
    tried = [_with_slips(rng.choice(short), rng) for _ in range(3000)]
    assert [c for c in tried if not _same(c, 100)] == []


def _with_slips(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 3)):
        at, kind = rng.randrange(len(text) + 1), rng.random()
        if kind < 0.45:
            text = text[:at] + rng.choice(_PIECES) + text[at:]
        elif kind < 0.8:
            text = text[:at] + text[at + rng.randint(1, 4) :]
        else:
            other = rng.randrange(len(text) + 1)
            text = text[:at] + text[min(at, other) : max(at, other)] + text[at:]
    return text


def test_what_nests_deeply_is_left_to_the_grammar() -> None:
    deep = "(" * 150 + "proc.name = a" + ")" * 150
    assert read_condition(SourceText("c", deep), 1000, {}) is None
    assert _by_grammar(SourceText("c", deep), 1000) is not None


def test_lists_of_equal_text_are_read_once() -> None:
    lists: dict[str, object] = {}
    first = read_condition(SourceText("a", "evt.type in (open, openat)"), 100, lists)  # type: ignore[arg-type]
    again = read_condition(SourceText("b", "not evt.type in (open, openat)"), 100, lists)  # type: ignore[arg-type]
    assert list(lists) == ["open, openat"]
    assert first.right.items.runs[0].read is again.child.right.items.runs[0].read  # type: ignore[union-attr]
    assert [item.span.text for item in again.child.right.items] == ["open", "openat"]  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["proc.name", "proc.aname[2]", "tolower(proc.name)", "len(a"])
def test_operands(text: str) -> None:
    source = SourceText("operand", text)
    quick = read_operand(source, 100)
    if quick is None:
        with pytest.raises(ConditionSyntaxError):
            read_with_grammar(source, "operand", 100)
    else:
        assert quick == read_with_grammar(source, "operand", 100)
