"""The predicate graph: the conditions of a whole ruleset, in which equal parts are one node.

bound conditions → `lower` → Graph → `passes` → Program. A node is a number; `FALSE` and `TRUE`
are 0 and 1. Nodes never change, passes make new ones, so that a node may belong to many rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rulekit.rules.bound import TypedValue
from rulekit.schema.types import Kind

FALSE = 0
TRUE = 1


@dataclass(frozen=True, slots=True)
class FieldOperand:
    """A field. `instance` keeps apart the rules of fields with a memory (``evt.deltatime``)."""

    name: str
    index: int | None
    key: str | None
    kind: Kind
    quantifier: str
    instance: int = 0


@dataclass(frozen=True, slots=True)
class CallOperand:
    """A transformer call; `args` are numbers of operands."""

    name: str
    args: tuple[int, ...]
    key: str | None
    kind: Kind
    quantifier: str


@dataclass(frozen=True, slots=True)
class LiteralOperand:
    """A constant text, argument of a transformer."""

    value: bytes


@dataclass(frozen=True, slots=True)
class TupleOperand:
    """The items of ``join``."""

    items: tuple[int, ...]


OperandNode: TypeAlias = "FieldOperand | CallOperand | LiteralOperand | TupleOperand"


@dataclass(frozen=True, slots=True)
class Predicate:
    """One comparison. `left` and `other` are numbers of operands.

    `op` is an operator of `BoundComparison`, but ``=`` on one value and ``in`` are one: ``in``.
    """

    left: int
    op: str
    modifier: str | None
    kind: Kind
    quantifier: str
    values: tuple[TypedValue, ...]
    other: int | None
