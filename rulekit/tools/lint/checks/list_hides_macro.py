"""RK413: lists that have the name of a macro."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.tools.lint.check import Check, LintContext


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for name, macro in context.ruleset.macros.items():
        entry = context.ruleset.lists.get(name)
        if entry is not None:
            yield CHECK.report(
                f"list `{name}` hides the macro of the same name",
                entry.span,
                "its items take the place of the name, also where the macro is meant",
                "give one of the two another name",
                labels=[Label(macro.span, "this macro cannot be used")],
            )


CHECK = Check(
    code="RK413",
    name="list-hides-macro",
    what="A list with the name of a macro.",
    why="""\
Lists are put into conditions as text before anything is read, so the name never gets to mean the
macro. Where it stands alone, the items of the list are then read as names of macros.""",
    bad="""\
- list: shell
  items: [shell_started]

- macro: shell_started
  condition: proc.name in (bash, zsh)

- macro: shell
  condition: proc.name = fish

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and shell
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- list: shells
  items: [bash, zsh]

- macro: shell
  condition: proc.name in (shells)

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and shell
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
)
