"""Every code of a diagnostic: what it means, with a rule that has the problem and one without.

Codes are grouped by the stage that finds them: RK0 file, RK1 syntax of conditions, RK2 names and
types, RK3 ruleset, RK4 remarks and lint, RK5 output, RK6 tests, RK7 configuration, RK8 what a
source lacks. They are never renumbered.
"""

from __future__ import annotations

from rulekit.text.code import Code
from rulekit.text.codes_condition import CONDITION_CODES
from rulekit.text.codes_config import CONFIG_CODES
from rulekit.text.codes_file import FILE_CODES
from rulekit.text.codes_ruleset import RULESET_CODES
from rulekit.text.codes_source import SOURCE_CODES
from rulekit.text.codes_tests import TEST_CODES

CODES: dict[str, Code] = {
    code.code: code
    for code in (
        *FILE_CODES,
        *CONDITION_CODES,
        *RULESET_CODES,
        *TEST_CODES,
        *CONFIG_CODES,
        *SOURCE_CODES,
    )
}

# Codes of lint checks, which declare them; filled when the checks are loaded.
LINT_CODES: dict[str, Code] = {}


def code_named(code: str) -> Code | None:
    """Return what is known of a code, or None."""
    return CODES.get(code) or LINT_CODES.get(code)
