"""The resolved view: it means what the rule means, and names the places it was written at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rulekit.rules.loader import LoadResult, load_files
from rulekit.rules.parser import parse_condition
from rulekit.rules.ruleset import Rule
from rulekit.rules.unparse import to_sexpr
from rulekit.text.source import SourceText
from rulekit.tools.lint.check import LintContext
from rulekit.tools.show import describe, render_rule, resolved

BASE = """\
- list: shells
  items: [bash, zsh]

- list: programs
  items: [shells, "my prog"]

- macro: opened
  condition: evt.type = open or evt.type = openat

- macro: quiet
  condition: not opened

- rule: r
  desc: d
  condition: not quiet and not (not proc.name in (programs, sh))
  output: o %proc.name
  priority: INFO
  exceptions:
    - name: none yet
      fields: [proc.name]
    - name: tmp
      fields: [proc.name, fd.name]
      values: [[a, /tmp/x]]
    - name: more
      fields: proc.pname
      values: [cron, shells]
"""
LOCAL = """\
- rule: r
  condition: and fd.num > 3
  output: "%fd.name"
  override:
    condition: append
    output: append
"""


@pytest.fixture
def result() -> LoadResult:
    return load_files([SourceText("base.yaml", BASE), SourceText("local.yaml", LOCAL)])


def text_of(rule: Rule, result: LoadResult) -> str:
    assert result.ruleset is not None
    return " ".join(part.text for part in resolved(rule, result.ruleset))


def assert_same(result: LoadResult) -> int:
    assert result.ruleset is not None
    for rule in result.ruleset:
        node = parse_condition(SourceText("resolved", text_of(rule, result)), max_depth=10_000)
        assert to_sexpr(node) == to_sexpr(rule.node), rule.name
    return len(result.ruleset)


def test_the_resolved_text_reads_as_the_rule(result: LoadResult) -> None:
    assert assert_same(result) == 1


def test_upstream_rules_resolve_to_what_they_mean(shared: Path) -> None:
    folder = shared / "rules" / "upstream"
    names = ("falco", "falco-incubating", "falco-sandbox", "falco-deprecated")
    assert assert_same(load_files([folder / f"{name}_rules.yaml" for name in names])) > 80
    assert assert_same(load_files([folder / "k8saudit/k8s_audit_rules.yaml"])) > 30


def test_recorded_rule_sets_are_described_in_the_words_of_the_corpus(shared: Path) -> None:
    folder = shared / "reference" / "conformance"
    cases = json.loads((folder / "expected.json").read_text("utf-8"))
    compared = 0
    for name, case in cases.items():
        result = load_files([folder / "rulesets" / file for file in case["files"]])
        found = describe(result)
        for key in ("ok", "results", "lists", "unused", "fatal"):
            if key in case:
                assert found.get(key) == case[key], (name, key)
        if "rules" not in case:
            continue
        for got, wanted in zip(found["rules"], case["rules"], strict=True):
            assert {key: got.get(key) for key in wanted} == wanted, name
            compared += 1
        if result.ruleset is not None:
            assert_same(result)
    assert compared > 150


def test_every_part_knows_its_place_and_its_way(result: LoadResult) -> None:
    described = describe(result, provenance=True)
    (rule,) = described["rules"]
    places = [(p["file"], p["line"], p["column"]) for p in rule["provenance"]["elements"]]
    assert places == [("base.yaml", 13, 9), ("local.yaml", 1, 9)]
    parts = {p["text"].removeprefix("and "): p for p in rule["provenance"]["condition"]}

    def part(text: str) -> tuple[list[str], list[str], str, int]:
        found = parts[text]
        return found["via"], found.get("lists", []), found["file"], found["line"]

    way = ["macro quiet", "macro opened"]
    assert part("evt.type = open") == (way, [], "base.yaml", 8)
    values = 'not proc.name in (bash, zsh, "my prog", sh)'
    assert part(values) == ([], ["programs"], "base.yaml", 15)
    assert part("fd.num > 3") == ([], [], "local.yaml", 2)
    assert part("fd.name = /tmp/x") == (["exception tmp"], [], "base.yaml", 22)
    way = ["exception more"]
    assert part("not proc.pname in (cron, bash, zsh)") == (way, ["shells"], "base.yaml", 25)


def test_text_for_people(result: LoadResult) -> None:
    assert result.ruleset is not None
    (rule,) = result.ruleset
    context = LintContext(result.ruleset)
    final = render_rule(rule, context, provenance=True)
    assert "  # macro quiet, macro opened, base.yaml:8:14\n" in final
    assert "changed at local.yaml:1:9" in final
    written = render_rule(rule, context, final=False)
    assert "evt.type" not in written
    assert "#" not in written
    assert "except tmp" in written


def test_a_rule_file_that_does_not_load_is_described_too() -> None:
    found = describe(load_files([SourceText("x.yaml", "- rule: r\n")]))
    assert found["ok"] is False
    assert found["results"][0]["errors"]
    assert "rules" not in found
