"""All lint checks: the built-in ones and those of plug-ins (entry points ``rulekit.lint``)."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from rulekit.errors import RulekitError
from rulekit.text.code import Code
from rulekit.text.codes import CODES, LINT_CODES
from rulekit.tools.lint.check import Check
from rulekit.tools.lint.checks import (
    always_matches,
    any_ancestor,
    contradiction,
    deprecated_append,
    deprecated_field,
    duplicate_comparison,
    duplicate_item,
    impossible_comparison,
    list_hides_macro,
    missing_tags,
    never_matches,
    no_event_type,
    no_stage,
    not_in_falco,
    null_negation,
    output_lacks_subject,
    regex_whole_value,
    shadowed_definition,
    tactic_mismatch,
    unreliable_operator,
    unused_list,
    unused_macro,
)

_BUILT_IN = (
    unused_list,
    unused_macro,
    shadowed_definition,
    list_hides_macro,
    never_matches,
    always_matches,
    contradiction,
    duplicate_comparison,
    duplicate_item,
    no_event_type,
    impossible_comparison,
    deprecated_field,
    deprecated_append,
    unreliable_operator,
    null_negation,
    any_ancestor,
    regex_whole_value,
    tactic_mismatch,
    missing_tags,
    output_lacks_subject,
    no_stage,
    not_in_falco,
)


def built_in_checks() -> tuple[Check, ...]:
    """Return the checks that come with rulekit, by code."""
    return tuple(sorted((module.CHECK for module in _BUILT_IN), key=lambda check: check.code))


@cache
def all_checks() -> tuple[Check, ...]:
    """Return every check, those of plug-ins last; their codes become known to renderers.

    Raises:
        RulekitError: A plug-in does not load, or uses a code that is taken.
    """
    checks = {check.code: check for check in built_in_checks()}
    for point in entry_points(group="rulekit.lint"):
        try:
            check = point.load()
        except Exception as error:
            raise RulekitError(f"lint check `{point.name}` does not load: {error}") from error
        taken = isinstance(check, Check) and (check.code in checks or check.code in CODES)
        if not isinstance(check, Check) or taken:
            raise RulekitError(f"lint check `{point.name}` is no check, or its code is taken")
        checks[check.code] = check
    for check in checks.values():
        code = Code(check.code, check.name, check.what, check.bad, check.good)
        LINT_CODES[check.code] = code
    return tuple(checks.values())
