"""Test files: what they may say, and that every mistake is named with its place."""

# ruff: noqa: E501 - tables
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rulekit.errors import RulekitError
from rulekit.testing.case import CaseError
from rulekit.testing.pattern import Pattern
from rulekit.testing.read import find_files, load_all, load_cases
from rulekit.text.diagnostic import Diagnostic

Write = Callable[..., Path]

GOOD = """\
- case: secrets
  capture: a.scap
  rules: [rules.yaml, two.yaml]
  matching: first
  all_rules: true
  tags: [slow, files]
  timeout: 90s
  macros: {opened: evt.type = open}
  lists: {secrets: [/etc/shadow, 7]}
  expect:
    - rule: Secret opened
      count: 2
      priority: warning
      fields: {fd.name: /etc/shadow, evt.num: 7, user.name: ~, proc.cmdline: {glob: "cat *"}}
      output: program=cat
    - {rule: Shell started, min: 2, max: 5, at: [7, 9]}
  fires: Other
  silent: [Quiet]
  only: true
"""


def test_a_case_is_read_whole(folder: Path, write: Write) -> None:
    for name in ("a.scap", "two.yaml"):
        (folder / name).touch()
    (case,) = load_cases(write(GOOD))
    assert case.name == "secrets"
    assert case.capture == folder / "a.scap"
    assert case.rules == (folder / "rules.yaml", folder / "two.yaml")
    assert (case.matching, case.all_rules, case.only) == ("first", True, True)
    assert (case.tags, case.timeout_s) == (("slow", "files"), 90.0)
    assert case.macros == {"opened": "evt.type = open"}
    assert case.lists == {"secrets": ("/etc/shadow", "7")}
    assert [named.name for named in case.silent] == ["Quiet"]
    other, first, second = case.expect
    assert (other.rule, other.least, other.most) == ("Other", 1, None)
    assert (first.rule, first.least, first.most) == ("Secret opened", 2, 2)
    assert first.priority == "Warning"
    assert first.output == Pattern("contains", "program=cat")
    assert dict(first.fields) == {
        "fd.name": Pattern("is", "/etc/shadow"),
        "evt.num": Pattern("is", 7),
        "user.name": Pattern("is", None),
        "proc.cmdline": Pattern("glob", "cat *"),
    }
    assert (second.least, second.most, second.at) == (2, 5, (7, 9))


EVENTS = "  events: [{proc: cat}, {open: /etc/shadow, id: it}]\n"
MANY = "{" + ", ".join(f"k{i}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" for i in range(12)) + "}"
HEAD = "- case: a\n" + EVENTS


def found(path: Path) -> list[Diagnostic]:
    with pytest.raises(CaseError) as caught:
        load_cases(path)
    return list(caught.value.diagnostics)


@pytest.mark.parametrize(
    ("text", "line", "code", "message"),
    [
        ("case: a", 1, "RK601", "a test file is a list of cases"),
        ("- 5", 1, "RK601", "a case is a map of keys"),
        ("", 1, "RK601", "holds no case"),
        ("# nothing\n", 1, "RK601", "holds no case"),
        ("- case: a\n  only: true", 1, "RK601", "has no `capture` or `events`"),
        (HEAD + "  capture: b.scap\n  only: true", 1, "RK601", "has both"),
        (HEAD, 1, "RK605", "checks nothing"),
        (HEAD + "  expects: []", 3, "RK602", "a case has no key `expects`"),
        (HEAD + "  only: true\n  only: true", 4, "RK601", "`only` is given twice"),
        (HEAD + "  expect:\n    - rule: x\n      coutn: 1", 5, "RK602", "no key `coutn`"),
        (HEAD + "  expect:\n    - count: 1", 4, "RK601", "lacks `rule`"),
        (HEAD + "  expect:\n    - {rule: x, count: -1}", 4, "RK603", "`count` is a whole number"),
        (HEAD + "  expect:\n    - {rule: x, count: true}", 4, "RK603", "`count` is a whole"),
        (HEAD + "  expect:\n    - {rule: x, count: 1, max: 2}", 4, "RK603", "no room for `max`"),
        (HEAD + "  expect:\n    - {rule: x, min: 3, max: 2}", 4, "RK603", "`max` is below `min`"),
        (HEAD + "  expect:\n    - {rule: x, priority: warn}", 4, "RK603", "`warn` is not a priority"),
        (HEAD + "  expect:\n    - {rule: x, at: 9}", 4, "RK603", "there is no event 9"),
        (HEAD + "  expect:\n    - {rule: x, at: that}", 4, "RK603", "no event has the id `that`"),
        (HEAD + "  expect:\n    - {rule: x, fields: {a: {like: 1}}}", 4, "RK602", "no key `like`"),
        (HEAD + "  expect:\n    - {rule: x, output: {regex: '('}}", 4, "RK603", "regular expression"),
        (HEAD + "  expect: 5", 3, "RK601", "`expect` is a list"),
        (HEAD + "  silent: [[x]]", 3, "RK603", "a rule is text"),
        (HEAD + "  only: maybe", 3, "RK603", "`only` is true or false"),
        (HEAD + "  only: true\n  matching: some", 4, "RK603", "`matching` is all or first"),
        (HEAD + "  only: true\n  timeout: soon", 4, "RK603", "`soon` is no duration"),
        (HEAD + "  only: true\n  timeout: 1e300", 4, "RK603", "1000000 at most"),
        (HEAD + "  only: true\n  timeout: 100d", 4, "RK603", "1000000 at most"),
        (HEAD + "  only: true\n  timeout: 0", 4, "RK603", "seconds above 0"),
        (HEAD + "  only: true\n  rules: none.yaml", 4, "RK604", "none.yaml` does not exist"),
        ("- case: a\n  capture: b.scap\n  only: true", 2, "RK604", "b.scap` does not exist"),
        (HEAD + "  only: true\n" + HEAD + "  only: true", 4, "RK601", "already the name of a case"),
        ("- [", 1, "RK004", "`[`"),
        ("- case: a\n  ? [x]\n  : y", 2, "RK601", "a key is text"),
        ("- case: a\n  events:\n    - proc: cat\n    - opne: /x\n  only: true", 4, "RK607",
         "no event is called `opne`"),
        ("- case: a\n  events:\n    - proc: cat\n    - open:\n        path: /x\n        flags: O_X\n  only: true",
         6, "RK607", "`O_X` is no value for `flags`"),
        (HEAD + "  each: [{x: 1}]\n  silent: ${y}", 1, "RK603", "nothing gives `${y}` a value"),
        (HEAD + "  each: []\n  only: true", 3, "RK603", "makes 0 cases"),
        (HEAD + f"  each: {MANY}\n  only: true", 3, "RK603", f"makes {10**12} cases"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(
    write: Write, text: str, line: int, code: str, message: str
) -> None:
    diagnostics = found(write(text))
    first = next(d for d in diagnostics if message in d.message)
    place = first.span.outermost()
    assert (first.code, place.source.locate(place.start)[0]) == (code, line)


def test_all_mistakes_of_all_files_are_told(write: Write) -> None:
    one = write(HEAD + "  onyl: true\n  matching: some\n", "one.tests.yaml")
    two = write("- case: b\n", "two.tests.yaml")
    with pytest.raises(CaseError) as caught:
        load_all([one, two])
    codes = [d.code for d in caught.value.diagnostics]
    assert codes == ["RK604", "RK602", "RK603", "RK601", "RK604"]


def test_bytes_that_are_no_text_are_an_error(folder: Path) -> None:
    (folder / "tests.yaml").write_bytes(b"- case: \xff")
    assert [d.code for d in found(folder / "tests.yaml")] == ["RK002"]


def test_a_file_that_cannot_be_read_is_an_error(folder: Path) -> None:
    with pytest.raises(RulekitError, match="no such file"):
        load_cases(folder / "nosuch.yaml")


def test_yes_and_017_are_texts_as_in_todays_yaml(write: Write) -> None:
    text = HEAD + "  expect: [{rule: x, fields: {a: yes, b: 017, c: 0o17, d: 1.5, e: '1', f: 1}}]\n"
    (case,) = load_cases(write(text))
    wanted = {name: pattern.wanted for name, pattern in case.expect[0].fields}
    assert wanted == {"a": "yes", "b": "017", "c": 15, "d": 1.5, "e": "1", "f": 1}


def test_modes_are_octal_however_they_are_written(write: Write) -> None:
    text = "- case: a\n  events: [{proc: x}, {chmod: {path: /a, mode: 4755}}]\n  only: true\n"
    (case,) = load_cases(write(text))
    assert case.events is not None
    assert case.events[1]["chmod"]["mode"] == "4755"
    text = "- case: a\n  events: [{proc: x}, {chmod: [/a, 4755]}]\n  only: true\n"
    (case,) = load_cases(write(text))
    assert case.events is not None
    assert case.events[1]["chmod"] == ["/a", "4755"]


def test_rules_beside_the_test_file_are_found(folder: Path, write: Write) -> None:
    (case,) = load_cases(write(HEAD + "  only: true\n"))
    assert case.rules == (folder / "rules.yaml",)
    (folder / "web.yaml").touch()
    (case,) = load_cases(write(HEAD + "  only: true\n", "web.tests.yaml"))
    assert case.rules == (folder / "web.yaml",)


def test_a_list_of_values_makes_a_case_each(write: Write) -> None:
    text = (
        "- case: file\n  each: [{file: /a, n: 1}, {file: /b, n: 0}]\n"
        "  events: [{proc: cat}, {open: '${file}'}]\n"
        "  expect: [{rule: R, count: '${n}', fields: {fd.name: 'x${file}'}}]\n"
    )
    first, second = load_cases(write(text))
    assert (first.name, second.name) == ("file [/a-1]", "file [/b-0]")
    assert second.events == ("cat", "/b") or second.events[1] == {"open": "/b"}  # type: ignore[index]
    assert (first.expect[0].most, second.expect[0].most) == (1, 0)
    assert first.expect[0].fields[0][1] == Pattern("is", "x/a")


def test_a_map_of_lists_makes_all_combinations(write: Write) -> None:
    text = "- case: c\n  each: {a: [x, y], b: [1, 2, 3]}\n  events: [{proc: '${a}'}, {open: /x}]\n  only: true\n"
    names = [case.name for case in load_cases(write(text))]
    assert names == ["c [x-1]", "c [x-2]", "c [x-3]", "c [y-1]", "c [y-2]", "c [y-3]"]


IN_RULE = """\
- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name = sh
  output: x
  priority: NOTICE
  tests:
    - case: shells
      events: [{proc: nginx}, {spawn: sh}]
      fires: true
    - case: twice
      events: [{proc: nginx}, {spawn: sh}, {spawn: sh}]
      fires: 2
    - case: other programs
      events: [{proc: nginx}, {spawn: ls}]
      silent: true
    - case: where
      events: [{proc: nginx}, {spawn: sh}]
      expect: {at: 2}
"""


def test_a_rule_may_hold_its_cases(folder: Path, write: Write) -> None:
    path = write(IN_RULE, "shells.yaml")
    shells, twice, other, where = load_cases(path)
    assert {case.within for case in (shells, twice, other, where)} == {"Shell started"}
    assert shells.rules == (path,)
    assert (shells.expect[0].rule, shells.expect[0].most) == ("Shell started", None)
    assert (twice.expect[0].least, twice.expect[0].most) == (2, 2)
    assert other.silent[0].name == "Shell started"
    assert where.expect[0].at == (2,)


def test_files_are_found_below_folders(folder: Path, write: Write) -> None:
    for name in ("b/tests.yaml", "a.tests.yaml", "c_tests.yaml"):
        write("", name)
    inside = write(IN_RULE, "b/shells.yaml")
    expected = ["a.tests.yaml", "b/shells.yaml", "b/tests.yaml", "c_tests.yaml"]
    assert [str(p.relative_to(folder)) for p in find_files([folder])] == expected
    assert find_files([folder / "rules.yaml", inside]) == [folder / "rules.yaml", inside]
    with pytest.raises(RulekitError, match="no such file or folder"):
        find_files([folder / "d"])
    (folder / "empty").mkdir()
    with pytest.raises(RulekitError, match=r"no tests\.yaml"):
        find_files([folder / "empty"])
