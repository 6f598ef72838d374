"""RK431: comparisons that can never be true for their event types."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.ast import ComparisonNode, FieldNode, LiteralNode, TransformNode
from rulekit.schema.events import event_types
from rulekit.text.diagnostic import Diagnostic
from rulekit.tools.lint.availability import events_of_open_flag, missing_reason
from rulekit.tools.lint.check import Check, LintContext, named_field
from rulekit.tools.lint.facts import Place, event_list, places
from rulekit.tools.lint.values import fields_of_operand

# More events than these are not worth naming.
_FEW = 30


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        if owner.source != "syscall":
            continue
        for place in places(context, owner):
            if place.fact.negated or not place.events:
                continue
            for field in _fields(place.fact.node):
                found = _missing(field, place) or _never_open(field, place) or _enter(field, place)
                if found is not None:
                    yield found
                    break


def _fields(node: ComparisonNode) -> Iterator[FieldNode]:
    yield from fields_of_operand(node.left)
    if isinstance(node.right, (FieldNode, TransformNode)):
        yield from fields_of_operand(node.right)


def _missing(field: FieldNode, place: Place) -> Diagnostic | None:
    named = named_field(field)
    if named is None:
        return None
    reason = ""
    for event in sorted(place.events):
        why = missing_reason(named, event)
        if why is None:
            return None
        reason = reason or why
    first = event_list(frozenset([min(place.events)]))
    few = len(place.events) <= _FEW
    return CHECK.report(
        f"this comparison is never true for {event_list(place.events) if few else 'any event'}",
        place.fact.node.span,
        f"no value: {first} {reason}" if few else "no event has a value for it",
        "remove it, or ask for the event types that it is about",
    )


def _never_open(field: FieldNode, place: Place) -> Diagnostic | None:
    known = events_of_open_flag(field.name)
    right = place.fact.node.right
    wants_true = place.fact.node.op in ("=", "==") and isinstance(right, LiteralNode)
    if known is None or not wants_true or right.text != "true":  # type: ignore[union-attr]
        return None
    if any(event_types()[event].name in known for event in place.events):
        return None
    return CHECK.report(
        f"`{field.name}` is never true for {event_list(place.events)}",
        place.fact.node.span,
        "only calls that open files make it true",
        f"it is about {', '.join(f'`{name}`' for name in sorted(known))}",
    )


def _enter(field: FieldNode, place: Place) -> Diagnostic | None:
    right = place.fact.node.right
    wants_enter = place.fact.node.op in ("=", "==") and isinstance(right, LiteralNode)
    if field.name != "evt.dir" or not wants_enter or right.text != ">":  # type: ignore[union-attr]
        return None
    if not all(event_types()[event].is_exit for event in place.events):
        return None
    return CHECK.report(
        f"`evt.dir` is never `>` for {event_list(place.events)}",
        place.fact.node.span,
        "system calls come once, when they end",
    )


CHECK = Check(
    code="RK431",
    name="impossible-comparison",
    what="A comparison of a field that has no value for any event the branch is about.",
    why="""\
A field without value makes every comparison false, `!=` included, so the whole branch can never
match. Parameters belong to certain events (`evt.arg.flags` is there for `openat` and not for
`unlink`), and `fd.*` needs an event that creates, uses or closes a file descriptor.""",
    bad="""\
- rule: File removed below /etc
  desc: A file with configuration was removed.
  condition: evt.type in (unlink, rmdir) and fd.name startswith /etc
  output: File removed (file=%fd.name command=%proc.cmdline)
  priority: NOTICE
  tags: [filesystem]
""",
    good="""\
- rule: File removed below /etc
  desc: A file with configuration was removed.
  condition: evt.type in (unlink, rmdir) and fs.path.name startswith /etc
  output: File removed (file=%fs.path.name command=%proc.cmdline)
  priority: NOTICE
  tags: [filesystem]
""",
    run=_run,
)
