"""Whether something may happen: what `Engine.decide` answers, and how rules come to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rulekit.alert import Alert, priority_number

if TYPE_CHECKING:
    from rulekit.rules.ruleset import Rule

Action = Literal["allow", "warn", "deny"]

ACTIONS: tuple[Action, ...] = ("allow", "warn", "deny")
"""Each beats those before it."""

TAG = "action_"
"""A rule with the tag ``action_deny``, ``action_warn`` or ``action_allow`` asks for that."""


@dataclass(frozen=True, slots=True)
class VerdictPolicy:
    """What the rules that match a document lead to.

    Attributes:
        deny: Rules of this priority or a more urgent one deny.
        warn: Rules of this priority or a more urgent one, that do not deny, warn.
        on_error: The answer about a document that cannot be evaluated.

    A tag of the rule (see `TAG`) decides instead of its priority; of several the strictest.
    """

    deny: str = "Error"
    warn: str = "Debug"
    on_error: Action = "deny"

    def __post_init__(self) -> None:
        for name in (self.deny, self.warn):
            priority_number(name)
        if self.on_error not in ACTIONS:
            raise ValueError(f"on_error is {self.on_error!r}: say {', '.join(ACTIONS)}")

    def action_of(self, rule: Rule) -> Action:
        """Return what a match of this rule asks for."""
        asked = {tag.removeprefix(TAG) for tag in rule.tags if tag.startswith(TAG)}
        for action in reversed(ACTIONS):
            if action in asked:
                return action
        urgency = rule.priority.value
        if urgency <= priority_number(self.deny):
            return "deny"
        return "warn" if urgency <= priority_number(self.warn) else "allow"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer about one document.

    Attributes:
        action: ``deny`` when any rule that matched asks for it or, with that `on_error`, something
            could not be evaluated; else ``warn`` likewise; else ``allow``.
        rules: Names of all rules that matched, in the order of definition.
        problem: Why something could not be evaluated; empty when everything was.
        alerts: Of the rules that matched, when they were asked for.
    """

    action: Action
    rules: tuple[str, ...] = ()
    problem: str = ""
    alerts: tuple[Alert, ...] = ()


def strictest(actions: Iterable[Action]) -> Action:
    """Return the action that beats the others; ``allow`` when there is none."""
    return max(actions, key=ACTIONS.index, default="allow")
