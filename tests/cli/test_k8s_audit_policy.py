"""``rulekit k8s audit-policy``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

RULES = """\
- rule: Secret read
  desc: d
  condition: ka.stage = ResponseComplete and ka.verb = get and ka.target.resource = secrets
  output: s=%ka.target.name
  priority: INFO
  source: k8s_audit
- rule: Widget made
  desc: d
  condition: ka.stage = ResponseComplete and ka.target.resource = widgets and ka.verb = create
  output: w=%ka.req.pod.host_pid
  priority: INFO
  source: k8s_audit
  enabled: false
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def test_the_policy(cli, rules: Path) -> None:
    done = cli("k8s", "audit-policy", "-r", rules)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout == (
        "apiVersion: audit.k8s.io/v1\n"
        "kind: Policy\n"
        "omitStages: [RequestReceived, ResponseStarted, Panic]\n"
        "omitManagedFields: true\n"
        "rules:\n"
        "  # Secret read\n"
        "  - level: Metadata\n"
        "    verbs: [get]\n"
        "    resources:\n"
        "    - group: ''\n"
        "      resources: [secrets/*]\n"
    )
    as_json = cli("k8s", "audit-policy", "-r", rules, "--format", "json")
    assert json.loads(as_json.stdout) == yaml.safe_load(done.stdout)


def test_groups_of_resources(cli, rules: Path) -> None:
    done = cli("k8s", "audit-policy", "-r", rules, "--all-rules")
    assert "nobody knows the API group of `widgets`" in done.stderr
    done = cli(
        "k8s", "audit-policy", "-r", rules, "--all-rules", "--resource", "widgets.example.com"
    )
    assert done.stderr == ""
    assert "group: example.com" in done.stdout
    done = cli("k8s", "audit-policy", "-r", rules, "--resource", "widgets")
    assert done.returncode == 2
    assert "--resource widgets: no NAME.GROUP" in done.stderr


def test_check(cli, rules: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(cli("k8s", "audit-policy", "-r", rules).stdout)
    check = ("k8s", "audit-policy", "-r", rules, "--check", policy)
    done = cli(*check)
    assert done.stdout == "1 of 1 rules get all that they need, 0 see nothing, 0 lack something\n"
    assert done.returncode == 0
    done = cli(*check, "--all-rules", "--resource", "widgets.example.com")
    assert done.returncode == 1
    assert done.stdout == (
        "Widget made: sees nothing\n"
        "  create widgets.example.com: not written: no rule of the policy matches\n"
        "1 of 2 rules get all that they need, 1 see nothing, 0 lack something\n"
    )
    policy.write_text(
        "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
        "- {level: None, users: [bob]}\n- {level: Metadata}\n"
    )
    done = cli(*check)
    assert f"  get secrets by bob: not written: level None ({policy}:4)\n" in done.stdout
    (line,) = cli(*check, "--format", "json").stdout.splitlines()
    found = json.loads(line)
    assert (found["rule"], found["blind"]) == ("Secret read", False)
    assert found["gaps"][0]["users"] == ["bob"]


def test_a_bad_policy(cli, rules: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: All\n")
    done = cli("k8s", "audit-policy", "-r", rules, "--check", policy)
    assert done.returncode == 2
    assert f"{policy}:4: no level `All`" in done.stderr
    policy.write_text("{")
    assert cli("k8s", "audit-policy", "-r", rules, "--check", policy).returncode == 2
    gone = cli("k8s", "audit-policy", "-r", rules, "--check", tmp_path / "gone")
    assert gone.returncode == 2
    assert "no such file" in gone.stderr


def test_what_else_an_api_server_needs(cli, rules: Path) -> None:
    base = ("k8s", "audit-policy", "-r", rules, "--url", "https://10.0.0.1:9765/k8s-audit")
    config = yaml.safe_load(cli(*base, "--print", "kubeconfig", "--ca", "/a/ca.crt").stdout)
    assert config["clusters"][0]["cluster"]["certificate-authority"] == "/a/ca.crt"
    assert "--audit-webhook-config-file=" in cli(*base, "--print", "flags").stdout
    assert "op: add" in cli(*base, "--print", "patch").stdout
    log = cli("k8s", "audit-policy", "-r", rules, "--print", "flags", "--log", "/l/a.log").stdout
    assert "--audit-log-path=/l/a.log" in log
    assert "webhook" not in log
    assert cli(*base, "--client-cert", "x").returncode == 2


def test_rules_about_something_else(cli, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "- rule: R\n  desc: d\n  condition: evt.type = open\n  output: x\n  priority: INFO\n"
    )
    done = cli("k8s", "audit-policy", "-r", path)
    assert done.returncode == 2
    assert "no rule has the source k8s_audit" in done.stderr
