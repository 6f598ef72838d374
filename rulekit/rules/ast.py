"""Syntax tree of a condition: frozen nodes, each with the place it came from.

`parser` makes the tree, `expand` replaces macro references, `check` binds the comparisons.
Offsets of spans are characters of the condition's own text (see `rulekit.text.source`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rulekit.text.source import Span


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


@dataclass(frozen=True, slots=True)
class ListNode:
    """A parenthesised list of literals on the right of ``in`` and its kin."""

    items: tuple[LiteralNode, ...]
    span: Span


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
