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


STATIC_RULES = """\
- macro: here
  condition: static.site = lab and static.site != val(static.team)
- rule: Static
  desc: d
  condition: evt.type = execve and (here or toupper(static.site) = PROD)
  output: at %static.site by %static.team (%toupper(static.site)) %5static.site. %static.sites
  priority: INFO
  exceptions:
    - name: site
      fields: static.team
      values: [nobody]
"""


def test_static_fields_are_constants_of_conditions_and_outputs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "static.yaml"
    rules.write_text(STATIC_RULES)
    config = tmp_path / "falco.yaml"
    config.write_text(
        f"rules_files: [{rules}]\nstatic_fields: {{site: lab, team: red, floor: 3}}\n"
        "append_output: [{extra_fields: [static.floor, {both: '%static.site/%static.team'}]}]\n"
    )
    root = Path(__file__).resolve().parents[2]
    command = ["run", "-e", str(root / CAPTURE), "-q", "--falco-config", str(config)]
    assert main([*command, "--format", "json"]) == 0
    alerts = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert alerts
    for alert in alerts:
        assert alert["output"].endswith("at lab by red (LAB) lab  . labs")
        del alert["output_fields"]["evt.time"]
        assert alert["output_fields"] == {
            "static.site": "lab",
            "static.team": "red",
            "static.floor": "3",
            "both": "lab/red",
        }
    for site, team, fires in (("prod", "red", 1), ("x", "red", 0), ("lab", "nobody", 0)):
        changed = ["-o", f"static_fields.site={site}", "-o", f"static_fields.team={team}"]
        assert main([*command, *changed]) == 0
        assert len(capfd.readouterr().out.splitlines()) == fires * len(alerts)


def test_a_static_field_that_is_not_configured_is_unknown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "static.yaml"
    rules.write_text(STATIC_RULES.partition("  exceptions:")[0])
    assert main(["run", "-r", str(rules), "-e", CAPTURE, "-q"]) == 2
    shown = capfd.readouterr().err
    assert "unknown field `static.site`" in shown
    assert "static_fields" in shown
