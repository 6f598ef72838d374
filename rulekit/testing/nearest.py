"""The event that came closest to a rule that did not alert."""

from __future__ import annotations

from rulekit.errors import RulekitError
from rulekit.explain.event import RuleExplainer
from rulekit.explain.render import render_explanation
from rulekit.testing.case import Case
from rulekit.testing.judge import Failure
from rulekit.testing.passes import Pass
from rulekit.text.render import render_excerpt


def nearest_miss(case: Case, found: Pass, failure: Failure) -> tuple[str, ...]:
    """Return lines that say which event came closest and what was not as the rule wants it."""
    if found.ruleset is None or failure.missing is None:
        return ()
    rule = found.ruleset.rule(failure.missing)
    if not rule.enabled and not case.all_rules:
        return (f"the rule is disabled: {'say `all_rules: true`'}",)
    events = str(case.capture) if found.scenario is None else found.scenario.data
    try:
        nearest = RuleExplainer(found.ruleset, failure.missing).nearest(events)
    except RulekitError as error:
        return (f"no explanation: {error}",)
    if nearest is None:
        return ("no event of the case is shown to rules",)
    lines = [f"nearest miss: event {nearest.event}, {nearest.about}"]
    if found.scenario is not None:
        entry = found.scenario.entry_of(nearest.event)
        lines[0] = f"nearest miss: entry {entry}, {nearest.about}"
        lines += render_excerpt(case.places[entry - 1]).split("\n")
    lines += ["", *render_explanation(nearest).rstrip("\n").split("\n")]
    return tuple(lines)
