"""Every condition of the corpus gets the peer's verdict, class, tree and warnings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rulekit.rules.check import check_one
from rulekit.rules.output import parse_output
from rulekit.rules.parser import parse_condition
from rulekit.rules.unparse import to_sexpr, unparse
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText


@pytest.fixture(scope="module")
def cases(shared: Path) -> list[dict[str, Any]]:
    path = shared / "reference/conformance/conditions.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _wrong(cases: list[dict[str, Any]]) -> Iterator[tuple[str, Any, Any]]:
    for case in cases:
        got = check_one(case["cond"])
        want = {"ok": case["ok"], "class": case.get("class")}
        if case["ok"]:
            want["ast"] = case["ast"]
            if "warnings" in case:
                want["warnings"] = case["warnings"]
        mine = {key: got[key] for key in want}
        if mine != want:
            yield case["cond"], mine, want


def test_each_condition_agrees_with_the_peer(cases: list[dict[str, Any]]) -> None:
    assert len(cases) > 1000
    assert list(_wrong(cases)) == []


def test_each_good_condition_survives_being_written_back(cases: list[dict[str, Any]]) -> None:
    for case in cases:
        if case["ok"]:
            text = unparse(parse_condition(SourceText("condition", case["cond"])))
            again = parse_condition(SourceText("condition", text))
            assert to_sexpr(again) == case["ast"], text


def test_each_bad_condition_has_one_code(cases: list[dict[str, Any]]) -> None:
    for case in cases:
        if not case["ok"]:
            code = "LOAD_ERR_COMPILE_CONDITION"
            if case["class"] == "undefined-macro":
                code = "LOAD_ERR_VALIDATE"
            assert check_one(case["cond"])["errors"] == [code], case["cond"]


def test_each_output_text_agrees_with_the_peer(shared: Path) -> None:
    path = shared / "reference/conformance/outputs.jsonl"
    formats: dict[str, dict[str, Any]] = {}
    for line in path.read_text("utf-8").splitlines():
        case = json.loads(line)
        formats.setdefault(case["format"], case)
    refused = 0
    for text, case in formats.items():
        template = parse_output(SourceText("output", text), "syscall")
        if case.get("ok", True):
            assert not isinstance(template, Diagnostic), text
            keys = sorted(key for key, _ in template.fields)
            assert keys == sorted(case["fields"] or ()), text
        else:
            refused += 1
            assert isinstance(template, Diagnostic), text
            assert template.falco == "LOAD_ERR_COMPILE_OUTPUT"
    assert refused
