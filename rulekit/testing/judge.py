"""Alerts of a pass held against what a case expects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rulekit.alert import Alert
from rulekit.testing.case import Case, Expectation
from rulekit.testing.passes import Pass, unknown_names
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.render import printable
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
        unwanted: An alert that should not have come, or None.
        diagnostic: For a test file or rules that cannot be used.
    """

    span: Span
    message: str
    detail: tuple[str, ...] = ()
    missing: str | None = None
    unwanted: Alert | None = None
    diagnostic: Diagnostic | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of one case; without failures it passed.

    Attributes:
        error: The case could not be run: rules, events or the case itself cannot be used.
        stopped: It hung or crashed, and would do so again.
        duration_s: Wall-clock time; a shared pass counts for the first of its cases.
        n_alerts: Alerts of the whole pass.
    """

    case: Case
    failures: tuple[Failure, ...] = ()
    error: bool = False
    stopped: bool = False
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
            message = f"`{named.name}` must stay silent, {_gave(by_rule[named.name])}"
            failures.append(_unwanted(named.span, message, named.name, found))
    if case.only:
        expected = {expectation.rule for expectation in case.expect}
        for rule in sorted(set(by_rule) - expected - {named.name for named in case.silent}):
            message = f"`{rule}` is not expected, {_gave(by_rule[rule])}"
            failures.append(_unwanted(case.span, message, rule, found))
    return Result(case, tuple(failures), n_alerts=len(found.alerts))


def _gave(n: int) -> str:
    return f"gave {n} alert{'' if n == 1 else 's'}"


def _unwanted(span: Span, message: str, rule: str, found: Pass) -> Failure:
    alerts = [alert for alert in found.alerts if alert.rule == rule]
    return Failure(span, message, _examples(alerts, found), unwanted=alerts[0])


def _unmet(expectation: Expectation, found: Pass) -> Iterator[Failure]:
    alerts = [alert for alert in found.alerts if alert.rule == expectation.rule]
    fitting = [alert for alert in alerts if expectation.fits(alert)]
    n, least, most = len(fitting), expectation.least, expectation.most
    if n < least or (most is not None and n > most):
        wanted = f"at least {least}" if most is None else f"{least}" if least == most else ""
        wanted = wanted or f"{least} to {most}"
        that_fit = " that fit" if expectation.asks_more else ""
        message = f"`{expectation.rule}` {_gave(n)}{that_fit}, {wanted} expected"
        # Too few: those that do not fit may be the ones that were meant.
        if n < least:
            shown = [alert for alert in alerts if not expectation.fits(alert)]
            examples = _examples(shown, found, expectation)
        else:
            shown, examples = fitting, _examples(fitting, found)
        missing = expectation.rule if n < least and not shown else None
        unwanted = fitting[0] if most == 0 else None
        yield Failure(expectation.span, message, examples, missing, unwanted)
    elif expectation.at:
        places = {found.position(alert) for alert in fitting}
        wanted_at = set(expectation.at)
        if places != wanted_at:
            have, want = _listed(places), _listed(wanted_at)
            message = f"`{expectation.rule}` alerts at {have}, expected at {want}"
            surplus = [alert for alert in fitting if found.position(alert) not in wanted_at]
            missing = expectation.rule if wanted_at - places else None
            yield Failure(expectation.span, message, _examples(surplus, found), missing)


def _listed(places: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(places))) or "nowhere"


def _examples(
    alerts: Sequence[Alert], found: Pass, expectation: Expectation | None = None
) -> tuple[str, ...]:
    lines = []
    for alert in alerts[:_SHOWN]:
        lines.append(f"{found.place(alert)}: {alert.priority} {printable(alert.message)}")
        for fits, text in expectation.checks(alert) if expectation is not None else ():
            lines.append(f"  {'✓' if fits else '✗'} {text}")
    if len(alerts) > _SHOWN:
        lines.append(f"and {len(alerts) - _SHOWN} more")
    return tuple(lines)
