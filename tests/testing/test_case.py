"""Files of cases: what they may say, and that every mistake is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulekit.alert import Alert
from rulekit.testing.case import CaseError, Expectation, find_files, load_cases
from rulekit.testing.runner import Pass, judge, run_cases

GOOD = """\
- case: hashes
  capture: a.scap
  rules: [one.yaml, two.yaml]
  matching: first
  all_rules: true
  expect:
    - rule: Hashes read
      count: 2
      priority: warning
      fields: {fd.name: /etc/shadow, evt.num: 7, user.name: ~}
      output: program=cat
  silent: [Other]
  only: true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.scap", "one.yaml", "two.yaml"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "tests.yaml"
    path.write_text(text)
    return path


def test_a_case_is_read_whole(folder: Path) -> None:
    (case,) = load_cases(write(folder, GOOD))
    assert case.name == "hashes"
    assert case.capture == folder / "a.scap"
    assert case.rules == (folder / "one.yaml", folder / "two.yaml")
    assert (case.matching, case.all_rules, case.only) == ("first", True, True)
    assert case.silent == (("Other", 12),)
    assert case.expect == (
        Expectation(
            rule="Hashes read",
            line=7,
            count=2,
            priority="Warning",
            fields=(("fd.name", "/etc/shadow"), ("evt.num", 7), ("user.name", None)),
            output="program=cat",
        ),
    )


HEAD = "- case: a\n  capture: a.scap\n  rules: one.yaml\n"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("case: a", 1, "a file of cases is a list of cases"),
        ("- 5", 1, "a case is a map of keys"),
        ("- case: a\n  capture: a.scap", 1, "lacks `rules`"),
        (HEAD, 1, "checks nothing"),
        (HEAD + "  expects: []", 4, "unknown key `expects`"),
        (HEAD + "  rules: two.yaml", 4, "`rules` is given twice"),
        (HEAD + "  expect:\n    - rule: x\n      coutn: 1", 6, "unknown key `coutn`"),
        (HEAD + "  expect:\n    - count: 1", 5, "lacks `rule`"),
        (HEAD + "  expect:\n    - {rule: x, count: -1}", 5, "`count` is a number from 0"),
        (HEAD + "  expect:\n    - {rule: x, count: true}", 5, "`count` is a number from 0"),
        (HEAD + "  expect:\n    - {rule: x, priority: warn}", 5, "`warn` is not a priority"),
        (HEAD + "  expect: 5", 4, "`expect` is a list"),
        (HEAD + "  silent: [[x]]", 4, "the name of a rule is text"),
        (HEAD + "  only: maybe", 4, "`only` is true or false"),
        (HEAD + "  only: true\n  matching: some", 5, "`matching` is all or first"),
        ("- case: a\n  capture: b.scap\n  rules: one.yaml", 2, "b.scap does not exist"),
        (HEAD + "  only: true\n" + HEAD + "  only: true", 5, "`a` is already the case of line 1"),
        ("- [", 1, "not YAML"),
        ("- case: a\n  ? [x]\n  : y", 2, "a key is text"),
    ],
)
def test_a_mistake_is_named_with_its_line(folder: Path, text: str, line: int, message: str) -> None:
    path = write(folder, text)
    with pytest.raises(CaseError) as caught:
        load_cases(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "# nothing", "---\n"])
def test_a_file_without_cases_is_an_error(folder: Path, text: str) -> None:
    with pytest.raises(CaseError, match="holds no case"):
        load_cases(write(folder, text))


def test_a_file_that_is_not_text_is_an_error(folder: Path) -> None:
    (folder / "tests.yaml").write_bytes(b"- case: \xff")
    with pytest.raises(CaseError, match="not UTF-8 at byte 8"):
        load_cases(folder / "tests.yaml")


def test_files_are_found_below_folders(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/tests.yaml", "a.tests.yaml", "rules.yaml"):
        (tmp_path / name).touch()
    assert find_files([tmp_path]) == [tmp_path / "a.tests.yaml", tmp_path / "b/tests.yaml"]
    assert find_files([tmp_path / "rules.yaml"]) == [tmp_path / "rules.yaml"]
    with pytest.raises(CaseError, match="no such file or folder"):
        find_files([tmp_path / "c"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaseError, match=r"no tests\.yaml in this folder"):
        find_files([tmp_path / "empty"])


def alert(rule: str = "R", **fields: object) -> Alert:
    return Alert(1, rule, "Warning", "message text", fields, event=3)


RULES = frozenset({"R", "S", "T"})


@pytest.mark.parametrize(
    ("tail", "alerts", "failures"),
    [
        ("  expect: [{rule: R}]", [alert(), alert()], []),
        ("  expect: [{rule: R}]", [], ["line 4: `R` gave 0 of at least 1 alerts"]),
        ("  expect: [{rule: R, count: 1}]", [alert(), alert()], ["gave 2 of 1 alerts"]),
        ("  expect: [{rule: R, count: 0}]", [], []),
        ("  expect: [{rule: R, fields: {a.b: 1}}]", [alert(**{"a.b": 1})], []),
        ("  expect: [{rule: R, fields: {a.b: true}}]", [alert(**{"a.b": 1})], ["a.b = 1"]),
        ("  expect: [{rule: R, fields: {a.b: ~}}]", [alert()], ["0 of at least 1"]),
        ("  expect: [{rule: R, fields: {a.b: [x]}}]", [alert(**{"a.b": ["x"]})], []),
        ("  expect: [{rule: R, output: text}]", [alert()], []),
        ("  expect: [{rule: R, output: nothing}]", [alert()], ["event 3: Warning message text"]),
        ("  expect: [{rule: R, priority: error}]", [alert()], ["0 of at least 1"]),
        ("  expect: [{rule: Q}]", [], ["line 4: no rule is called `Q`"]),
        ("  silent: [S]", [alert()], []),
        ("  silent: [R]", [alert()], ["`R` must stay silent, gave 1"]),
        ("  silent: [Q]", [], ["no rule is called `Q`"]),
        ("  only: true", [alert()], ["`R` is not expected, gave 1"]),
        ("  expect: [{rule: R}]\n  only: true", [alert(), alert("S")], ["`S` is not expected"]),
    ],
)
def test_alerts_are_held_against_the_case(
    folder: Path, tail: str, alerts: list[Alert], failures: list[str]
) -> None:
    (case,) = load_cases(write(folder, HEAD + tail))
    found = judge(case, Pass(RULES, tuple(alerts)))
    assert len(found.failures) == len(failures)
    for text, wanted in zip(found.failures, failures, strict=True):
        assert wanted in text
    assert found.passed is not bool(failures)


def test_a_pass_that_failed_fails_its_cases(folder: Path) -> None:
    (case,) = load_cases(write(folder, HEAD + "  only: true"))
    found = judge(case, Pass(RULES, (), error="a.scap: byte 8: damaged"))
    assert found.error
    assert found.failures == ("a.scap: byte 8: damaged",)


def test_cases_with_the_same_input_share_a_pass(folder: Path) -> None:
    second = HEAD.replace("case: a", "case: b") + "  only: true\n"
    third = HEAD.replace("case: a", "case: c") + "  matching: first\n  only: true\n"
    cases = load_cases(write(folder, HEAD + "  only: true\n" + second + third))
    made = []

    def run(case: object) -> Pass:
        made.append(case)
        return Pass(RULES, ())

    assert all(result.passed for result in run_cases(cases, run))
    assert len(made) == 2
