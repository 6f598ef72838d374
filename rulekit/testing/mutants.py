"""Small changes to a rule's condition that its cases should notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from rulekit.rules.ast import (
    AndNode,
    ComparisonNode,
    ListNode,
    LiteralNode,
    Node,
    NotNode,
    OrNode,
)
from rulekit.rules.bound import Bound
from rulekit.rules.check import check_condition
from rulekit.rules.ruleset import Rule
from rulekit.rules.unparse import unparse
from rulekit.text.source import Span

MAX_ITEMS = 12
"""Items of one list that are dropped one at a time; of longer lists an even choice."""

_OPERATORS: dict[str, tuple[str, ...]] = {
    "=": ("!=",),
    "==": ("!=",),
    "!=": ("=",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "contains": ("startswith", "endswith"),
    "icontains": ("contains",),
    "startswith": ("contains", "="),
    "endswith": ("contains", "="),
}

MutantKey: TypeAlias = "tuple[str, str, str, int]"
Put = Callable[[Node], Node]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed condition.

    Attributes:
        kind: ``operator item prefix negation operand junction``.
        span: What was changed.
        before, after: The changed part as text; `after` is empty when it was taken away.
        key: The change, and how many times the rule has met the same one before: a macro may be
            used twice.
    """

    rule: str
    kind: str
    span: Span
    before: str
    after: str
    bound: Bound
    key: MutantKey


def mutants_of(rule: Rule) -> Iterator[Mutant]:
    """Yield the mutants of a rule that are conditions; each change once."""
    seen: set[str] = {unparse(rule.node)}
    times: Counter[tuple[str, str, str]] = Counter()
    for kind, node, old, new in _changes(rule.node, lambda part: part):
        text = unparse(node)
        if text in seen:
            continue
        seen.add(text)
        result = check_condition(node, rule.source, stand_alone=True)
        if result.bound is not None:
            change = (kind, unparse(old), "" if new is None else unparse(new))
            key = (*change, times[change])
            times[change] += 1
            yield Mutant(rule.name, kind, old.span, *change[1:], result.bound, key)


def _changes(node: Node, put: Put) -> Iterator[tuple[str, Node, Node, Node | None]]:
    """Yield ``(kind, whole condition, changed part, what it became)``; `put` wraps a part."""
    if isinstance(node, ComparisonNode):
        for kind, new in _comparison(node):
            yield kind, put(new), node, new
    elif isinstance(node, NotNode):
        yield "negation", put(node.child), node, node.child
        yield from _changes(node.child, lambda new: put(replace(node, child=new)))
    elif isinstance(node, (AndNode, OrNode)):
        yield from _junction(node, put)


def _junction(node: AndNode | OrNode, put: Put) -> Iterator[tuple[str, Node, Node, Node | None]]:
    children = node.children
    other = OrNode if isinstance(node, AndNode) else AndNode
    swapped = other(children, node.span)
    yield "junction", put(swapped), node, swapped
    for i, child in enumerate(children):
        rest = (*children[:i], *children[i + 1 :])
        whole: Node = rest[0] if len(rest) == 1 else replace(node, children=rest)
        yield "operand", put(whole), child, None

        def inner(new: Node, i: int = i) -> Node:
            return put(replace(node, children=(*children[:i], new, *children[i + 1 :])))

        yield from _changes(child, inner)


def _comparison(node: ComparisonNode) -> Iterator[tuple[str, Node]]:
    right = node.right
    for op in _OPERATORS.get(node.op, ()):
        if node.modifier is None:
            yield "operator", replace(node, op=op)
    if isinstance(right, ListNode):
        items = right.items
        step = max(1, -(-len(items) // MAX_ITEMS))
        for i in range(0, len(items), step) if len(items) > 1 else ():
            left = replace(right, items=(*items[:i], *items[i + 1 :]))
            yield "item", replace(node, right=left)
        if node.op == "pmatch":
            for i, item in enumerate(items[:MAX_ITEMS]):
                wider = _parent(item)
                if wider is not None:
                    put = replace(right, items=(*items[:i], wider, *items[i + 1 :]))
                    yield "prefix", replace(node, right=put)
    elif isinstance(right, LiteralNode) and node.op in ("startswith", "pmatch"):
        wider = _parent(right)
        if wider is not None:
            yield "prefix", replace(node, right=wider)


def _parent(literal: LiteralNode) -> LiteralNode | None:
    """Return a shorter prefix: the folder above, or half of a text that is no path."""
    text = literal.text
    if text.startswith("/"):
        shorter = text.rstrip("/").rpartition("/")[0] + "/"
        return replace(literal, text=shorter) if len(shorter) < len(text) else None
    return replace(literal, text=text[: len(text) // 2]) if len(text) > 3 else None
