"""The predicate graph: the conditions of a whole ruleset, in which equal parts are one node.

bound conditions → `lower` → Graph → `passes` → Program. A node is a number; `FALSE` and `TRUE`
are 0 and 1. Nodes never change, passes make new ones, so that a node may belong to many rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rulekit.compiler.tables import NodeOp
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


class Graph:
    """A hash-consed graph; not thread-safe.

    Attributes:
        operands, predicates: By number.
        ops: `NodeOp` of each node; `args`: its children, or ``(predicate,)``.
        ordered: Per node, 1 when its children must be tried in their order, because evaluating
            one has an effect (a field with memory).
        depth: Per node, levels below it.
    """

    def __init__(self) -> None:
        self.operands: list[OperandNode] = []
        self.predicates: list[Predicate] = []
        self.ops: list[int] = [NodeOp.FALSE, NodeOp.TRUE]
        self.args: list[tuple[int, ...]] = [(), ()]
        self.ordered = bytearray(2)
        self.depth: list[int] = [0, 0]
        self._operand_ids: dict[OperandNode, int] = {}
        self._predicate_nodes: dict[Predicate, int] = {}
        self._nodes: dict[tuple[int, tuple[int, ...]], int] = {}
        self._impure: set[int] = set()  # operands that remember

    def operand(self, operand: OperandNode) -> int:
        """Return the number of an operand, the same for equal ones."""
        number = self._operand_ids.get(operand)
        if number is None:
            number = len(self.operands)
            self.operands.append(operand)
            self._operand_ids[operand] = number
            if isinstance(operand, FieldOperand):
                impure = operand.instance != 0
            elif isinstance(operand, CallOperand):
                impure = not self._impure.isdisjoint(operand.args)
            elif isinstance(operand, TupleOperand):
                impure = not self._impure.isdisjoint(operand.items)
            else:
                impure = False
            if impure:
                self._impure.add(number)
        return number

    def predicate(self, predicate: Predicate) -> int:
        """Return the node of a comparison."""
        node = self._predicate_nodes.get(predicate)
        if node is None:
            ordered = predicate.left in self._impure or predicate.other in self._impure
            node = self._add(NodeOp.PREDICATE, (len(self.predicates),), ordered)
            self.predicates.append(predicate)
            self._predicate_nodes[predicate] = node
        return node

    def predicate_of(self, node: int) -> Predicate:
        """Return the comparison that a predicate node stands for."""
        return self.predicates[self.args[node][0]]

    def not_(self, child: int) -> int:
        """Return the negation of a node."""
        if child <= TRUE:
            return TRUE - child
        if self.ops[child] == NodeOp.NOT:
            return self.args[child][0]
        return self._intern(NodeOp.NOT, (child,))

    def and_(self, children: Sequence[int]) -> int:
        """Return the conjunction; of nothing it is TRUE."""
        return self._chain(NodeOp.AND, children, TRUE, FALSE)

    def or_(self, children: Sequence[int]) -> int:
        """Return the disjunction; of nothing it is FALSE."""
        return self._chain(NodeOp.OR, children, FALSE, TRUE)

    def _chain(self, op: NodeOp, children: Sequence[int], neutral: int, final: int) -> int:
        flat: dict[int, None] = {}
        for child in children:
            if self.ops[child] == op:
                flat.update(dict.fromkeys(self.args[child]))
            else:
                flat[child] = None
        flat.pop(neutral, None)
        # A constant decides at once, unless something before it must be evaluated.
        if final in flat:
            before = []
            for child in flat:
                if child == final:
                    break
                before.append(child)
            if not any(self.ordered[child] for child in before):
                return final
            flat = dict.fromkeys([*before, final])
        elif any(
            self.ops[child] == NodeOp.NOT
            and self.args[child][0] in flat
            and not self.ordered[child]
            for child in flat
        ) and not any(self.ordered[child] for child in flat):
            return final
        if not flat:
            return neutral
        if len(flat) == 1:
            return next(iter(flat))
        return self._intern(op, tuple(flat))

    def _intern(self, op: int, args: tuple[int, ...]) -> int:
        node = self._nodes.get((op, args))
        if node is None:
            node = self._add(op, args, any(self.ordered[child] for child in args))
            self._nodes[op, args] = node
        return node

    def _add(self, op: int, args: tuple[int, ...], ordered: bool) -> int:
        node = len(self.ops)
        self.ops.append(op)
        self.args.append(args)
        self.ordered.append(ordered)
        below = 0 if op == NodeOp.PREDICATE else max(self.depth[child] for child in args)
        self.depth.append(below + 1)
        return node

    def reachable(self, roots: Sequence[int]) -> list[int]:
        """Return all nodes below `roots`, children before parents."""
        # A node's children were made before it, so that the numbers are in order.
        seen = set(roots)
        todo = list(seen)
        while todo:
            node = todo.pop()
            if self.ops[node] >= NodeOp.NOT:
                for child in self.args[node]:
                    if child not in seen:
                        seen.add(child)
                        todo.append(child)
        return sorted(seen)
