"""RK421: rules that match every event, and branches that are always true."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.text.diagnostic import Diagnostic
from rulekit.tools.lint.check import Check, LintContext
from rulekit.tools.lint.reasons import same_outcome_pairs
from rulekit.tools.lint.truth import outcome


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        if owner.rule is None:
            continue
        if outcome(context, owner.node) is True:
            yield CHECK.report(
                f"rule `{owner.name}` matches every event",
                owner.span,
                "its condition is true whatever happens",
                "say in the condition what the rule is about",
            )
            continue
        for first, second in same_outcome_pairs(owner):
            yield CHECK.report(
                "this `or` is always true",
                second.span,
                f"one of this and `{first.span.text}` always holds",
            )


CHECK = Check(
    code="RK421",
    name="always-matches",
    what="A condition that is true for every event, or an `or` of a comparison and its negation.",
    why="""\
A rule that matches everything floods whoever reads its alerts, and costs a full evaluation for
every event. An `or` that is always true makes the rest of the condition pointless.""",
    bad="""\
- rule: Program started
  desc: A program was started.
  condition: evt.type = execve and (proc.name = bash or not proc.name = bash)
  output: Program started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- rule: Program started
  desc: A program was started.
  condition: evt.type = execve and (proc.name = bash or not proc.pname = bash)
  output: Program started (command=%proc.cmdline parent=%proc.pname)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
)
