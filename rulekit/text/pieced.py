"""Text put together from several places, each character still knowing where it came from.

A condition is joined from a rule and what other files append to it, wrapped by exceptions, and
holds the items of lists; a typo is shown in the piece that somebody wrote.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate

from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.text.source import SourceText, Span


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of text.

    Attributes:
        origin: The same characters where they were written; a place of another length that
            stands for the whole; or None when nobody wrote them.
        trail: What to show beside a problem in this piece: where a list was named.
    """

    text: str
    origin: Span | None = None
    trail: tuple[Label, ...] = ()

    def cut(self, start: int, end: int) -> Part:
        """Return the characters ``[start, end)`` of the piece."""
        origin = self.origin
        if origin is not None and origin.end - origin.start == len(self.text):
            origin = Span(origin.source, origin.start + start, origin.start + end)
        return Part(self.text[start:end], origin, self.trail)


@dataclass(frozen=True, slots=True, eq=False)
class PiecedText(SourceText):
    """Text joined from parts."""

    parts: tuple[Part, ...] = ()
    starts: tuple[int, ...] = ()

    def part_at(self, offset: int) -> int:
        """Return the index of the part that holds a character offset."""
        return max(0, bisect_right(self.starts, min(offset, len(self.text) - 1)) - 1)

    def _origin(self, start: int, end: int) -> Span | None:
        index = self.part_at(start)
        part, base = self.parts[index], self.starts[index]
        if part.origin is None or part.origin.end - part.origin.start != len(part.text):
            return part.origin
        first = min(start - base, len(part.text))
        last = max(first, min(end - base, len(part.text)))
        return Span(part.origin.source, part.origin.start + first, part.origin.start + last)

    def place(self, start: int, end: int) -> Span | None:
        """Return where ``[start, end)`` was written; inserted text stands at its neighbour."""
        if not self.parts:
            return None
        origin = self._origin(start, end)
        at = start
        if origin is None:
            found = self._neighbour(start)
            if found is None:
                return None
            origin, at = found
        first = origin.outermost()
        if end <= at + 1 or end <= start:
            return first
        last = self._origin(end - 1, end)
        # A range over several scalars would take in keys and indentation between them.
        if last is not None and last.source is origin.source and last.end > origin.end:
            return Span(first.source, first.start, max(first.end, last.outermost().end))
        return first

    def _neighbour(self, start: int) -> tuple[Span, int] | None:
        index = self.part_at(start)
        for i in range(index + 1, len(self.parts)):
            if self.parts[i].origin is not None and self.parts[i].text:
                span = self._origin(self.starts[i], self.starts[i] + 1)
                return None if span is None else (span, self.starts[i])
        for i in range(index - 1, -1, -1):
            if self.parts[i].origin is not None and self.parts[i].text:
                end = self.starts[i] + len(self.parts[i].text)
                span = self._origin(end - 1, end)
                return None if span is None else (span, start)
        return None


def pieced(name: str, parts: Iterable[Part]) -> SourceText:
    """Join parts; a single part that is the whole of its text gives that text itself."""
    kept = tuple(part for part in parts if part.text)
    if len(kept) == 1 and kept[0].origin is not None and not kept[0].trail:
        origin = kept[0].origin
        if origin.start == 0 and origin.end == len(origin.source.text):
            return origin.source
    starts = tuple(accumulate((len(part.text) for part in kept), initial=0))[:-1]
    return PiecedText(name, "".join(part.text for part in kept), None, (), [], kept, starts)


def joined(spans: Iterable[Span], glue: str = " ") -> list[Part]:
    """Return the parts of texts joined with `glue`."""
    parts: list[Part] = []
    for span in spans:
        if parts:
            parts.append(Part(glue))
        parts.append(Part(span.text, span))
    return parts


def with_trail(found: Diagnostic) -> Diagnostic:
    """Add the labels of the piece that a diagnostic points into."""
    source = found.span.source
    if isinstance(source, PiecedText) and source.parts:
        trail = source.parts[source.part_at(found.span.start)].trail
        if trail:
            return replace(found, labels=(*found.labels, *trail))
    return found
