"""RK424: items that stand twice in a list."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.rules.yaml import Scalar, Sequence
from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.text.source import Span
from rulekit.tools.lint.check import Check, LintContext


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for element in context.elements:
        items = element.node.get("items") if element.kind == "list" else None
        if not isinstance(items, Sequence):
            continue
        seen: dict[str, Scalar] = {}
        for item in items.items:
            if not isinstance(item, Scalar):
                continue
            first = seen.setdefault(item.value, item)
            if first is not item:
                yield CHECK.report(
                    f"`{item.value}` stands twice in list `{element.name}`",
                    Span(element.file, item.start, item.end),
                    "changes nothing",
                    labels=[Label(Span(element.file, first.start, first.end), "the same")],
                )


CHECK = Check(
    code="RK424",
    name="duplicate-item",
    what="An item that stands twice in one list.",
    why="""\
Harmless for matching, but whoever removes one of the two believes that the value is gone.""",
    bad="""\
- list: shells
  items: [bash, zsh, bash]

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name in (shells)
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- list: shells
  items: [bash, zsh, fish]

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name in (shells)
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
    severity="info",
)
