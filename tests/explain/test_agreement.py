"""Explanations say what the matcher says; `run_agreement.py` asks far more of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rulekit._fastmatch import Matcher
from rulekit.capture._reader import CaptureReader
from rulekit.compiler.program import compile_ruleset
from rulekit.compiler.written import (
    WrittenProgram,
    compile_written,
    compile_written_conditions,
)
from rulekit.engine._explain import Explainer
from rulekit.engine._loop import EventLoop
from rulekit.engine.pipeline import bind, open_loop
from rulekit.errors import SourceError
from rulekit.explain.condition import condition_of
from rulekit.explain.event import RuleExplainer
from rulekit.explain.render import explanation_json, render_explanation
from rulekit.rules.loader import load_files
from rulekit.rules.ruleset import Ruleset
from tests.explain.random_rules import random_condition

ROOT = Path(__file__).resolve().parents[2]
OWN = sorted((ROOT / "rulesets/captures").glob("*.scap.gz"))
RULES = sorted(ROOT.glob("rulesets/*/rules.yaml"))


def agree(written: WrittenProgram, fast: Matcher, path: Path, source: str = "syscall") -> int:
    """Hold every rule on every event against the matcher; return the number of pairs."""
    explainer = Explainer(written)
    loop = open_loop(path, None, source)
    found = []
    at_end = False
    try:
        while not at_end:
            at_end, differences = explainer.gather(loop, fast)
            found += differences
    except SourceError:
        pass  # a damaged public capture: everything before the damage was compared
    assert found == []
    n = 0
    for number in range(len(written.rules)):
        n += sum(each[3] for each in explainer.combinations(number)[0])
    return n


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_every_bundled_rule_on_every_event(path: Path) -> None:
    ruleset = load_files(RULES).require()
    fast = Matcher(compile_ruleset([(r.name, r.bound, None) for r in ruleset]))
    assert agree(compile_written(ruleset), fast, path) > 10_000


def test_every_bundled_rule_on_every_request() -> None:
    rules = [rule for rule in load_files(RULES).require() if rule.source == "k8s_audit"]
    fast = Matcher(compile_ruleset([(r.name, r.bound, None) for r in rules]))
    path = ROOT / "rulesets/captures/attack-audit.jsonl"
    assert agree(compile_written(rules), fast, path, "k8s_audit") >= 15 * len(rules)
    assert fast.stats()["matches"] > 0


def test_upstream_rules_on_a_recording(shared: Path) -> None:
    names = ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules")
    ruleset = load_files([shared / f"rules/upstream/{name}.yaml" for name in names]).require()
    rules = [rule for rule in ruleset if rule.source == "syscall"]
    fast = Matcher(compile_ruleset([(r.name, r.bound, None) for r in rules]))
    path = shared / "captures/own/attack-docker-falcoset.scap.gz"
    assert agree(compile_written(rules), fast, path) > 1_000_000
    assert fast.stats()["matches"] > 0


def random_rules(n: int, seed: int) -> None:
    source = random.Random(seed)
    path = ROOT / "rulesets/captures/tiny-host.scap.gz"
    for start in range(0, n, 250):
        texts = [random_condition(source) for _ in range(min(250, n - start))]
        rules = [(text, bind(text), None) for text in texts]
        agree(compile_written_conditions(rules), Matcher(compile_ruleset(rules)), path)


def test_random_rules() -> None:
    random_rules(500, 1)


def test_the_tree_says_what_the_matcher_says() -> None:
    ruleset = load_files(RULES).require()
    written = compile_written(ruleset)
    explainer = Explainer(written)
    conditions = [condition_of(r, ruleset, w) for r, w in zip(ruleset, written.rules, strict=True)]
    for condition in conditions:
        assert len({part.comparison for part in condition.comparisons}) == len(
            condition.comparisons
        )
    for path in OWN:
        loop = EventLoop(CaptureReader(path))
        while not explainer.gather(loop)[0]:
            pass
    checked = 0
    for number, condition in enumerate(conditions):
        for matched, true, *_ in explainer.combinations(number)[0]:
            assert condition.root.holds(true) == matched
            checked += 1
    assert checked > 200


def sampled(ruleset: Ruleset, path: Path, n: int) -> None:
    """Render the trees of all matches and of other events of a capture."""
    loop = EventLoop(CaptureReader(path))
    positions = []
    while (found := loop.next()) is not None:
        if found:
            positions.append(loop.raw)
    source = random.Random(7)
    for rule in (rule for rule in ruleset if rule.source == "syscall"):
        explainer = RuleExplainer(ruleset, rule.name)
        for event in source.sample(positions, max(1, n // len(ruleset.rules))):
            explanation = explainer.explain(path, event)
            data = explanation_json(explanation)
            assert data["condition"]["truth"] == data["matched"] == explanation.matched
            for each in explanation.flips.sets:
                assert (
                    explanation.condition.root.holds(explanation.true ^ each) != explanation.matched
                )
            assert rule.name in render_explanation(explanation)


def test_sampled_trees_are_rendered() -> None:
    sampled(load_files(RULES).require(), ROOT / "rulesets/captures/tiny-host.scap.gz", 200)
