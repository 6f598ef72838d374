"""RK440: fields and operators that Falco has given up."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.ast import ComparisonNode, FieldNode, LiteralNode
from rulekit.rules.bound import BoundField
from rulekit.rules.names import DEPRECATED_FIELDS
from rulekit.schema.events import event_types
from rulekit.schema.fields import Field
from rulekit.text.diagnostic import Diagnostic, Fix
from rulekit.tools.lint.check import Check, LintContext, named_field
from rulekit.tools.lint.edit import remove_operand
from rulekit.tools.lint.facts import Place, places
from rulekit.tools.lint.values import fields_of_operand


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        for place in places(context, owner):
            for field in fields_of_operand(place.fact.node.left):
                named = named_field(field)
                if named is not None and named.field.deprecated:
                    yield CHECK.report(
                        f"field `{field.name}` is outdated",
                        field.span,
                        _why(named.field),
                        labels=(),
                        fix=_fix(place),
                        falco=_falco(field.name),
                    )
        if owner.rule is not None:
            for _, bound in owner.rule.template.fields:
                yield from _in_output(bound)


def _in_output(bound: BoundField) -> Iterator[Diagnostic]:
    if bound.field.deprecated:
        yield CHECK.report(
            f"field `{bound.field.name}` in the output is outdated",
            bound.span,
            _why(bound.field),
            falco=_falco(bound.field.name),
        )


def _why(field: Field) -> str:
    if field.name == "evt.dir":
        return "always `<` for system calls, since enter events are gone"
    if "latency" in field.name:
        return "always 0, since enter events are gone"
    return "newer versions of Falco do without it"


def _falco(name: str) -> str | None:
    return "LOAD_DEPRECATED_ITEM" if name in DEPRECATED_FIELDS else None


def _fix(place: Place) -> Fix | None:
    """Return a fix for ``evt.dir = <``, which is true for every system call.

    Other events (``switch``, ``procexit``) still have the direction ``>``.
    """
    node = place.fact.node
    calls = all(event_types()[event].is_exit for event in place.events)
    if place.fact.negated or not calls or not _is_exit_only(node):
        return None
    return remove_operand(node.span, "and", "remove the comparison, it is always true")


def _is_exit_only(node: ComparisonNode) -> bool:
    return (
        isinstance(node.left, FieldNode)
        and node.left.name == "evt.dir"
        and node.op in ("=", "==")
        and isinstance(node.right, LiteralNode)
        and node.right.text == "<"
    )


CHECK = Check(
    code="RK440",
    name="deprecated-field",
    what="A field that Falco has given up, in a condition or an output.",
    why="""\
Since release 0.42 events come when a system call ends and no longer when it begins. `evt.dir = <`
is therefore true for every system call, `evt.dir = >` for none, and what measured the time between
the two is 0. A later release may refuse these fields.""",
    bad="""\
- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and evt.dir = < and proc.name = bash
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
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
    fix="Removes `evt.dir = <` where it is an operand of `and` and all events are system calls.",
)
