"""Alerts of a pass held against what a case expects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rulekit.alert import Alert
from rulekit.testing.case import Case, Expectation
from rulekit.testing.passes import Pass, unknown_names
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import Span

_SHOWN = 3

Outcome = Literal["passed", "failed", "error", "xfailed", "xpassed"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that is not as a case says.

    Attributes:
        span: The line of the test file that is not met.
        message: One line.
        detail: Further lines: alerts that came instead, the nearest miss.
        missing: The rule that did not alert although it should have, or None.
        diagnostic: For a test file or rules that cannot be used.
    """

    span: Span
    message: str
    detail: tuple[str, ...] = ()
    missing: str | None = None
    diagnostic: Diagnostic | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of one case; without failures it passed.

    Attributes:
        error: The case could not be run: rules, events or the case itself cannot be used.
        duration_s: Wall-clock time; a shared pass counts for the first of its cases.
        n_alerts: Alerts of the whole pass.
    """

    case: Case
    failures: tuple[Failure, ...] = ()
    error: bool = False
    duration_s: float = 0.0
    n_alerts: int = 0

    @property
    def outcome(self) -> Outcome:
        """What became of the case, an expected failure taken into account."""
        if self.error:
            return "error"
        if self.case.xfail is not None:
            return "xfailed" if self.failures else "xpassed"
        return "failed" if self.failures else "passed"

    @property
    def good(self) -> bool:
        """Whether nothing has to be done about it; a failure that did not come has to."""
        return self.outcome in ("passed", "xfailed")


def judge(case: Case, found: Pass) -> Result:
    """Hold the alerts of a pass against a case."""
    if found.ruleset is None:
        failures = [Failure(d.span, d.message, diagnostic=d) for d in found.diagnostics]
        return Result(case, tuple(failures), error=True)
    wrong = unknown_names(case, found.ruleset)
    if wrong:
        failures = [Failure(d.span, d.message, diagnostic=d) for d in wrong]
        return Result(case, tuple(failures), error=True)
    if found.error is not None:
        return Result(case, (Failure(case.span, found.error),), error=True)
    failures = []
    for expectation in case.expect:
        failures += _unmet(expectation, found)
    by_rule = Counter(alert.rule for alert in found.alerts)
    for named in case.silent:
        if by_rule[named.name]:
            alerts = [alert for alert in found.alerts if alert.rule == named.name]
            message = f"`{named.name}` must stay silent, {_gave(len(alerts))}"
            failures.append(Failure(named.span, message, _examples(alerts, found)))
    if case.only:
        expected = {expectation.rule for expectation in case.expect}
        for rule in sorted(set(by_rule) - expected - {named.name for named in case.silent}):
            alerts = [alert for alert in found.alerts if alert.rule == rule]
            message = f"`{rule}` is not expected, {_gave(len(alerts))}"
            failures.append(Failure(case.span, message, _examples(alerts, found)))
    return Result(case, tuple(failures), n_alerts=len(found.alerts))


def _gave(n: int) -> str:
    return f"gave {n} alert{'' if n == 1 else 's'}"


def _unmet(expectation: Expectation, found: Pass) -> list[Failure]:
    fitting = [alert for alert in found.alerts if expectation.fits(alert)]
    n = len(fitting)
    least, most = expectation.least, expectation.most
    if n < least or (most is not None and n > most):
        detail = expectation.priority or expectation.fields or expectation.output
        wanted = f"at least {least}" if most is None else f"{least}" if least == most else ""
        wanted = wanted or f"{least} to {most}"
        text = f"`{expectation.rule}` {_gave(n)}{' that fit' if detail else ''}, {wanted} expected"
        others = [a for a in found.alerts if a.rule == expectation.rule and not expectation.fits(a)]
        shown = others if n < least else fitting
        names = [name for name, _ in expectation.fields]
        missing = expectation.rule if n < least and not others else None
        return [Failure(expectation.span, text, _examples(shown, found, names), missing)]
    if expectation.at:
        places = sorted({found.position(alert) for alert in fitting})
        if places != sorted(set(expectation.at)):
            have = ", ".join(map(str, places)) or "nowhere"
            want = ", ".join(map(str, sorted(set(expectation.at))))
            text = f"`{expectation.rule}` alerts at {have}, expected at {want}"
            lacks = bool(set(expectation.at) - set(places))
            return [
                Failure(
                    expectation.span,
                    text,
                    _examples(fitting, found),
                    expectation.rule if lacks else None,
                )
            ]
    return []


def _examples(alerts: Sequence[Alert], found: Pass, fields: Sequence[str] = ()) -> tuple[str, ...]:
    lines = []
    for alert in alerts[:_SHOWN]:
        lines.append(f"event {found.position(alert)}: {alert.priority} {alert.message}")
        lines += [f"    {name} = {alert.output_fields.get(name)!r}" for name in fields]
    if len(alerts) > _SHOWN:
        lines.append(f"and {len(alerts) - _SHOWN} more")
    return tuple(lines)
