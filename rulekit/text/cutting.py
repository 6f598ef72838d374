"""Pieces of text cut out of others, and joined to new text; each still knows where it came from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate

from rulekit.text.pieced import Part
from rulekit.text.source import Span


class Cutter:
    """Cuts ranges out of joined parts."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.text = "".join([part.text for part in parts])
        self.starts = list(accumulate([len(part.text) for part in parts], initial=0))

    def cut(self, start: int, end: int) -> list[Part]:
        """Return the pieces of a range; a whole piece stays the same object."""
        found: list[Part] = []
        i = bisect_right(self.starts, start) - 1
        while start < end and i < len(self.parts):
            base, stop = self.starts[i], min(end, self.starts[i + 1])
            if stop > start:
                part = self.parts[i]
                whole = start == base and stop == self.starts[i + 1]
                found.append(part if whole else part.cut(start - base, stop - base))
                start = stop
            i += 1
        return found

    def origin(self, start: int, end: int) -> Span | None:
        """Return where a range was written; None when it goes over several pieces."""
        cut = self.cut(start, end)
        return cut[0].origin if len(cut) == 1 else None


class Builder:
    """Text that grows at its end and can lose its last characters."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.length = 0

    def add(self, parts: Iterable[Part]) -> None:
        """Add pieces; empty ones are dropped."""
        for part in parts:
            if part.text:
                self.parts.append(part)
                self.length += len(part.text)

    def last(self) -> str:
        """Return the last character, or nothing."""
        return self.parts[-1].text[-1] if self.parts else ""

    def drop_last(self) -> None:
        """Take the last character away."""
        part = self.parts.pop()
        self.length -= 1
        if len(part.text) > 1:
            self.parts.append(part.cut(0, len(part.text) - 1))

    def strip(self, blanks: str) -> None:
        """Take characters of a kind away from the end."""
        while self.last() and self.last() in blanks:
            part = self.parts.pop()
            kept = part.text.rstrip(blanks)
            self.length -= len(part.text) - len(kept)
            if kept:
                self.parts.append(part.cut(0, len(kept)))
