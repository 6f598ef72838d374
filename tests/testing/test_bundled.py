"""The bundled rulesets: their cases see comparisons both ways and notice nearly every change."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from rulekit.testing.case import Case
from rulekit.testing.coverage import measure
from rulekit.testing.coverage_report import missing, unhit
from rulekit.testing.mutation import mutate, score
from rulekit.testing.read import find_files, load_all
from rulekit.testing.runner import run_cases

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent for path in ROOT.glob("rulesets/*/rules.yaml"))
LEAST_SCORE = 0.9

each_ruleset = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


@cache
def cases_of(folder: Path) -> list[Case]:
    return load_all(find_files([folder]))


@each_ruleset
def test_every_case_is_as_it_says(folder: Path) -> None:
    bad = {r.case.name: r.failures for r in run_cases(cases_of(folder)) if not r.good}
    assert bad == {}


@each_ruleset
def test_every_feasible_comparison_is_seen_true_and_false(folder: Path) -> None:
    coverage = measure(cases_of(folder))
    assert coverage.left_out == 0
    assert [rule.rule.name for rule in coverage.rules if not rule.n_matched] == []
    gaps = {
        (rule.rule.name, seen.part.text): missing(seen)
        for rule in coverage.rules
        for seen in rule.comparisons
        if not seen.goals.get("true", True) or not seen.goals.get("false", True)
    }
    assert gaps == {}
    assert coverage.share > 0.95  # what decided the outcome counted as well


@each_ruleset
def test_items_of_lists_are_met(folder: Path) -> None:
    items = [seen for rule in measure(cases_of(folder)).rules for seen in rule.comparisons]
    unmet = {(seen.part.text, item) for seen in items for item in unhit(seen)}
    assert unmet == set()


@each_ruleset
def test_changed_rules_are_noticed(folder: Path) -> None:
    found = mutate(cases_of(folder))
    assert [rule.problem for rule in found if rule.problem] == []
    assert [rule.rule for rule in found if rule.left_out] == []
    assert {rule.rule: score([rule]) for rule in found if score([rule]) < LEAST_SCORE - 0.1} == {}
    assert score(found) >= LEAST_SCORE, [
        (rule.rule, m.before, m.after) for rule in found for m in rule.survivors
    ]
