"""Runs cases; those with the same rules and capture share one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rulekit.alert import Alert
from rulekit.errors import SourceError
from rulekit.testing.case import Case, Expectation
from rulekit.text.render import render

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over a capture gave.

    Attributes:
        rules: Names of all rules that took part.
        error: Why the pass could not be made or broke off, or None.
    """

    rules: frozenset[str]
    alerts: tuple[Alert, ...]
    error: str | None = None


Run = Callable[[Case], Pass]


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of one case; passed when there are no failures."""

    case: Case
    failures: tuple[str, ...] = ()
    error: bool = False

    @property
    def passed(self) -> bool:
        """Whether every expectation was met."""
        return not self.failures


def run_cases(cases: Sequence[Case], run: Run | None = None) -> Iterator[Result]:
    """Yield the result of each case in order.

    Args:
        run: Makes a pass for a case; the default loads the rules and runs the engine.
    """
    made: dict[tuple[tuple[Path, ...], Path, str, bool], Pass] = {}
    last = {_key(case): i for i, case in enumerate(cases)}
    for i, case in enumerate(cases):
        key = _key(case)
        if key not in made:
            made[key] = (run or run_engine)(case)
        yield judge(case, made[key])
        if last[key] == i:
            del made[key]


def _key(case: Case) -> tuple[tuple[Path, ...], Path, str, bool]:
    return case.rules, case.capture, case.matching, case.all_rules


def judge(case: Case, found: Pass) -> Result:
    """Hold the alerts of a pass against a case."""
    if found.error is not None:
        return Result(case, (found.error,), error=True)
    failures: list[str] = []
    counts = Counter(alert.rule for alert in found.alerts)
    for expectation in case.expect:
        if expectation.rule not in found.rules:
            failures.append(f"line {expectation.line}: no rule is called `{expectation.rule}`")
            continue
        failures += _unmet(expectation, found.alerts)
    for rule, line in case.silent:
        if rule not in found.rules:
            failures.append(f"line {line}: no rule is called `{rule}`")
        elif counts[rule]:
            failures.append(f"line {line}: `{rule}` must stay silent, gave {counts[rule]}")
            failures[-1] += _examples([a for a in found.alerts if a.rule == rule])
    if case.only:
        expected = {expectation.rule for expectation in case.expect}
        for rule in sorted(set(counts) - expected):
            failures.append(f"`{rule}` is not expected, gave {counts[rule]}")
            failures[-1] += _examples([a for a in found.alerts if a.rule == rule])
    return Result(case, tuple(failures))


def _unmet(expectation: Expectation, alerts: Sequence[Alert]) -> list[str]:
    fitting = sum(map(expectation.fits, alerts))
    if fitting == expectation.count or (expectation.count is None and fitting):
        return []
    wanted = "at least 1" if expectation.count is None else str(expectation.count)
    detail = expectation.priority or expectation.fields or expectation.output
    text = (
        f"line {expectation.line}: `{expectation.rule}` gave {fitting} of {wanted}"
        f" alerts{' that fit' if detail else ''}"
    )
    others = [a for a in alerts if a.rule == expectation.rule and not expectation.fits(a)]
    return [text + _examples(others, [name for name, _ in expectation.fields])]


def _examples(alerts: Sequence[Alert], fields: Sequence[str] = ()) -> str:
    lines = []
    for alert in alerts[:_SHOWN]:
        lines.append(f"\n    event {alert.event}: {alert.priority} {alert.message}")
        for name in fields:
            known = name in alert.output_fields
            value = f"= {alert.output_fields[name]!r}" if known else "is not in the output"
            lines.append(f"\n        {name} {value}")
    if len(alerts) > _SHOWN:
        lines.append(f"\n    and {len(alerts) - _SHOWN} more")
    return "".join(lines)


def run_engine(case: Case) -> Pass:
    """Load the rules of a case and run them over its capture."""
    from rulekit.engine.pipeline import Engine
    from rulekit.rules.loader import load_files

    result = load_files(case.rules)
    if result.ruleset is None or not result.ok:
        errors = [found for found in result.diagnostics if found.severity == "error"]
        return Pass(frozenset(), (), error=f"the rules cannot be used:\n{render(errors)}")
    engine = Engine(result.ruleset, matching=case.matching, all_rules=case.all_rules)
    alerts: list[Alert] = []
    error = None
    try:
        alerts.extend(engine.run(str(case.capture)))
    except SourceError as problem:
        error = str(problem)
    return Pass(frozenset(rule.name for rule in result.ruleset.rules), tuple(alerts), error)
