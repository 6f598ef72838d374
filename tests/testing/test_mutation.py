"""Mutation: which changes are made, which are noticed, which mean the same."""

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
from rulekit.rules.loader import load_files
from rulekit.testing.mutants import Mutant, mutants_of
from rulekit.testing.mutation import RuleMutation, mutate, score
from rulekit.testing.mutation_report import mutation_page
from rulekit.testing.read import load_cases

Write = Callable[..., Path]


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


def test_a_failing_case_does_not_spoil_one_with_the_same_events(write: Write) -> None:
    events = "  events: [{proc: vim}, {open: /etc/shadow}]\n"
    good = f"- case: good\n{events}  fires: Secret opened\n"
    alone = mutated(write, good)["Secret opened"]
    both = mutated(write, f"{good}- case: bad\n{events}  silent: Secret opened\n")["Secret opened"]
    assert alone.killed == both.killed > 0


def made(folder: Path, condition: str) -> list[Mutant]:
    (folder / "rules.yaml").write_text(
        "- macro: file_opened\n  condition: evt.type in (open, openat)\n"
        "- macro: file_closed\n  condition: evt.type = close\n"
        "- macro: answered\n  condition: ka.stage = ResponseComplete\n"
        f"- rule: R\n  desc: x\n  output: x\n  priority: NOTICE\n  condition: {condition}\n"
    )
    ruleset = load_files([folder / "rules.yaml"]).require()
    return list(mutants_of(ruleset.rule("R"), ruleset))


@pytest.mark.parametrize(
    ("condition", "change"),
    [
        ("file_opened and fd.num > 3", ("operator", "fd.num > 3", "fd.num >= 3")),
        ("file_opened and fd.num = 3", ("operator", "fd.num = 3", "fd.num != 3")),
        ("file_opened and fd.name startswith /etc/ssh/", ("prefix", "fd.name startswith /etc/ssh/", "fd.name startswith /etc/")),
        ("file_opened and fd.name pmatch (/a/b, /c)", ("prefix", "fd.name pmatch (/a/b, /c)", "fd.name pmatch (/a/, /c)")),
        ("file_opened", ("item", "evt.type in (open, openat)", "evt.type in (openat)")),
        ("file_opened", ("negation", "evt.type in (open, openat)", "not evt.type in (open, openat)")),
        ("file_opened and not fd.num > 3", ("negation", "not fd.num > 3", "fd.num > 3")),
        ("file_opened and fd.num > 3", ("operand", "fd.num > 3", "")),
        ("file_opened and fd.num > 3", ("macro", "file_opened", "")),
        ("file_opened and fd.num > 3", ("macro", "file_opened", "file_closed")),
        ("file_opened and not file_closed", ("macro", "file_closed", "file_opened")),
        ("file_opened and fd.num > 3", ("junction", "file_opened and fd.num > 3", "file_opened or fd.num > 3")),
    ],
)  # fmt: skip
def test_every_kind_of_mutant_is_made(
    folder: Path, condition: str, change: tuple[str, ...]
) -> None:
    changes = [(m.kind, m.before, m.after) for m in made(folder, condition)]
    assert changes.count(change) == 1  # type: ignore[arg-type]


def test_macros_about_other_events_take_no_place(folder: Path) -> None:
    assert "answered" not in {m.after for m in made(folder, "file_opened and fd.num > 3")}


def test_a_macro_used_twice_is_changed_in_each_place(folder: Path) -> None:
    mutants = made(folder, "file_opened or (file_opened and fd.num > 3)")
    dropped = [m.key for m in mutants if m.after == "evt.type in (openat)"]
    assert [key[3] for key in dropped] == [0, 1]


def test_nothing_is_negated_twice(folder: Path) -> None:
    mutants = made(folder, "file_closed and not proc.name in (a, b)")
    assert [m.before for m in mutants if m.kind == "negation"] == ["not proc.name in (a, b)"]


def test_what_cases_with_overrides_notice_counts(folder: Path, write: Write) -> None:
    # Only the case with the override notices that `sshd` is left alone.
    silent = (
        "  events: [{proc: sshd}, {open: /x}]\n  silent: Secret opened\n  lists: {secrets: [/x]}\n"
    )
    fires = "- case: a\n  events: [{proc: vim}, {open: /etc/shadow}]\n  fires: Secret opened\n"
    change = ("item", "proc.name in (login, sshd)", "proc.name in (login)", 0)
    alone = mutated(write, fires)["Secret opened"]
    assert change in {m.key for m in alone.survivors}
    both = mutated(
        write,
        f"{fires}- case: b\n{silent}- case: c\n{silent.replace('silent: ', 'fires: ').replace('sshd', 'vim')}",
    )
    found = both["Secret opened"]
    assert change in found.noticed
    assert found.total == alone.total


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
    assert "survived: an item less" in capsys.readouterr().out


def test_the_page_shows_survivors_as_diffs(write: Write, capsys: Any) -> None:
    write("- case: a\n  events: [{proc: vim}, {open: /etc/shadow}]\n  fires: Secret opened\n")
    assert main(["test", ".", "--mutation-html", "m.html"]) == 0
    assert "survived" not in capsys.readouterr().out
    page = Path("m.html").read_text()
    assert '<span class="bad">- proc.name in (login, sshd)</span>' in page
    assert '<span class="ok">+ proc.name in (login)</span>' in page
    assert "rules.yaml:9:54" in page
    assert (
        mutation_page([RuleMutation("<b>", problem="took longer than 1 s")]).count("&lt;b&gt;") == 1
    )


def test_the_score_as_data(write: Write, capsys: Any) -> None:
    write("- case: a\n  events: [{proc: vim}, {open: /etc/shadow}]\n  fires: Secret opened\n")
    assert main(["test", ".", "--mutate", "--format", "json"]) == 0
    (rule,) = json.loads(capsys.readouterr().out.splitlines()[-1])["mutation"]["rules"]
    assert rule["noticed"] + len(rule["survivors"]) == rule["total"]
    assert {
        "kind": "operand",
        "file": "rules.yaml",
        "line": 5,
        "column": 45,
        "before": "fd.num >= 0",
        "after": "",
    } in rule["survivors"]


def test_a_rule_that_takes_too_long_is_told(write: Write) -> None:
    (found,) = mutate(load_cases(write(GOOD)), limit_s=1e-9)
    assert found.problem == "took longer than 1e-09 s"


def test_a_case_that_cannot_be_run_does_not_spoil_the_others(write: Write) -> None:
    wrong = "- case: wrong\n  events: [{proc: vim}, {open: /etc/shadow}]\n  fires: Nothing\n"
    found = mutated(write, GOOD + wrong)["Secret opened"]
    assert (found.problem, found.survivors) == (None, [])
    assert found.killed > 12
    assert mutate(load_cases(write(wrong))) == []
