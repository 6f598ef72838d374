"""RK480: outputs that say nothing of what the condition is about."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.ast import ComparisonNode
from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.tools.lint.check import Check, LintContext, Owner
from rulekit.tools.lint.facts import Fact, held_facts, places
from rulekit.tools.lint.truth import outcome
from rulekit.tools.lint.values import fields_of_operand, values_of

# What a condition can be about: beginnings of field names → in words, and what to print.
_SUBJECTS = {
    "fd.": ("a file or connection", "%fd.name"),
    "fs.path.": ("a path", "%fs.path.name"),
    "evt.arg": ("a parameter of the event", "%evt.args"),
    "proc.": ("the process", "%proc.cmdline"),
    "user.": ("the user", "%user.name"),
    "ka.target.": ("the target of the request", "%ka.target.name"),
    "ka.user.": ("the user", "%ka.user.name"),
}
# Other fields that tell the same.
_ALSO = {
    "fd.": ("fs.path.", "evt.arg", "evt.abspath", "fdlist."),
    "fs.path.": ("fd.", "evt.arg", "evt.abspath"),
    "evt.arg": ("fd.", "fs.path.", "proc.", "evt.rawarg", "evt.info", "evt.abspath"),
    "proc.": ("thread.",),
    "user.": ("proc.loginuid",),
    "ka.target.": ("ka.req.", "ka.uri", "ka.resp."),
    "ka.user.": (),
}


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        if owner.rule is None or outcome(context, owner.node) is False:
            continue
        printed = [bound.field.name for _, bound in owner.rule.template.fields]
        told: set[str] = set()
        for fact in _subjects(context, owner):
            for field in fields_of_operand(fact.node.left):
                subject = next((s for s in _SUBJECTS if field.name.startswith(s)), None)
                if subject is None or subject in told:
                    continue
                if any(name.startswith((subject, *_ALSO[subject])) for name in printed):
                    continue
                told.add(subject)
                what, example = _SUBJECTS[subject]
                yield CHECK.report(
                    f"the output of rule `{owner.rule.name}` says nothing of {what}",
                    owner.rule.output_spans[0],
                    f"`{field.name}` decides whether the rule matches",
                    f"add `{example}`",
                    labels=[Label(fact.node.span, "here")],
                )


def _subjects(context: LintContext, owner: Owner) -> Iterator[Fact]:
    """Yield comparisons that must hold and leave open what the value is."""
    facts = list(held_facts(owner.node))
    facts += [place.fact for place in places(context, owner)]
    for fact in facts:
        if not fact.negated and not _is_settled(fact.node):
            yield fact


def _is_settled(node: ComparisonNode) -> bool:
    """Tell whether a comparison leaves one value, which nobody needs to print."""
    values = values_of(node)
    return values is not None and node.op != "!=" and len(values) == 1


CHECK = Check(
    code="RK480",
    name="output-lacks-subject",
    what="An output without any field about what the condition compares.",
    why="""\
Whoever reads the alert has to know which file, connection, process or user it is about. A rule
about files that prints only the command leaves them to search for it.""",
    bad="""\
- rule: File below /etc opened
  desc: A file with configuration was opened for writing.
  condition: evt.type = openat and evt.is_open_write = true and fd.name startswith /etc
  output: File opened (command=%proc.cmdline)
  priority: NOTICE
  tags: [filesystem]
""",
    good="""\
- rule: File below /etc opened
  desc: A file with configuration was opened for writing.
  condition: evt.type = openat and evt.is_open_write = true and fd.name startswith /etc
  output: File opened (file=%fd.name command=%proc.cmdline)
  priority: NOTICE
  tags: [filesystem]
""",
    run=_run,
    severity="info",
)
