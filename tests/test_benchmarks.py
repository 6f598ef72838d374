"""What the benchmarks rest on: made rules that are right, a gate that closes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.alerts_to_file import make_alerts, measure
from benchmarks.gate import verdict
from benchmarks.many_rules import many_rules
from benchmarks.work import main
from rulekit.rules.loader import load_files

ROOT = Path(__file__).resolve().parent.parent
RULES = sorted(ROOT.glob("rulesets/*/rules.yaml"))
CAPTURE = ROOT / "rulesets/captures/attack-host.scap.gz"


def test_copies_of_rules_load_and_keep_their_event_types(tmp_path: Path) -> None:
    originals = [rule for rule in load_files(RULES).require() if rule.source == "syscall"]
    count = 3 * len(originals)
    text = many_rules(RULES, count)
    assert text == many_rules(RULES, count)
    assert text != many_rules(RULES, count, seed=1)
    (tmp_path / "many.yaml").write_text(text)
    copies = list(load_files([tmp_path / "many.yaml"]).require())
    assert len(copies) == count == len({rule.name for rule in copies})
    for i, rule in enumerate(copies):
        assert rule.events == originals[i % len(originals)].events
    changed = sum(
        rule.text.text != originals[i % len(originals)].text.text for i, rule in enumerate(copies)
    )
    assert changed > count * 0.8


def test_regular_expressions_are_copied_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(
        "- {rule: R, desc: x, output: x, priority: NOTICE, "
        "condition: 'evt.type = open and fd.name regex \"/(abc|defgh)[a-z]+\"'}\n"
    )
    assert many_rules([tmp_path / "rules.yaml"], 20).count("/(abc|defgh)[a-z]+") == 20


def test_works_do_what_they_say() -> None:
    walk, never, always = (main(work, str(CAPTURE), []) for work in ("walk", "never", "always"))
    assert walk["events"] == never["events"] == always["events"] > 10_000
    assert never["matches"] == 0
    assert always["matches"] > 5_000
    assert main("rules", str(CAPTURE), RULES)["matches"] > 10
    with pytest.raises(SystemExit):
        main("nothing", str(CAPTURE), [])


def test_the_gate_closes_beyond_three_percent_both_ways() -> None:
    known = {"rules": 100.0}
    assert verdict({"rules": 102.9}, known) == []
    assert verdict({"rules": 97.1}, known) == []
    assert len(verdict({"rules": 103.2}, known)) == 1
    assert "-4.0%, limit 3%" in verdict({"rules": 96.0}, known)[0]


def test_alerts_reach_the_file_by_both_paths() -> None:
    alerts = make_alerts(700, ())
    assert len({alert.id for alert in alerts}) == 700
    result = measure(alerts, "json", 1)  # which counts the lines of the file
    assert result["direct"] > 0
    assert result["spooled"] > 0


def test_verdicts_are_timed() -> None:
    from benchmarks.decide_latency import measure as verdicts

    result = verdicts(100)
    assert result["object"]["bytes"] == 1000
    assert result["audit_event"]["median_us"] > 0


def test_audit_logs_are_timed(tmp_path: Path) -> None:
    from benchmarks.audit_speed import measure as speed

    log = ROOT / "rulesets/captures/attack-audit.jsonl"
    mixed = tmp_path / "audit.log"
    own = b'{"kind":"Event","stageTimestamp":"2026-11-24T10:00:00Z","user":{"username":"%s"}}\n'
    mixed.write_bytes(log.read_bytes().rstrip(b"\n") + b"\n" + own % b"system:apiserver")
    result = speed([ROOT / "rulesets/kubernetes/rules.yaml"], mixed, 200, 1)
    assert result["events_that_match"] > 0
    assert result["events_per_cpu_second"]["matches"] > 0


def test_nothing_that_the_webhook_takes_is_lost() -> None:
    pytest.importorskip("uvicorn", reason="needs the extra server")
    from benchmarks.webhook_rate import measure as rate

    log = ROOT / "rulesets/captures/attack-audit.jsonl"
    result = rate(ROOT / "rulesets/kubernetes/rules.yaml", log, 1.0)
    assert result["events_acknowledged"] == result["events_counted_by_the_receiver"] > 0
    assert result["alerts_equal_those_of_a_run"]
    assert result["exit_code"] == 0
