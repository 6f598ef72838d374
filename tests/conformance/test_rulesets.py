"""Rule sets whose results were recorded from Falco's engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rulekit.rules.findings import Finding
from rulekit.rules.loader import FileResult, LoadResult, load_files
from rulekit.rules.unparse import to_sexpr

# Contexts that every problem has around it are left out of the corpus.
_OUTER = {"rules content", "rules content item"}
_MANY = 12


def _cases(folder: Path) -> dict[str, Any]:
    cases: dict[str, Any] = json.loads((folder / "expected.json").read_text("utf-8"))
    return {name: case for name, case in cases.items() if "files" in case}


def _at(finding: Finding) -> list[str]:
    links = [link for link in finding.context.chain() if link.item_type not in _OUTER]
    return [link.item_type + (f":{link.item_name}" if link.item_name else "") for link in links]


def _item(finding: Finding) -> str | None:
    named = [link for link in finding.context.chain() if link.item_name]
    return f"{named[-1].item_type}:{named[-1].item_name}" if named else None


def _file(result: FileResult) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ok": result.successful,
        "errors": [{"code": e.diagnostic.falco, "at": _at(e)} for e in result.errors],
        "warnings": [{"code": w.diagnostic.falco, "item": _item(w)} for w in result.warnings],
    }
    if result.schema_valid is not None:
        found["schema_valid"] = result.schema_valid
    return found


def _rules(result: LoadResult) -> list[dict[str, Any]]:
    assert result.ruleset is not None
    found = []
    for rule in result.ruleset.rules:
        entry: dict[str, Any] = {
            "name": rule.name,
            "ast": to_sexpr(rule.node),
            "output": rule.output,
            "priority": rule.priority.label,
            "tags": list(rule.tags),
            "enabled": rule.enabled,
            "source": rule.source,
            "desc": rule.desc,
            "output_fields": list(rule.output_fields),
            "events": list(rule.events) if len(rule.events) <= _MANY else len(rule.events),
        }
        if rule.exception_fields:
            entry["exception_fields"] = list(rule.exception_fields)
        if rule.capture:
            entry["capture"] = True
        if rule.capture_duration_ms:
            entry["capture_duration"] = rule.capture_duration_ms
        found.append(entry)
    return found


def result_of(folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    """Load a set and describe what came of it in the words of the corpus."""
    result = load_files([folder / "rulesets" / name for name in case["files"]])
    found: dict[str, Any] = {"ok": result.ok, "results": [_file(file) for file in result.files]}
    if result.ruleset is not None:
        found["rules"] = _rules(result)
        lists = result.ruleset.lists
        found["lists"] = {name: list(known.items) for name, known in lists.items()}
        found["unused"] = {
            "macros": list(result.ruleset.unused_macros),
            "lists": list(result.ruleset.unused_lists),
        }
    return found


def test_every_recorded_rule_set_loads_as_in_falco(shared: Path) -> None:
    folder = shared / "reference" / "conformance"
    cases = _cases(folder)
    assert len(cases) > 200
    wrong = {}
    for name, case in cases.items():
        found = result_of(folder, case)
        wanted = {key: case[key] for key in found if key in case}
        assert "results" in wanted
        if found != wanted | {key: found[key] for key in found if key not in case}:
            differs = {k: (found.get(k), v) for k, v in wanted.items() if found.get(k) != v}
            wrong[name] = (case["why"], differs)
        elif missing := [key for key in ("rules", "lists") if key in case and key not in found]:
            wrong[name] = (case["why"], missing)
    if wrong:
        text = "\n".join(f"{name} {why}: {differs}" for name, (why, differs) in wrong.items())
        pytest.fail(f"{len(wrong)} of {len(cases)} differ\n{text}")
