"""Bound conditions → predicate graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rulekit.compiler._graph import Graph, node_of
from rulekit.compiler.ir import (
    FALSE,
    CallOperand,
    FieldOperand,
    LiteralOperand,
    TupleOperand,
)
from rulekit.compiler.tables import MAX_DEPTH, WITH_MEMORY
from rulekit.errors import RuleError
from rulekit.rules.bound import (
    Bound,
    BoundComparison,
    BoundField,
    BoundLiteral,
    BoundTransform,
    Operand,
    TypedValue,
)
from rulekit.schema.types import Kind

# Name, condition, event types on which the rule may be tried (None: all).
RuleInput: TypeAlias = "tuple[str, Bound, Iterable[int] | None]"


@dataclass(frozen=True, slots=True)
class Lowered:
    """A ruleset as a graph.

    Attributes:
        roots: Node of each rule's condition, in definition order; shape ``(n_rules,)``.
        event_codes: Per rule the event types given by the caller, or None.
    """

    graph: Graph
    names: tuple[str, ...]
    roots: tuple[int, ...]
    event_codes: tuple[frozenset[int] | None, ...]


def lower(rules: Sequence[RuleInput]) -> Lowered:
    """Return the graph of `rules`; `RuleError` when a condition is nested too deep."""
    lowering = Lowering()
    roots = []
    for name, condition, _ in rules:
        root = lowering.condition(condition)
        if lowering.graph.depth[root] > MAX_DEPTH:
            raise RuleError(f"rule `{name}`: condition nested deeper than {MAX_DEPTH} levels")
        roots.append(root)
    return Lowered(
        lowering.graph,
        tuple(name for name, _, _ in rules),
        tuple(roots),
        tuple(None if codes is None else frozenset(codes) for _, _, codes in rules),
    )


class Lowering:
    """Makes nodes of conditions, rule after rule.

    Attributes:
        rule: Number of the current rule, counted from 1.
    """

    def __init__(self, graph: Graph | None = None) -> None:
        self.graph = Graph() if graph is None else graph
        # Macros expand to shared trees; each is lowered once. The objects outlive the lowering,
        # because the rules hold them.
        self._done: dict[int, int] = {}
        self._fields: dict[tuple[object, ...], tuple[int, Kind, str]] = {}
        self._lists: dict[
            tuple[int, bool], tuple[tuple[TypedValue, ...], tuple[TypedValue, ...]]
        ] = {}
        self.rule = 0

    def condition(self, root: Bound) -> int:
        """Return the node of a condition (iterative: trees may be deeper than the stack)."""
        self.rule += 1
        return node_of(self.graph, root, self.comparison, self._done)

    def comparison(self, bound: BoundComparison) -> int:
        """Return the node of a comparison in the current rule."""
        graph = self.graph
        left, kind, quantifier = self._left(bound.left)
        op, modifier, values = bound.op, bound.modifier, bound.values
        if bound.other is not None:
            other = self.operand(bound.other)
            return graph.compared(left, op, None, kind, quantifier, (), other)
        if op == "exists":
            modifier, values = None, ()
        elif op == "=" and modifier in (None, "anyof"):
            op, modifier = "in", None
        elif op == "intersects" and quantifier != "list":
            op = "in"
        elif modifier is None and len(values) > 1 and op not in ("in", "intersects", "pmatch"):
            values = values[:1]
        listed = op in ("in", "intersects", "pmatch") or modifier in ("anyof", "allof")
        if values:
            values = self._values(values, kind is Kind.TEXT, listed and len(values) > 1)
        elif op != "exists":
            return FALSE
        return graph.compared(left, op, modifier, kind, quantifier, values, None)

    def _values(
        self, values: tuple[TypedValue, ...], text: bool, listed: bool
    ) -> tuple[TypedValue, ...]:
        """Return the values that are compared with; texts end at their NUL bytes."""
        if not listed:
            return _stripped(values) if text else values
        # A list that stands in many conditions is one tuple in all of them.
        key = (id(values), text)
        known = self._lists.get(key)
        if known is None:
            known = self._lists[key] = values, _distinct(_stripped(values) if text else values)
        return known[1]

    def _left(self, bound: Operand) -> tuple[int, Kind, str]:
        """Return the number, kind and quantifier of a left side."""
        if isinstance(bound, BoundField) and bound.field.name not in WITH_MEMORY:
            key = (bound.field.name, bound.index, bound.key, bound.kind.value)
            known = self._fields.get(key)
            if known is None:
                known = self._fields[key] = self.operand(bound), *_shape(bound)
            return known
        return self.operand(bound), *_shape(bound)

    def operand(self, bound: Operand, nested: bool = False) -> int:
        """Return the number of an operand in the current rule.

        Args:
            nested: It is an argument, which is one value even of a field of all ancestors.
        """
        graph = self.graph
        if isinstance(bound, BoundField):
            kind, quantifier = _shape(bound)
            if nested and quantifier == "ancestors":
                quantifier = "one"
            instance = 0
            if bound.field.name in WITH_MEMORY:
                instance = self.rule
            return graph.operand(
                FieldOperand(bound.field.name, bound.index, bound.key, kind, quantifier, instance)
            )
        if isinstance(bound, BoundLiteral):
            return graph.operand(LiteralOperand(bound.value))
        if isinstance(bound, BoundTransform):
            kind, quantifier = _shape(bound)
            args = tuple(self.operand(argument, True) for argument in bound.args)
            return graph.operand(CallOperand(bound.name, args, bound.key, kind, quantifier))
        return graph.operand(TupleOperand(tuple(self.operand(item, True) for item in bound.items)))


def _shape(operand: Operand) -> tuple[Kind, str]:
    if isinstance(operand, BoundField):
        quantifier = operand.field.quantifier
        if quantifier == "ancestors" and operand.index is None and operand.key is None:
            return operand.kind, "ancestors"
        if quantifier == "ends":
            return operand.kind, "ends"
        return operand.kind, "list" if operand.is_list else "one"
    if isinstance(operand, BoundTransform):
        return operand.kind, "list" if operand.is_list else "one"
    return Kind.TEXT, "one" if isinstance(operand, BoundLiteral) else "list"


def _stripped(values: tuple[TypedValue, ...]) -> tuple[TypedValue, ...]:
    for value in values:
        if isinstance(value, bytes) and value[-1:] == b"\0":
            return tuple(v.rstrip(b"\0") if isinstance(v, bytes) else v for v in values)
    return values


def _distinct(values: tuple[TypedValue, ...]) -> tuple[TypedValue, ...]:
    # Sorted, so that lists in another order are the same predicate.
    distinct = set(values)
    if len(distinct) == 1:
        return values[:1]
    try:
        return tuple(sorted(distinct))
    except TypeError:  # addresses and networks of both families sort, mixed kinds do not
        return tuple(dict.fromkeys(values))
