"""RK450: negations that a missing value makes true."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.unparse import unparse_operand
from rulekit.text.diagnostic import Diagnostic
from rulekit.tools.lint.availability import missing_reason
from rulekit.tools.lint.check import Check, LintContext, named_field
from rulekit.tools.lint.facts import (
    Fact,
    Place,
    current_events,
    event_list,
    facts_about,
    from_exception,
    places,
)
from rulekit.tools.lint.values import fields_of_operand


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        if owner.source != "syscall":
            continue
        for place in places(context, owner):
            asked = place.fact.negated and place.fact.node.op != "exists"
            if not asked or not place.events or len(place.events) > len(current_events()) // 2:
                continue  # a rule for everything has a finding of its own
            if _is_known(context, place) or from_exception(owner, place.fact.node.span):
                continue
            found = _found(place)
            if found is not None:
                yield found


def _is_known(context: LintContext, place: Place) -> bool:
    """Tell whether a comparison beside it already asks for a value of the same field."""
    return any(not fact.negated for fact in facts_about(context, place, _left))


def _left(fact: Fact) -> str:
    return unparse_operand(fact.node.left)


def _found(place: Place) -> Diagnostic | None:
    for field in fields_of_operand(place.fact.node.left):
        named = named_field(field)
        if named is None:
            continue
        without = {e: missing_reason(named, e) for e in sorted(place.events)}
        missing = [event for event, reason in without.items() if reason]
        if missing:
            first = event_list(frozenset(missing[:1]))
            reason = without[missing[0]]
            name = unparse_operand(field)
            return CHECK.report(
                f"this negation is always true for {event_list(frozenset(missing))}",
                place.fact.node.span,
                f"{first} {reason}, so `not` makes it true",
                f"add `{name} exists`, or leave these event types out",
            )
    return None


CHECK = Check(
    code="RK450",
    name="null-negation",
    what="A negated comparison of a field that some of the events have no value for.",
    why="""\
A comparison of a missing value is false, so its negation is true: `not fd.name startswith /proc`
lets every event pass that has no file descriptor. The exclusion then works for some of the event
types only.""",
    bad="""\
- rule: File written or removed
  desc: A file was changed outside of /tmp.
  condition: evt.type in (openat, unlink) and proc.name = vi and not fd.name startswith /tmp
  output: File changed (file=%fd.name command=%proc.cmdline)
  priority: NOTICE
  tags: [filesystem]
""",
    good="""\
- rule: File written or removed
  desc: A file was changed outside of /tmp.
  condition: evt.type in (openat, unlink) and proc.name = vi and not fs.path.name startswith /tmp
  output: File changed (file=%fs.path.name command=%proc.cmdline)
  priority: NOTICE
  tags: [filesystem]
""",
    run=_run,
)
