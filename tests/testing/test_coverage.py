"""Coverage: what is seen, what is proved infeasible, what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rulekit.cli.main import main
from rulekit.testing.coverage import Coverage, RuleCoverage, measure
from rulekit.testing.coverage_report import coverage_page, coverage_text, lcov, missing
from rulekit.testing.read import load_cases

Write = Callable[..., Path]


def covered(write: Write, events: str) -> Coverage:
    return measure(load_cases(write(f"- case: a\n  events: [{events}]\n  only: true\n")))


def rule_of(found: Coverage, name: str = "Secret opened") -> RuleCoverage:
    return next(rule for rule in found.rules if rule.rule.name == name)


def gaps(rule: RuleCoverage) -> dict[str, list[str]]:
    return {seen.part.text: missing(seen) for seen in rule.comparisons if missing(seen)}


def test_what_one_event_shows(write: Write) -> None:
    rule = rule_of(covered(write, "{proc: vim}, {open: /etc/shadow}"))
    assert rule.n_matched == 1
    assert gaps(rule) == {
        "evt.type in (open, openat)": ["never false"],
        "fd.num >= 0": ["never false"],
        "fd.name in (secrets)": ["never false"],
        "proc.name in (login, sshd)": ["never true"],
    }
    assert [(s.n_true, s.n_false) for s in rule.comparisons] == [(1, 0), (1, 0), (1, 0), (0, 1)]


def test_a_comparison_decides_only_when_nothing_else_does(write: Write) -> None:
    events = "{proc: vim}, {open: /etc/shadow}, {open: /tmp/x, fails: EPERM}"
    rule = rule_of(covered(write, events))
    # Both are false in the second event, so neither decided there.
    assert gaps(rule)["fd.num >= 0"] == ["never decided when false"]
    assert gaps(rule)["fd.name in (secrets)"] == ["never decided when false"]
    rule = rule_of(covered(write, events + ", {open: /tmp/x}"))
    assert "fd.name in (secrets)" not in gaps(rule)


def test_all_is_seen(write: Write) -> None:
    rule = rule_of(covered(write,
        "{proc: vim}, {open: /etc/shadow}, {open: /tmp/x}, {open: /etc/shadow, fails: EPERM},"
        " {read: {fd: 3}}, {proc: login}, {open: /etc/gshadow}"))  # fmt: skip
    assert gaps(rule) == {}
    assert rule.outcomes == (8, 8)
    assert rule.decisions == (8, 8)
    assert all(
        hit
        for s in rule.comparisons
        for item, hit in s.items.items()
        if item != "sshd" and item != "openat"
    )
    assert not rule.comparisons[3].items["sshd"]


def test_what_cannot_be_is_not_asked_for(folder: Path, write: Write) -> None:
    (folder / "rules.yaml").write_text(
        "- rule: R\n  desc: x\n  output: x\n  priority: NOTICE\n"
        "  condition: evt.type = open and (proc.name = vim or proc.name in (nano, emacs))"
        " and not proc.name = nosuch\n"
    )
    rule = rule_of(covered(write, "{proc: vim}, {open: /x}, {close: 3}"), "R")
    infeasible = {s.part.text: set(s.impossible) for s in rule.comparisons if s.impossible}
    # Who is called vim or nano is not called nosuch.
    assert infeasible == {"proc.name = nosuch": {"decided_true"}}


def test_reports_of_coverage(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    found = covered(write, "{proc: vim}, {open: /etc/shadow}")
    text = "\n".join(coverage_text(found))
    assert "rules.yaml:9  proc.name in (login, sshd): never true" in text
    assert "rules that never matched: Shell started" in text
    trace = lcov(found)
    assert "BRDA:5,0,0,1\nBRDA:5,0,1,0\n" in trace
    assert trace.count("end_of_record") == 1
    page = coverage_page(found)
    assert "never true" in page
    assert "macro opened" in page
    arguments = ["test", ".", "--coverage", "--lcov", "x.info", "--coverage-html", "x.html"]
    assert main([*arguments, "--fail-under", "99"]) == 1
    assert main(["test", ".", "--coverage", "--format", "json"]) == 1  # `only` fails
    lines = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")
    ]
    assert lines[-1]["coverage"]["rules"][0]["rule"] == "Secret opened"


def test_what_cases_with_different_rules_show_is_added_up(folder: Path, write: Write) -> None:
    (folder / "more.yaml").write_text("- list: others\n  items: [a]\n")
    found = measure(load_cases(write(
        "- case: a\n  events: [{proc: vim}, {open: /etc/shadow}]\n  only: true\n"
        "- case: b\n  rules: [rules.yaml, more.yaml]\n"
        "  events: [{proc: login}, {open: /etc/gshadow}]\n  only: true\n"
    )))  # fmt: skip
    assert len(found.rules) == 2
    rule = rule_of(found)
    assert [(s.n_true, s.n_false) for s in rule.comparisons] == [(2, 0), (2, 0), (2, 0), (1, 1)]
    assert rule.comparisons[2].items == {"/etc/shadow": True, "/etc/gshadow": True}


def test_cases_with_overrides_are_left_out_and_counted(write: Write) -> None:
    found = measure(load_cases(write(
        "- case: a\n  events: [{proc: vim}, {open: /etc/shadow}]\n  only: true\n"
        "- case: b\n  events: [{proc: vim}, {open: /x}]\n  only: true\n  lists: {secrets: [/x]}\n"
    )))  # fmt: skip
    assert found.left_out == 1
    assert rule_of(found).n_matched == 1
    assert "left out: 1 cases" in "\n".join(coverage_text(found))
