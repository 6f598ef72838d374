"""A first test file for rules that have no cases."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rulekit.alert import Alert
from rulekit.engine.pipeline import Engine
from rulekit.errors import RulekitError
from rulekit.rules.ruleset import Rule, Ruleset
from rulekit.testing.case import CaseError
from rulekit.testing.inline_events import names_of_events
from rulekit.testing.read import find_files, load_all

_SIMPLE = ("open", "openat", "execve", "connect", "unlink", "unlinkat")


def untested(ruleset: Ruleset, rules: Sequence[Path]) -> list[Rule]:
    """Return the rules of which no case in the folders of the rule files speaks."""
    known: set[str] = set()
    for folder in dict.fromkeys(path if path.is_dir() else path.parent for path in rules):
        try:
            cases = load_all(find_files([folder]))
        except (CaseError, RulekitError):
            continue  # no test files yet, or unusable ones, which `rulekit test` explains
        for case in cases:
            known.update(case.named_rules())
    return [rule for rule in ruleset if rule.name not in known and rule.source == "syscall"]


def skeleton(
    ruleset: Ruleset, rules: Sequence[Path], target: Path, capture: Path | None = None
) -> str:
    """Return a test file.

    Rules that alert on the capture get a case with what was seen; the others a case with an event
    that is to be filled in, marked as an expected failure.

    Args:
        target: Folder that the file is meant for; paths in it are relative to this folder.

    Raises:
        SourceError: The capture cannot be read.
    """
    missing = untested(ruleset, rules)
    alerts: list[Alert] = []
    if capture is not None:
        alerts = list(Engine(ruleset, matching="all", all_rules=True).run(capture))
    counts = Counter(alert.rule for alert in alerts)
    names = [os.path.relpath(path, target) for path in rules]
    written = json.dumps(names if len(names) > 1 else names[0], ensure_ascii=False)
    lines: list[str] = []
    for rule in missing:
        if capture is not None and counts[rule.name]:
            lines += _seen(
                rule, alerts, counts[rule.name], os.path.relpath(capture, target), written
            )
        else:
            lines += _open_case(rule, written)
    return "\n".join(lines) + "\n" if lines else ""


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _seen(rule: Rule, alerts: list[Alert], count: int, capture: str, rules: str) -> Iterator[str]:
    first = next(alert for alert in alerts if alert.rule == rule.name)
    fields = {
        k: v for k, v in first.output_fields.items() if k.startswith(("proc.name", "fd.name"))
    }
    yield f"- case: {_quoted(f'{rule.name} alerts on a recording')}"
    yield f"  rules: {rules}"
    yield f"  capture: {_quoted(capture)}"
    yield "  all_rules: true"
    yield "  expect:"
    yield f"    - rule: {_quoted(rule.name)}"
    yield f"      count: {count}"
    if fields:
        yield f"    - rule: {_quoted(rule.name)}"
        yield f"      fields: {_quoted(fields)}"
    yield ""


def _open_case(rule: Rule, rules: str) -> Iterator[str]:
    known = names_of_events()
    event = next((name for name in _SIMPLE if name in rule.events), None)
    event = event or next((name for name in rule.events if name in known), "open")
    value = {"execve": "CHANGE-ME", "connect": "203.0.113.9:443"}.get(event, "/change/me")
    yield f"- case: {_quoted(f'{rule.name} alerts')}"
    yield f"  rules: {rules}"
    yield "  all_rules: true"
    yield "  events:"
    yield "    - proc: {name: CHANGE-ME, parent: bash}"
    yield f"    - {event}: {value if event in _SIMPLE else '~'}"
    yield f"  fires: {_quoted(rule.name)}"
    yield "  xfail: events are to be filled in"
    yield ""
