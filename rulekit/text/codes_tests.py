"""Codes RK6: test files. Their examples are test files, not rule files."""

from __future__ import annotations

from rulekit.text.code import Code

_EVENTS = """\
  events:
    - proc: {cmdline: cat /etc/shadow, parent: bash}
    - open: /etc/shadow
"""
_GOOD = f"""\
- case: password hashes are opened
  rules: rules.yaml
{_EVENTS}  fires: Example
"""


def _code(code: str, slug: str, summary: str, old: str, new: str) -> Code:
    """Return a code whose bad example differs from the good one in one place."""
    return Code(code, slug, summary, _GOOD.replace(old, new), _GOOD)


TEST_CODES = (
    _code(
        "RK601",
        "test-file-shape",
        "A test file, or a part of it, has another shape than it should.",
        _EVENTS,
        "",
    ),
    _code(
        "RK602",
        "unknown-test-key",
        "A case or an expectation has a key that nothing reads.",
        "fires:",
        "fire:",
    ),
    _code(
        "RK603",
        "bad-test-value",
        "A value of a case cannot be what it has to be.",
        "fires: Example",
        "expect: [{rule: Example, count: some}]",
    ),
    _code(
        "RK604",
        "missing-test-input",
        "A file that a case names does not exist.",
        "rules.yaml",
        "rule.yaml",
    ),
    _code(
        "RK605",
        "case-checks-nothing",
        "A case says nothing about what must come of it.",
        "  fires: Example\n",
        "",
    ),
    _code(
        "RK606",
        "unknown-name-in-test",
        "A case speaks of a rule, field, macro or list that does not exist.",
        "fires: Example",
        "fires: Exampel",
    ),
    _code(
        "RK607",
        "bad-inline-event",
        "An inline event means nothing, or cannot be made.",
        "- open:",
        "- opne:",
    ),
    _code(
        "RK610",
        "case-failed",
        "A case failed: the alerts are not those that it expects.",
        "fires:",
        "silent:",
    ),
    _code(
        "RK611",
        "case-passed-unexpectedly",
        "A case passed although it is expected to fail.",
        "fires: Example",
        "fires: Example\n  xfail: nobody has mended the rule",
    ),
    _code(
        "RK612",
        "case-not-run",
        "A case could not be run: its events cannot be used.",
        _EVENTS,
        "  capture: rules.yaml\n",
    ),
)
