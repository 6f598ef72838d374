"""RK470: ATT&CK techniques that do not belong to the tactic beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rulekit.rules.yaml import Scalar, Sequence
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import Span
from rulekit.tools.lint.attack import TACTIC_NAMES, TACTICS, tactics_of
from rulekit.tools.lint.check import Check, LintContext

_technique = re.compile(r"[Tt](\d{4})(?:\.\d{3})?").fullmatch


def _run(context: LintContext) -> Iterator[Diagnostic]:
    for element in context.elements:
        tags = element.node.get("tags") if element.kind == "rule" else None
        if not isinstance(tags, Sequence):
            continue
        scalars = [tag for tag in tags.items if isinstance(tag, Scalar)]
        tactics = {t for t in (_tactic(tag.value) for tag in scalars) if t is not None}
        if not tactics:
            continue
        for tag in scalars:
            found = _technique(tag.value)
            if found is None:
                continue
            known = tactics_of(f"T{found[1]}")
            if known and not known & tactics:
                named = " or ".join(f"`mitre_{tactic}`" for tactic in sorted(known))
                yield CHECK.report(
                    f"technique `{tag.value}` does not belong to the tactics of this rule",
                    Span(element.file, tag.start, tag.end),
                    f"belongs to {named}",
                    "change the technique, or add the tactic that is meant",
                )


def _tactic(tag: str) -> str | None:
    """Return the tactic that a tag names: ``mitre_execution`` or ``TA0002``."""
    if tag.upper() in TACTICS:
        return TACTICS[tag.upper()]
    name = tag.lower().removeprefix("mitre_").replace("-", "_")
    return name if tag.lower().startswith("mitre_") and name in TACTIC_NAMES else None


CHECK = Check(
    code="RK470",
    name="tactic-mismatch",
    what="A MITRE ATT&CK technique among the tags that belongs to none of the tactics among them.",
    why="""\
Alerts are grouped and counted by these tags. A technique under the wrong tactic hides a gap in one
column of the matrix and invents coverage in another. Known are the techniques of the enterprise
matrix, versions 13 to 19; others are not judged.""",
    bad="""\
- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name = bash
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process, mitre_exfiltration, T1059]
""",
    good="""\
- rule: Shell started
  desc: A shell was started.
  condition: evt.type = execve and proc.name = bash
  output: Shell started (command=%proc.cmdline)
  priority: NOTICE
  tags: [process, mitre_execution, T1059]
""",
    run=_run,
)
