"""Why a rule did not alert, or did: the event that came closest, or the one that it alerted on."""

from __future__ import annotations

from rulekit.alert import Alert
from rulekit.errors import RulekitError
from rulekit.explain.event import Explanation, RuleExplainer
from rulekit.explain.render import render_explanation
from rulekit.testing.case import Case
from rulekit.testing.passes import Pass
from rulekit.text.render import printable, render_excerpt


def nearest_miss(case: Case, found: Pass, rule: str) -> tuple[str, ...]:
    """Return lines that say which event came closest and what was not as the rule wants it."""
    assert found.ruleset is not None
    if not found.ruleset.rule(rule).enabled and not case.all_rules:
        return ("the rule is disabled: say `all_rules: true`",)
    try:
        nearest = RuleExplainer(found.ruleset, rule).nearest(found.events_of(case))
    except RulekitError as error:
        return (f"no explanation: {error}",)
    if nearest is None:
        return ("no event of the case is shown to rules",)
    return tuple(_lines("nearest miss", nearest, case, found))


def why_it_fired(case: Case, found: Pass, alert: Alert) -> tuple[str, ...]:
    """Return lines that say what made a rule alert that should have stayed silent."""
    assert found.ruleset is not None
    explainer = RuleExplainer(found.ruleset, alert.rule)
    try:
        fired = explainer.explain(found.events_of(case), alert.event)
    except RulekitError as error:
        return (f"no explanation: {error}",)
    return tuple(_lines("alert", fired, case, found))


def _lines(head: str, explanation: Explanation, case: Case, found: Pass) -> list[str]:
    place, lines = f"event {explanation.event}", []
    if found.scenario is not None:
        entry = found.scenario.entry_of(explanation.event)
        place = f"entry {entry}"
        lines = render_excerpt(case.places[entry - 1]).split("\n")
    text = render_explanation(explanation, event="it")
    about = printable(explanation.about)
    return [f"{head}: {place}, {about}", *lines, "", *text.rstrip("\n").split("\n")]
