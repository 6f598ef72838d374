"""Macros put into conditions as trees, and what may go wrong with them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from rulekit.rules.loader import LoadResult, load_files
from rulekit.rules.unparse import to_sexpr
from rulekit.text.source import SourceText


def _rule(condition: str, name: str = "r") -> str:
    return f"- rule: {name}\n  desc: d\n  condition: {condition}\n  output: x\n  priority: INFO\n"


def _macro(name: str, condition: str) -> str:
    return f"- macro: {name}\n  condition: {condition}\n"


def _load(text: str) -> LoadResult:
    return load_files([SourceText("t.yaml", text)])


def _codes(result: LoadResult) -> list[str]:
    return [found.code for found in result.diagnostics if found.severity == "error"]


def test_a_macro_keeps_its_own_grouping() -> None:
    result = _load(
        _macro("m", "proc.name=a or proc.name=b") + _rule("evt.type=open and m and not m")
    )
    (rule,) = result.require()
    either = '(or (= (field proc.name) "a") (= (field proc.name) "b"))'
    assert to_sexpr(rule.node) == f'(and (= (field evt.type) "open") {either} (not {either}))'
    assert rule.macros == ("m",)
    assert (
        to_sexpr(rule.written) == '(and (= (field evt.type) "open") (macro "m") (not (macro "m")))'
    )


def test_a_macro_is_shared_between_its_uses() -> None:
    result = _load(
        _macro("m", "proc.name=a or proc.name=b")
        + _rule("evt.type=open and m")
        + _rule("evt.type=close and m", "s")
    )
    first, second = result.require()
    assert first.node.children[1] is second.node.children[1]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        # A rule sees every macro, a macro only those defined before its own last change.
        (_rule("evt.type=open and m") + _macro("m", "proc.name=a"), []),
        (_macro("m", "n") + _macro("n", "proc.name=a") + _rule("evt.type=open and m"), ["RK301"]),
        (
            _macro("m", "proc.name=b")
            + _macro("n", "proc.name=a")
            + _macro("m", "n")
            + _rule("evt.type=open and m"),
            [],
        ),
        (
            _macro("y", "proc.name=a")
            + _macro("x", "proc.name=a")
            + _macro("y", "x")
            + _macro("w", "proc.name=a")
            + _macro("x", "w")
            + _rule("evt.type=open and y"),
            # `x` is not resolved yet when `y` is, and `y` does not see `w`.
            ["RK301"],
        ),
        (_macro("m", "m or proc.name=a") + _rule("evt.type=open and m"), ["RK301"]),
        (
            _macro("m", "proc.name=a") + _macro("m", "m or proc.name=b") + _rule("m"),
            ["RK302"],
        ),
        (
            _macro("x", "proc.name=q") + _macro("y", "x") + _macro("x", "y") + _rule("x"),
            ["RK302"],
        ),
        # What is wrong with a macro is said once, not for every rule that uses it.
        (_macro("m", "proc.name=") + _rule("m") + _rule("evt.type=open and m", "s"), ["RK101"]),
        (_macro("m", "proc.nmae=a") + _rule("m") + _rule("evt.type=open and m", "s"), ["RK201"]),
        (_macro("m", "proc.nmae=a") + _rule("evt.type=open"), []),
        (_rule("evt.type=open and m") + "- macro: m\n", ["RK015"]),
    ],
)
def test_references_are_resolved_in_the_order_of_the_peer(text: str, codes: list[str]) -> None:
    assert _codes(_load(text)) == codes


def test_a_problem_in_a_macro_shows_the_trail_to_it() -> None:
    result = _load(
        _macro("inner", "proc.nmae=a")
        + _macro("outer", "inner or proc.name=b")
        + _rule("evt.type=open and outer")
        + _rule("evt.type=close and outer", "s")
    )
    (found,) = [d for d in result.diagnostics if d.severity == "error"]
    assert found.span.outermost().source.locate(found.span.outermost().start) == (2, 14)
    texts = [label.text for label in found.labels]
    assert texts == [
        "macro `inner` is used here",
        "macro `outer` is used here (1 more use of it fails the same way)",
    ]
    places = [label.span.outermost() for label in found.labels]
    assert [place.source.locate(place.start)[0] for place in places] == [4, 7]
    assert [place.text for place in places] == ["inner", "outer"]


def test_macros_that_double_thirty_times_are_refused_quickly() -> None:
    text = _macro("m0", "proc.name=a")
    for i in range(30):
        text += _macro(f"m{i + 1}", f"(m{i} or fd.num={i}) and m{i}")
    assert _codes(_load(text + _rule("evt.type=open and m30"))) == ["RK335"]


def test_macros_nested_too_deeply_are_refused() -> None:
    text = _macro("m0", "proc.name=a")
    for i in range(2000):
        text += _macro(f"m{i + 1}", f"m{i} or proc.name={i}")
    assert _codes(_load(text + _rule("evt.type=open and m2000"))) == ["RK335"]


def test_a_chain_that_is_resolved_in_one_go_is_bounded() -> None:
    names = [f"m{i}" for i in range(400)]
    text = "".join(_macro(name, "proc.name=a") for name in names)
    # Redefined from the last to the first, each sees the next one, which is not resolved yet.
    text += "".join(_macro(a, b) for a, b in pairwise(names))
    assert _codes(_load(text + _rule("evt.type=open and m0")))[0] == "RK335"
