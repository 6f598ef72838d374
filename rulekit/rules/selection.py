"""Which rules run: minimum priority, then each rule's flag, then what the user selects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from rulekit.rules.priority import Priority

if TYPE_CHECKING:
    from rulekit.rules.falco_config import Selector
    from rulekit.rules.ruleset import Rule, Ruleset


def select_rules(
    ruleset: Ruleset,
    *,
    selectors: Sequence[Selector] = (),
    min_priority: Priority = Priority.DEBUG,
    all_rules: bool = False,
) -> tuple[Rule, ...]:
    """Return the rules that run, in the order in which they are tried.

    Args:
        selectors: Applied in order; the last one that means a rule decides.
        min_priority: Rules below it never run, whatever `selectors` say.
        all_rules: Take rules as enabled that their file disables.
    """
    return tuple(
        rule
        for rule in ruleset.rules
        if rule.priority <= min_priority and is_enabled(rule, selectors, rule.enabled or all_rules)
    )


def is_enabled(rule: Rule, selectors: Iterable[Selector], enabled: bool) -> bool:
    """Return whether a rule runs once `selectors` were applied to its flag."""
    for selector in selectors:
        if selector.rule is None and selector.tag is None:
            continue
        if selector.rule is not None and not matches_name(selector.rule, rule.name):
            continue
        if selector.tag is not None and selector.tag not in rule.tags:
            continue
        enabled = selector.enable
    return enabled


def matches_name(pattern: str, name: str) -> bool:
    """Whether a whole rule name matches a pattern in which ``*`` stands for any text."""
    return _pattern(pattern).fullmatch(name) is not None


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    # Only the star is special: brackets and question marks occur in rule names.
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def by_substring(text: str, *, enable: bool) -> Selector:
    """Return the selector of Falco's old ``-D TEXT``: every rule whose name contains it."""
    from rulekit.rules.falco_config import Selector  # rules compiled before need nothing of it

    return Selector(enable, rule=f"*{text}*")
