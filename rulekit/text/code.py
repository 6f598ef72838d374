"""What a code of a diagnostic is, and the short rule that most examples need."""

from __future__ import annotations

from dataclasses import dataclass

RULE = """\
- rule: Example
  desc: An example.
  condition: {condition}
  output: {output}
  priority: WARNING
"""


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of problem.

    Attributes:
        slug: A readable name, as stable as the code.
        summary: One sentence.
        bad: A rule file that has the problem; None when the text of a file cannot show it.
        good: The same file mended.
    """

    code: str
    slug: str
    summary: str
    bad: str | None = None
    good: str | None = None


def rule(condition: str = "evt.type = open", output: str = "x", more: str = "") -> str:
    """Return a rule file of one rule; `more` holds further lines of it."""
    return RULE.format(condition=condition, output=output) + more


def condition_code(code: str, slug: str, summary: str, bad: str, good: str) -> Code:
    """Return a code whose examples differ in the condition only."""
    return Code(code, slug, summary, rule(bad), rule(good))


def output_code(code: str, slug: str, summary: str, bad: str, good: str) -> Code:
    """Return a code whose examples differ in the output only."""
    return Code(code, slug, summary, rule(output=bad), rule(output=good))
