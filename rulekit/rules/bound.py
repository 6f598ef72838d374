"""Checked conditions: every name resolved, every literal a typed value; what compilers read.

`check` makes them from the syntax tree, `compiler.lower` and `compiler.reference` read them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rulekit.schema.fields import Field
from rulekit.schema.types import Kind
from rulekit.text.source import Span

# TEXT and BYTES: bytes. INT, UINT, PORT: int (widened to 64 bits as `Kind` says). BOOL: bool.
# DOUBLE: float. ADDRESS: packed bytes (4 or 16). NETWORK: (packed network bytes, prefix length).
TypedValue: TypeAlias = "bytes | int | bool | float | tuple[bytes, int]"


@dataclass(frozen=True, slots=True)
class BoundField:
    """A field as a condition or output names it.

    Attributes:
        index: Argument as a number (``proc.aname[2]``), or None.
        key: Argument as text (``proc.env[HOME]``, ``evt.arg.flags`` gives ``flags``), or None.
        kind: Value kind; for ``evt.rawarg.x`` that of the parameter.
        is_list: True when extraction yields a list of texts.
    """

    field: Field
    index: int | None
    key: str | None
    kind: Kind
    is_list: bool
    span: Span


@dataclass(frozen=True, slots=True)
class BoundTransform:
    """A transformer over operands; `key` is the bracket argument (``getopt(...)[c]``)."""

    name: str
    args: tuple[Operand, ...]
    key: str | None
    kind: Kind
    is_list: bool
    span: Span


@dataclass(frozen=True, slots=True)
class BoundLiteral:
    """A literal argument of a transformer."""

    value: bytes
    span: Span


@dataclass(frozen=True, slots=True)
class BoundTuple:
    """A tuple argument of ``join``."""

    items: tuple[Operand, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class BoundComparison:
    """``left op values`` or ``left op other``; ``exists`` has neither.

    Attributes:
        op: One of ``exists = != < <= > >= in intersects pmatch contains icontains bcontains
            startswith bstartswith endswith glob iglob regex`` (``==`` is bound as ``=``).
        modifier: ``oneof``, ``anyof``, ``allof`` or None.
        values: Right side as typed values; one for scalar operators without modifier.
        other: Right side as an operand (``val(...)`` or a transformer), or None.
    """

    left: Operand
    op: str
    modifier: str | None
    values: tuple[TypedValue, ...]
    other: Operand | None
    span: Span


@dataclass(frozen=True, slots=True)
class BoundNot:
    child: Bound
    span: Span


@dataclass(frozen=True, slots=True)
class BoundAnd:
    children: tuple[Bound, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class BoundOr:
    children: tuple[Bound, ...]
    span: Span


Operand: TypeAlias = "BoundField | BoundTransform | BoundLiteral | BoundTuple"
Bound: TypeAlias = "BoundAnd | BoundOr | BoundNot | BoundComparison"
