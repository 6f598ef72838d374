"""`rulekit run` takes the options and the configuration that users of Falco know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rulekit.cli.main import main

CAPTURE = "rulesets/captures/tiny-host.scap.gz"
RULES = """\
- rule: One
  desc: d
  condition: evt.type = execve and proc.name exists
  output: one %proc.name
  priority: WARNING
  tags: [alpha]
- rule: Two
  desc: d
  condition: evt.type = execve and proc.pid > 0
  output: two %proc.name
  priority: NOTICE
  tags: [alpha, beta]
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def names(capfd: pytest.CaptureFixture[str], *arguments: object) -> set[str]:
    """Run with JSON output and return the names of the rules that fired."""
    root = Path(__file__).resolve().parents[2]
    command = ["run", "-e", root / CAPTURE, "-q", "--format", "json", *arguments]
    assert main([str(argument) for argument in command]) == 0
    return {json.loads(line)["rule"] for line in capfd.readouterr().out.splitlines()}


@pytest.mark.parametrize(
    ("options", "fired"),
    [
        ([], {"One"}),
        (["--matching", "all"], {"One", "Two"}),
        (["--disable", "One"], {"Two"}),
        (["--disable", "*", "--enable", "T*"], {"Two"}),
        (["--tag", "beta"], {"Two"}),
        (["--disable-tag", "beta", "--matching", "all"], {"One"}),
        (["--disable-tag", "alpha", "--enable", "Two"], {"Two"}),
        (["--min-priority", "warning", "--matching", "all"], {"One"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_rules_are_chosen_as_falco_chooses(
    rules: Path, capfd: pytest.CaptureFixture[str], options: list[str], fired: set[str]
) -> None:
    assert names(capfd, "-r", rules, *options) == fired


def test_a_falco_configuration_names_rules_and_forms(
    rules: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "falco.yaml"
    config.write_text(
        f"rules_files: [{rules}]\n"
        "rules: [{disable: {rule: One}}]\n"
        "json_output: true\n"
        "append_output:\n"
        '  - extra_output: "cpu=%evt.cpu"\n'
        '    extra_fields: [proc.pid, {who: "%proc.name/%proc.pname"}]\n'
    )
    root = Path(__file__).resolve().parents[2]
    overrides = ("-o", "json_include_tags_property=false")
    command = ("run", "-e", str(root / CAPTURE), "-q", "--falco-config", str(config), *overrides)
    assert main(list(command)) == 0
    alerts = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert {alert["rule"] for alert in alerts} == {"Two"}
    for alert in alerts:
        assert "tags" not in alert
        assert isinstance(alert["output_fields"]["proc.pid"], int)
        assert "/" in alert["output_fields"]["who"]
        assert alert["output"].endswith(f"cpu={alert['output_fields']['evt.cpu']}")


def test_without_rules_nothing_runs(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-e", "x.scap"]) == 2
    assert "no rules" in capfd.readouterr().err
