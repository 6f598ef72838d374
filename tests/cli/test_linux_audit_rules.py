"""``rulekit linux audit-rules``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RULES = """\
- rule: Passwords read
  desc: d
  condition: evt.type = openat and fd.name = /etc/shadow and fd.num >= 0
  output: p=%proc.name
  priority: INFO
- rule: In a container
  desc: d
  condition: evt.type = open and container.id != host
  output: x
  priority: INFO
- rule: Off
  desc: d
  condition: evt.type = kill
  output: x
  priority: INFO
  enabled: false
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def test_lines_for_auditctl(cli, rules: Path) -> None:
    done = cli("linux", "audit-rules", "-r", rules, "--arch", "x86_64", "--no-32bit")
    assert done.stdout == (
        "# Passwords read\n-a always,exit -F arch=b64 -S openat -F success=1 -k rulekit-open\n"
    )
    assert "1 rules can never match on Linux audit and were left out" in done.stderr
    assert done.returncode == 0
    more = cli("linux", "audit-rules", "-r", rules, "--all-rules")
    assert "-S kill" in more.stdout


@pytest.mark.parametrize("command", ["linux audit-rules", "k8s audit-policy"])
def test_a_configuration_of_falco_counts(command: str, cli, rules: Path, tmp_path: Path) -> None:
    if command.startswith("k8s"):
        text = (
            "- rule: {}\n  desc: d\n  source: k8s_audit\n  condition: ka.verb = {}\n  output: x\n"
        )
        rules.write_text(
            "".join(
                text.format(*each) + "  priority: INFO\n" for each in (("A", "get"), ("B", "list"))
            )
        )
    else:
        rules.write_text(
            RULES.replace("enabled: false", "tags: [b]").replace("rule: Off", "rule: B")
        )
    config = tmp_path / "falco.yaml"
    config.write_text(f"rules_files: [{rules}]\nrules:\n  - disable: {{rule: B}}\n")
    plain = cli(*command.split(), "-r", rules).stdout
    done = cli(*command.split(), "--falco-config", config)
    assert done.returncode == 0
    without = cli(*command.split(), "-r", rules, "--disable", "B").stdout
    assert done.stdout == without != plain


def test_json(cli, rules: Path) -> None:
    done = cli("linux", "audit-rules", "-r", rules, "--arch", "x86_64", "--format", "json")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["calls"] == second["calls"] == ["openat"]
    assert (first["arch"], second["arch"]) == ("b64", "b32")
    assert first["line"].startswith("-a always,exit")


def test_check(cli, rules: Path, tmp_path: Path) -> None:
    audit = tmp_path / "audit.rules"
    audit.write_text("-w /etc/shadow -p r -k shadow\n")
    done = cli("linux", "audit-rules", "-r", rules, "--check", audit)
    assert done.stdout == (
        "Passwords read: lacks something\n"
        "  openat: only where path=/etc/shadow and perm=r\n"
        "0 of 1 rules get all that they need, 0 see nothing, 1 lack something\n"
    )
    assert done.returncode == 1
    audit.write_text(cli("linux", "audit-rules", "-r", rules).stdout)
    done = cli("linux", "audit-rules", "-r", rules, "--check", audit)
    assert done.stdout == "1 of 1 rules get all that they need, 0 see nothing, 0 lack something\n"
    assert done.returncode == 0
    audit.write_text("rubbish\n")
    done = cli("linux", "audit-rules", "-r", rules, "--check", audit, "--format", "json")
    assert json.loads(done.stdout)["blind"] is True
    assert f"{audit}:1: not understood" in done.stderr
    assert done.returncode == 2
    assert cli("linux", "audit-rules", "-r", rules, "--check", tmp_path / "no").returncode == 2
