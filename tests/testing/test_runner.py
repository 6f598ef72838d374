"""Cases run: outcomes, shared passes, and workers that hang or die."""

# ruff: noqa: E501 - tables
from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rulekit.testing import runner
from rulekit.testing.judge import Result
from rulekit.testing.passes import Loader
from rulekit.testing.pool import Crashed, Job, TimedOut, run_jobs
from rulekit.testing.read import load_cases
from rulekit.testing.runner import Options, group_cases, run_cases
from tests.waiting import PATIENCE_S

Write = Callable[..., Path]

EVENTS = (
    "  events: [{proc: {name: vim, user: alice}}, {open: /etc/shadow, id: it}, {spawn: sh -c x}]\n"
)


def results(path: Path, **options: Any) -> list[Result]:
    return list(run_cases(load_cases(path), Options(isolate=False, **options)))


def one(write: Write, tail: str, events: str = EVENTS) -> Result:
    (result,) = results(write(f"- case: a\n{events}{tail}\n"))
    return result


@pytest.mark.parametrize(
    "tail",
    [
        "  fires: Secret opened",
        "  fires: [Secret opened, Shell started]\n  only: true",
        "  expect: [{rule: Secret opened, count: 1, at: it, priority: warning}]",
        "  expect: [{rule: Secret opened, at: 2}, {rule: Shell started, at: [3]}]",
        "  expect: [{rule: Secret opened, fields: {fd.name: /etc/shadow, proc.pname: systemd}}]",
        "  expect: [{rule: Secret opened, fields: {fd.name: {in: [/a, /etc/shadow]}}}]",
        "  expect: [{rule: Secret opened, fields: {user.name: {not: root}, evt.res: SUCCESS}}]",
        "  expect: [{rule: Shell started, fields: {proc.cmdline: {regex: 'sh -c .*'}}}]",
        "  expect: [{rule: Shell started, output: 'command=sh'}]",
        "  expect: [{rule: Shell started, output: {startswith: shell started}}]",
        "  expect: [{rule: Secret opened, count: 0, fields: {user.name: bob}}]",
        "  silent: Secret opened\n  lists: {secrets: [/etc/other]}",
        "  silent: Secret opened\n  macros: {opened: evt.type = openat}",
        "  expect: [Secret opened]\n  matching: first",
    ],
)
def test_what_comes_as_expected_passes(write: Write, tail: str) -> None:
    result = one(write, tail)
    assert result.failures == ()
    assert result.outcome == "passed"


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        ("  silent: Secret opened", "`Secret opened` must stay silent, gave 1 alert"),
        ("  fires: Shell started\n  only: true", "`Secret opened` is not expected, gave 1 alert"),
        ("  expect: [{rule: Secret opened, count: 2}]", "gave 1 alert, 2 expected"),
        ("  expect: [{rule: Secret opened, max: 0}]", "gave 1 alert, 0 expected"),
        ("  expect: [{rule: Secret opened, min: 2, max: 3}]", "gave 1 alert, 2 to 3 expected"),
        ("  expect: [{rule: Secret opened, at: 3}]", "alerts at 2, expected at 3"),
        (
            "  expect: [{rule: Secret opened, priority: error}]",
            "gave 0 alerts that fit, at least 1",
        ),
        ("  expect: [{rule: Secret opened, fields: {user.name: root}}]", "gave 0 alerts that fit"),
        ("  expect: [{rule: Secret opened, fields: {user.uid: '1000'}}]", "gave 0 alerts that fit"),
        ("  expect: [{rule: Secret opened, output: nothing}]", "gave 0 alerts that fit"),
        ("  fires: Secret opened\n  lists: {secrets: [/x]}", "gave 0 alerts, at least 1 expected"),
    ],
)
def test_what_does_not_fails(write: Write, tail: str, message: str) -> None:
    result = one(write, tail)
    assert result.outcome == "failed"
    assert message in result.failures[0].message


def test_alerts_that_came_instead_are_shown(write: Write) -> None:
    result = one(
        write,
        "  expect: [{rule: Secret opened, priority: warning, output: alice,"
        " fields: {user.name: root, fd.name: {endswith: passwd}, proc.name: vim}}]",
    )
    assert result.failures[0].detail == (
        "entry 2: Warning secret opened (file=/etc/shadow program=vim user=alice)",
        "  ✓ priority is Warning, expected Warning",
        '  ✗ user.name is "alice", expected "root"',
        '  ✗ fd.name is "/etc/shadow", expected endswith "passwd"',
        '  ✓ proc.name is "vim", expected "vim"',
        '  ✓ output contains "alice"',
    )


def test_an_alert_that_must_not_come_is_explained(write: Write) -> None:
    for tail in ("  silent: Secret opened", "  fires: Shell started\n  only: true"):
        text = "\n".join(one(write, tail).failures[0].detail)
        assert "entry 2: Warning secret opened" in text
        assert "alert: entry 2, open by vim" in text
        assert "rule `Secret opened` matched it" in text
        # Not that the event is an open: that says nothing.
        assert 'holds: evt.type = "open"' not in text
        assert "it would not match if this comparison were the other way, one of 4 ways" in text


def test_a_position_too_many_is_shown_alone(write: Write) -> None:
    events = "  events: [{proc: vim}, {open: /etc/shadow}, {open: /etc/gshadow}]\n"
    result = one(write, "  expect: [{rule: Secret opened, at: 2}]", events)
    assert result.failures[0].message == "`Secret opened` alerts at 2, 3, expected at 2"
    assert [line[:7] for line in result.failures[0].detail] == ["entry 3"]


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        ("  fires: Secret opend", "no rule is called `Secret opend`"),
        ("  silent: Nothing", "no rule is called `Nothing`"),
        ("  expect: [{rule: Secret opened, fields: {fd.nmae: x}}]", "no field is called `fd.nmae`"),
        ("  only: true\n  lists: {secret: [/x]}", "no list is called `secret`"),
        ("  only: true\n  macros: {open: evt.type = open}", "no macro is called `open`"),
        ("  only: true\n  macros: {opened: evt.type = }", "condition"),
    ],
)
def test_names_that_nobody_knows_are_errors(write: Write, tail: str, message: str) -> None:
    result = one(write, tail)
    assert result.outcome == "error"
    assert message in result.failures[0].message
    assert result.failures[0].diagnostic is not None


def test_rules_that_cannot_be_used_are_errors(folder: Path, write: Write) -> None:
    (folder / "rules.yaml").write_text("- rule: a\n  condition: nosuch = 1\n")
    result = one(write, "  only: true")
    assert result.outcome == "error"


@pytest.mark.parametrize(
    ("macro", "shown"),
    [
        ("evt.type = open and fd.nam = x", "fd.nam"),
        ('"evt.type = open and fd.nam = x"', "fd.nam"),
        ("'fd.name = \"x\" and fd.nam = x'", 'fd.name = "x" and fd.nam = x'),  # with escapes
        (">\n      evt.type = open\n      and fd.nam = x", ">"),  # not word for word
    ],
)
def test_mistakes_of_own_macros_are_shown_in_the_test_file(
    write: Write, macro: str, shown: str
) -> None:
    result = one(write, f"  silent: Secret opened\n  macros:\n    opened: {macro}\n")
    assert result.error
    span = result.failures[0].span.outermost()
    assert "fd.nam" in result.failures[0].message
    assert span.source.name.endswith("tests.yaml")
    assert span.text == shown


def test_a_field_that_does_not_exist_is_shown_itself(write: Write) -> None:
    result = one(write, "  expect: [{rule: Secret opened, fields: {fd.name: /x, fd.nam: /y}}]")
    assert [failure.span.text for failure in result.failures] == ["fd.nam"]


def test_a_damaged_capture_is_an_error(folder: Path, write: Write) -> None:
    (folder / "a.scap").write_bytes(b"no capture")
    result = one(write, "  capture: a.scap\n  only: true", "")
    assert result.outcome == "error"
    assert "a.scap" in result.failures[0].message


def test_expected_failures(write: Write) -> None:
    assert one(write, "  silent: Secret opened\n  xfail: not yet").outcome == "xfailed"
    passed = one(write, "  fires: Secret opened\n  xfail: not yet")
    assert (passed.outcome, passed.good) == ("xpassed", False)


def test_cases_with_the_same_input_share_a_pass(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(
        f"- case: a\n{EVENTS}  only: true\n- case: b\n{EVENTS}  fires: Secret opened\n"
        f"- case: c\n{EVENTS}  fires: Secret opened\n  matching: first\n"
    )
    made = []
    run_pass = runner.run_pass
    monkeypatch.setattr(runner, "run_pass", lambda *args: made.append(1) or run_pass(*args))
    assert [r.outcome for r in results(path)] == ["failed", "passed", "passed"]
    assert len(made) == 2


def test_rules_are_compiled_once_for_all_cases_that_run_the_same(write: Write) -> None:
    asks_more = "  expect: [{rule: Secret opened, fields: {proc.pcmdline: x}}]\n"
    path = write(
        "".join(
            f"- case: {i}\n  events: [{{proc: vim}}, {{open: /etc/{i}}}]\n{tail}"
            for i, tail in enumerate(
                ["  only: true\n"] * 3
                + [asks_more] * 2
                + ["  silent: Secret opened\n  matching: first\n"]
            )
        )
    )
    loader = Loader()
    groups = group_cases(load_cases(path))
    found = [result.outcome for group in groups for result in runner.run_group(group, loader)]
    assert found == ["passed"] * 3 + ["failed"] * 2 + ["passed"]
    assert len(groups) == 6
    assert len(loader.known) == 1
    assert len(loader.engines) == 3


def test_a_failure_ends_the_run_when_asked(write: Write) -> None:
    good, bad = (f"{EVENTS}  {key}: Secret opened\n" for key in ("fires", "silent"))
    path = write(f"- case: a\n{good}- case: b\n{bad}- case: c\n{bad}- case: d\n{bad}")
    assert len(results(path, max_failures=1)) == 2
    assert len(results(path, max_failures=2)) == 3
    assert len(results(path)) == 4


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_the_order_of_the_cases(write: Write, jobs: int) -> None:
    # Every other case shares its events with the first one.
    texts = [
        f"- case: '{i}'\n  events: [{{proc: vim}}, {{open: /{i % 2 * i}}}]\n  only: true\n"
        for i in range(12)
    ]
    cases = load_cases(write("".join(texts)))
    found = run_cases(cases, Options(jobs=jobs))
    assert [result.case.name for result in found] == [str(i) for i in range(12)]


def test_workers_give_the_same_as_one_process(write: Write) -> None:
    path = write(
        "- case: file\n  each: {file: [/etc/shadow, /etc/gshadow, /etc/passwd], who: [vim, login]}\n"
        "  events: [{proc: '${who}'}, {open: '${file}'}]\n  fires: Secret opened\n"
    )

    def told(found: Iterable[Result]) -> set[tuple[str, str, tuple[str, ...]]]:
        return {(r.case.name, r.outcome, tuple(f.message for f in r.failures)) for r in found}

    alone = told(results(path))
    shared = told(run_cases(load_cases(path), Options(jobs=3)))
    assert shared == alone
    assert {outcome for _, outcome, _ in alone} == {"passed", "failed"}


def test_a_case_that_hangs_or_dies_fails_alone(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(
        "".join(
            f"- case: {name}\n{EVENTS}  fires: Secret opened\n  timeout: 4\n"
            for name in ("good", "hangs", "fine", "dies", "raises", "last")
        )
    )
    judge = runner.judge

    def broken(case: Any, found: Any) -> Result:
        if case.name == "hangs":
            time.sleep(PATIENCE_S)
        if case.name == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if case.name == "raises":
            raise KeyError("nosuch")
        return judge(case, found)

    monkeypatch.setattr(runner, "judge", broken)
    cases = load_cases(path)
    assert len(group_cases(cases)) == 1
    found = {r.case.name: r for r in run_cases(cases)}
    assert [name for name, r in found.items() if r.good] == ["good", "fine", "last"]
    assert "longer than 4 s" in found["hangs"].failures[0].message
    assert "SIGKILL" in found["dies"].failures[0].message
    assert "KeyError: 'nosuch'" in found["raises"].failures[0].message


def test_jobs_are_spread_over_workers() -> None:
    def work(number: int, first: int) -> Iterator[int]:
        for step in range(first, 3):
            if (number, step) == (1, 1):
                os._exit(7)
            if (number, step) == (2, 0):
                time.sleep(PATIENCE_S)
            yield number * 10 + step

    jobs = [Job(i, (3.0, 3.0, 3.0)) for i in range(4)]
    found = {(job, step): result for job, step, result in run_jobs(jobs, work, 2)}
    assert len(found) == 12
    assert found.pop((1, 1)) == Crashed("exit code 7")
    assert found.pop((2, 0)) == TimedOut()
    assert all(result == job * 10 + step for (job, step), result in found.items())
