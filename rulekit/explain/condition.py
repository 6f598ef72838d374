"""A rule's condition as people wrote it, each comparison tied to its counterpart in the program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rulekit.compiler.written import WrittenRule
from rulekit.rules.ast import AndNode, ComparisonNode, ListNode, MacroNode, Node, NotNode
from rulekit.rules.bound import BoundComparison, BoundField
from rulekit.rules.ruleset import Rule, Ruleset
from rulekit.rules.unparse import unparse, unparse_operand
from rulekit.text.pieced import PiecedText
from rulekit.text.source import Span

Kind = Literal["and", "or", "not", "comparison"]


@dataclass(frozen=True, slots=True)
class Part:
    """A node of a condition, macros and exceptions followed.

    Attributes:
        span: Where it was written.
        via: The way into the rule: ``macro NAME``, ``exception NAME``, outermost first.
        opens: The macro or exception that begins with this part, or None.
        text: A comparison as written, on one line; empty for others.
        comparison: Position among the written comparisons of the rule, -1 for others.
        place: Position of its predicate among the distinct ones of the rule; None: always false.
        lists: Lists that brought in values.
    """

    kind: Kind
    span: Span
    via: tuple[str, ...]
    children: tuple[Part, ...] = ()
    opens: str | None = None
    text: str = ""
    comparison: int = -1
    place: int | None = None
    lists: tuple[str, ...] = ()

    def holds(self, true: int) -> bool:
        """Return the outcome for a set of predicates that hold, given as bits by place."""
        if self.kind == "comparison":
            return self.place is not None and bool(true >> self.place & 1)
        if self.kind == "not":
            return not self.children[0].holds(true)
        if self.kind == "and":
            return all(child.holds(true) for child in self.children)
        return any(child.holds(true) for child in self.children)

    def leaves(self) -> Iterator[Part]:
        """Yield the comparisons in the order in which they are written."""
        if self.kind == "comparison":
            yield self
        for child in self.children:
            yield from child.leaves()


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of one rule.

    Attributes:
        root: The whole condition.
        comparisons: The parts that are comparisons, in their order.
        bound: The same, checked and typed.
        n_predicates: Number of distinct comparisons.
    """

    rule: Rule
    root: Part
    comparisons: tuple[Part, ...]
    bound: tuple[BoundComparison, ...]
    n_predicates: int

    def of_place(self, place: int) -> Part:
        """Return the first comparison with this predicate."""
        return next(part for part in self.comparisons if part.place == place)


def condition_of(rule: Rule, ruleset: Ruleset, written: WrittenRule) -> Condition:
    """Return a rule's condition, tied to the program that `written` is of."""
    root = _Walk(rule, ruleset, written).root()
    comparisons = tuple(root.leaves())
    assert len(comparisons) == len(written.comparisons)
    return Condition(rule, root, comparisons, written.comparisons, len(written.predicates))


class _Walk:
    def __init__(self, rule: Rule, ruleset: Ruleset, written: WrittenRule) -> None:
        self.rule = rule
        self.ruleset = ruleset
        self.written = written
        self.n = 0

    def root(self) -> Part:
        node = self.rule.written
        exceptions = [e.name for e in self.rule.exceptions if e.values]
        if exceptions and isinstance(node, AndNode) and len(node.children) > len(exceptions):
            # The loader wraps: (CONDITION) and not EXCEPTION and not EXCEPTION.
            first = len(node.children) - len(exceptions)
            own = [self.part(child, (), None) for child in node.children[:first]]
            others = [
                self.part(child, (f"exception {name}",), f"exception {name}")
                for child, name in zip(node.children[first:], exceptions, strict=True)
            ]
            return Part("and", node.span, (), (*own, *others))
        return self.part(node, (), None)

    def part(self, node: Node, via: tuple[str, ...], opens: str | None) -> Part:
        span = node.span
        while isinstance(node, MacroNode):
            opens = f"macro {node.name}" if opens is None else opens
            via = (*via, f"macro {node.name}")
            node = self.ruleset.macros[node.name].written
        if isinstance(node, ComparisonNode):
            number = self.n
            self.n += 1
            return Part(
                "comparison", node.span, via, (), opens, shown(node), number,
                self.written.places[number], lists_of(node),
            )  # fmt: skip
        if isinstance(node, NotNode):
            return Part("not", span, via, (self.part(node.child, via, None),), opens)
        kind: Kind = "and" if isinstance(node, AndNode) else "or"
        children = tuple(self.part(child, via, None) for child in node.children)
        return Part(kind, span, via, children, opens)


def shown(node: ComparisonNode) -> str:
    """Return a comparison on one line as it was written, names of lists included."""
    text = " ".join(node.span.outermost().text.split())
    # What a list or an exception put together stands nowhere as a whole.
    left = unparse_operand(node.left)
    behind = text.removeprefix(left).split()
    whole = (
        text.startswith(left)
        and node.op in behind[:1]
        and (node.right is None) == (len(behind) == 1)
    )
    return text if whole and text.count("(") == text.count(")") else unparse(node)


def lists_of(node: ComparisonNode) -> tuple[str, ...]:
    """Return the lists whose items stand in a comparison, in order."""
    source = node.span.source
    if not isinstance(source, PiecedText) or not isinstance(node.right, ListNode):
        return ()
    found: dict[str, None] = {}
    for item in node.right.items:
        insertion = source.parts[source.part_at(item.span.start)].insertion
        if insertion is not None:
            found[insertion.use.text] = None
    return tuple(found)


def event_type_places(condition: Condition) -> int:
    """Return the bits of predicates that are about the type of the event alone."""
    return _places_of_fields(condition, _ABOUT_TYPE)


def outcome_places(condition: Condition) -> int:
    """Return the bits of predicates that are about whether the system call succeeded."""
    return _places_of_fields(condition, _ABOUT_OUTCOME)


_ABOUT_TYPE = frozenset({"evt.type", "syscall.type", "evt.dir", "evt.category", "evt.source"})
_ABOUT_OUTCOME = frozenset({"evt.res", "evt.rawres", "evt.failed", "evt.arg.res", "evt.rawarg.res"})


def _places_of_fields(condition: Condition, names: frozenset[str]) -> int:
    bits = 0
    for part, bound in zip(condition.comparisons, condition.bound, strict=True):
        left = bound.left
        if part.place is not None and isinstance(left, BoundField):
            name = left.field.name
            name = name if left.key is None else f"{name}.{left.key}"
            bits |= (name in names) << part.place
    return bits


def places_of(part: Part) -> Sequence[int]:
    """Return the distinct predicates below a part, in the order of first appearance."""
    return list(dict.fromkeys(leaf.place for leaf in part.leaves() if leaf.place is not None))
