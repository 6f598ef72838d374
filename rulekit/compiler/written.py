"""Programs that also know the conditions as written, to explain them and to measure coverage.

The rules are compiled as always. Comparisons that the event type decides are kept besides, so that
each one of a written condition has its counterpart in the program.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rulekit.compiler.ir import FALSE
from rulekit.compiler.lower import Lowering, RuleInput, lower
from rulekit.compiler.program import Program, write_program
from rulekit.rules.bound import Bound, BoundComparison, BoundNot
from rulekit.rules.ruleset import Rule


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """The comparisons of one condition, macros and exceptions expanded, in their order.

    Attributes:
        condition: The checked condition; `comparisons` are its leaves, each place once: a macro
            that is used twice gives the same object twice.
        comparisons: Shape ``(n_comparisons,)``.
        places: Per comparison its position in `predicates`, or None: it has no values (``in ()``)
            and is always false.
        predicates: Distinct comparisons of the program that the condition is made of.
        remembers: Per predicate, whether looking at it changes its next answer
            (``evt.deltatime``): such a one is evaluated only where the matcher does.
    """

    name: str
    condition: Bound
    comparisons: tuple[BoundComparison, ...]
    places: tuple[int | None, ...]
    predicates: tuple[int, ...]
    remembers: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class WrittenProgram:
    """A program, and per rule, in definition order, its condition as written."""

    program: Program
    rules: tuple[WrittenRule, ...]


def compile_written(rules: Iterable[Rule]) -> WrittenProgram:
    """Compile rules and keep their written conditions; raises `RuleError` as `compile` does."""
    return compile_written_conditions([(rule.name, rule.bound, None) for rule in rules])


def compile_written_conditions(rules: list[RuleInput]) -> WrittenProgram:
    """Compile stand-alone conditions, as `compile_ruleset`, and keep them as written."""
    lowered = lower(rules)
    lowering = Lowering(lowered.graph)
    graph = lowered.graph
    nodes: list[tuple[tuple[BoundComparison, ...], list[int]]] = []
    for number, (_, condition, _) in enumerate(rules, 1):
        lowering.rule = number
        comparisons = tuple(comparisons_of(condition))
        nodes.append((comparisons, [lowering.comparison(each) for each in comparisons]))
    keep = list(dict.fromkeys(node for _, each in nodes for node in each if node != FALSE))
    program, positions = write_program(lowered, keep)
    written = []
    for (name, condition, _), (comparisons, found) in zip(rules, nodes, strict=True):
        distinct = list(dict.fromkeys(node for node in found if node != FALSE))
        place = {node: i for i, node in enumerate(distinct)}
        written.append(
            WrittenRule(
                name,
                condition,
                comparisons,
                tuple(place.get(node) for node in found),
                tuple(positions[graph.args[node][0]] for node in distinct),
                tuple(bool(graph.ordered[node]) for node in distinct),
            )
        )
    return WrittenProgram(program, tuple(written))


def comparisons_of(condition: Bound) -> Iterator[BoundComparison]:
    """Yield the comparisons of a condition in the order in which they are written."""
    todo = [condition]
    while todo:
        node = todo.pop()
        if isinstance(node, BoundComparison):
            yield node
        elif isinstance(node, BoundNot):
            todo.append(node.child)
        else:
            todo.extend(reversed(node.children))
