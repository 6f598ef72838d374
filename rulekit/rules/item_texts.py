"""The items of named lists: their texts, and where each was written when somebody asks.

A list may have a million items: none has an object of its own besides its text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from rulekit.rules._scan import scalar_span
from rulekit.rules.nodes import PackedScalars, Scalar
from rulekit.text.pieced import Part, PiecedText
from rulekit.text.source import SourceText, Span


class ItemTexts:
    """Items in their order; grows while files are read.

    Attributes:
        texts: What the items are, without places.
    """

    __slots__ = ("_runs", "texts")

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        written = list(spans)
        self.texts: list[str] = [span.text for span in written]
        # Index of the first item; the file; its nodes, or spans where there is no file; which of
        # these comes first.
        self._runs: list[tuple[int, SourceText | None, Any, int]] = [(0, None, written, 0)]

    @classmethod
    def written(cls, file: SourceText, nodes: list[Scalar] | PackedScalars) -> ItemTexts:
        """Return the items that stand in a file."""
        made = cls.__new__(cls)
        packed = isinstance(nodes, PackedScalars)
        made.texts = nodes.texts[:] if packed else [node.value for node in nodes]  # type: ignore[union-attr]
        made._runs = [(0, file, nodes, 0)]
        return made

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Span:
        """Return where an item was written; its text is that of `texts`."""
        if not 0 <= index < len(self.texts):
            raise IndexError(index)
        run = bisect_right(self._runs, index, key=lambda run: run[0]) - 1
        first, file, nodes, begin = self._runs[run]
        node = nodes[begin + index - first]
        if file is None:
            span: Span = node
            return span
        return scalar_span(file, node)

    def __iter__(self) -> Iterator[Span]:
        return map(self.__getitem__, range(len(self.texts)))

    def extend(self, other: ItemTexts) -> None:
        """Add the items of another list."""
        self._add(other, 0, len(other))

    def _add(self, other: ItemTexts, start: int, end: int) -> None:
        """Add the items ``[start, end)`` of another list."""
        if start == end:
            return
        before = len(self.texts)
        if not before:
            self._runs = []
        texts = other.texts[start:end]
        for number, (first, file, nodes, begin) in enumerate(other._runs):
            after = other._runs[number + 1][0] if number + 1 < len(other._runs) else len(other)
            low, high = max(start, first), min(end, after)
            if low < high:
                self._runs.append((before + low - start, file, nodes, begin + low - first))
        self.texts += texts

    def with_lists(self, inner: dict[str, ItemTexts]) -> ItemTexts:
        """Return the items with those of other lists in place of their names."""
        made = ItemTexts()
        done = 0
        for index, text in enumerate(self.texts):
            if text in inner:
                made._add(self, done, index)
                made.extend(inner[text])
                done = index + 1
        made._add(self, done, len(self.texts))
        return made


class ListText(PiecedText):
    """The text that stands for a list of at least two items, none of them empty."""

    __slots__ = ("items",)

    items: ItemTexts

    def __init__(self, name: str, items: ItemTexts) -> None:
        texts = items.texts
        text = ", ".join(texts)
        if text.count(" ") != len(texts) - 1:
            text = ", ".join(map(quoted_item, texts))
        values: dict[str, Any] = {"name": name, "text": text, "outer": None, "offsets": ()}
        for key, value in {**values, "_lines": [], "notes": {}, "items": items}.items():
            object.__setattr__(self, key, value)

    def __reduce__(self) -> tuple[type[ListText], tuple[str, ItemTexts]]:
        # Results travel between processes; what is made from the items cannot be set there.
        return ListText, (self.name, self.items)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The pieces, made when first asked for: when something is wrong in the list."""
        if "parts" not in self.notes:
            self.notes["parts"] = tuple(part for part in joined_items(self.items) if part.text)
        found: tuple[Part, ...] = self.notes["parts"]
        return found

    @property
    def starts(self) -> tuple[int, ...]:
        """Where each piece begins."""
        if "starts" not in self.notes:
            sizes = (len(part.text) for part in self.parts)
            self.notes["starts"] = tuple(accumulate(sizes, initial=0))[:-1]
        found: tuple[int, ...] = self.notes["starts"]
        return found


def quoted_item(text: str) -> str:
    """Return an item as it stands in a condition: quoted where it holds a blank."""
    return f'"{text}"' if " " in text and text[0] not in "\"'" else text


def joined_items(items: ItemTexts) -> list[Part]:
    """Return items as text: quoted where they hold a blank, commas between them."""
    parts: list[Part] = []
    size = 0
    for index, text in enumerate(items.texts):
        if size:
            parts.append(Part(", "))
        item = items[index]
        if " " in text and text[0] not in "\"'":
            parts += [Part('"'), Part(text, item), Part('"')]
        else:
            parts.append(Part(text, item))
        size += len(text)
    return parts
