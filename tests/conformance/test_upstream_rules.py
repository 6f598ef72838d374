"""The upstream rule files: they load, and resolve as Falco resolves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rulekit.rules.definitions import Priority
from rulekit.rules.loader import load_files
from rulekit.rules.ruleset import Rule
from rulekit.rules.unparse import to_sexpr

_AUDIT = ("k8saudit/k8s_audit_rules.yaml", "k8saudit-gke/k8s_audit_rules_gke.yaml")
_ALONE = (
    "falco_rules.yaml",
    "falco-incubating_rules.yaml",
    "falco-sandbox_rules.yaml",
    "falco-deprecated_rules.yaml",
)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> dict[str, Any]:
    text = (shared / "reference/conformance/upstream_rules.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _described(rule: Rule, keys: Any) -> dict[str, Any]:
    found = {
        "name": rule.name,
        "ast": to_sexpr(rule.node),
        "priority": rule.priority.label,
        "enabled": rule.enabled,
        "tags": list(rule.tags),
        "output_fields": list(rule.output_fields),
        "source": rule.source,
    }
    return {key: value for key, value in found.items() if key in keys}


@pytest.mark.parametrize("name", _ALONE)
def test_a_file_of_system_call_rules_resolves_as_recorded(
    name: str, shared: Path, recorded: dict[str, Any]
) -> None:
    case = recorded["files"][name]
    result = load_files([shared / "rules/upstream" / name])
    assert [d.message for d in result.diagnostics if d.severity == "error"] == []
    ruleset = result.require()
    keys = set(case["rules"][0]) - {"events", "fields"}
    wanted = [{key: rule[key] for key in keys if key in rule} for rule in case["rules"]]
    for rule in wanted:
        # Falco 0.40.0 prints the field with a text argument, when it has none, without a name.
        rule["output_fields"] = sorted(name or "proc.env" for name in rule["output_fields"])
    assert [_described(rule, keys) for rule in ruleset] == wanted
    assert {n: list(known.items) for n, known in ruleset.lists.items()} == case["lists"]
    assert list(ruleset.unused_macros) == case["unused_macros"]
    assert list(ruleset.unused_lists) == case["unused_lists"]
    counts = {"rules": len(ruleset), "macros": len(ruleset.macros), "lists": len(ruleset.lists)}
    assert counts == case["counts"]


def test_the_audit_rules_resolve_as_recorded(shared: Path, recorded: dict[str, Any]) -> None:
    case = recorded["files_unchecked"][_AUDIT[0]]
    ruleset = load_files([shared / "rules/upstream" / _AUDIT[0]]).require()
    keys = set(case["rules"][0])
    wanted = [dict(rule) for rule in case["rules"]]
    for rule in wanted:
        priority = Priority.parse(rule["priority"])
        assert priority is not None
        rule["priority"] = priority.label
    assert [_described(rule, keys) for rule in ruleset] == wanted


def test_all_upstream_files_load_together(shared: Path) -> None:
    folder = shared / "rules/upstream"
    names = [*_ALONE, "application_rules.yaml", *_AUDIT]
    result = load_files([folder / name for name in names])
    assert [(file.name, file.errors) for file in result.files if file.errors] == []
    assert result.ok
    assert {rule.source for rule in result.require()} == {"syscall", "k8s_audit"}


def test_the_gke_file_amends_the_audit_rules(shared: Path) -> None:
    folder = shared / "rules/upstream"
    alone = load_files([folder / _AUDIT[0]]).require()
    amended = load_files([folder / name for name in _AUDIT]).require()
    assert [rule.name for rule in alone] == [rule.name for rule in amended]
    name = "Disallowed K8s User"
    assert "google-container-engine-robot" in [e.name for e in amended.rule(name).exceptions]
    assert "google-container-engine-robot" not in [e.name for e in alone.rule(name).exceptions]
