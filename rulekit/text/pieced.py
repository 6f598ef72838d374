"""Text put together from several places, each character still knowing where it came from.

A condition is joined from a rule and what other files append to it, wrapped by exceptions, and
holds the items of lists; a typo is shown in the piece that somebody wrote.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.text.source import SourceText, Span


@dataclass(frozen=True, slots=True)
class Insertion:
    """Why a piece stands in a text although it was written elsewhere: a list was named there.

    Attributes:
        use: Where it was asked for; text in the piece that nobody wrote stands there.
        name, count, defined: The list, how many items it has, where it is defined.
    """

    use: Span
    name: str
    count: int
    defined: Span

    @property
    def written(self) -> Label:
        """What to show beside a problem in what somebody wrote."""
        return Label(self.use, f"list `{self.name}` is used here")

    @property
    def between(self) -> Label:
        """What to show beside a problem in what nobody wrote: a comma between two items."""
        items = f"{self.count} item{'' if self.count == 1 else 's'}"
        return Label(self.defined, f"list `{self.name}` puts {items} there")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of text; `origin` is the same text where it was written, None when nobody did."""

    text: str
    origin: Span | None = None
    insertion: Insertion | None = None

    def cut(self, start: int, end: int) -> Part:
        """Return the characters ``[start, end)`` of the piece."""
        origin = self.origin
        if origin is not None:
            origin = Span(origin.source, origin.start + start, origin.start + end)
        return Part(self.text[start:end], origin, self.insertion)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PiecedText(SourceText):
    """Text joined from parts."""

    parts: tuple[Part, ...] = ()
    starts: tuple[int, ...] = ()
    # What reading the text gave, where it is read as a part of many others.
    notes: dict[str, Any] = field(default_factory=dict)

    def inserted(self) -> dict[int, SourceText]:
        """Return the texts that stand here whole because they were named, by where they begin."""
        found = self.notes.get("inserted")
        if found is None:
            found = self.notes["inserted"] = {
                start: part.origin.source
                for start, part in zip(self.starts, self.parts, strict=True)
                if part.insertion is not None
                and part.origin is not None
                and len(part.text) == len(part.origin.source.text)
            }
        return found

    def part_at(self, offset: int) -> int:
        """Return the index of the part that holds a character offset."""
        return max(0, bisect_right(self.starts, min(offset, len(self.text) - 1)) - 1)

    def is_written(self, offset: int) -> bool:
        """Whether somebody wrote the character at an offset."""
        if not self.parts:
            return False
        index = self.part_at(offset)
        origin = self.parts[index].origin
        if origin is None:
            return False
        inner = origin.source
        at = origin.start + offset - self.starts[index]
        return not isinstance(inner, PiecedText) or inner.is_written(at)

    def insertion_label(self, offset: int) -> Label | None:
        """Return what to show beside a problem at an offset, or None."""
        insertion = self.parts[self.part_at(offset)].insertion if self.parts else None
        if insertion is None:
            return None
        return insertion.written if self.is_written(offset) else insertion.between

    def _origin(self, offset: int) -> Span | None:
        """Return where the character at an offset was written."""
        index = self.part_at(offset)
        part = self.parts[index]
        if part.origin is None:
            return None
        if part.insertion is not None and not self.is_written(offset):
            return part.insertion.use
        at = min(offset - self.starts[index], len(part.text) - 1)
        return Span(part.origin.source, part.origin.start + at, part.origin.start + at + 1)

    def place(self, start: int, end: int) -> Span | None:
        """Return where ``[start, end)`` was written; inserted text stands at its neighbour."""
        if not self.parts:
            return None
        origin, at = self._origin(start), start
        if origin is None:
            found = self._neighbour(start)
            if found is None:
                return None
            origin, at = found
        first = origin.outermost()
        if end <= start:
            return Span(first.source, first.start, first.start)
        # A range over several scalars would take in keys and indentation between them.
        last = self._origin(end - 1) if end > at + 1 else None
        if last is not None and last.source is origin.source and last.end > origin.end:
            return Span(first.source, first.start, max(first.end, last.outermost().end))
        if end > at + 1:
            return self._rest_of_part(at, end, first)
        return first

    def _rest_of_part(self, start: int, end: int, first: Span) -> Span:
        """Return a range that begins in one part and ends in another as far as the first goes."""
        index = self.part_at(start)
        end = min(end, self.starts[index] + len(self.parts[index].text))
        while end > start + 1:
            last = self._origin(end - 1)
            if last is not None:
                final = last.outermost()
                if final.source is first.source and final.end >= first.end:
                    return Span(first.source, first.start, final.end)
            end -= 1
        return first

    def _neighbour(self, start: int) -> tuple[Span, int] | None:
        index = self.part_at(start)
        for i in range(index + 1, len(self.parts)):
            if self.parts[i].origin is not None and self.parts[i].text:
                span = self._origin(self.starts[i])
                return None if span is None else (span, self.starts[i])
        for i in range(index - 1, -1, -1):
            if self.parts[i].origin is not None and self.parts[i].text:
                span = self._origin(self.starts[i] + len(self.parts[i].text) - 1)
                return None if span is None else (span, start)
        return None


def pieced(name: str, parts: Iterable[Part]) -> SourceText:
    """Join parts; a single part that is the whole of its text gives that text itself."""
    kept = tuple(part for part in parts if part.text)
    if len(kept) == 1 and kept[0].origin is not None and kept[0].insertion is None:
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
    """Add the label of the insertion that a diagnostic points into."""
    source = found.span.source
    if isinstance(source, PiecedText):
        label = source.insertion_label(found.span.start)
        if label is not None:
            return replace(found, labels=(*found.labels, label))
    return found
