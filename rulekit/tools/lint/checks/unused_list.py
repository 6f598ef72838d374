"""RK410: lists that no rule uses."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.text.diagnostic import Diagnostic
from rulekit.tools.lint.check import Check, LintContext
from rulekit.tools.lint.usage import Usage


def _run(context: LintContext) -> Iterator[Diagnostic]:
    usage = Usage.of(context)
    unused = set(context.ruleset.unused_lists)
    for name, entry in context.ruleset.lists.items():
        if ("list", name) in usage.used:
            continue
        label = "no condition and no other list names it"
        if name not in unused:
            label = f"only {usage.users('list', name)} names it, which no rule uses"
        yield CHECK.report(
            f"list `{name}` is not used by any rule",
            entry.span,
            label,
            "remove it, or name it in a rule",
            falco="LOAD_UNUSED_LIST",
        )


CHECK = Check(
    code="RK410",
    name="dead-list",
    what="A list that no rule uses, neither directly nor through macros and other lists.",
    why="""\
Somebody who edits the list expects alerts to change, and nothing happens. Often the name is
misspelt where the list was meant to be used: an unknown name in a condition is no error but a
plain value.""",
    bad="""\
- list: shells
  items: [bash, zsh]

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name in (bash)
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- list: shells
  items: [bash, zsh]

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name in (shells)
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
)
