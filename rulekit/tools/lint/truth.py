"""Conditions whose outcome is known without an event."""

from __future__ import annotations

from rulekit.rules.ast import (
    AndNode,
    ComparisonNode,
    FieldNode,
    ListNode,
    LiteralNode,
    MacroNode,
    Node,
    NotNode,
)
from rulekit.schema.types import Kind
from rulekit.tools.lint.check import LintContext, named_field


def outcome(context: LintContext, node: Node) -> bool | None:
    """Return True or False when a condition has one outcome for every event, else None."""
    cache = context.shared.setdefault("outcome", {})
    assert isinstance(cache, dict)
    if id(node) not in cache:
        cache[id(node)] = _outcome(context, node)
    found: bool | None = cache[id(node)]
    return found


def _outcome(context: LintContext, node: Node) -> bool | None:
    if isinstance(node, ComparisonNode):
        return _comparison(node)
    if isinstance(node, MacroNode):
        return None
    if isinstance(node, NotNode):
        inner = outcome(context, node.child)
        return None if inner is None else not inner
    outcomes = {outcome(context, child) for child in node.children}
    decisive = not isinstance(node, AndNode)
    if decisive in outcomes:
        return decisive
    return None if None in outcomes else not decisive


def _comparison(node: ComparisonNode) -> bool | None:
    if isinstance(node.right, ListNode) and not node.right.items:
        return False
    if not isinstance(node.left, FieldNode) or not isinstance(node.right, LiteralNode):
        return None
    if node.modifier is not None:
        return None
    name, text = node.left.name, node.right.text
    if name == "evt.source" and node.op in ("=", "=="):
        return True if text == "syscall" else None
    return _number(node, node.left, text)


def _number(node: ComparisonNode, left: FieldNode, text: str) -> bool | None:
    named = named_field(left)
    if named is None or named.field.kind is not Kind.UINT or named.field.name == "evt.rawarg":
        return None
    try:
        value = int(text)
    except ValueError:
        return None
    if value < 0:
        return None
    # Events are counted from 1; other unsigned numbers begin at 0, but may be missing.
    least = 1 if left.name == "evt.num" else 0
    known = {
        "=": False if value < least else None,
        "==": False if value < least else None,
        "!=": value < least or None,
        "<": False if value <= least else None,
        "<=": False if value < least else None,
        ">": value < least or None,
        ">=": value <= least or None,
    }.get(node.op)
    if known and left.name != "evt.num":
        return None
    return known
