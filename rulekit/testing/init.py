"""A first test file for rules that have no cases."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from rulekit.alert import Alert
from rulekit.engine.pipeline import Engine
from rulekit.errors import RulekitError
from rulekit.explain.event import RuleExplainer
from rulekit.explain.render import flipped
from rulekit.rules.ruleset import Rule, Ruleset
from rulekit.sources.detect import detect_source
from rulekit.testing.case import CaseError
from rulekit.testing.guess import guess
from rulekit.testing.inline import scenario
from rulekit.testing.inline_values import InlineError
from rulekit.testing.read import files_below, load_all

_SOURCES = ("syscall", "k8s_audit")
_TOLD = ("proc.name", "fd.name", "ka.user.name", "ka.target.name")


def untested(ruleset: Ruleset, rules: Sequence[Path]) -> list[Rule]:
    """Return the rules of which no case in the folders of the rule files speaks."""
    known: set[str] = set()
    for folder in dict.fromkeys(path if path.is_dir() else path.parent for path in rules):
        try:
            cases = load_all(files_below(folder))
        except (CaseError, RulekitError):
            continue  # unusable test files: `rulekit test` says why
        for case in cases:
            known.update(case.named_rules())
    return [rule for rule in ruleset if rule.name not in known and rule.source in _SOURCES]


def skeleton(
    ruleset: Ruleset, rules: Sequence[Path], target: Path, capture: Path | None = None
) -> str:
    """Return a test file.

    Rules that alert on the capture get a case with what was seen. The others get a case with events
    that are read off their conditions; when these do not make the rule alert, it is marked as an
    expected failure, to be filled in.

    Args:
        target: Folder that the file is meant for; paths in it are relative to this folder.

    Raises:
        SourceError: The capture cannot be read.
    """
    seen: dict[str, list[Alert]] = {}
    if capture is not None:
        source = detect_source(capture)[0]
        for alert in Engine(ruleset, source=source, matching="all", all_rules=True).run(capture):
            seen.setdefault(alert.rule, []).append(alert)
    names = [os.path.relpath(path, target) for path in rules]
    # What the test file finds by itself is not said.
    head = (
        [] if names == ["rules.yaml"] else [f"  rules: {_flow(names if names[1:] else names[0])}"]
    )
    lines: list[str] = []
    for rule in untested(ruleset, rules):
        if not rule.enabled:
            rest = [*head, "  all_rules: true"]
        else:
            rest = head
        if rule.name in seen:
            assert capture is not None
            lines += _seen(rule, seen[rule.name], os.path.relpath(capture, target), rest)
        else:
            lines += _guessed(ruleset, rule, rest)
        lines.append("")
    return "\n".join(lines)


def _flow(value: object) -> str:
    """Return a value as YAML on one line."""
    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1 << 20
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _seen(rule: Rule, alerts: list[Alert], capture: str, head: list[str]) -> Iterator[str]:
    fields = {key: alerts[0].output_fields[key] for key in _TOLD if key in alerts[0].output_fields}
    yield f"- case: {_flow(f'{rule.name}: seen on a recording')}"
    yield from head
    yield f"  capture: {_flow(capture)}"
    yield "  expect:"
    yield f"    - {_flow({'rule': rule.name, 'count': len(alerts)})}"
    if fields:
        yield f"    - {_flow({'rule': rule.name, 'fields': fields})}"


def _guessed(ruleset: Ruleset, rule: Rule, head: list[str]) -> Iterator[str]:
    events = guess(rule)
    yield f"- case: {_flow(f'{rule.name}: fires')}"
    yield from head
    yield "  events:"
    for event in events:
        yield f"    - {_flow(event)[1:-1]}"
    yield f"  fires: {_flow(rule.name)}"
    lacking = _lacking(ruleset, rule, events)
    if lacking is not None:
        yield f"  xfail: {_flow(f'to be filled in: {lacking}')}"


def _lacking(ruleset: Ruleset, rule: Rule, events: list[dict[str, Any]]) -> str | None:
    """Return what the events lack to make a rule alert, or None when they do."""
    try:
        data = scenario(events).data
    except InlineError as error:
        return error.message
    engine = Engine(ruleset, source=rule.source, matching="all", all_rules=True)
    if any(alert.rule == rule.name for alert in engine.run(io.BytesIO(data))):
        return None
    nearest = RuleExplainer(ruleset, rule.name).nearest(data)
    if nearest is None or not nearest.flips.sets:
        return "the condition cannot hold"
    parts = flipped(nearest, nearest.flips.sets[0])
    return ", ".join(f"not {part.text}" if nearest.truth(part) else part.text for part in parts)
