"""Lists: which texts a list stands for, and putting them into conditions as text.

A list's name is replaced wherever it stands between delimiters, before the condition is parsed:
also after ``=`` and inside quotes. Lists are taken in the order of their first definition, so
text that a list brings in is searched for later lists only.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TypeAlias

from rulekit.rules._plain import QuickLists
from rulekit.rules._read import items_of
from rulekit.rules.definitions import ListDef
from rulekit.rules.item_texts import ItemTexts, ListText, joined_items
from rulekit.rules.tokens import LIST_BLANKS, LIST_DELIMITERS
from rulekit.text.cutting import Builder, Cutter
from rulekit.text.pieced import Insertion, Part, PiecedText, pieced
from rulekit.text.source import SourceText, Span

_TO_BLANK = str.maketrans(dict.fromkeys("\t\n\r(),=", " "))
_has_delimiter = re.compile("[ \t\n\r(),=]").search

_takes_list = re.compile(r"(?<![^ \t\n\r)\]])(?:in|intersects|pmatch|[a-z]*of)[ \t\n\r]*$").search
_has_quote = re.compile("[\"']").search

# Characters that lists may add to all conditions together where they are read as items of `in`
# and its kin: each list is read once, so they cost memory only.
MAX_ITEM_CHARS = 50_000_000
# Characters that they may add elsewhere, where the text is read anew for each condition, and how
# many more for each that somebody wrote.
MAX_ADDED_CHARS = 200_000
MAX_ADDED_PER_CHAR = 4
# Of so few it does not matter where they stand.
_FEW_CHARS = 200
# Items of all lists together, after the lists named in them were put in, and how many more for
# each that somebody wrote.
MAX_ITEMS = 100_000
MAX_ITEMS_PER_ITEM = 10
# Pieces copied while lists are put into conditions; each list copies all pieces of a condition.
MAX_STEPS = 1_000_000
# Pieces of one condition for each that somebody wrote, on average, and how many there may always
# be: lists that each name the next one twice double with every level.
MAX_GROWTH = 20
FREE_PIECES = 10_000


def _word_split(text: str) -> list[str]:
    """Return what stands between delimiters; some of it may be empty."""
    return text.translate(_TO_BLANK).split(" ")


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
        inner: The lists named in it.
        used: Whether a condition or another list names it.
    """

    definition: ListDef
    order: int
    items: ItemTexts
    used: bool = False
    inner: list[ListDef] = field(default_factory=list)
    text: SourceText | None = None
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
    most = MAX_ITEMS + MAX_ITEMS_PER_ITEM * sum([len(d.items) for d in known.values()])
    for order, definition in enumerate(known.values()):
        inner: list[ListDef] = []
        items = definition.items
        texts = items.texts
        if not known.keys().isdisjoint(texts):
            for text in texts:
                other = known.get(text)
                if other is not None and other.index < definition.visibility:
                    inner.append(other)
                    total += len(other.items) - 1
                    if total > most:
                        break
        total += len(texts)
        if total > most:
            raise ExpansionTooLarge(definition.name, definition.name_span)
        if inner:
            used += [other.name for other in inner]
            items = items.with_lists({other.name: other.items for other in inner})
        expanded[definition.name] = ExpandedList(definition, order, items, inner=inner)
    for name in used:
        expanded[name].used = True
    return expanded


# Texts of lists, kept from one run over the definitions to the next; the definitions are kept
# with them so that their ids stay theirs.
TextCache: TypeAlias = "dict[tuple[object, ...], tuple[SourceText, ListDef, tuple[ListDef, ...]]]"

# A text, what it was put together from (equal for equal texts of the same definitions), and the
# names of the lists that were put in.
SubstitutedText: TypeAlias = "tuple[SourceText, tuple[object, ...], frozenset[str]]"


class ListTable:
    """Puts lists into conditions and remembers which ones were used.

    Args:
        texts: Kept between tables, so that an unchanged list keeps its text.
    """

    def __init__(self, lists: dict[str, ExpandedList], texts: TextCache) -> None:
        self.lists = lists
        self._texts = texts
        self._names = frozenset(lists)
        self._by_order = list(lists.values())
        self._items = self._added = self._steps = 0
        self._written = sum(
            [sum(map(len, entry.definition.items.texts)) for entry in self._by_order]
        )
        # Names that hold a delimiter match across words; they get a warning, and are rare. Where
        # one stands, its first word stands as a word.
        self._odd: dict[str, list[ExpandedList]] = {}
        for entry in self._by_order:
            if _has_delimiter(entry.definition.name):
                words = [word for word in _word_split(entry.definition.name) if word]
                self._odd.setdefault(words[0] if words else "", []).append(entry)
        self._quick = None if self._odd else QuickLists(lists, self._text_of)

    def condition(self, file: str, written: Span | list[Part]) -> SubstitutedText:
        """Return the text of a condition with every list name replaced.

        Args:
            file: The name of the file that begins the condition.
            written: All of it, where one scalar holds all.

        Raises:
            ExpansionTooLarge: When one of the limits above is passed.
        """
        if isinstance(written, Span):
            found = None if self._quick is None else self._quick.put_in(file, written)
            if found is not None:
                text, used = found
                if not used:
                    return text, (id(text),), _NONE
                if self._fits(written.source.text, text, used):
                    key = (id(written.source), *[id(entry.text) for entry in used])
                    return text, key, frozenset([entry.definition.name for entry in used])
            written = [Part(written.text, written)]
        parts, names = self.substitute(written)
        return pieced(file, parts), _key(parts), names

    def _fits(self, before: str, text: SourceText, used: Sequence[ExpandedList]) -> bool:
        """Count what was put in; tell whether all is within the limits."""
        assert isinstance(text, PiecedText)
        steps = len(text.parts) + len(text.text) // 1000
        if (
            self._items + len(text.text) > MAX_ITEM_CHARS
            or self._steps + steps > MAX_STEPS
            or len(text.parts) > FREE_PIECES
        ):
            return False
        self._steps += steps
        self._written += len(before)
        for entry in used:
            entry.used = True
        last = max(used, key=_order)
        self._account(text.text, text.parts, last, len(text.text) - len(before))
        return True

    def substitute(self, parts: list[Part]) -> tuple[list[Part], frozenset[str]]:
        """Return the parts of a condition with every list name replaced, and these names.

        Raises:
            ExpansionTooLarge: When one of the limits above is passed.
        """
        text = "".join([part.text for part in parts])
        pending = self._candidates(text, -1)
        if not pending:
            return parts, frozenset()
        used: set[str] = set()
        heapq.heapify(pending)
        done, size, written = -1, len(text), len(parts)
        self._written += size
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
            self._steps += len(parts) + size // 1000
            written += 2 * len(entry.items)
            grown_wild = len(parts) > FREE_PIECES + MAX_GROWTH * written
            too_long = self._items + size > MAX_ITEM_CHARS
            if too_long or self._steps > MAX_STEPS or grown_wild:
                raise ExpansionTooLarge(entry.definition.name, entry.definition.name_span)
            for name in entry.words:
                if self.lists[name].order > order:
                    heapq.heappush(pending, self.lists[name].order)
            if self._odd:
                grown = "".join([part.text for part in parts])
                for found in self._odd_names(grown, set(_word_split(grown)), order):
                    heapq.heappush(pending, found)
        self._account("".join([part.text for part in parts]), parts, entry, size - len(text))
        return parts, frozenset(used)

    def _account(self, text: str, parts: Iterable[Part], last: ExpandedList, added: int) -> None:
        """Count what was added to a condition, apart for items that are read once for all."""
        items = 0
        if added > _FEW_CHARS and not self._odd:
            at = 0
            for part in parts:
                if part.insertion is not None and _is_items(part) and _in_list(text, at):
                    items += len(part.text)
                at += len(part.text)
        self._items += items
        self._added += max(0, added - items)
        if self._added > MAX_ADDED_CHARS + MAX_ADDED_PER_CHAR * self._written:
            raise ExpansionTooLarge(last.definition.name, last.definition.name_span)

    def _candidates(self, text: str, after: int) -> list[int]:
        words = _word_split(text)
        found = [self.lists[name].order for name in self._names.intersection(words)]
        if self._odd:
            found += self._odd_names(text, set(words), after)
        return found

    def _odd_names(self, text: str, words: set[str], after: int) -> list[int]:
        return [
            entry.order
            for word in self._odd.keys() & (words | {""})
            for entry in self._odd[word]
            if entry.order > after and entry.definition.name in text
        ]

    def _text_of(self, entry: ExpandedList) -> SourceText:
        if entry.text is None:
            definition = entry.definition
            key = (
                id(definition),
                definition.visibility,
                tuple((id(other), other.visibility) for other in entry.inner),
            )
            known = self._texts.get(key)
            if known is None:
                text = _text_of_items(definition.name_span.source.name, entry.items)
                self._texts[key] = (text, definition, tuple(entry.inner))
                entry.text = text
            else:
                entry.text = known[0]
            entry.words = self._words(entry)
        return entry.text

    def _words(self, entry: ExpandedList) -> frozenset[str]:
        """Return the names of lists that stand as words in the text of a list."""
        assert entry.text is not None
        read = items_of(entry.text)
        if read is not None and not any(read.quoted):
            return self._names.intersection(read.texts)
        return self._names.intersection(_word_split(entry.text.text))

    def _replace(self, parts: list[Part], entry: ExpandedList) -> list[Part] | None:
        """Replace one list's name; None when it stands nowhere as a word of its own."""
        name = entry.definition.name
        source = Cutter(parts)
        text, length = source.text, len(source.text)
        made = Builder()
        at = text.find(name)
        copied = 0
        found = False
        while at >= 0:
            end = at + len(name)
            before = text[at - 1] if at > copied else made.last()
            if (not before or before in LIST_DELIMITERS) and (
                end >= length or text[end] in LIST_DELIMITERS
            ):
                found = True
                made.add(source.cut(copied, at))
                made.strip(LIST_BLANKS)
                copied = end
                while copied < length and text[copied] in LIST_BLANKS:
                    copied += 1
                inner = self._text_of(entry)
                if not inner.text:
                    # An empty list takes one comma with it, the left one first.
                    if made.last() == ",":
                        made.drop_last()
                    elif copied < length and text[copied] == ",":
                        copied += 1
                started = made.length > 0
                if started:
                    made.add([Part(" ")])
                made.add([_used_at(inner, entry, source.origin(at, end))])
                made.add([Part(" ")])
                # At the very start of a condition Falco resumes one character late.
                at = text.find(name, copied if started else copied + 1)
            else:
                at = text.find(name, at + 1)
        if not found:
            return None
        made.add(source.cut(copied, length))
        return made.parts


_NONE: frozenset[str] = frozenset()
_order = attrgetter("order")


def _key(parts: list[Part]) -> tuple[object, ...]:
    # The sources live as long as what is kept: their ids stay theirs.
    words: list[object] = []
    for part in parts:
        origin = part.origin
        if origin is None:
            words.append(part.text)
        elif part.text:
            words += (id(origin.source), origin.start, origin.end)
    return tuple(words)


def _text_of_items(name: str, items: ItemTexts) -> SourceText:
    if len(items) > 1 and "" not in items.texts:
        return ListText(name, items)
    return pieced(name, joined_items(items))


def _used_at(text: SourceText, entry: ExpandedList, use: Span | None) -> Part:
    """Return a list's text as a piece that knows where the list was named."""
    whole = text.span(0, len(text.text))
    if use is None:
        return Part(text.text, whole)
    definition = entry.definition
    insertion = Insertion(use, definition.name, len(entry.items), definition.name_span)
    return Part(text.text, whole, insertion)


def _is_items(part: Part) -> bool:
    whole = part.origin.source if part.origin is not None else None
    return whole is not None and len(whole.text) == len(part.text) and bool(items_of(whole))


def _in_list(text: str, at: int) -> bool:
    """Tell whether what stands at `at` is read as an item; not where quotes stand before it."""
    start = text.rfind("(", 0, at)
    before = text[max(0, start - 20) : max(0, start)]
    return bool(_takes_list(before)) and not _has_quote(text, start, at)
