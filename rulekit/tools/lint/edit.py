"""Fixes: changes to the text of a condition, made only where the file says the same."""

from __future__ import annotations

import re

from rulekit.text.diagnostic import Fix
from rulekit.text.source import Span

_JOINT_BEFORE = re.compile(r"\s+(?:and|or)\s+\Z")
_JOINT_AFTER = re.compile(r"\s+(?:and|or)\s+")


def replace_text(span: Span, text: str, title: str) -> Fix | None:
    """Return a fix that replaces a piece of a condition, or None when it is not written as read.

    A place inside a quoted YAML scalar can hold escapes, one inside a list stands elsewhere.
    """
    place = span.outermost()
    if place.text != span.text:
        return None
    return Fix(place, text, title)


def remove_operand(span: Span, title: str) -> Fix | None:
    """Return a fix that removes an operand with the ``and`` or ``or`` beside it.

    None when parentheses or a ``not`` stand between the operand and the operator.
    """
    place = span.outermost()
    if place.text != span.text:
        return None
    text = place.source.text
    before = _JOINT_BEFORE.search(text, max(0, place.start - 200), place.start)
    if before is not None:
        return Fix(Span(place.source, before.start(), place.end), "", title)
    after = _JOINT_AFTER.match(text, place.end)
    if after is not None and _begins(text[: place.start]):
        return Fix(Span(place.source, place.start, after.end()), "", title)
    return None


def _begins(text: str) -> bool:
    """Tell whether a condition or a group begins where a text ends."""
    kept = text.rstrip()
    return kept.endswith(("(", ":", ">", "|", ">-", "|-")) and not kept.endswith("not (")
