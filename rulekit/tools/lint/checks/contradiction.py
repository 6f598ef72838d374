"""RK422: comparisons that cannot both be true."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.unparse import unparse
from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.tools.lint.check import Check, LintContext
from rulekit.tools.lint.reasons import contradictions


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        for found in contradictions(context, owner):
            not_ = "not " if found.second.negated else ""
            yield CHECK.report(
                f"`{not_}{_short(unparse(found.second.node))}` contradicts another comparison",
                found.second.node.span,
                "never true together with the other one",
                labels=[Label(found.first.node.span, "this has to be true as well")],
            )


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


CHECK = Check(
    code="RK422",
    name="contradiction",
    what="Two comparisons of one field that are joined by `and` and exclude each other.",
    why="""\
The branch that holds both can never be true. Often `or` was meant, or a value was changed in one
place and not in the other. Fields that stand for several values at once (`fd.ip`, `proc.aname`
without index) can satisfy both and are left out.""",
    bad="""\
- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name = bash and proc.name = zsh
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and (proc.name = bash or proc.name = zsh)
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
)
