"""The pytest plugin, run by pytest."""

from __future__ import annotations

from pathlib import Path

import pytest

# Loaded before pytester takes note of what is loaded: it unloads the rest after each run, and
# parts of the package that stay would then meet new copies of the others.
import rulekit.testing.read
import rulekit.testing.report
import rulekit.testing.runner  # noqa: F401

pytest_plugins = ["pytester"]

EVENTS = "  events: [{proc: vim}, {open: /etc/shadow}]\n"


@pytest.fixture
def rules(
    pytester: pytest.Pytester, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    (pytester.path / "rules.yaml").write_text((folder / "rules.yaml").read_text())
    monkeypatch.chdir(pytester.path)
    return pytester


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(*args)  # the installed package brings the plugin


def test_cases_are_items(rules: pytest.Pytester) -> None:
    (rules.path / "tests.yaml").write_text(
        f"- case: good\n{EVENTS}  fires: Secret opened\n"
        f"- case: bad\n{EVENTS}  fires: Shell started\n"
        f"- case: known\n{EVENTS}  silent: Secret opened\n  xfail: not yet\n"
        f"- case: mended\n{EVENTS}  fires: Secret opened\n  xfail: not yet\n"
    )
    result = run(rules)
    result.assert_outcomes(passed=1, failed=2, xfailed=1)
    result.stdout.fnmatch_lines(["*gave 0 alerts, at least 1 expected*", "*nearest miss: entry 2*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_cases_are_chosen_by_name_tag_and_rule(rules: pytest.Pytester) -> None:
    (rules.path / "a.tests.yaml").write_text(
        f"- case: one\n  rules: rules.yaml\n{EVENTS}  fires: Secret opened\n  tags: quick\n"
        f"- case: two\n  rules: rules.yaml\n{EVENTS}  silent: Shell started\n"
    )
    run(rules, "-k", "quick").assert_outcomes(passed=1, deselected=1)
    run(rules, "-k", "two").assert_outcomes(passed=1, deselected=1)


def test_a_bad_file_is_an_error_of_collection(rules: pytest.Pytester) -> None:
    (rules.path / "tests.yaml").write_text("- case: a\n  evnts: []\n")
    result = run(rules)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*did you mean `events`?*"])


def test_other_yaml_files_are_left_alone(rules: pytest.Pytester) -> None:
    (rules.path / "tests.yaml").write_text("- name: something else\n")
    assert run(rules).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_it_can_be_switched_off(rules: pytest.Pytester) -> None:
    (rules.path / "tests.yaml").write_text(f"- case: a\n{EVENTS}  only: true\n")
    assert run(rules, "--no-rulekit").ret == pytest.ExitCode.NO_TESTS_COLLECTED
