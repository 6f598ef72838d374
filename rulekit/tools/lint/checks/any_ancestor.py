"""RK451: `!=` on a field that stands for every ancestor."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.ast import FieldNode
from rulekit.rules.unparse import unparse_operand
from rulekit.text.diagnostic import Diagnostic
from rulekit.tools.lint.check import Check, LintContext, named_field
from rulekit.tools.lint.facts import places


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        for place in places(context, owner):
            node = place.fact.node
            if node.op != "!=" or not isinstance(node.left, FieldNode):
                continue
            named = named_field(node.left)
            if named is None or named.field.quantifier != "ancestors" or named.index is not None:
                continue
            name = unparse_operand(node.left)
            yield CHECK.report(
                f"`{name} !=` is true as soon as one ancestor differs",
                node.span,
                "which is nearly always",
                f"`not {name} = ...` says that no ancestor is equal",
            )


CHECK = Check(
    code="RK451",
    name="any-ancestor",
    what="`!=` on a field that stands for all ancestors, such as `proc.aname` without index.",
    why="""\
A comparison of such a field is true when it holds for at least one ancestor. `proc.aname != sshd`
therefore says "some ancestor is not sshd", which is true for nearly every process. "No ancestor is
sshd" is written `not proc.aname = sshd`.""",
    bad="""\
- rule: Shell outside of a login
  desc: A shell was started that does not belong to a login.
  condition: evt.type = execve and proc.name = bash and proc.aname != sshd
  output: Shell started (command=%proc.cmdline parent=%proc.pname)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- rule: Shell outside of a login
  desc: A shell was started that does not belong to a login.
  condition: evt.type = execve and proc.name = bash and not proc.aname = sshd
  output: Shell started (command=%proc.cmdline parent=%proc.pname)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
)
