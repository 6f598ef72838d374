"""RK412: definitions that a later one in the same file replaces."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.tools.lint.check import Check, Element, LintContext


def _run(context: LintContext) -> Iterator[Diagnostic]:
    last: dict[tuple[str, str, str], Element] = {}
    for element in context.elements:
        if element.changes:
            continue
        key = (element.file.name, element.kind, element.name)
        earlier = last.get(key)
        if earlier is not None:
            yield CHECK.report(
                f"{element.kind} `{element.name}` is defined again below",
                earlier.name_span,
                "this definition has no effect",
                "remove one of the two, or use `override` to change the first",
                labels=[Label(element.name_span, "this one counts")],
            )
        last[key] = element


CHECK = Check(
    code="RK412",
    name="shadowed-definition",
    what="A list, macro or rule that a later definition in the same file replaces.",
    why="""\
The last definition of a name wins, everywhere and also for conditions that stand above it. What
the first one says is lost without a word. Redefining a name in another file is the usual way to
adapt somebody else's rules and is not reported.""",
    bad="""\
- list: shells
  items: [bash, zsh]

- list: shells
  items: [fish]

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name in (shells)
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- list: shells
  items: [bash, zsh]

- list: shells
  items: [fish]
  override:
    items: append

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name in (shells)
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
)
