"""The event that came closest to a rule that did not alert."""

from __future__ import annotations

from rulekit.testing.case import Case
from rulekit.testing.judge import Failure
from rulekit.testing.passes import Pass


def nearest_miss(case: Case, found: Pass, failure: Failure) -> tuple[str, ...]:
    """Return lines that say which event came closest and what was not as the rule wants it."""
    return ()
