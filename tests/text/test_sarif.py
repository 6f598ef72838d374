"""SARIF: every kind of diagnostic makes a valid log.

The shape is the part of the standard that rulekit writes; it refuses what the standard allows but
nobody meant. The schema is that of the OASIS repository ``sarif-spec``, without its descriptions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from jsonschema import validators

from rulekit.rules.loader import load_files
from rulekit.text.codes import CODES
from rulekit.text.diagnostic import Diagnostic, Fix
from rulekit.text.sarif import sarif
from rulekit.text.source import SourceText
from rulekit.tools.lint.engine import diagnose
from rulekit.tools.lint.registry import built_in_checks

SCHEMA = Path(__file__).resolve().parent.parent / "data" / "sarif-schema-2.1.0.json"

# What the standard says of the objects that are written: property → (kind, required).
# A kind in brackets is an array of it.
SHAPE: dict[str, dict[str, tuple[str, bool]]] = {
    "log": {"$schema": ("uri", False), "version": ("2.1.0", True), "runs": ("[run]", True)},
    "run": {
        "tool": ("tool", True),
        "columnKind": ("columnKind", False),
        "results": ("[result]", False),
    },
    "tool": {"driver": ("driver", True)},
    "driver": {
        "name": ("text", True),
        "version": ("text", False),
        "informationUri": ("uri", False),
        "rules": ("[rule]", False),
    },
    "rule": {
        "id": ("text", True),
        "name": ("text", False),
        "shortDescription": ("message", True),
        "fullDescription": ("message", True),
        "help": ("help", True),
    },
    "message": {"text": ("text", True)},
    "help": {"text": ("text", True), "markdown": ("text", True)},
    "result": {
        "ruleId": ("text", False),
        "ruleIndex": ("index", False),
        "level": ("level", False),
        "message": ("message", True),
        "locations": ("[location]", False),
        "relatedLocations": ("[location]", False),
        "fixes": ("[fix]", False),
    },
    "location": {
        "id": ("index", False),
        "message": ("message", False),
        "physicalLocation": ("physicalLocation", False),
    },
    "physicalLocation": {
        "artifactLocation": ("artifactLocation", True),
        "region": ("region", False),
    },
    "artifactLocation": {"uri": ("uri", False)},
    "region": {
        "startLine": ("number", False),
        "startColumn": ("number", False),
        "endLine": ("number", False),
        "endColumn": ("number", False),
    },
    "fix": {"description": ("message", False), "artifactChanges": ("[artifactChange]", True)},
    "artifactChange": {
        "artifactLocation": ("artifactLocation", True),
        "replacements": ("[replacement]", True),
    },
    "replacement": {"deletedRegion": ("region", True), "insertedContent": ("content", False)},
    "content": {"text": ("text", True)},
}
WORDS = {
    "2.1.0": {"2.1.0"},
    "level": {"none", "note", "warning", "error"},
    "columnKind": {"utf16CodeUnits", "unicodeCodePoints"},
}


def problems(value: Any, kind: str, at: str = "log") -> list[str]:
    """Return where a value is not what the standard wants."""
    if kind.startswith("["):
        if not isinstance(value, list):
            return [f"{at}: no array"]
        return [p for i, v in enumerate(value) for p in problems(v, kind[1:-1], f"{at}[{i}]")]
    if kind in WORDS:
        return [] if value in WORDS[kind] else [f"{at}: {value!r}"]
    if kind in ("number", "index"):
        good = isinstance(value, int) and value >= (kind == "number")
        return [] if good else [f"{at}: {value!r}"]
    if kind in ("text", "uri"):
        good = isinstance(value, str) and (kind == "text" or _is_uri(value))
        return [] if good else [f"{at}: {value!r}"]
    shape = SHAPE[kind]
    found = [f"{at}.{key}: unknown" for key in value if key not in shape]
    found += [f"{at}.{key}: missing" for key, (_, must) in shape.items() if must > (key in value)]
    for key, inner in value.items():
        if key in shape:
            found += problems(inner, shape[key][0], f"{at}.{key}")
    return found


def _is_uri(text: str) -> bool:
    urlsplit(text)
    return text.isascii() and text.isprintable() and not set(text) & set(' "<>\\^`{|}')


@pytest.fixture(scope="module")
def found() -> list[Diagnostic]:
    """Return diagnostics of every code that a file can show, in files with difficult names."""
    texts = [code.bad for code in CODES.values() if code.bad is not None]
    texts += [check.bad for check in built_in_checks()]
    found: list[Diagnostic] = []
    for i, text in enumerate(texts):
        name = ("rules.yaml", "a folder/ä%#?.yaml", "/abs/x y.yaml")[i % 3]
        found += diagnose(load_files([SourceText(name, text)]))
    return found + diagnose(load_files(["/nonexistent/rules.yaml"]))


def test_every_kind_of_diagnostic_has_the_shape_of_the_standard(found: list[Diagnostic]) -> None:
    log = sarif(found, "0.1.0")
    assert problems(log, "log") == []
    results = log["runs"][0]["results"]
    assert len(results) == len(found) > 100
    assert sum("fixes" in result for result in results) > 5
    assert sum("relatedLocations" in result for result in results) > 10


def test_results_point_to_their_rules(found: list[Diagnostic]) -> None:
    run = sarif(found, "0.1.0")["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_region_covers_what_the_diagnostic_points_at() -> None:
    text = SourceText("x.yaml", "first\nsecond line\n")
    span = text.span(6, 12)
    fix = Fix(span, "2nd", "shorten")
    log = sarif([Diagnostic("RK001", "info", "m", span, fix=fix)], "0")
    (result,) = log["runs"][0]["results"]
    region = {"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 7}
    assert result["locations"][0]["physicalLocation"]["region"] == region
    (change,) = result["fixes"][0]["artifactChanges"]
    replacement = {"deletedRegion": region, "insertedContent": {"text": "2nd"}}
    assert change["replacements"] == [replacement]


def test_nothing_found_is_a_log_without_results() -> None:
    log = sarif([], "0.1.0")
    assert problems(log, "log") == []
    assert log["runs"][0]["results"] == []


def test_the_shape_refuses_what_is_wrong() -> None:
    assert problems({"version": "2.0.0", "runs": [{"tool": {}, "x": 1}]}, "log") == [
        "log.version: '2.0.0'",
        "log.runs[0].x: unknown",
        "log.runs[0].tool.driver: missing",
    ]


def test_logs_are_valid_against_the_published_schema(found: list[Diagnostic]) -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    validator = validators.validator_for(schema)(schema)
    assert not validator.is_valid({})
    assert not validator.is_valid({"version": "2.1.0", "runs": [{"tool": {}}]})
    for log in (sarif(found, "0.1.0"), sarif([], "0.1.0")):
        assert [error.message for error in validator.iter_errors(log)] == []
