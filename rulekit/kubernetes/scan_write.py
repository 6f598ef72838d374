"""Findings in manifests as text, JSON and SARIF."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TextIO

from rulekit.alert import PRIORITIES
from rulekit.engine.verdict import Action
from rulekit.kubernetes.manifests import Problem
from rulekit.kubernetes.scan import Finding, ScanStats
from rulekit.rules.ruleset import Rule
from rulekit.text.render import printable
from rulekit.text.sarif import sarif_log, sarif_uri

_HEADER = frozenset({"pod.kind", "pod.name", "pod.namespace"})
_COLOURS = {"deny": "31", "warn": "33", "allow": "36"}
_WORDS: dict[Action, str] = {"deny": "to deny", "warn": "to warn about", "allow": "allowed"}
_LEVELS = {"deny": "error", "warn": "warning", "allow": "note"}


class TextWriter:
    """Writes findings below the object they are about."""

    def __init__(self, stream: TextIO, *, colour: bool = False) -> None:
        self._stream = stream
        self._colour = colour
        self._last: object = None

    def finding(self, found: Finding) -> None:
        """Write one finding."""
        manifest = found.manifest
        if manifest is not self._last:
            blank = "\n" if self._last is not None else ""
            name = f"{manifest.namespace}/{manifest.name}" if manifest.namespace else manifest.name
            title = f"{manifest.path}:{manifest.line}: {manifest.kind} {name or '(no name)'}"
            self._stream.write(f"{blank}{self._painted(printable(title), '1')}\n")
            self._last = manifest
        action = self._painted(f"{found.action:<5}", _COLOURS[found.action])
        detail = details(found)
        text = f"{found.alert.rule}{': ' if detail else ''}{detail}"
        self._stream.write(f"  {action} {printable(text)}\n")

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def details(found: Finding) -> str:
    """Return what the output of the rule tells, but for what names the object."""
    return " ".join(
        f"{key.removeprefix('pod.')}={_shown(value)}"
        for key, value in found.alert.output_fields.items()
        if value is not None and key not in _HEADER
    )


def _shown(value: Any) -> str:
    return f"({','.join(map(str, value))})" if isinstance(value, list) else str(value)


def finding_json(found: Finding) -> str:
    """Return a finding as one line of JSON."""
    manifest, alert = found.manifest, found.alert
    return json.dumps(
        {
            "path": manifest.path,
            "line": manifest.line,
            "kind": manifest.kind,
            "namespace": manifest.namespace,
            "name": manifest.name,
            "rule": alert.rule,
            "action": found.action,
            "priority": alert.priority,
            "message": alert.message,
            "output_fields": dict(alert.output_fields),
            "tags": list(alert.tags),
        },
        ensure_ascii=False,
    )


def problem_json(problem: Problem) -> str:
    """Return what could not be read as one line of JSON."""
    return json.dumps(
        {"path": problem.path, "line": problem.line, "problem": problem.text}, ensure_ascii=False
    )


def scan_sarif(
    findings: Iterable[Finding], problems: Iterable[Problem], rules: Iterable[Rule], version: str
) -> dict[str, Any]:
    """Return a SARIF 2.1.0 log.

    Args:
        rules: All that were run, also those that found nothing.
        version: Of rulekit.
    """
    known = list(rules)
    index = {rule.name: i for i, rule in enumerate(known)}
    results = [
        {
            "ruleId": found.alert.rule,
            "ruleIndex": index[found.alert.rule],
            "level": _LEVELS[found.action],
            "message": {"text": f"{found.manifest.kind} {found.manifest.name}: {found.alert.rule}"
                        f" ({details(found)})"},
            "locations": [_location(found.manifest.path, found.manifest.line)],
            "properties": {"tags": list(found.alert.tags), "priority": found.alert.priority},
        }
        for found in findings
    ]  # fmt: skip
    described = [
        {
            "id": rule.name,
            "shortDescription": {"text": rule.name},
            "fullDescription": {"text": rule.desc},
            "help": {"text": rule.desc},
            "properties": {"tags": list(rule.tags), "priority": PRIORITIES[rule.priority.value]},
        }
        for rule in known
    ]
    notes = [
        {
            "level": "error",
            "message": {"text": problem.text},
            "locations": [_location(problem.path, problem.line)],
        }
        for problem in problems
    ]
    return sarif_log(version, described, results, notes)


def _location(path: str, line: int) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": sarif_uri(path)}}
    if line:
        place["region"] = {"startLine": line}
    return {"physicalLocation": place}


def summary(stats: ScanStats) -> str:
    """Return one line about a scan."""
    counts = ", ".join(
        f"{stats.actions[action]} {word}"
        for action, word in _WORDS.items()
        if stats.actions[action]
    )
    text = f"{_count(stats.objects, 'object')} in {_count(stats.files, 'file')}: "
    text += counts or "nothing found"
    if stats.skipped:
        text += f"; {_count(stats.skipped, 'document')} of something else left out"
    if stats.problems:
        text += f"; {stats.problems} could not be read"
    return text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
