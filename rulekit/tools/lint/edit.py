"""Fixes: changes to the text of a condition, made only where the file says the same."""

from __future__ import annotations

import re

from rulekit.text.diagnostic import Fix
from rulekit.text.source import Span

_JOINTS = {
    word: (re.compile(rf"\s+{word}\s+\Z"), re.compile(rf"\s+{word}\s+")) for word in ("and", "or")
}
_NEGATED = re.compile(r"\bnot\s+\Z")
_FAR = 200


def replace_text(span: Span, text: str, title: str) -> Fix | None:
    """Return a fix that replaces a piece of a condition, or None when it is not written as read.

    A place inside a quoted YAML scalar can hold escapes, one inside a list stands elsewhere.
    """
    place = span.outermost()
    if place.text != span.text:
        return None
    return Fix(place, text, title)


def remove_operand(span: Span, word: str, title: str) -> Fix | None:
    """Return a fix that removes an operand of ``and`` or ``or`` with this word beside it.

    None when anything else stands there, such as a parenthesis, or a ``not`` before it.
    """
    place = span.outermost()
    if place.text != span.text:
        return None
    text = place.source.text
    before, after = _JOINTS[word]
    start = max(0, place.start - _FAR)
    if _NEGATED.search(text, start, place.start):
        return None
    found = before.search(text, start, place.start)
    if found is not None:
        return Fix(Span(place.source, found.start(), place.end), "", title)
    found = after.match(text, place.end)
    if found is not None:
        return Fix(Span(place.source, place.start, found.end()), "", title)
    return None
