"""``rulekit run`` over audit logs and other documents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LOG = ROOT / "rulesets" / "captures" / "attack-audit.jsonl"
RULES = ROOT / "rulesets" / "kubernetes" / "rules.yaml"


def test_alerts_have_falcos_form(cli) -> None:
    done = cli("run", "-q", "-r", RULES, "-e", LOG, "--format", "json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    first = next(alert for alert in found if alert["rule"] == "Command run in a pod")
    assert first["source"] == "k8s_audit"
    assert first["time"] == "2026-03-02T09:00:10.104211000Z"
    assert first["output_fields"]["evt.time"] == 1772442010104211000
    assert first["output_fields"]["ka.uri.param[command]"] == "chroot"
    assert first["hostname"]
    assert first["priority"] == "Notice"
    assert done.stderr == ""


@pytest.mark.parametrize("options", [(), ("--source", "k8s_audit")])
def test_standard_input(cli, options: tuple[str, ...]) -> None:
    with LOG.open("rb") as file:
        done = cli("run", "-r", RULES, "-e", "-", *options, stdin=file)
    assert done.returncode == 0
    assert "Command run in a pod" in done.stdout
    assert "15 events" in done.stderr


def test_a_window(cli) -> None:
    done = cli("run", "-r", RULES, "-e", LOG, "--from", "4", "--to", "4")
    assert "Secrets listed by a person" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_bad_lines_are_told_and_counted(cli, tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text(LOG.read_text() + '{"kind": "Event", "stageT')
    done = cli("run", "-r", RULES, "-e", path)
    assert done.returncode == 0
    assert f"rulekit: {path}:16: no JSON: Input data was truncated" in done.stderr
    assert "note: malformed documents: 1" in done.stderr


def test_rules_over_documents_of_any_kind(cli, tmp_path: Path) -> None:
    rules, documents = tmp_path / "rules.yaml", tmp_path / "orders.jsonl"
    rules.write_text(
        "- rule: Large order\n"
        "  desc: d\n"
        "  condition: json.value[/total] startswith 9 and json.value[/items/0/name] = pen\n"
        "  output: order=%json.value[/id]\n"
        "  priority: INFO\n"
        "  source: orders\n"
    )
    orders = [{"id": i, "total": 90 + i, "items": [{"name": "pen"}]} for i in range(12)]
    documents.write_text("".join(json.dumps(order) + "\n" for order in orders))
    done = cli("run", "-q", "-r", rules, "-e", documents, "--source", "orders")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 10
    assert "order=9" in done.stdout
