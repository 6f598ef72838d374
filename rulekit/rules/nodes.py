"""Nodes of YAML as rule files mean them: scalars are text, and every node knows where it stands."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

NULL_TEXTS = frozenset({"", "~", "null", "Null", "NULL"})
# Nodes that aliases may add by standing for others; a file's own nodes are not limited.
MAX_ALIASED_NODES = 1_000_000
STYLES = ("", "'", '"', "|", ">")


@dataclass(slots=True, eq=False)
class Scalar:
    """A scalar as text; `null` when it is unquoted and empty, ``~`` or ``null``.

    Attributes:
        start, end: Character offsets of the node in the file, counted from 0.
        style: ``'`` or ``"`` or ``|`` or ``>``, or empty for a plain scalar.
    """

    start: int
    end: int
    value: str
    style: str
    null: bool


@dataclass(slots=True, eq=False)
class Sequence:
    """A sequence of nodes; the items of a long one may be a `PackedScalars`, read like a list."""

    start: int
    end: int
    items: list[YamlNode] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapping:
    """A map; `pairs` holds every pair in order, `get` finds the first of equal keys."""

    start: int
    end: int
    pairs: list[tuple[YamlNode, YamlNode]] = field(default_factory=list)
    _index: dict[str, YamlNode] | None = None

    def get(self, key: str) -> YamlNode | None:
        """Return the value of the first key that reads `key`, or None."""
        if self._index is None:
            return self.index().get(key)
        return self._index.get(key)

    def index(self) -> dict[str, YamlNode]:
        """Return values by key, those of the first of equal keys; keys are texts."""
        if self._index is None:
            self._index = {}
            for name, value in self.pairs:
                if isinstance(name, Scalar) and not name.null:
                    self._index.setdefault(name.value, value)
        return self._index


YamlNode: TypeAlias = "Scalar | Sequence | Mapping"


@dataclass(slots=True, eq=False)
class PackedScalars:
    """Scalars without an object each; a list of a million items is nothing else.

    Attributes:
        texts: Their values; `starts`, `ends` and `styles` (positions in `STYLES`) belong to them.
    """

    texts: list[str] = field(default_factory=list)
    starts: array[int] = field(default_factory=lambda: array("I"))
    ends: array[int] = field(default_factory=lambda: array("I"))
    styles: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Scalar:
        text, style = self.texts[index], STYLES[self.styles[index]]
        null = not style and text in NULL_TEXTS
        return Scalar(self.starts[index], self.ends[index], text, style, null)

    def __iter__(self) -> Iterator[Scalar]:
        return map(self.__getitem__, range(len(self.texts)))

    def append(self, scalar: Scalar) -> None:
        """Add one scalar."""
        self.take([scalar])

    def take(self, scalars: list[Scalar]) -> None:
        """Add some scalars."""
        self.texts += [scalar.value for scalar in scalars]
        self.starts.extend([scalar.start for scalar in scalars])
        self.ends.extend([scalar.end for scalar in scalars])
        self.styles += bytes([STYLES.index(scalar.style) for scalar in scalars])
