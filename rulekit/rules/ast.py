"""Syntax tree of a condition: frozen nodes, each with the place it came from.

`parser` makes the tree, `expand` replaces macro references, `check` binds the comparisons.
Offsets of spans are characters of the condition's own text (see `rulekit.text.source`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeAlias, overload

from rulekit.text.source import SourceText, Span


@dataclass(frozen=True, slots=True)
class FieldNode:
    """A field with its optional argument: ``proc.aname[2]`` is ``("proc.aname", "2")``."""

    name: str
    arg: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class TransformNode:
    """A transformer call: ``len(proc.args)``; `arg` is what stands in brackets after it."""

    name: str
    args: tuple[Argument, ...]
    arg: str | None
    span: Span


@dataclass(frozen=True, slots=True)
class LiteralNode:
    """A literal; `text` is unescaped.

    A byte from 0x80 up that was written ``\\xHH`` is a lone surrogate in `text` (PEP 383):
    ``text.encode("utf-8", "surrogateescape")`` gives the bytes meant.
    """

    text: str
    quoted: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ReadItems:
    """The items of a named list, read once however many conditions name it.

    Attributes:
        texts: Unescaped, as those of `LiteralNode`; `quoted` and `places` belong to them.
        quoted: 1 where the item was quoted; shape ``(n,)``.
        places: Where each begins and ends within the text of the list; shape ``(2 n,)``.
        values: What checks found out about these items, by what they are compared with.
    """

    texts: tuple[str, ...]
    quoted: bytes
    places: array[int]
    values: dict[Any, Any] = field(default_factory=dict)

    def distinct(self) -> frozenset[str]:
        """Return the texts, each once; the same set each time."""
        found: frozenset[str] | None = self.values.get(frozenset)
        if found is None:
            found = self.values[frozenset] = frozenset(self.texts)
        return found


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ItemRun:
    """Items of a named list where it stands in a condition, `offset` characters from its start."""

    read: ReadItems
    source: SourceText
    offset: int

    def __len__(self) -> int:
        return len(self.read.texts)

    def __getitem__(self, index: int) -> LiteralNode:
        read, offset = self.read, self.offset
        span = Span(
            self.source, offset + read.places[2 * index], offset + read.places[2 * index + 1]
        )
        return LiteralNode(read.texts[index], bool(read.quoted[index]), span)

    def __iter__(self) -> Iterator[LiteralNode]:
        return map(self.__getitem__, range(len(self)))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ListItems(Sequence[LiteralNode]):
    """The items of a list that names others; each is made when it is asked for.

    A list of thousands of items that stands in hundreds of rules is neither read nor kept
    hundreds of times.
    """

    runs: tuple[ItemRun | tuple[LiteralNode, ...], ...]

    def __len__(self) -> int:
        return sum([len(run) for run in self.runs])

    def __iter__(self) -> Iterator[LiteralNode]:
        return chain.from_iterable(self.runs)

    @overload
    def __getitem__(self, index: int) -> LiteralNode: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[LiteralNode, ...]: ...
    def __getitem__(self, index: int | slice) -> LiteralNode | tuple[LiteralNode, ...]:
        if isinstance(index, slice):
            return tuple(self)[index]
        if index < 0:
            index += len(self)
        for run in self.runs:
            if 0 <= index < len(run):
                return run[index]
            index -= len(run)
        raise IndexError(index)

    def distinct(self) -> frozenset[str]:
        """Return the texts of the items, each once, without making any of them."""
        sets = [
            run.read.distinct() if isinstance(run, ItemRun) else frozenset(i.text for i in run)
            for run in self.runs
        ]
        return sets[0] if len(sets) == 1 else frozenset().union(*sets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, (ListItems, tuple)) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


@dataclass(frozen=True, slots=True)
class ListNode:
    """A parenthesised list of literals on the right of ``in`` and its kin."""

    items: tuple[LiteralNode, ...] | ListItems
    span: Span

    def texts(self) -> Iterator[str]:
        """Return what stands in the list, without places."""
        if isinstance(self.items, tuple):
            return (item.text for item in self.items)
        return chain.from_iterable(
            run.read.texts if isinstance(run, ItemRun) else [item.text for item in run]
            for run in self.items.runs
        )


@dataclass(frozen=True, slots=True)
class TupleNode:
    """A tuple given to a transformer: ``join(",", (proc.name, 5))``."""

    items: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ComparisonNode:
    """``left op right``; `modifier` is ``oneof``, ``anyof``, ``allof`` or None.

    `right` is None for ``exists``; a `FieldNode` stands for ``val(field)``.
    """

    left: FieldNode | TransformNode
    op: str
    modifier: str | None
    right: LiteralNode | ListNode | FieldNode | TransformNode | None
    span: Span


@dataclass(frozen=True, slots=True)
class MacroNode:
    """A name that stands for a macro's condition."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class NotNode:
    child: Node
    span: Span


@dataclass(frozen=True, slots=True)
class AndNode:
    children: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class OrNode:
    children: tuple[Node, ...]
    span: Span


Argument: TypeAlias = "FieldNode | TransformNode | LiteralNode | TupleNode"
Node: TypeAlias = "AndNode | OrNode | NotNode | ComparisonNode | MacroNode"
