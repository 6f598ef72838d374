"""The path of a rule: files → `load` → `expand` → `check` → `lower` → passes → `Program`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rulekit.compiler.tables import Program
    from rulekit.rules.ruleset import Rule


def compile(rules: Iterable[Rule]) -> Program:
    """Compile loaded rules, a `Ruleset` or a choice of its rules, in the order given.

    A match is the position of a rule in that order. Raises `RuleError` for what cannot be run.
    """
    # Programs that were compiled before are read without all this.
    from rulekit.compiler.program import compile_ruleset

    # Which event types a rule is tried on follows from its condition, more exactly than from the
    # set that the loader derives: that one ignores everything but plain comparisons of the type.
    return compile_ruleset([(rule.name, rule.bound, None) for rule in rules])
