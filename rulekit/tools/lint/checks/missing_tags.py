"""RK471: rules without tags."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.text.diagnostic import Diagnostic
from rulekit.tools.lint.check import Check, LintContext


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for rule in context.ruleset.rules:
        if not rule.tags:
            yield CHECK.report(
                f"rule `{rule.name}` has no tags",
                rule.span,
                "cannot be selected by tag",
                "say what it is about: `tags: [process, mitre_execution, T1059]`",
            )


CHECK = Check(
    code="RK471",
    name="missing-tags",
    what="A rule without tags.",
    why="""\
Tags are how rules are switched on and off in groups and how alerts are sorted. A rule without any
is left out of both.""",
    bad="""\
- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name = bash
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
""",
    good="""\
- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name = bash
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
    severity="info",
)
