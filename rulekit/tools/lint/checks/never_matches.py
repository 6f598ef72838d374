"""RK420: rules that can never match."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.ast import AndNode, Node
from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.text.source import Span
from rulekit.tools.lint.check import Check, LintContext, Owner
from rulekit.tools.lint.facts import event_list, possible_events
from rulekit.tools.lint.reasons import contradictions
from rulekit.tools.lint.truth import outcome


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        if owner.rule is None or not owner.rule.enabled:
            continue  # a rule that is off may wait for a list to be filled
        if outcome(context, owner.node) is False:
            culprit = _culprit(context, owner)
            labels = [Label(culprit, "this is never true")] if culprit else []
            yield CHECK.report(
                f"rule `{owner.name}` can never match",
                owner.span,
                "its condition is false for every event",
                "disable it with `enabled: false` when that is meant",
                labels=labels,
            )
        elif _without_events(context, owner) and not contradictions(context, owner):
            yield CHECK.report(
                f"rule `{owner.name}` can never match",
                owner.span,
                "no event type fits all parts of its condition",
                labels=_parts(context, owner),
            )


def _without_events(context: LintContext, owner: Owner) -> bool:
    return owner.source == "syscall" and not possible_events(context, owner.node)


def _culprit(context: LintContext, owner: Owner) -> Span | None:
    """Return the smallest part written in the rule that makes all of it false."""
    node: Node = owner.node
    span = node.span
    while isinstance(node, AndNode):
        false = next((c for c in node.children if outcome(context, c) is False), None)
        if false is None:
            break
        node = false
        span = node.span
    return span


def _parts(context: LintContext, owner: Owner) -> list[Label]:
    labels = []
    node = owner.node
    for child in node.children if isinstance(node, AndNode) else ():
        events = possible_events(context, child)
        if 0 < len(events) < 20:
            labels.append(Label(child.span, f"only {event_list(events)}"))
    return labels[:3]


CHECK = Check(
    code="RK420",
    name="never-matches",
    what="A rule whose condition no event can make true.",
    why="""\
Such a rule looks like protection and is none. The reasons that are seen: a part that is false for
every event (`evt.num = 0`, an empty list), or parts that ask for different event types.""",
    bad="""\
- list: watched_programs
  items: []

- rule: Watched program started
  desc: A program was started that somebody wants to know of.
  condition: evt.type = execve and proc.name in (watched_programs)
  output: Program started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- list: watched_programs
  items: [nc, ncat]

- rule: Watched program started
  desc: A program was started that somebody wants to know of.
  condition: evt.type = execve and proc.name in (watched_programs)
  output: Program started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
)
