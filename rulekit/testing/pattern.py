"""What the value of a field must be: a value, or a pattern."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rulekit.compiler.reference_glob import glob_matches
from rulekit.explain.values import shown_value
from rulekit.native.regex import compile_regex


def same_value(found: Any, wanted: Any) -> bool:
    """Compare a field's value with what a case says; true and 1 are different."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, (list, tuple)) and isinstance(wanted, (list, tuple)):
        return len(found) == len(wanted) and all(map(same_value, found, wanted))
    return bool(found == wanted)


def _texts(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda found, wanted: isinstance(found, str) and test(found, str(wanted))


def _glob(found: str, wanted: str) -> bool:
    return glob_matches(_bytes(found), _bytes(wanted))


def _regex(found: str, wanted: str) -> bool:
    return bool(compile_regex(_bytes(wanted))(_bytes(found)))


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


FORMS: dict[str, Callable[[Any, Any], bool]] = {
    "is": same_value,
    "not": lambda found, wanted: not same_value(found, wanted),
    "in": lambda found, wanted: any(same_value(found, item) for item in wanted),
    "contains": _texts(lambda found, wanted: wanted in found),
    "startswith": _texts(str.startswith),
    "endswith": _texts(str.endswith),
    "glob": _texts(_glob),
    "regex": _texts(_regex),
}


@dataclass(frozen=True, slots=True)
class Pattern:
    """A form and what it compares with; ``glob`` and ``regex`` are those of conditions.

    Attributes:
        form: A key of `FORMS`.
    """

    form: str
    wanted: Any

    def matches(self, found: Any) -> bool:
        """Tell whether a value is what is wanted."""
        return FORMS[self.form](found, self.wanted)

    def __str__(self) -> str:
        wanted = shown_value(self.wanted)
        return wanted if self.form == "is" else f"{self.form} {wanted}"
