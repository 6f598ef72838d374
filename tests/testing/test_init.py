"""The skeleton of a test file is a test file, and its cases run."""

# ruff: noqa: E501 - tables
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rulekit.cli.main import main
from rulekit.testing.inline import scenario
from rulekit.testing.read import load_cases
from rulekit.testing.runner import Options, run_cases

ROOT = Path(__file__).resolve().parents[2]


def test_cases_from_a_recording_pass_and_others_are_open(folder: Path, capsys: Any) -> None:
    scenario([{"proc": {"name": "vim"}}, {"open": "/etc/shadow"}]).save(folder / "a.scap.gz")
    assert main(["test", "--init", "rules.yaml", "-e", "a.scap.gz"]) == 0
    path = folder / "tests.yaml"
    path.write_text(capsys.readouterr().out)
    cases = load_cases(path)
    assert [case.name for case in cases] == [
        "Secret opened: seen on a recording",
        "Shell started: fires",
    ]
    assert [(e.rule, e.most) for e in cases[0].expect] == [
        ("Secret opened", 1),
        ("Secret opened", None),
    ]
    outcomes = [result.outcome for result in run_cases(cases, Options(isolate=False))]
    assert outcomes == ["passed", "passed"]


def test_rules_with_cases_are_left_out(folder: Path, capsys: Any) -> None:
    main(["test", "--init", "rules.yaml"])
    (folder / "tests.yaml").write_text(capsys.readouterr().out)
    assert main(["test", "--init", "rules.yaml"]) == 0
    assert capsys.readouterr().out == ""


def test_bad_rules_are_refused(folder: Path) -> None:
    (folder / "bad.yaml").write_text("- rule: x\n")
    assert main(["test", "--init", "bad.yaml"]) == 2
    assert main(["test", "--init"]) == 2


RULES = """\
- rule: Named
  desc: x
  output: x
  priority: INFO
  condition: CONDITION
"""


@pytest.mark.parametrize(
    ("condition", "events", "fires"),
    [
        ("evt.type = open and proc.name = cat and fd.name = /etc/shadow", "- proc: {name: cat, parent: bash}\n    - open: /etc/shadow", True),
        ("evt.type in (open, openat) and evt.is_open_write = true and fd.name startswith /etc/", "- open: {name: /etc/x, flags: O_WRONLY}", True),
        ("evt.type = execve and proc.name in (sh, bash) and proc.pname = nginx", "- proc: nginx\n    - spawn: sh", True),
        ("evt.type = execve and proc.args contains \'-T \' and proc.args contains \'| sh\'", "args: [-T, x, \'|\', sh]", True),
        ("evt.type = execve and container.id != host and proc.tty != 0", "container: web", True),
        ("evt.type = connect and fd.sip = 1.2.3.4 and fd.sport = 22", "- connect: '1.2.3.4:22'", True),
        ("evt.type = chmod and evt.arg.mode contains S_ISUID", "mode: S_ISUID", True),
        ("evt.type = open and len(fd.name) > 100", "xfail: \'to be filled in: len(fd.name) > 100\'", False),
    ],
)  # fmt: skip
def test_events_are_read_off_the_condition(
    folder: Path, capsys: Any, condition: str, events: str, fires: bool
) -> None:
    (folder / "rules.yaml").write_text(RULES.replace("CONDITION", condition))
    assert main(["test", "--init", "rules.yaml"]) == 0
    text = capsys.readouterr().out
    assert events in text
    (folder / "tests.yaml").write_text(text)
    (result,) = run_cases(load_cases(folder / "tests.yaml"), Options(isolate=False))
    assert result.outcome == ("passed" if fires else "xfailed")


def test_rules_over_audit_events_get_requests(folder: Path, capsys: Any) -> None:
    text = RULES.replace("CONDITION", "ka.verb = delete and ka.target.resource = pods")
    (folder / "rules.yaml").write_text(f"{text}  source: k8s_audit\n")
    assert main(["test", "--init", "rules.yaml"]) == 0
    out = capsys.readouterr().out
    assert "- k8s_audit: {user: alice, verb: delete, resource: pods}" in out
    assert "xfail" not in out
    (folder / "a.jsonl").write_bytes(
        scenario([{"k8s_audit": {"verb": "delete", "resource": "pods", "name": "p"}}]).data
    )
    assert main(["test", "--init", "rules.yaml", "-e", "a.jsonl"]) == 0
    assert "- {rule: Named, count: 1}" in capsys.readouterr().out


def test_every_bundled_rule_gets_a_case_that_can_be_run(tmp_path: Path, capsys: Any) -> None:
    for number, path in enumerate(sorted(ROOT.glob("rulesets/*/rules.yaml"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "rules.yaml").write_text(path.read_text())
        assert main(["test", "--init", str(folder / "rules.yaml")]) == 0
        (folder / "tests.yaml").write_text(capsys.readouterr().out)
        cases = load_cases(folder / "tests.yaml")
        assert len(cases) == path.read_text().count("- rule:")
        assert all(result.good for result in run_cases(cases, Options(isolate=False)))
