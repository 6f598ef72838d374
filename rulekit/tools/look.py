"""Looking into a capture: the loop over its events, with conditions of no rules file."""

from __future__ import annotations

from collections.abc import Sequence

from rulekit._fastmatch import Matcher
from rulekit.compiler.program import compile_ruleset
from rulekit.engine._loop import EventLoop
from rulekit.engine.limits import StateLimits
from rulekit.engine.pipeline import CapturePath, bind
from rulekit.engine.stats import Stats
from rulekit.engine.window import Window
from rulekit.rules.bound import Bound
from rulekit.sources.opening import open_reader


def open_loop(
    capture: CapturePath,
    *conditions: str | None,
    window: Window | None = None,
    limits: StateLimits | None = None,
    stats: Stats | None = None,
) -> EventLoop:
    """Return a loop that shows the events for which all conditions hold; None holds for each.

    Args:
        limits: How much it may remember; None is the defaults.
        stats: Filled when the loop is closed.

    Raises:
        RuleError: A condition cannot be understood.
        SourceError: The capture cannot be opened.
    """
    matcher = matcher_of([conditions])
    return EventLoop(open_reader(capture), matcher, window=window, limits=limits, stats=stats)


def matcher_of(questions: Sequence[Sequence[str | None]], *, caches: bool = True) -> Matcher | None:
    """Return a matcher with one rule per question, true when all conditions of it hold.

    None when there is one question without a condition: it holds for every event.
    """
    bound = [_all_of(conditions) for conditions in questions]
    if bound == [None]:
        return None
    rules = [(str(i), one or bind(_ALWAYS), None) for i, one in enumerate(bound)]
    return Matcher(compile_ruleset(rules), caches=caches)


_ALWAYS = "evt.num exists"


def _all_of(conditions: Sequence[str | None]) -> Bound | None:
    given = [condition for condition in conditions if condition is not None]
    for condition in given:
        bind(condition)  # each for itself, so that mistakes are shown where they are
    if not given:
        return None
    return bind(" and ".join(f"({condition})" for condition in given))
