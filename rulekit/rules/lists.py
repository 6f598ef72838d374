"""Lists: which texts a list stands for, and putting them into conditions as text.

A list's name is replaced wherever it stands between delimiters, before the condition is parsed:
also after ``=`` and inside quotes. Lists are taken in the order of their first definition, so
text that a list brings in is searched for later lists only.
"""

from __future__ import annotations

import heapq
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import accumulate

from rulekit.rules.definitions import ListDef
from rulekit.text.diagnostic import Label
from rulekit.text.pieced import Part
from rulekit.text.source import Span

_BLANKS = " \t\n\r"
_DELIMITERS = _BLANKS + "(),="
_word_split = re.compile("[ \t\n\r(),=]+").split
_has_delimiter = re.compile("[ \t\n\r(),=]").search

# Texts of one list, one condition, after substitution.
MAX_EXPANDED_CHARS = 16_000_000
# Items of all lists together, after the lists named in them were put in.
MAX_ITEMS = 4_000_000
# Pieces copied while lists are put into one condition.
MAX_STEPS = 2_000_000


class ExpansionTooLarge(Exception):
    """Text grew beyond what any rule needs; carries the name of the list at fault."""

    def __init__(self, name: str, span: Span | None) -> None:
        super().__init__(name)
        self.name = name
        self.span = span


@dataclass(slots=True)
class ExpandedList:
    """A list as conditions see it.

    Attributes:
        items: Texts, with the items of lists named in it in place of their names.
        used: Whether a condition or another list names it.
    """

    definition: ListDef
    order: int
    items: list[Span]
    used: bool = False
    parts: tuple[Part, ...] | None = None
    words: frozenset[str] = frozenset()


def expand_lists(definitions: Iterable[ListDef]) -> dict[str, ExpandedList]:
    """Put lists named in lists into them, one level deep, when they are defined before.

    Raises:
        ExpansionTooLarge: When the items together pass `MAX_ITEMS`.
    """
    known = {d.name: d for d in definitions}
    expanded: dict[str, ExpandedList] = {}
    used: list[str] = []
    total = 0
    for order, definition in enumerate(known.values()):
        items: list[Span] = []
        for item in definition.items:
            other = known.get(item.text)
            if other is not None and other.index < definition.visibility:
                used.append(other.name)
                items.extend(other.items)
            else:
                items.append(item)
            if total + len(items) > MAX_ITEMS:
                raise ExpansionTooLarge(definition.name, definition.name_span)
        total += len(items)
        expanded[definition.name] = ExpandedList(definition, order, items)
    for name in used:
        expanded[name].used = True
    return expanded


class ListTable:
    """Puts lists into conditions and remembers which ones were used."""

    def __init__(self, lists: dict[str, ExpandedList]) -> None:
        self.lists = lists
        self._names = lists.keys()
        self._by_order = list(lists.values())
        # Names that hold a delimiter match across words; they get a warning, and are rare.
        self._odd = [entry for entry in self._by_order if _has_delimiter(entry.definition.name)]

    def substitute(self, parts: list[Part]) -> tuple[list[Part], frozenset[str]]:
        """Return the parts of a condition with every list name replaced, and these names.

        Raises:
            ExpansionTooLarge: When the text passes `MAX_EXPANDED_CHARS` or takes too many steps.
        """
        text = "".join([part.text for part in parts])
        pending = self._candidates(text, -1)
        if not pending:
            return parts, frozenset()
        used: set[str] = set()
        heapq.heapify(pending)
        done, steps = -1, 0
        while pending:
            order = heapq.heappop(pending)
            if order == done:
                continue
            done = order
            entry = self._by_order[order]
            replaced = self._replace(parts, entry)
            if replaced is None:
                continue
            parts = replaced
            entry.used = True
            used.add(entry.definition.name)
            size = sum([len(part.text) for part in parts])
            steps += len(parts) + size // 1000
            if size > MAX_EXPANDED_CHARS or steps > MAX_STEPS:
                definition = entry.definition
                raise ExpansionTooLarge(definition.name, definition.name_span)
            for name in entry.words:
                if self.lists[name].order > order:
                    heapq.heappush(pending, self.lists[name].order)
            if self._odd:
                grown = "".join([part.text for part in parts])
                for odd in self._odd:
                    if odd.order > order and odd.definition.name in grown:
                        heapq.heappush(pending, odd.order)
        return parts, frozenset(used)

    def _candidates(self, text: str, after: int) -> list[int]:
        found = [self.lists[name].order for name in self._names & set(_word_split(text))]
        found += [odd.order for odd in self._odd if odd.definition.name in text]
        return [order for order in found if order > after]

    def _text_of(self, entry: ExpandedList) -> tuple[Part, ...]:
        if entry.parts is None:
            parts: list[Part] = []
            size = 0
            for item in entry.items:
                if size:
                    parts.append(Part(", "))
                text = item.text
                if " " in text and text[0] not in "\"'":
                    parts += [Part('"'), Part(text, item), Part('"')]
                else:
                    parts.append(Part(text, item))
                size += len(text)
            entry.parts = tuple(parts)
            whole = "".join([part.text for part in parts])
            entry.words = frozenset(self._names & set(_word_split(whole)))
        return entry.parts

    def _replace(self, parts: list[Part], entry: ExpandedList) -> list[Part] | None:
        """Replace one list's name; None when it stands nowhere as a word of its own."""
        name = entry.definition.name
        source = _Cutter(parts)
        text, length = source.text, len(source.text)
        made = _Builder()
        at = text.find(name)
        copied = 0
        found = False
        while at >= 0:
            end = at + len(name)
            before = text[at - 1] if at > copied else made.last()
            if (not before or before in _DELIMITERS) and (
                end >= length or text[end] in _DELIMITERS
            ):
                found = True
                made.add(source.cut(copied, at))
                made.strip_blanks()
                copied = end
                while copied < length and text[copied] in _BLANKS:
                    copied += 1
                inner = self._text_of(entry)
                if not any(part.text for part in inner):
                    # An empty list takes one comma with it, the left one first.
                    if made.last() == ",":
                        made.drop_last()
                    elif copied < length and text[copied] == ",":
                        copied += 1
                started = made.length > 0
                if started:
                    made.add([Part(" ")])
                made.add(_used_at(inner, entry, source.origin(at, end)))
                made.add([Part(" ")])
                # At the very start of a condition Falco resumes one character late.
                at = text.find(name, copied if started else copied + 1)
            else:
                at = text.find(name, at + 1)
        if not found:
            return None
        made.add(source.cut(copied, length))
        return made.parts


def _used_at(parts: tuple[Part, ...], entry: ExpandedList, use: Span | None) -> list[Part]:
    """Say of an item where its list is used, of what stands between items which list it is."""
    if use is None:
        return list(parts)
    name, count = entry.definition.name, len(entry.items)
    item = (Label(use, f"list `{name}` is used here"),)
    items = f"{count} item{'' if count == 1 else 's'}"
    between = (Label(entry.definition.name_span, f"list `{name}` puts {items} there"),)
    return [
        Part(part.text, use, between) if part.origin is None else replace(part, trail=item)
        for part in parts
    ]


class _Cutter:
    """Cuts ranges out of joined parts."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts
        self.text = "".join([part.text for part in parts])
        self.starts = list(accumulate([len(part.text) for part in parts], initial=0))

    def cut(self, start: int, end: int) -> list[Part]:
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
        cut = self.cut(start, end)
        return cut[0].origin if len(cut) == 1 else None


class _Builder:
    """Text that grows at its end and can lose its last characters."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.length = 0

    def add(self, parts: Iterable[Part]) -> None:
        for part in parts:
            if part.text:
                self.parts.append(part)
                self.length += len(part.text)

    def last(self) -> str:
        return self.parts[-1].text[-1] if self.parts else ""

    def drop_last(self) -> None:
        part = self.parts.pop()
        self.length -= 1
        if len(part.text) > 1:
            self.parts.append(part.cut(0, len(part.text) - 1))

    def strip_blanks(self) -> None:
        while self.last() and self.last() in _BLANKS:
            part = self.parts.pop()
            kept = part.text.rstrip(_BLANKS)
            self.length -= len(part.text) - len(kept)
            if kept:
                self.parts.append(part.cut(0, len(kept)))
