"""The skeleton of a test file is a test file, and its cases run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rulekit.cli.main import main
from rulekit.testing.inline import scenario
from rulekit.testing.read import load_cases
from rulekit.testing.runner import Options, run_cases


def test_cases_from_a_recording_pass_and_others_are_open(folder: Path, capsys: Any) -> None:
    scenario([{"proc": {"name": "vim"}}, {"open": "/etc/shadow"}]).save(folder / "a.scap.gz")
    assert main(["test", "--init", "rules.yaml", "-e", "a.scap.gz"]) == 0
    path = folder / "tests.yaml"
    path.write_text(capsys.readouterr().out)
    cases = load_cases(path)
    assert [case.name for case in cases] == [
        "Secret opened alerts on a recording",
        "Shell started alerts",
    ]
    assert [(e.rule, e.most) for e in cases[0].expect] == [
        ("Secret opened", 1),
        ("Secret opened", None),
    ]
    outcomes = [result.outcome for result in run_cases(cases, Options(isolate=False))]
    assert outcomes == ["passed", "xfailed"]


def test_rules_with_cases_are_left_out(folder: Path, capsys: Any) -> None:
    main(["test", "--init", "rules.yaml"])
    (folder / "tests.yaml").write_text(capsys.readouterr().out)
    assert main(["test", "--init", "rules.yaml"]) == 0
    assert capsys.readouterr().out == ""


def test_bad_rules_are_refused(folder: Path) -> None:
    (folder / "bad.yaml").write_text("- rule: x\n")
    assert main(["test", "--init", "bad.yaml"]) == 2
    assert main(["test", "--init"]) == 2
