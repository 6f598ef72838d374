"""Bound conditions → predicate graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rulekit.compiler.ir import (
    FALSE,
    CallOperand,
    FieldOperand,
    Graph,
    LiteralOperand,
    Predicate,
    TupleOperand,
)
from rulekit.compiler.tables import MAX_DEPTH
from rulekit.errors import RuleError
from rulekit.rules.bound import (
    Bound,
    BoundAnd,
    BoundComparison,
    BoundField,
    BoundLiteral,
    BoundNot,
    BoundTransform,
    Operand,
    TypedValue,
)
from rulekit.schema.types import Kind

# Evaluating these has an effect on their next evaluation: each rule has its own.
WITH_MEMORY = frozenset({"evt.deltatime", "evt.deltatime.s", "evt.deltatime.ns", "util.cnt"})

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
        self.rule = 0

    def condition(self, root: Bound) -> int:
        """Return the node of a condition (iterative: trees may be deeper than the stack)."""
        graph, done = self.graph, self._done
        self.rule += 1
        fresh: dict[int, int] = {}  # results that must not be shared between rules
        todo: list[tuple[Bound, bool]] = [(root, False)]
        while todo:
            bound, ready = todo.pop()
            key = id(bound)
            if key in done:
                continue
            if isinstance(bound, BoundComparison):
                node = self.comparison(bound)
            elif not ready:
                todo.append((bound, True))
                children = (bound.child,) if isinstance(bound, BoundNot) else bound.children
                todo.extend((child, False) for child in reversed(children))
                continue
            elif isinstance(bound, BoundNot):
                node = graph.not_(self._result(bound.child, fresh))
            else:
                nodes = [self._result(child, fresh) for child in bound.children]
                node = graph.and_(nodes) if isinstance(bound, BoundAnd) else graph.or_(nodes)
            if graph.ordered[node]:
                fresh[key] = node
            else:
                done[key] = node
        return self._result(root, fresh)

    def _result(self, bound: Bound, fresh: dict[int, int]) -> int:
        key = id(bound)
        return fresh[key] if key in fresh else self._done[key]

    def comparison(self, bound: BoundComparison) -> int:
        """Return the node of a comparison in the current rule."""
        graph = self.graph
        left = self.operand(bound.left)
        kind, quantifier = _shape(bound.left)
        op, modifier, values = bound.op, bound.modifier, bound.values
        if bound.other is not None:
            other = self.operand(bound.other)
            return graph.predicate(Predicate(left, op, None, kind, quantifier, (), other))
        if kind is Kind.TEXT and values:
            values = tuple(v.rstrip(b"\0") if isinstance(v, bytes) else v for v in values)
        if op == "exists":
            modifier, values = None, ()
        elif op == "=" and modifier in (None, "anyof"):
            op, modifier = "in", None
        elif op == "intersects" and quantifier != "list":
            op = "in"
        elif modifier is None and len(values) > 1 and op not in ("in", "intersects", "pmatch"):
            values = values[:1]
        if op in ("in", "intersects", "pmatch") or modifier in ("anyof", "allof"):
            values = _distinct(values)
        if not values and op != "exists":
            return FALSE
        return graph.predicate(Predicate(left, op, modifier, kind, quantifier, values, None))

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


def _distinct(values: tuple[TypedValue, ...]) -> tuple[TypedValue, ...]:
    # Sorted, so that lists in another order are the same predicate.
    distinct = set(values)
    if len(distinct) == 1:
        return values[:1]
    try:
        return tuple(sorted(distinct))
    except TypeError:  # addresses and networks of both families sort, mixed kinds do not
        return tuple(dict.fromkeys(values))
