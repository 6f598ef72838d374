"""Order the parts of conjunctions and disjunctions: cheap and decisive ones first."""

from __future__ import annotations

from collections.abc import Set

from rulekit.compiler._graph import Graph, NodeCosts
from rulekit.compiler.ir import (
    CallOperand,
    FieldOperand,
    LiteralOperand,
    Predicate,
)
from rulekit.schema.types import Kind

# Rough nanoseconds, from measurements of extraction and of comparison.
_EXTRACTION = {
    "evt.type": 4,
    "evt.args": 400,
    "evt.arg": 60,
    "evt.info": 400,
    "proc.cmdline": 12,
    "proc.pcmdline": 25,
    "proc.args": 60,
    "proc.exeline": 60,
    "proc.env": 200,
    "proc.aenv": 400,
    "proc.acmdline": 60,
    "proc.sname": 40,
    "thread.cgroups": 200,
}
_COMPARISON = {
    "exists": 0,
    "in": 4,
    "!=": 4,
    "<": 2,
    "<=": 2,
    ">": 2,
    ">=": 2,
    "startswith": 4,
    "bstartswith": 4,
    "endswith": 4,
    "contains": 20,
    "bcontains": 20,
    "icontains": 40,
    "pmatch": 25,
    "glob": 40,
    "iglob": 50,
    "intersects": 10,
    "regex": 2000,
}


def predicate_cost(graph: Graph, predicate: Predicate) -> int:
    """Return about how many nanoseconds a comparison takes."""
    cost = _operand_cost(graph, predicate.left) + _COMPARISON.get(predicate.op, 10)
    if predicate.other is not None:
        cost += _operand_cost(graph, predicate.other)
    if predicate.modifier is not None:
        cost += 5 * len(predicate.values)
    elif predicate.op == "in" and predicate.kind is Kind.TEXT and len(predicate.values) == 1:
        cost -= 1
    return cost


def _operand_cost(graph: Graph, number: int) -> int:
    operand = graph.operands[number]
    if isinstance(operand, LiteralOperand):
        return 0
    if isinstance(operand, FieldOperand):
        cost = _EXTRACTION.get(operand.name, 8)
        if operand.quantifier == "ancestors":
            return 3 * cost + 40
        if operand.quantifier == "one" and operand.index is not None:
            return cost + 8 * min(operand.index + 1, 8)
        return cost
    inner = operand.args if isinstance(operand, CallOperand) else operand.items
    return 30 + sum(_operand_cost(graph, item) for item in inner)


class Costs(NodeCosts):
    """Costs of nodes of one graph; `cheap` comparisons are answered from kept bits."""

    def __init__(self, graph: Graph, cheap: Set[int]) -> None:
        super().__init__(graph)
        self.cheap = cheap

    def predicate_cost(self, number: int) -> int:
        """Return the cost of a comparison."""
        if number in self.cheap:
            return 2
        return predicate_cost(self.graph, self.graph.predicates[number])
