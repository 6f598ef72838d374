"""Pairs of comparisons that cannot both hold, or of which one always does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rulekit.rules.ast import AndNode, ComparisonNode, MacroNode, Node, NotNode, OrNode
from rulekit.rules.unparse import unparse, unparse_operand
from rulekit.tools.lint.check import LintContext, Owner
from rulekit.tools.lint.facts import Fact, facts_about, places
from rulekit.tools.lint.values import Said, conflict, said, subject


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two comparisons that both have to hold and cannot; `first` stands first or in a macro."""

    first: Fact
    second: Fact


def contradictions(context: LintContext, owner: Owner) -> tuple[Contradiction, ...]:
    """Return pairs of which at least one is written in the owner's own text."""
    key = ("contradictions", owner)
    found = context.shared.get(key)
    if found is None:
        found = context.shared[key] = tuple(_contradictions(context, owner))
    assert isinstance(found, tuple)
    return found


def _contradictions(context: LintContext, owner: Owner) -> Iterator[Contradiction]:
    told: set[frozenset[int]] = set()
    known: dict[int, tuple[Said | None, str]] = {}  # the places keep the facts, so ids are theirs
    for place in places(context, owner):
        others = facts_about(context, place, _left)
        if not others:
            continue
        single = subject(place.fact.node) is not None
        what, text = said(place.fact), unparse(place.fact.node)
        for other in others:
            if id(other) not in known:
                known[id(other)] = (said(other), unparse(other.node))
            other_what, other_text = known[id(other)]
            pair = frozenset((id(place.fact.node), id(other.node)))
            if pair in told:
                continue
            opposite = place.fact.negated != other.negated and text == other_text
            if opposite or (single and _clash(what, other_what)):
                told.add(pair)
                yield Contradiction(*_ordered(owner, other, place.fact))


def _left(fact: Fact) -> str:
    return unparse_operand(fact.node.left)


def _clash(one: Said | None, other: Said | None) -> bool:
    if one is None or other is None:
        return False
    return (one.present or other.present) and conflict(one, other)


def _ordered(owner: Owner, one: Fact, other: Fact) -> tuple[Fact, Fact]:
    own = one.node.span.source is owner.text
    if own and one.node.span.start > other.node.span.start:
        return other, one
    return one, other


def same_outcome_pairs(owner: Owner) -> Iterator[tuple[Node, Node]]:
    """Yield operands of an ``or`` of which one is the negation of the other."""
    stack: list[Node] = [owner.written]
    while stack:
        node = stack.pop()
        if isinstance(node, NotNode):
            stack.append(node.child)
        elif isinstance(node, (AndNode, OrNode)):
            stack.extend(node.children)
            if isinstance(node, OrNode):
                yield from _opposites(node)


def _opposites(node: OrNode) -> Iterator[tuple[Node, Node]]:
    seen: dict[tuple[str, bool], Node] = {}
    for child in node.children:
        inner = child.child if isinstance(child, NotNode) else child
        if not isinstance(inner, (ComparisonNode, MacroNode)):
            continue
        negated = isinstance(child, NotNode)
        text = unparse(inner)
        if (text, not negated) in seen:
            yield seen[text, not negated], child
        seen.setdefault((text, negated), child)
