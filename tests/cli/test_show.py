"""``rulekit show``: one rule or all, text or data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RULES = """\
- macro: m
  condition: evt.type = open

- rule: First rule
  desc: d
  condition: m and fd.num > 3
  output: o %fd.name
  priority: INFO

- rule: Second rule
  desc: d
  condition: m
  output: o
  priority: INFO
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


def test_rules_are_shown_as_written_or_resolved(cli, rules: Path) -> None:
    written = cli("show", rules).stdout
    assert "    m\n    and fd.num > 3\n" in written
    assert written.count("rule: ") == 2
    final = cli("show", rules, "First rule", "--resolved", "--provenance").stdout
    assert f"    evt.type = open  # macro m, {rules}:2:14\n" in final
    assert final.count("rule: ") == 1


def test_the_whole_ruleset_as_data(cli, rules: Path) -> None:
    found = json.loads(cli("show", rules, "--format", "json").stdout)
    assert [rule["name"] for rule in found["rules"]] == ["First rule", "Second rule"]
    assert {"ast", "events", "output", "output_fields"} <= set(found["rules"][0])
    assert found["unused"] == {"macros": [], "lists": []}
    only = json.loads(cli("show", rules, "Second rule", "--format", "json").stdout)
    assert [rule["name"] for rule in only["rules"]] == ["Second rule"]


def test_an_unknown_name_is_named(cli, rules: Path) -> None:
    done = cli("show", rules, "First rul")
    assert done.returncode == 2
    assert "did you mean `First rule`?" in done.stderr


def test_rules_that_do_not_load_are_explained(cli, rules: Path) -> None:
    rules.write_text(RULES.replace("fd.num", "fd.nmu"))
    done = cli("show", rules)
    assert (done.returncode, done.stdout) == (1, "")
    assert "fd.nmu" in done.stderr
    done = cli("show", rules, "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["ok"] is False
