"""Diagnostics as carets, JSON, GitHub annotations and SARIF."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from rulekit.rules.loader import load_files
from rulekit.text.diagnostic import Diagnostic, Fix, Label
from rulekit.text.render import (
    diagnostic_json,
    display_width,
    github_annotations,
    render,
    render_counts,
)
from rulekit.text.sarif import sarif
from rulekit.text.source import SourceText

sys.path.insert(0, str(Path(__file__).parent))
from json_schema import violations

_SCHEMA = Path(__file__).resolve().parents[1] / "data/sarif-schema-2.1.0.json"


def _found(text: str, word: str, **more: Any) -> Diagnostic:
    source = SourceText("f.yaml", text)
    at = text.index(word)
    return Diagnostic("RK201", "error", "wrong", source.span(at, at + len(word)), "here", **more)


@pytest.mark.parametrize(
    ("text", "word", "marks"),
    [
        ("abc", "b", "1 | abc\n  |  ^ here"),
        ("\tabc", "b", "1 |     abc\n  |      ^ here"),
        ("日本 abc", "abc", "1 | 日本 abc\n  |      ^^^ here"),
        ("日本 abc", "本", "1 | 日本 abc\n  |   ^^ here"),
        ("a\x1b[31mbc", "bc", "1 | a�[31mbc\n  |       ^^ here"),
        ("abc\r\ndef", "def", "2 | def\n  | ^^^ here"),
        ("ab\ncd", "b\nc", "1 | ab\n  |  ^\n2 | cd\n  | ^ here"),
        ("a\nb\nc\nd\ne\nf", "a\nb\nc\nd\ne\nf", "4 |"),
    ],
)
def test_carets_stand_below_what_is_meant(text: str, word: str, marks: str) -> None:
    shown = render([_found(text, word)])
    if marks == "4 |":
        assert shown.count("\n") == 10
        assert "... 2 lines ..." in shown
    else:
        assert shown.split("\n", 2)[2] == marks


def test_a_long_line_is_clipped_around_the_place() -> None:
    shown = render([_found("x" * 5000 + "here" + "y" * 5000, "here")])
    line, marks = shown.splitlines()[2:]
    assert len(line) <= 170
    assert line[marks.index("^") :].startswith("here")


def test_labels_help_and_fix_follow_the_place() -> None:
    text = "first\nsecond"
    source = SourceText("f.yaml", text)
    found = _found(
        text,
        "second",
        help="do it right",
        labels=(Label(source.span(0, 5), "the first"),),
        fix=Fix(source.span(6, 12), "third", "rename it"),
    )
    assert render([found]).splitlines() == [
        "error[RK201]: wrong",
        " --> f.yaml:2:1",
        "2 | second",
        "  | ^^^^^^ here",
        " ::: f.yaml:1:1",
        "1 | first",
        "  | ----- the first",
        "  = help: do it right",
        "  = fix: rename it: `second` → `third`",
    ]


def test_colour_changes_nothing_else() -> None:
    found = [_found("abc", "b", help="x")]
    coloured = render(found, colour=True)
    plain = coloured
    for code in ("\x1b[1;31m", "\x1b[1;34m", "\x1b[1;32m", "\x1b[1m", "\x1b[0m"):
        assert code in coloured
        plain = plain.replace(code, "")
    assert plain == render(found)


def test_a_message_cannot_move_the_cursor() -> None:
    source = SourceText("f\n.yaml", "a")
    found = Diagnostic("RK201", "error", "a\x1b[2Jb\nc", source.span(0, 1), "x\ry", "h\x07")
    shown = render([found])
    assert not set(shown) & set("\x1b\x07\r")
    assert shown.count("\n") == 4


def test_counts() -> None:
    found = [_found("a", "a"), _found("a", "a")]
    assert render_counts(found) == "2 errors"
    assert render_counts([]) == "nothing found"


def test_width_counts_terminal_columns() -> None:
    assert display_width("a日e\u0301\t") == 1 + 2 + 1 + 4


def test_json_names_places_in_the_file() -> None:
    result = load_files(
        [SourceText("r.yaml", "- macro: m\n  condition: >\n    evt.type = open and\n    (a\n")]
    )
    (found,) = result.diagnostics
    entry = diagnostic_json(found)
    assert json.loads(json.dumps(entry)) == entry
    assert (entry["code"], entry["slug"], entry["severity"]) == (
        *("RK101", "syntax-error"),
        "error",
    )
    assert (entry["file"], entry["line"], entry["column"]) == ("r.yaml", 4, 6)
    assert entry["falco"] == "LOAD_ERR_COMPILE_CONDITION"


def test_github_annotations_escape_what_would_end_them() -> None:
    found = Diagnostic(
        *("RK201", "warning", "50% of: a,b\nc", SourceText("a,b:c.yaml", "xy").span(1, 2)),
        "here",
    )
    assert github_annotations([found]) == (
        "::warning file=a%2Cb%3Ac.yaml,line=1,endLine=1,col=2,endColumn=3,title=RK201::"
        "50%25 of: a,b%0Ac: here"
    )


def test_sarif_is_valid_against_its_schema() -> None:
    schema = json.loads(_SCHEMA.read_text("utf-8"))
    text = (
        "- list: shells\n  items: [zsh]\n  append: true\n"
        "- macro: m\n  condition: proc.nmae = x\n"
        "- rule: r\n  desc: d\n  condition: evt.type=open and m\n  output: '%'\n  priority: WARN\n"
        "- rule: s\n  desc: d\n  condition: evt.type=open and m\n  output: '%x'\n  priority: INFO\n"
    )
    result = load_files([SourceText("dir/ü rules.yaml", text)])
    assert len(result.diagnostics) >= 5
    log = sarif(result.diagnostics, "1.2.3")
    assert violations(log, schema, schema) == []
    run = log["runs"][0]
    assert {r["ruleId"] for r in run["results"]} == {r.code for r in result.diagnostics}
    for found in run["results"]:
        assert run["tool"]["driver"]["rules"][found["ruleIndex"]]["id"] == found["ruleId"]
    first = run["results"][0]["locations"][0]["physicalLocation"]
    assert first["artifactLocation"]["uri"] == "dir/%C3%BC%20rules.yaml"
    assert violations(sarif([], "1"), schema, schema) == []


def test_the_schema_test_can_fail() -> None:
    schema = json.loads(_SCHEMA.read_text("utf-8"))
    log = sarif([_found("a", "a")], "1")
    log["runs"][0]["results"][0]["level"] = "fatal"
    del log["runs"][0]["tool"]["driver"]["name"]
    log["runs"][0]["results"][0]["locations"][0]["line"] = 3
    assert len(violations(log, schema, schema)) == 3
