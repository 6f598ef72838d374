"""Diagnostics: what is told to the author of a rule, and where in the text it points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rulekit.text.source import Span

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Label:
    """A further place that belongs to a diagnostic: a macro's definition, the first of two."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A replacement of `span` that can be applied without thinking."""

    span: Span
    replacement: str
    title: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about the text at `span`.

    Attributes:
        code: Stable slug with stage: RK0 file, RK1 syntax, RK2 names and types, RK3 ruleset,
            RK4 lint, RK5 output, RK6 tests, RK7 configuration, RK8 what a source lacks. See
            `rulekit.text.codes`.
        message: Says what is wrong; lower case, no full stop, names in backquotes.
        label: Says why, beside the carets.
        help: What to write instead, or None when that is not certain.
        falco: Falco's code for the same problem (``LOAD_ERR_COMPILE_CONDITION``), or None.
        labels: Further places, for example the trail through macros.
    """

    code: str
    severity: Severity
    message: str
    span: Span
    label: str = ""
    help: str | None = None
    falco: str | None = None
    labels: tuple[Label, ...] = ()
    fix: Fix | None = None
