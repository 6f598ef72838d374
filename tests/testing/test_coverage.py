"""Coverage and mutation: what is seen, what is proved infeasible, what no case notices."""

# ruff: noqa: E501 - tables
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rulekit.cli.main import main
from rulekit.engine.pipeline import bind
from rulekit.explain.equivalent import equivalent
from rulekit.testing.coverage import Coverage, RuleCoverage, measure
from rulekit.testing.coverage_report import coverage_page, coverage_text, lcov, missing
from rulekit.testing.mutants import mutants_of
from rulekit.testing.mutation import RuleMutation, mutate, score
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


# ---- mutation ----


def mutated(write: Write, text: str) -> dict[str, RuleMutation]:
    return {found.rule: found for found in mutate(load_cases(write(text)))}


GOOD = """\
- case: fires
  each: {file: [/etc/shadow, /etc/gshadow], call: [open, openat]}
  events: [{proc: vim}, {"${call}": "${file}"}, {open: {path: "${file}", fd: 0}}]
  expect: [{rule: Secret opened, at: [2, 3]}]
- case: silent
  each: {program: [login, sshd]}
  events: [{proc: "${program}"}, {open: /etc/shadow}]
  silent: Secret opened
- case: others
  events: [{proc: vim}, {open: /tmp/x}, {open: /etc/shadow, fails: EPERM}, {creat: /etc/shadow}]
  silent: Secret opened
"""


def test_good_cases_notice_every_mutant(write: Write) -> None:
    found = mutated(write, GOOD)["Secret opened"]
    assert found.survivors == []
    assert found.killed > 12
    assert found.problem is None


def test_what_no_case_notices_survives(write: Write) -> None:
    text = "- case: a\n  events: [{proc: vim}, {open: /etc/shadow}]\n  fires: Secret opened\n"
    found = mutated(write, text)["Secret opened"]
    changes = {(m.kind, m.before, m.after) for m in found.survivors}
    assert ("item", "proc.name in (login, sshd)", "proc.name in (sshd)") in changes
    assert ("operand", "fd.num >= 0", "") in changes
    assert 0 < score([found]) < 1


def test_a_failing_case_notices_nothing(write: Write) -> None:
    text = "- case: a\n  events: [{proc: vim}, {open: /tmp/x}]\n  fires: Secret opened\n"
    assert mutated(write, text)["Secret opened"].killed == 0


def test_every_kind_of_mutant_is_made(folder: Path) -> None:
    from rulekit.rules.loader import load_files

    (folder / "rules.yaml").write_text(
        "- rule: R\n  desc: x\n  output: x\n  priority: NOTICE\n"
        "  condition: evt.type in (open, openat) and not fd.name startswith /etc/ssh/ and fd.num > 3\n"
    )
    rule = load_files([folder / "rules.yaml"]).require().rule("R")
    mutants = list(mutants_of(rule))
    assert {m.kind for m in mutants} == {
        "operator", "item", "prefix", "negation", "operand", "junction"
    }  # fmt: skip
    assert ("fd.name startswith /etc/ssh/", "fd.name startswith /etc/") in {
        (m.before, m.after) for m in mutants if m.kind == "prefix"
    }


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("proc.name = a and fd.num = 3", "fd.num = 3 and proc.name = a", True),
        ("proc.name in (a, b)", "proc.name = a or proc.name = b", True),
        ("proc.name = a", "proc.name = a and not proc.name = b", True),
        ("proc.name = a", "proc.name = a and proc.name startswith a", True),
        ("evt.type = open and evt.type in (open, close)", "evt.type = open", True),
        ("proc.name = a", "proc.name startswith a", False),
        ("proc.name != a", "not proc.name = a", False),  # the name may be null
        ("proc.aname = a", "proc.aname = a and not proc.aname = b", False),
        ("fd.num > 3", "fd.num >= 3", False),
    ],
)
def test_equivalence_is_proved(one: str, other: str, same: bool) -> None:
    assert equivalent(bind(one), [bind(other)]) == [same]


def test_the_command_reports_the_score(write: Write, capsys: Any) -> None:
    write(GOOD)
    assert main(["test", ".", "--mutate", "--fail-under", "90"]) == 0
    assert "mutation score: 100.0%" in capsys.readouterr().out
    write("- case: a\n  events: [{proc: vim}, {open: /etc/shadow}]\n  fires: Secret opened\n")
    assert main(["test", ".", "--mutate", "--fail-under", "90"]) == 1
    assert "survived: item" in capsys.readouterr().out
