"""RK430: rules that look at too many event types."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.ast import Node, OrNode
from rulekit.rules.event_types import MANY_EVENTS, EventTypeError, event_types_of
from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.tools.lint.check import Check, LintContext


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for owner in context.owners:
        rule = owner.rule
        if rule is None or rule.source != "syscall" or not rule.warn_evttypes:
            continue
        if not rule.event_types.many:
            continue
        part = _unrestricted(owner.node)
        labels = [] if part is owner.node else [Label(part.span, "this branch takes any event")]
        yield CHECK.report(
            f"rule `{rule.name}` looks at {len(rule.event_types.codes)} event types",
            rule.span,
            "its condition does not narrow down `evt.type`",
            "add `evt.type in (...)`, or `warn_evttypes: false` when it is meant",
            labels=labels,
            falco="LOAD_NO_EVTTYPE",
        )


def _unrestricted(node: Node) -> Node:
    """Return the branch of an ``or`` that is to blame, or the whole condition."""
    while isinstance(node, OrNode):
        wide = next((child for child in node.children if _many(child)), None)
        if wide is None:
            break
        node = wide
    return node


def _many(node: Node) -> bool:
    try:
        return len(event_types_of(node).codes) > MANY_EVENTS
    except EventTypeError:
        return False


CHECK = Check(
    code="RK430",
    name="no-event-type",
    what="A rule about system calls that does not say which events it is about.",
    why=f"""\
A rule for more than {MANY_EVENTS} event types is evaluated for nearly every event, which costs time
for all rules, and mostly it matches where nobody meant it to: once for every event of a program
instead of once when it starts. Often one branch of an `or` is to blame.""",
    bad="""\
- rule: Shell in use
  desc: Something happened in a shell.
  condition: (evt.type = execve and proc.name = bash) or proc.name = zsh
  output: Shell in use (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- rule: Shell in use
  desc: A shell was started.
  condition: evt.type = execve and (proc.name = bash or proc.name = zsh)
  output: Shell in use (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
)
