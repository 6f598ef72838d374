"""What loaded rules say about themselves."""

from __future__ import annotations

import dataclasses

import pytest

from rulekit.rules.definitions import Priority
from rulekit.rules.loader import load_files
from rulekit.rules.ruleset import Rule, Ruleset
from rulekit.text.source import SourceText

_TEXT = """\
- required_engine_version: 0.31.0
- list: shells
  items: [sh, bash]
- list: spare
  items: [x, shells]
- macro: by_shell
  condition: proc.pname in (shells)
- macro: spare_macro
  condition: proc.name = x
- rule: Example
  desc: An example.
  condition: evt.type in (open, openat) and by_shell and proc.name in (shells)
  output: "opened %fd.name %toupper(proc.name) %join(',', (proc.name, proc.pname))"
  priority: info
  tags: [b, a, b]
  exceptions:
    - name: one
      fields: proc.name
      values: [cat, "a b"]
    - name: two
      fields: [proc.name, fd.name]
      comps: [=, in]
      values: [[cat, [/a, /b]]]
    - name: none
      fields: [proc.exe]
"""


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    return load_files([SourceText("t.yaml", _TEXT)]).require()


@pytest.fixture(scope="module")
def rule(ruleset: Ruleset) -> Rule:
    return ruleset.rule("Example")


def test_a_rule_holds_what_was_written_and_what_was_made_of_it(rule: Rule) -> None:
    assert rule.condition.startswith("evt.type in (open, openat) and by_shell")
    assert rule.priority is Priority.INFORMATIONAL
    assert rule.tags == ("a", "b")
    assert rule.events == ("asyncevent", "open", "openat")
    assert (rule.macros, rule.lists) == (("by_shell",), ("shells",))
    assert rule.output_fields == (
        *("fd.name", "join(,,(proc.name,proc.pname))", "proc.name", "proc.name", "proc.pname"),
        "toupper(proc.name)",
    )
    assert rule.exception_fields == ("fd.name", "proc.name")
    assert rule.span.outermost().text == "Example"


def test_exceptions_keep_their_shape(rule: Rule) -> None:
    one, two, none = rule.exceptions
    assert (one.fields, one.comps, one.values) == ("proc.name", "in", ("cat", "a b"))
    assert (two.comps, two.values) == (("=", "in"), (("cat", ("/a", "/b")),))
    assert (none.fields, none.comps, none.values) == (("proc.exe",), ("=",), ())


def test_a_ruleset_knows_its_parts(ruleset: Ruleset) -> None:
    assert ruleset.required_engine_version == "0.31.0"
    assert ruleset.lists["spare"].items == ("x", "sh", "bash")
    assert ruleset.lists["spare"].written == ("x", "shells")
    assert (ruleset.unused_macros, ruleset.unused_lists) == (("spare_macro",), ("spare",))
    assert ruleset.macros["by_shell"].condition == "proc.pname in (shells)"
    assert len(ruleset) == 1
    with pytest.raises(KeyError):
        ruleset.rule("other")


def test_rules_cannot_be_changed(rule: Rule) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.enabled = False  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("EMERGENCY", Priority.EMERGENCY),
        ("Alert", Priority.ALERT),
        ("iNfO", Priority.INFORMATIONAL),
        ("Informational", Priority.INFORMATIONAL),
        ("debug", Priority.DEBUG),
        ("WARN", None),
        ("4", None),
        ("", None),
        ("İNFO", None),
    ],
)
def test_priorities(text: str, priority: Priority | None) -> None:
    assert Priority.parse(text) is priority
