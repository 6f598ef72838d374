"""Small changes to a rule's condition that its cases should notice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TypeAlias

from rulekit.rules.ast import (
    AndNode,
    ComparisonNode,
    ListNode,
    LiteralNode,
    MacroNode,
    Node,
    NotNode,
    OrNode,
)
from rulekit.rules.bound import Bound
from rulekit.rules.check import check_condition
from rulekit.rules.ruleset import Macro, Rule, Ruleset
from rulekit.rules.unparse import unparse
from rulekit.text.source import Span

MAX_ITEMS = 12
"""Items of one list that are dropped one at a time; of longer lists an even choice."""

MAX_MACROS = 2
"""Macros that are put in the place of one."""

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
# Operators without one that is easily taken for it.
_NEGATED = frozenset({"in", "intersects", "pmatch", "glob", "iglob", "regex", "exists"})

Put = Callable[[Node], Node]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed condition.

    Attributes:
        kind: ``operator item prefix negation operand macro junction``.
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


def mutants_of(rule: Rule, ruleset: Ruleset) -> Iterator[Mutant]:
    """Yield the mutants of a rule that are conditions; each change once."""
    seen: set[str] = {unparse(rule.node)}
    times: Counter[tuple[str, str, str]] = Counter()
    for kind, node, old, new in _Changes(rule, ruleset).of(rule.written, lambda part: part):
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


Change = tuple[str, Node, Node, "Node | None"]
"""Kind, whole condition, changed part, what it became."""


class _Changes:
    def __init__(self, rule: Rule, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.macros = [macro for macro in ruleset.macros.values() if _fits(macro, rule.source)]

    def of(self, node: Node, put: Put) -> Iterator[Change]:
        """Yield the changes of a part; `put` makes the whole condition of a changed part."""
        if isinstance(node, MacroNode):
            for other in self.instead(node.name):
                yield "macro", put(other.node), node, MacroNode(other.name, node.span)
            yield from self.of(self.ruleset.macros[node.name].written, put)
        elif isinstance(node, ComparisonNode):
            for kind, new in _comparison(node):
                yield kind, put(new), node, new
        elif isinstance(node, NotNode):
            yield "negation", put(self.plain(node.child)), node, node.child
            for change in self.of(node.child, lambda new: put(replace(node, child=new))):
                if change[2] is not node.child or change[0] != "negation":  # not negated twice
                    yield change
        else:
            yield from self.junction(node, put)

    def junction(self, node: AndNode | OrNode, put: Put) -> Iterator[Change]:
        children = tuple(self.plain(child) for child in node.children)
        other = OrNode if isinstance(node, AndNode) else AndNode
        yield "junction", put(other(children, node.span)), node, other(node.children, node.span)
        for i, child in enumerate(node.children):
            rest = (*children[:i], *children[i + 1 :])
            whole: Node = rest[0] if len(rest) == 1 else replace(node, children=rest)
            yield "macro" if isinstance(child, MacroNode) else "operand", put(whole), child, None

            def inner(new: Node, i: int = i) -> Node:
                return put(replace(node, children=(*children[:i], new, *children[i + 1 :])))

            yield from self.of(child, inner)

    def plain(self, node: Node) -> Node:
        """Return a part with macros put in."""
        if isinstance(node, MacroNode):
            return self.ruleset.macros[node.name].node
        if isinstance(node, NotNode):
            return replace(node, child=self.plain(node.child))
        if isinstance(node, (AndNode, OrNode)):
            return replace(node, children=tuple(self.plain(child) for child in node.children))
        return node

    def instead(self, name: str) -> list[Macro]:
        """Return the macros that are most easily taken for this one."""
        others = [macro for macro in self.macros if macro.name != name]
        others.sort(
            key=lambda macro: (-SequenceMatcher(None, name, macro.name).ratio(), macro.name)
        )
        return others[:MAX_MACROS]


def _fits(macro: Macro, source: str) -> bool:
    """Tell whether a macro is about events of a source."""
    return check_condition(macro.node, source, stand_alone=True).bound is not None


def _comparison(node: ComparisonNode) -> Iterator[tuple[str, Node]]:
    right = node.right
    if node.op in _NEGATED:
        yield "negation", NotNode(node, node.span)
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
