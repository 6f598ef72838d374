"""Bound conditions → predicate graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rulekit.compiler._graph import Comparisons, Graph
from rulekit.compiler.ir import (
    CallOperand,
    FieldOperand,
    LiteralOperand,
    TupleOperand,
)
from rulekit.compiler.tables import MAX_DEPTH, WITH_MEMORY
from rulekit.errors import RuleError
from rulekit.rules.bound import (
    Bound,
    BoundField,
    BoundLiteral,
    BoundTransform,
    Operand,
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


class Lowering(Comparisons):
    """Makes nodes of conditions, rule after rule."""

    def shape(self, bound: Operand) -> tuple[int, Kind, str]:
        """Return the number, kind and quantifier of a left side in the current rule."""
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
