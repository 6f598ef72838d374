"""What a comparison says about the value of its left side, as far as plain reasoning goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rulekit.rules.ast import (
    Argument,
    ComparisonNode,
    FieldNode,
    ListItems,
    ListNode,
    LiteralNode,
    TransformNode,
    TupleNode,
)
from rulekit.rules.unparse import unparse_operand
from rulekit.schema.types import Kind
from rulekit.tools.lint.check import named_field
from rulekit.tools.lint.facts import Fact

_NUMBERS = frozenset({Kind.INT, Kind.UINT})
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "startswith": str.startswith,
    "endswith": str.endswith,
    "contains": lambda value, part: part in value,
    "icontains": lambda value, part: part.lower() in value.lower(),
}
_RANGES = frozenset({"<", "<=", ">", ">="})


@dataclass(frozen=True, slots=True)
class Said:
    """What one fact says about a value.

    Attributes:
        only: The value is one of these, or None.
        never: The value is none of these.
        prefix: The value begins with this, or None.
        low, high: Bounds of a number, both included.
        test: Tells of a text whether the fact holds for it, or None when that is not known.
        present: There is a value; a negated comparison is true without one.
    """

    only: frozenset[str | int] | None = None
    never: frozenset[str | int] = frozenset()
    prefix: str | None = None
    low: int | None = None
    high: int | None = None
    test: Callable[[str], bool] | None = None
    present: bool = True


def subject(node: ComparisonNode) -> str | None:
    """Return the left side as a key when it has one value at a time, else None."""
    return unparse_operand(node.left) if _is_single(node.left) else None


def _is_single(operand: FieldNode | TransformNode) -> bool:
    if isinstance(operand, TransformNode):
        return all(
            not isinstance(a, (FieldNode, TransformNode)) or _is_single(a) for a in operand.args
        )
    named = named_field(operand)
    if named is None or named.field.is_list:
        return False
    quantifier = named.field.quantifier
    return quantifier == "one" or (quantifier == "ancestors" and named.index is not None)


def is_numeric(node: ComparisonNode) -> bool:
    """Tell whether the left side is a number; ports may be written as names and do not count."""
    if isinstance(node.left, TransformNode):
        return node.left.name == "len"
    named = named_field(node.left)
    return named is not None and named.field.kind in _NUMBERS and named.field.name != "evt.rawarg"


def said(fact: Fact) -> Said | None:
    """Return what a fact says, or None when it cannot be told."""
    node = fact.node
    finite = values_of(node)
    if fact.negated:
        if finite is not None and node.op != "!=":
            return Said(never=finite, present=False)
        return None
    if finite is not None:
        return Said(never=finite) if node.op == "!=" else Said(only=finite)
    if node.modifier or not isinstance(node.right, LiteralNode):
        return Said()
    text = node.right.text
    if node.op in _RANGES:
        return _range(node.op, text) if is_numeric(node) else Said()
    if node.op in _TESTS:
        test = _TESTS[node.op]
        return Said(
            prefix=text if node.op == "startswith" else None,
            test=lambda value: test(value, text),
        )
    if node.op == "glob" and not set(text) & set("[]\\"):
        return Said(test=lambda value: fnmatchcase(value, text))
    return Said()


def values_of(node: ComparisonNode) -> frozenset[str | int] | None:
    """Return the values that ``=``, ``!=`` or ``in`` names, in one spelling each, or None."""
    right = node.right
    if node.op in ("=", "==", "!=") and node.modifier is None and isinstance(right, LiteralNode):
        literals: tuple[LiteralNode, ...] | ListItems = (right,)
    elif node.op in ("in", "intersects") and node.modifier is None:
        literals = right.items if isinstance(right, ListNode) else ()
        literals = (right,) if isinstance(right, LiteralNode) else literals
    elif node.op in ("=", "==") and node.modifier == "anyof" and isinstance(right, ListNode):
        literals = right.items
    else:
        return None
    if isinstance(node.left, FieldNode):
        named = named_field(node.left)
        if named is None or named.field.kind in (Kind.PORT, Kind.ADDRESS, Kind.NETWORK, Kind.BYTES):
            return None
    if isinstance(literals, ListItems):
        texts = literals.distinct()
    else:
        texts = frozenset(literal.text for literal in literals)
    if not is_numeric(node):
        return texts
    try:
        return frozenset(map(int, texts))
    except ValueError:
        return None


def _range(op: str, text: str) -> Said:
    try:
        bound = int(text)
    except ValueError:
        return Said()
    if op in ("<", "<="):
        return Said(high=bound - (op == "<"))
    return Said(low=bound + (op == ">"))


def conflict(first: Said, second: Said) -> bool:
    """Tell whether two statements about one value can never both be true."""
    return _excludes(first, second) or _excludes(second, first)


def _excludes(first: Said, second: Said) -> bool:
    if first.only is not None:
        if second.only is not None:
            return not first.only & second.only
        return all(not _allows(second, value) for value in first.only)
    if first.prefix is not None and second.prefix is not None:
        one, other = first.prefix, second.prefix
        return not one.startswith(other) and not other.startswith(one)
    if first.low is not None and second.high is not None:
        return first.low > second.high
    return False


def _allows(what: Said, value: str | int) -> bool:
    if value in what.never:
        return False
    if isinstance(value, int):
        too_low = what.low is not None and value < what.low
        return not too_low and not (what.high is not None and value > what.high)
    return what.test is None or what.test(value)


def fields_of_operand(operand: Argument) -> Iterator[FieldNode]:
    """Yield the fields of an operand, also inside transformers."""
    stack: list[Argument] = [operand]
    while stack:
        part = stack.pop()
        if isinstance(part, FieldNode):
            yield part
        elif isinstance(part, TransformNode):
            stack.extend(reversed(part.args))
        elif isinstance(part, TupleNode):
            stack.extend(reversed(part.items))
