"""What test runs write: JUnit, SARIF, annotations, pages; the schema of test files; the command."""

# ruff: noqa: E501 - tables
from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from rulekit.cli.main import main
from rulekit.testing.html import results_page
from rulekit.testing.judge import Result
from rulekit.testing.junit import junit
from rulekit.testing.read import find_files, load_all, load_cases
from rulekit.testing.report import diagnostics
from rulekit.testing.runner import Options, run_cases
from rulekit.testing.schema import published, schema_text
from rulekit.text.render import github_annotations
from rulekit.text.sarif import sarif

ROOT = Path(__file__).resolve().parents[2]
SARIF = ROOT / "tests/data/sarif-schema-2.1.0.json"
Write = Callable[..., Path]

EVENTS = "  events: [{proc: vim}, {open: /etc/shadow}]\n"
CASES = (
    f"- case: good\n{EVENTS}  fires: Secret opened\n"
    f"- case: 'bad <&\"'\n{EVENTS}  silent: Secret opened\n  tags: files\n"
    f"- case: known\n{EVENTS}  silent: Secret opened\n  xfail: not yet\n"
    f"- case: mended\n{EVENTS}  fires: Secret opened\n  xfail: not yet\n"
    f"- case: wrong\n{EVENTS}  fires: Nothing\n"
)


@pytest.fixture
def results(write: Write) -> list[Result]:
    return list(run_cases(load_cases(write(CASES)), Options(isolate=False)))


def report(results: list[Result]) -> str:
    return junit(results, datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc))


def test_junit_counts_and_names_every_case(results: list[Result]) -> None:
    suite = ET.fromstring(report(results))[0]
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5", "failures": "3", "errors": "0", "skipped": "1",
    }  # fmt: skip
    assert suite.get("timestamp") == "2026-01-01T00:00:00+00:00"
    kinds = {case.get("name"): [child.get("type") for child in case] for case in suite}
    assert kinds == {
        "good": [], 'bad <&"': ["rulekit.failed"], "known": ["rulekit.xfail"],
        "mended": ["rulekit.xpassed"], "wrong": ["rulekit.error"],
    }  # fmt: skip
    assert "must stay silent" in (suite[1][0].text or "")


def test_junit_is_valid_by_the_schema_that_pytest_is_tested_with(results: list[Result]) -> None:
    path = os.environ.get("RULEKIT_JUNIT_SCHEMA")
    if path is None:
        pytest.skip("RULEKIT_JUNIT_SCHEMA does not name pytest's testing/.../junit-10.xsd")
    xmlschema = pytest.importorskip("xmlschema")
    xmlschema.XMLSchema(path).validate(report(results))


def test_junit_holds_no_character_that_xml_cannot(write: Write) -> None:
    path = write(f'- case: "a\\x1bb"\n{EVENTS}  silent: Secret opened\n')
    results = list(run_cases(load_cases(path), Options(isolate=False)))
    assert ET.fromstring(report(results))[0][0].get("name") == "a\ufffdb"


def test_sarif_is_valid(results: list[Result]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    log = sarif(diagnostics(results), "1")
    jsonschema.validate(log, json.loads(SARIF.read_text("utf-8")))
    rules = [result["ruleId"] for result in log["runs"][0]["results"]]
    assert rules == ["RK610", "RK611", "RK606"]


def test_annotations_name_the_line(results: list[Result]) -> None:
    lines = github_annotations(diagnostics(results)).split("\n")
    assert [line.split(",")[1] for line in lines] == ["line=6", "line=12", "line=18"]


def test_the_page_holds_every_case_and_escapes_it(results: list[Result]) -> None:
    page = results_page(results)
    for result in results:
        assert (
            result.case.name.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
            in page
        )
    assert "bad <&" not in page
    assert "1 of 5" not in page
    assert "2 of 5" in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_page_begins_with_the_files_and_with_what_failed(write: Write) -> None:
    write(f"- case: well\n{EVENTS}  rules: rules.yaml\n  fires: Secret opened\n", "good.tests.yaml")
    write(
        f"- case: bad\n{EVENTS}  rules: rules.yaml\n  silent: Secret opened\n"
        f"- case: worse\n{EVENTS}  rules: rules.yaml\n  fires: Shell started\n",
        "bad.tests.yaml",
    )
    cases = load_all(find_files([Path()]))
    page = results_page(list(run_cases(cases, Options(isolate=False))))
    head, _, rest = page.partition("<h2 id=")
    assert "0 of 2" in head
    assert "1 of 1" in head
    assert "must stay silent, gave 1 alert" in head
    for anchor in re.findall('href="#([^"]+)"', head):
        assert page.count(f'id="{anchor}"') == 1
    assert "<details open>" in rest  # what failed is seen at once
    assert '<details class="file">' in rest  # what is well is not


# ---- the schema ----


@cache
def validator() -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(published())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_published_schema_is_made_from_the_tables() -> None:
    assert published() == schema_text(), "rulekit test --schema > rulekit/testing/tests.schema.json"


def test_bundled_test_files_are_valid_by_the_schema() -> None:
    check = validator()
    for path in find_files([ROOT / "rulesets"]):
        errors = [e.message for e in check.iter_errors(yaml.safe_load(path.read_text("utf-8")))]
        assert errors == [], path


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("- {case: a, events: [{open: /x}], only: true}", True),
        ("- {case: a, capture: a.scap, expect: [R, {rule: S, at: [1, it], count: 2}]}", True),
        ("- {case: a, events: [{proc: {name: x, parent: {name: y}}}, {exit: 0}], silent: R}", True),
        ("- {case: a, events: [{sched_yield: ~, after: 5s}], fires: 2}", True),
        ("- {case: a, events: [{connect: {to: '1.2.3.4:5', l4: udp}, fails: EPERM}], only: true}", True),
        ("- {case: a, events: [{open: /x}]}", False),
        ("- {case: a, events: [{open: /x}], capture: b, only: true}", False),
        ("- {case: a, only: true}", False),
        ("- {case: a, events: [{opne: /x}], only: true}", False),
        ("- {case: a, events: [{open: {path: /x, flag: y}}], only: true}", False),
        ("- {case: a, events: [{proc: {nmae: x}}], only: true}", False),
        ("- {case: a, events: [], only: true}", False),
        ("- {case: a, events: [{open: /x}], expect: [{rul: R}]}", False),
        ("- {case: a, events: [{open: /x}], expect: [{rule: R, fields: {a: {like: b}}}]}", False),
        ("case: a", False),
        ("[]", False),
    ],
)  # fmt: skip
def test_the_schema_tells_good_from_bad(text: str, valid: bool) -> None:
    assert validator().is_valid(yaml.safe_load(text)) is valid


# ---- the command ----


def test_all_reports_of_one_run(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(CASES)
    files = ["--junit", "j.xml", "--sarif", "s.json", "--html", "p.html", "--github"]
    assert main(["test", ".", *files]) == 2
    out = capsys.readouterr().out
    assert "1 failed, 1 error, 1 passed, 1 xfailed, 1 xpassed" in out
    assert "::error file=tests.yaml,line=6" in out
    assert ET.parse("j.xml").getroot().tag == "testsuites"
    assert json.loads(Path("s.json").read_text())["version"] == "2.1.0"
    assert Path("p.html").read_text().startswith("<!doctype html>")


def test_json_is_an_object_a_line(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(CASES)
    main(["test", ".", "--format", "json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["outcome"] for line in lines] == [
        "passed",
        "failed",
        "xfailed",
        "xpassed",
        "error",
    ]
    assert lines[1]["failures"][0]["line"] == 6


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (["-k", "good"], ["good"]),
        (["-k", "good or known"], ["good", "known"]),
        (["-k", "not (good or mended) and not wrong"], ['bad <&"', "known"]),
        (["-k", "FILES"], ['bad <&"']),
        (["--rule", "Nothing"], ["wrong"]),
        (["-k", "secret opened", "--rule", "Secret opened"], ["good", 'bad <&"', "known", "mended"]),
    ],
)  # fmt: skip
def test_cases_are_chosen(
    write: Write, capsys: pytest.CaptureFixture[str], arguments: list[str], chosen: list[str]
) -> None:
    write(CASES)
    assert main(["test", ".", "--list", *arguments]) == 0
    found = [line.split(": ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert found == chosen


@pytest.mark.parametrize("arguments", [["-k", "nosuch"], ["-k", "good and"], ["--rule", "None"]])
def test_a_choice_of_nothing_is_an_error(write: Write, arguments: list[str]) -> None:
    write(CASES)
    assert main(["test", ".", *arguments]) == 2


def test_the_last_failures_are_remembered(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(CASES)
    main(["test", "."])
    capsys.readouterr()
    main(["test", ".", "--lf", "--list"])
    assert len(capsys.readouterr().out.splitlines()) == 3
    write(CASES.replace("silent: Secret opened\n  tags", "fires: Secret opened\n  tags"))
    main(["test", ".", "--lf", "-k", "bad"])
    capsys.readouterr()
    main(["test", ".", "--lf", "--list"])
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_bad_test_files_are_shown_with_their_lines(write: Write, capsys: Any) -> None:
    write("- case: a\n  evnts: []\n")
    assert main(["test", "."]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "did you mean `events`?" in captured.err
    assert "nothing was run" in captured.err


def test_inline_events_are_saved_as_captures(write: Write, capfd: Any) -> None:
    write(CASES)
    assert main(["test", ".", "-k", "good", "--save-capture", "caps"]) == 0
    assert capfd.readouterr().out == "caps/good.scap.gz\n"
    main(["run", "-r", "rules.yaml", "-e", "caps/good.scap.gz", "-q"])
    assert "secret opened (file=/etc/shadow program=vim" in capfd.readouterr().out


def test_the_schema_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "test", "--schema"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == published()


def test_what_to_measure_has_to_be_said(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write(CASES)
    assert main(["test", ".", "--fail-under", "90"]) == 2
    assert "--coverage or --mutate" in capsys.readouterr().err


def test_a_rule_that_no_case_speaks_of_is_taken_for_a_close_one(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(f"- case: good\n{EVENTS}  fires: Secret opened\n")
    assert main(["test", ".", "--rule", "Secret opend"]) == 2
    assert "did you mean `Secret opened`?" in capsys.readouterr().err
