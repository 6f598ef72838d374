"""Alerts to format: those of the captures in the repository, those of the reference, odd ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import rulekit
from rulekit.alert import Alert
from rulekit.formats._subject import CONTEXT

ROOT = Path(__file__).resolve().parent.parent.parent
UPSTREAM = ("falco_rules", "falco-incubating_rules", "falco-sandbox_rules")


def bundled() -> Iterator[Alert]:
    """Yield the alerts of all bundled rules on all bundled captures."""
    rules = rulekit.load(*sorted(ROOT.glob("rulesets/*/rules.yaml")))
    captures = sorted((ROOT / "rulesets" / "captures").iterdir())
    yield from alerts(rules, [path for path in captures if ".scap" in path.name])
    yield from alerts(rules, [path for path in captures if ".json" in path.name])


def reference(shared: Path, folder: str) -> Iterator[Alert]:
    """Yield the alerts of the upstream rules on the captures of one reference folder."""
    files = [shared / "rules" / "upstream" / f"{name}.yaml" for name in UPSTREAM]
    captures = sorted((shared / "captures" / folder).glob("*.scap*"))
    yield from alerts(rulekit.load(*files), captures)


def audit(shared: Path) -> Iterator[Alert]:
    """Yield the alerts of the upstream rules on the audit logs of the reference."""
    rules = rulekit.load(
        shared / "rules" / "upstream" / "k8saudit" / "k8s_audit_rules.yaml",
    )
    logs = sorted((shared / "captures" / "k8s_audit").glob("*.json"))
    yield from alerts(rules, logs)


def alerts(rules: rulekit.Ruleset, captures: list[Path]) -> Iterator[Alert]:
    """Yield every match of every rule, with all that formats may ask for."""
    from rulekit.sources.detect import detect_source

    for capture in captures:
        source, opened = detect_source(capture)
        engine = rulekit.Engine(
            rules,
            source=source,
            matching="all",
            all_rules=True,
            context=CONTEXT,
            announce_drops=True,
        )
        try:
            yield from engine.run(opened)
        except rulekit.SourceError:
            continue


def odd() -> list[Alert]:
    """Return alerts with values that break careless formats."""
    text = 'a|b\\c=d]"e\n\r\t\x1b[31m\x85é\udc80 %s {} ' + "x" * 3000
    fields = {"evt.args": text, "n": 2**64 - 1, "list": [text, "b"], "none": None, "flag": True}
    return [
        Alert(1, text, "Emergency", text, fields, (text, "T1059.004", "mitre_execution"), text),
        Alert(0, "", "Debug", ""),
        Alert(1, "r", "Notice", "m", {}, (), "internal", "h" * 300, 2**40, "e/f", "i", "h", "d"),
        Alert(1, "r", "Info" + "rmational", "m", {"fd.name": "relative"}, context={"fd.type": "x"}),
    ]
