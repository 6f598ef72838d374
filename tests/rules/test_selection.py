"""Which rules run."""

from __future__ import annotations

import pytest

from rulekit.rules.definitions import Priority
from rulekit.rules.falco_config import Selector
from rulekit.rules.loader import load_files
from rulekit.rules.ruleset import Ruleset
from rulekit.rules.selection import by_substring, select_rules
from rulekit.text.source import SourceText


def _rule(name: str, priority: str, more: str = "") -> str:
    return (
        f"- rule: {name}\n  desc: d\n  condition: evt.type=open\n  output: x\n"
        f"  priority: {priority}\n{more}"
    )


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    text = (
        _rule("Read shadow", "WARNING", "  tags: [file, host]\n")
        + _rule("Read [x]?", "DEBUG")
        + _rule("Write etc", "ERROR", "  enabled: no\n  tags: [file]\n")
    )
    return load_files([SourceText("t.yaml", text)]).require()


@pytest.mark.parametrize(
    ("selectors", "names"),
    [
        ([], ["Read shadow", "Read [x]?"]),
        ([Selector(False, rule="*")], []),
        ([Selector(False, rule="Read*")], []),
        ([Selector(False, rule="Read")], ["Read shadow", "Read [x]?"]),
        ([Selector(False, rule="Read [x]?")], ["Read shadow"]),
        ([Selector(False, rule="*ad*sh*w")], ["Read [x]?"]),
        ([Selector(True, tag="file")], ["Read shadow", "Read [x]?", "Write etc"]),
        ([Selector(False, tag="fil")], ["Read shadow", "Read [x]?"]),
        # The last one that means a rule decides.
        ([Selector(False, rule="*"), Selector(True, tag="host")], ["Read shadow"]),
        ([Selector(True, tag="host"), Selector(False, rule="*")], []),
        ([by_substring("ead s", enable=False)], ["Read [x]?"]),
        ([Selector(False)], ["Read shadow", "Read [x]?"]),
    ],
)
def test_selectors_apply_in_order(
    ruleset: Ruleset, selectors: list[Selector], names: list[str]
) -> None:
    assert [rule.name for rule in select_rules(ruleset, selectors=selectors)] == names


def test_rules_below_the_minimum_priority_never_run(ruleset: Ruleset) -> None:
    selectors = [Selector(True, rule="*")]
    chosen = select_rules(ruleset, selectors=selectors, min_priority=Priority.WARNING)
    assert [rule.name for rule in chosen] == ["Read shadow", "Write etc"]


def test_disabled_rules_can_be_taken_too(ruleset: Ruleset) -> None:
    assert len(select_rules(ruleset, all_rules=True)) == 3
