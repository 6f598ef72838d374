"""What is said about one rule on one event."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest

from rulekit.cli.main import main
from rulekit.errors import RulekitError
from rulekit.explain.condition import Part
from rulekit.explain.event import RuleExplainer
from rulekit.explain.flips import EXACT, MAX_SETS, Flipper, Flips
from rulekit.explain.render import explanation_json, render_explanation
from rulekit.rules.loader import load_files
from rulekit.rules.ruleset import Ruleset
from rulekit.testing.inline import scenario
from rulekit.text.source import SourceText

RULES = """\
- list: editors
  items: [vim, nano]
- macro: opened
  condition: evt.type in (open, openat) and fd.num >= 0
- rule: Secret opened
  desc: x
  condition: opened and fd.name startswith /etc and not proc.name in (editors)
  output: x
  priority: NOTICE
  exceptions:
    - name: by_admin
      fields: [user.name, proc.pname]
      comps: [=, =]
      values:
        - [admin, bash]
"""
EVENTS: list[Any] = [
    {"proc": {"name": "vim", "user": "admin", "parent": "bash"}},
    {"open": "/etc/shadow"},
    {"proc": {"name": "cat", "user": "admin", "parent": "bash"}},
    {"open": "/etc/shadow"},
    {"proc": {"name": "cat", "user": "eve", "parent": "bash"}},
    {"open": "/etc/shadow"},
    {"open": "/tmp/x"},
    {"close": 3},
]


@pytest.fixture
def ruleset() -> Ruleset:
    return load_files([SourceText("rules.yaml", RULES)]).require()


@pytest.fixture
def explain(ruleset: Ruleset) -> Callable[[int], Any]:
    explainer = RuleExplainer(ruleset, "Secret opened")
    return lambda event: explainer.explain(scenario(EVENTS).data, event)


def test_every_comparison_has_its_value_and_its_way_in(explain: Callable[[int], Any]) -> None:
    data = explanation_json(explain(1))
    found = []
    todo = [data["condition"]]
    while todo:
        node = todo.pop(0)
        if node["kind"] == "comparison":
            found.append((node["text"], node["value"], node["truth"], node["via"], node["line"]))
        todo = node.get("children", []) + todo
    assert [each[:4] for each in found] == [
        ("evt.type in (open, openat)", "open", True, ["macro opened"]),
        ("fd.num >= 0", 3, True, ["macro opened"]),
        ("fd.name startswith /etc", "/etc/shadow", True, []),
        ("proc.name in (editors)", "vim", True, []),
        ("user.name = admin", "admin", True, ["exception by_admin"]),
        ("proc.pname = bash", "bash", True, ["exception by_admin"]),
    ]
    assert [each[4] for each in found] == [4, 4, 7, 7, 12, 12]


def test_the_exception_that_silenced_a_rule_is_named(explain: Callable[[int], Any]) -> None:
    assert explain(1).silenced_by() == ()  # the editor would have silenced it anyway
    assert explain(2).silenced_by() == ("exception by_admin",)
    assert explain(3).silenced_by() == ()
    assert explain(3).matched


def test_the_smallest_change_is_found(explain: Callable[[int], Any]) -> None:
    text = render_explanation(explain(4))
    assert "would match if this comparison were the other way" in text
    assert 'does not hold: fd.name = "/tmp/x"' in text
    assert "^^^^^^^^^^^^^^^^^^^^^^^" in text
    assert "would not match if" in render_explanation(explain(3))


def test_the_nearest_miss_is_the_one_with_the_fewest_changes(ruleset: Ruleset) -> None:
    nearest = RuleExplainer(ruleset, "Secret opened").nearest(scenario(EVENTS).data)
    assert nearest is not None
    assert (nearest.event, nearest.flips.size) == (4, 1)
    only = scenario([EVENTS[4], EVENTS[5]]).data
    assert RuleExplainer(ruleset, "Secret opened").nearest(only) is None


def test_what_cannot_be_explained_is_an_error(ruleset: Ruleset) -> None:
    with pytest.raises(RulekitError, match="did you mean `Secret opened`"):
        RuleExplainer(ruleset, "Secret opend")
    with pytest.raises(RulekitError, match="no event at position 99"):
        RuleExplainer(ruleset, "Secret opened").explain(scenario(EVENTS).data, 99)


def test_of_equals_that_is_named_which_says_most(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "- {rule: R, desc: x, output: x, priority: NOTICE, "
        "condition: evt.type = execve and evt.arg.res = 0 and proc.name = ls}\n"
    )
    ruleset = load_files([tmp_path / "rules.yaml"]).require()
    made = scenario([{"proc": "bash"}, {"execve": "ls"}])
    found = RuleExplainer(ruleset, "R").explain(made.data, made.ends[1])
    assert found.matched
    assert len(found.flips.sets) == 3
    assert 'holds: proc.name = "ls"' in render_explanation(found)


# ---- flips ----


def leaf(place: int) -> Part:
    span = SourceText("x", "x").span(0, 1)
    return Part("comparison", span, (), text=f"c{place}", comparison=place, place=place)


def node(kind: Any, *children: Part) -> Part:
    return Part(kind, SourceText("x", "x").span(0, 1), (), children)


def smallest(root: Part, n: int, true: int) -> int | None:
    """Return the size of the smallest set by trying all."""
    outcome = root.holds(true)
    for chosen in chain.from_iterable(combinations(range(n), k) for k in range(1, n + 1)):
        if root.holds(true ^ sum(1 << i for i in chosen)) != outcome:
            return len(chosen)
    return None


SHARED = node(
    "and",
    node("or", leaf(0), node("and", leaf(1), leaf(2))),
    node("not", node("or", leaf(0), leaf(3))),
    node("or", leaf(1), leaf(4)),
)


@pytest.mark.parametrize("true", range(32))
def test_exact_sets_are_smallest_also_when_comparisons_repeat(true: int) -> None:
    found = Flipper(SHARED).flips(true)
    assert found.exact
    assert found.size == smallest(SHARED, 5, true)
    for each in found.sets:
        assert SHARED.holds(true ^ each) != SHARED.holds(true)


@pytest.mark.parametrize("dear", [0, 0b1, 0b10010, 0b11111])
@pytest.mark.parametrize("true", [t for t in range(32) if not SHARED.holds(t)])
def test_distance_is_that_of_the_cheapest_smallest_set(true: int, dear: int) -> None:
    size = smallest(SHARED, 5, true)
    assert size is not None
    sets = [each for each in range(32) if each.bit_count() == size and SHARED.holds(true ^ each)]
    cost = min(size + bool(each & dear) for each in sets)
    assert Flipper(SHARED).distance(true, dear) == cost


def test_nothing_helps_a_condition_that_cannot_change() -> None:
    root = node("and", leaf(0), node("not", leaf(0)))
    assert Flipper(root).flips(0).sets == ()
    assert Flipper(root).distance(0) is None


def test_as_many_comparisons_as_are_exact_may_all_have_to_be_different() -> None:
    flipper = Flipper(node("and", *(leaf(i) for i in range(EXACT))))
    assert flipper.flips(0) == Flips(((1 << EXACT) - 1,), True)
    assert flipper.flips(0b11) == Flips(((1 << EXACT) - 1 & ~0b11,), True)
    assert flipper.distance(0b11) == EXACT - 2
    assert len(flipper.flips((1 << EXACT) - 1).sets) == MAX_SETS
    never = Flipper(node("and", *(leaf(i) for i in range(EXACT)), node("not", leaf(3))))
    assert never.flips(0) == Flips((), True)


def test_many_comparisons_give_a_good_set_marked_approximate() -> None:
    n = EXACT + 5
    root = node("and", *(leaf(i) for i in range(n)))
    found = Flipper(root).flips((1 << n) - 1 & ~0b101)
    assert (found.exact, found.sets) == (False, (0b101,))
    assert Flipper(root).flips((1 << n) - 1).size == 1


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    scenario(EVENTS).save(tmp_path / "a.scap.gz")
    where = ["-r", str(tmp_path / "rules.yaml"), "-e", str(tmp_path / "a.scap.gz")]
    rule = ["--rule", "Secret opened"]
    assert main(["explain", *where, *rule, "--event", "2"]) == 0
    assert "silenced by exception by_admin" in capsys.readouterr().out
    assert main(["explain", *where, *rule, "--nearest", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["event"] == 4
    assert main(["explain", *where, *rule, "--event", "99"]) == 2
    assert main(["explain", *where, "--rule", "x", "--nearest"]) == 2
