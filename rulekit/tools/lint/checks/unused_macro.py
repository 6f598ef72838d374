"""RK411: macros that no rule uses."""

from __future__ import annotations

from collections.abc import Iterator

from rulekit.text.diagnostic import Diagnostic
from rulekit.tools.lint.check import Check, LintContext
from rulekit.tools.lint.usage import Usage


def _run(context: LintContext) -> Iterator[Diagnostic]:
    usage = Usage.of(context)
    unused = set(context.ruleset.unused_macros)
    for name, macro in context.ruleset.macros.items():
        if ("macro", name) in usage.used or name in context.ruleset.lists:
            continue  # what a list hides has a finding of its own
        label = "no condition names it"
        if name not in unused:
            label = f"only {usage.users('macro', name)} names it, which no rule uses"
        yield CHECK.report(
            f"macro `{name}` is not used by any rule",
            macro.span,
            label,
            "remove it, or name it in a rule",
            falco="LOAD_UNUSED_MACRO",
        )


CHECK = Check(
    code="RK411",
    name="dead-macro",
    what="A macro that no rule uses, neither directly nor through other macros.",
    why="""\
Its condition is read and checked but decides nothing. A macro that only an unused macro names
is reported, too; Falco counts such a macro as used.""",
    bad="""\
- macro: login_program
  condition: proc.name in (login, sshd)

- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name = bash
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    good="""\
- macro: login_program
  condition: proc.pname in (login, sshd)

- rule: Shell started
  desc: A shell was started outside of a login.
  condition: evt.type = execve and proc.name = bash and not login_program
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process]
""",
    run=_run,
)
