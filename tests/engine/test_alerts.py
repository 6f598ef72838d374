"""The identity of alerts, and what goes with them."""

from __future__ import annotations

from pathlib import Path

import pytest

import rulekit
from rulekit.engine.alerts import DROPS_RULE
from rulekit.rules.fingerprint import fingerprint

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = ROOT / "rulesets" / "captures" / "attack-host.scap.gz"
AUDIT = ROOT / "rulesets" / "captures" / "attack-audit.jsonl"

RULE = """\
- list: shells
  items: [bash, sh]
- macro: started
  condition: evt.type = execve and evt.arg.res = 0
- rule: Shell started
  desc: {desc}
  condition: started and {condition}
  output: "shell %proc.name"
  priority: {priority}
  tags: [a]
"""


def loaded(tmp_path: Path, **changes: str) -> rulekit.Ruleset:
    values = {"desc": "d", "condition": "proc.name in (shells)", "priority": "WARNING", **changes}
    path = tmp_path / "rules.yaml"
    path.write_text(RULE.format(**values))
    return rulekit.load(path)


def hash_of(tmp_path: Path, **changes: str) -> str:
    return fingerprint(loaded(tmp_path, **changes).rules[0])


def test_the_same_content_has_the_same_hash(tmp_path: Path) -> None:
    first = hash_of(tmp_path)
    assert len(first) == 32
    assert hash_of(tmp_path, desc="another") == first
    assert hash_of(tmp_path, condition="proc.name   in (bash, sh)") == first
    assert hash_of(tmp_path, priority="ERROR") != first
    assert hash_of(tmp_path, condition="proc.name in (bash)") != first


def test_ids_are_the_same_on_every_run_and_differ_within_one(tmp_path: Path) -> None:
    rules = loaded(tmp_path)
    first = [alert.id for alert in rules.run(HOST)]
    assert len(first) > 5
    assert len(set(first)) == len(first)
    assert [alert.id for alert in rules.run(HOST)] == first
    changed = loaded(tmp_path, priority="ERROR")
    assert not set(first) & {alert.id for alert in changed.run(HOST)}


def test_audit_events_are_known_by_audit_id_and_stage(tmp_path: Path) -> None:
    rules = rulekit.load(ROOT / "rulesets" / "kubernetes" / "rules.yaml")
    alerts = list(rules.run(AUDIT, matching="all"))
    assert alerts
    for alert in alerts:
        audit_id, _, stage = alert.event_id.partition("/")
        assert len(audit_id) == 36
        assert stage in ("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic")
    # The same events elsewhere in another file give the same ids.
    turned = tmp_path / "turned.jsonl"
    turned.write_text("".join(reversed(AUDIT.read_text().splitlines(keepends=True))))
    again = list(rules.run(turned, matching="all"))
    assert {alert.id for alert in again} == {alert.id for alert in alerts}
    assert [a.event for a in again] != [a.event for a in alerts]


def test_formats_may_ask_for_more_fields(tmp_path: Path) -> None:
    wanted = ("proc.pid", "user.name", "container.id", "container.name", "proc.name", "ka.verb")
    engine = rulekit.Engine(loaded(tmp_path), context=wanted)
    alert = next(engine.run(HOST))
    assert set(alert.context) == set(wanted) - {"ka.verb"}
    assert isinstance(alert.context["proc.pid"], int)
    assert alert.missing == ()
    assert next(loaded(tmp_path).run(HOST)).missing is None


def test_lost_events_are_told_and_counted(tmp_path: Path) -> None:
    from rulekit.capture import Builder

    builder = Builder()
    builder.add_process(7, "bash", exe="/bin/bash")
    for lost in (0, 3, 0):
        for _ in range(lost):
            builder.add_event("drop", {"ratio": 1}, tid=7)
        builder.add_event("close", {"res": 0, "fd": 3}, tid=7)
    path = tmp_path / "lossy.scap"
    builder.save(path)
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: Closed\n  desc: d\n  condition: evt.type = close\n  output: c\n  priority: INFO\n"
    )
    plain = list(rulekit.load(rules).run(path))
    assert [alert.drops for alert in plain] == [0, 3, 0]
    engine = rulekit.Engine(rulekit.load(rules), announce_drops=True)
    told = [alert for alert in engine.run(path) if alert.source == "internal"]
    assert [alert.rule for alert in told] == [DROPS_RULE]
    assert told[0].output_fields["n_drops"] == 3
    assert told[0].message.endswith(f"(n_drops=3 n_evts={told[0].output_fields['n_evts']})")


@pytest.mark.parametrize("depth", [5000])
def test_deep_conditions_have_a_hash(tmp_path: Path, depth: int) -> None:
    condition = " and ".join(["proc.name = a"] * depth)
    assert len(hash_of(tmp_path, condition=condition)) == 32
