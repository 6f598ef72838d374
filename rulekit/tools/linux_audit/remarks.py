"""What ``check --source linux_audit`` says of rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rulekit.rules.ruleset import Ruleset
from rulekit.text.diagnostic import Diagnostic, Label, Severity
from rulekit.tools.linux_audit.knowable import Judgement, Loss, judge_all

_MOST_LABELS = 4


def remarks(ruleset: Ruleset) -> list[Diagnostic]:
    """Return what rules of system calls lose when their events come from Linux audit."""
    return [each for judgement in judge_all(ruleset) for each in _remarks(judgement)]


def summary(ruleset: Ruleset) -> str:
    """Return how many rules lose what, in one line."""
    found = judge_all(ruleset)
    never = sum(bool(j.never) for j in found)
    less = sum(bool(j.missed) for j in found)
    more = sum(bool(j.unexcluded) for j in found)
    whole = sum(j.is_whole for j in found)
    return (
        f"on Linux audit {whole} of {len(found)} rules keep their meaning, {never} can never match,"
        f" {less} match less, {more} match more"
    )


def _remarks(judgement: Judgement) -> Iterator[Diagnostic]:
    name = judgement.rule.name
    for code, severity, message, losses in _KINDS:
        found: Sequence[Loss] = getattr(judgement, losses)
        if found:
            yield _report(judgement, code, severity, f"rule `{name}` {message}", found)
    if judgement.printed_null:
        fields = ", ".join(f"`{field}`" for field in judgement.printed_null)
        span = judgement.rule.output_spans[0] if judgement.rule.output_spans else None
        yield Diagnostic(
            code="RK804",
            severity="info",
            message=f"the output of rule `{name}` prints <NA> for {fields} on Linux audit",
            span=span or judgement.rule.span,
        )


_KINDS: tuple[tuple[str, Severity, str, str], ...] = (
    ("RK801", "warning", "can never match on Linux audit", "never"),
    ("RK802", "warning", "matches less on Linux audit", "missed"),
    ("RK803", "warning", "matches more on Linux audit: an exclusion never applies", "unexcluded"),
    ("RK805", "info", "needs what Linux audit knows at times only", "depends"),
)


def _report(
    judgement: Judgement, code: str, severity: Severity, message: str, losses: Sequence[Loss]
) -> Diagnostic:
    labels: dict[tuple[str, int], Label] = {}
    for loss in losses:
        place = loss.span.outermost()
        labels.setdefault((place.source.name, place.start), Label(loss.span, loss.why))
    return Diagnostic(
        code=code,
        severity=severity,
        message=message,
        span=judgement.rule.span,
        labels=tuple(labels.values())[:_MOST_LABELS],
    )
