"""Texts and places in them; a text may be embedded in another (a condition inside YAML).

Offsets count characters from 0; lines and columns shown to people count from 1.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SourceText:
    """A piece of text with the name a person knows it by.

    Attributes:
        outer: The text this one was cut out of (a rule file), or None.
        offsets: For embedded text: offset in `outer` of each character, plus one for the end;
            shape ``(len(text) + 1,)``. Folding and escapes make this more than an addition.
    """

    name: str
    text: str
    outer: SourceText | None = None
    offsets: tuple[int, ...] = ()
    _lines: list[int] = field(default_factory=list, repr=False)

    def __repr__(self) -> str:
        # Every node of a tree holds its text: a full one would be printed thousands of times.
        return f"<{type(self).__name__} {self.name!r}, {len(self.text)} characters>"

    def locate(self, offset: int) -> tuple[int, int]:
        """Return line and column, both counted from 1, of a character offset of this text."""
        starts = self._line_starts()
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def line_start(self, line: int) -> int:
        """Return the offset of the first character of a line, counted from 1."""
        return self._line_starts()[line - 1]

    def _line_starts(self) -> list[int]:
        if not self._lines:
            lengths = (len(line) + 1 for line in self.text.split("\n"))
            self._lines.extend(accumulate(lengths, initial=0))
            self._lines.pop()
        return self._lines

    def place(self, start: int, end: int) -> Span | None:
        """Return where ``[start, end)`` stands in the text around this one, or None.

        Subclasses know more than one `offsets` tuple can say: a scalar that works its map out
        when asked, a text that was put together from several places.
        """
        if self.outer is None or not self.offsets:
            return None
        last = len(self.offsets) - 1
        first = self.offsets[min(start, last)]
        # The end is where the last covered character ends, not where the next one begins:
        # a folded line break between the two belongs to neither.
        final = self.offsets[min(end - 1, last)] + 1 if end > start else first
        return Span(self.outer, first, final)

    def span(self, start: int, end: int) -> Span:
        """Return the half-open range ``[start, end)`` of this text."""
        return Span(self, start, end)


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range ``[start, end)`` of character offsets, counted from 0."""

    source: SourceText
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters covered."""
        return self.source.text[self.start : self.end]

    def outermost(self) -> Span:
        """Return the same place in the file that the text came from."""
        span = self
        while (around := span.source.place(span.start, span.end)) is not None:
            span = around
        return span
