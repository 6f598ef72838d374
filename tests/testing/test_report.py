"""What people see of a test run on the terminal."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rulekit.cli.main import main
from rulekit.testing.judge import Result
from rulekit.testing.read import load_cases
from rulekit.testing.report import Style, text_report
from rulekit.testing.runner import Options, run_cases

Write = Callable[..., Path]

EVENTS = "  events: [{proc: vim}, {open: /etc/shadow}]\n"
CASES = (
    f"- case: good\n{EVENTS}  fires: Secret opened\n"
    f"- case: bad\n{EVENTS}  silent: Secret opened\n"
    f"- case: known\n{EVENTS}  silent: Secret opened\n  xfail: issue 12\n"
)


@pytest.fixture
def results(write: Write) -> list[Result]:
    return list(run_cases(load_cases(write(CASES)), Options(isolate=False)))


def shown(results: list[Result], **style: Any) -> str:
    pieces = text_report(results, len(results), lambda: 1.5, deselected=2, style=Style(**style))
    return "".join(pieces)


def test_the_frame_of_a_run(results: list[Result]) -> None:
    text = shown(results)
    head, _, tail = text.partition(" FAILURES ".center(80, "="))
    assert head == f"3 cases, 2 deselected\n\n{'tests.yaml .Fx'.ljust(74)}[100%]\n\n"
    assert tail.endswith(
        f"{' short summary '.center(80, '=')}\n"
        "FAILED tests.yaml:4 bad - `Secret opened` must stay silent, gave 1 alert\n"
        f"{' 1 failed, 1 passed, 1 xfailed, 2 deselected in 1.50s '.center(80, '=')}\n"
    )
    assert f"\n{' tests.yaml:4 bad '.center(80, '_')}\n\nerror[RK610]: " in tail


def test_a_line_a_case_when_asked(results: list[Result]) -> None:
    lines = shown(results, verbosity=1).split("\n")[2:5]
    assert [re.sub(" +", " ", line) for line in lines] == [
        "tests.yaml:1 good PASSED [ 33%]",
        "tests.yaml:4 bad FAILED [ 66%]",
        "tests.yaml:7 known XFAILED (issue 12) [100%]",
    ]
    assert {len(line) for line in lines} == {80}


def test_nothing_but_the_verdict_when_asked(results: list[Result]) -> None:
    good = [result for result in results if result.good]
    verdict = " 1 passed, 1 xfailed, 2 deselected in 1.50s ".center(80, "=")
    assert shown(good, verbosity=-1) == f"{verdict}\n"


def test_long_rows_of_letters_are_broken(write: Write) -> None:
    each = f"  each: {{n: [{', '.join(map(str, range(100)))}]}}\n"
    path = write(f"- case: good\n{each}{EVENTS}  fires: Secret opened\n")
    text = shown(list(run_cases(load_cases(path), Options(isolate=False))))
    assert text.split("\n")[2:4] == [
        f"tests.yaml {'.' * 62} [ 62%]",
        f"{'.' * 38}{' ' * 36}[100%]",
    ]


def test_colours_do_not_move_anything(results: list[Result]) -> None:
    coloured = shown(results, colour=True)
    assert "\x1b[31mF\x1b[0m" in coloured
    assert "\x1b[32m✓\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == shown(results)


def test_the_slowest_cases_are_named(results: list[Result]) -> None:
    lines = shown(results, slowest=2).partition(" slowest 2 ")[2].split("\n")[1:3]
    assert all(re.fullmatch(r" +\d+\.\d{3}s tests\.yaml:\d \w+", line) for line in lines)


def test_without_a_path_the_current_folder_is_tested(
    folder: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(CASES)
    for name in ("build", ".venv", "node_modules"):
        write("- broken", f"{name}/tests.yaml")
    assert main(["test", "-q", "-x"]) == 1
    captured = capsys.readouterr()
    assert "1 failed, 1 passed in" in captured.out
    assert captured.err == ""


def test_a_folder_without_cases_means_the_bundled_ones(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", "--list"]) == 0
    captured = capsys.readouterr()
    assert "rulesets/kubernetes/tests.yaml:" in captured.out
    assert captured.err == (
        "rulekit: no case below the current folder: testing the bundled rulesets\n"
    )


def test_reports_for_machines_have_no_frame(write: Write, capsys: Any) -> None:
    write(CASES)
    main(["test", "--format", "json"])
    assert len([json.loads(line) for line in capsys.readouterr().out.splitlines()]) == 3


def test_rules_that_cannot_be_used_are_told_once(folder: Path, write: Write, capsys: Any) -> None:
    (folder / "rules.yaml").write_text("- rule: x\n  condition: a=\n")
    write(CASES.replace("  xfail: issue 12\n", ""))
    assert main(["test", "--coverage", "--mutate"]) == 2
    out = capsys.readouterr().out
    assert out.count("error[RK") == 1
    assert "the same for 2 cases more" in out
    assert "ERROR tests.yaml:1 3 cases - " in out
    assert "coverage: no rule could be measured" in out
    assert "mutation score: no rule could be changed" in out


def test_a_case_that_hangs_fails_alone_and_is_not_measured(
    folder: Path, write: Write, capsys: Any
) -> None:
    os.mkfifo(folder / "pipe.scap")
    write("- case: hangs\n  capture: pipe.scap\n  timeout: 200ms\n  only: true\n" + CASES)
    assert main(["test", "--coverage", "--mutate", "-k", "hangs or good"]) == 1
    out = capsys.readouterr().out
    assert "FAILED tests.yaml:1 hangs - took longer than 0.2 s and was stopped" in out
    assert "1 failed, 1 passed" in out
    assert "coverage: " in out
    assert "mutation score: " in out


def test_what_is_measured_is_nothing_that_a_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.yaml").write_text(
        '- rule: "R\\e[31m"\n  desc: d\n  output: o\n  priority: INFO\n'
        "  condition: \"evt.type = open and fd.name in ('\\e[31m', /x)\"\n"
    )
    path = tmp_path / "tests.yaml"
    path.write_text('- {case: a, events: [{proc: a}, {open: /x}], fires: "R\\e[31m"}\n')
    assert main(["test", str(path), "--coverage", "--mutate"]) == 0
    out = capsys.readouterr().out
    assert "items never hit" in out
    assert "survived" in out
    assert "\x1b" not in out


def test_names_of_processes_are_nothing_that_a_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.yaml").write_text(
        "- rule: R\n  desc: d\n  condition: evt.type = openat and fd.name = /y\n"
        "  output: '%proc.name'\n  priority: INFO\n"
    )
    path = tmp_path / "tests.yaml"
    path.write_text(
        '- case: "a\\e[31m"\n  events: [{proc: {name: "b\\e[31m"}}, {open: /x}]\n  fires: R\n'
    )
    assert main(["test", str(path), "--in-process"]) == 1
    out = capsys.readouterr().out
    assert "open by b" in out or "openat by b" in out
    assert "\x1b" not in out
