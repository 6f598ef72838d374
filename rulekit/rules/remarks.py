"""Warnings about conditions that Falco gives, too: likely slips, outdated fields."""

from __future__ import annotations

from rulekit.rules.ast import (
    AndNode,
    Argument,
    ComparisonNode,
    FieldNode,
    ListNode,
    LiteralNode,
    Node,
    NotNode,
    OrNode,
    TransformNode,
)
from rulekit.rules.names import DEPRECATED_FIELDS, is_field
from rulekit.rules.shared import SharedTrees
from rulekit.rules.syntax import TRANSFORMERS
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import Span

_EQUALITY = frozenset({"=", "==", "!=", "in", "intersects", "pmatch"})
_SPACES = dict.fromkeys(map(ord, " \t\n\v\f\r"))
_REGEX_SPECIAL = frozenset(".+*?^$()[]{}|\\")


def remarks_on_literal(literal: LiteralNode, op: str, source: str) -> list[Diagnostic]:
    """Return remarks on a literal that is probably meant as something else."""
    text = literal.text
    found: list[Diagnostic] = []
    if op == "regex" and _needs_no_regex(text):
        help = "`=`, `contains`, `startswith` or `endswith` says the same and is faster"
        label = "nothing in this pattern needs `regex`"
        found.append(_remark("RK403", "pattern without need", literal.span, label, help))
    if "." in text or "(" in text:
        packed = text.translate(_SPACES)
        if is_field(packed, None, source):
            label = "a literal text, although it is the name of a field"
            help = f"write `val({packed})` to compare with the field"
            found.append(_remark("RK401", "field name as a text", literal.span, label, help))
        name, paren, rest = packed.partition("(")
        if paren and rest.endswith(")") and name in ("val", *TRANSFORMERS):
            label = f"a literal text, although it looks like a call of `{name}`"
            help = "take the quotes away to have it computed"
            found.append(_remark("RK402", "transformer as a text", literal.span, label, help))
    return found


def unsafe_and_deprecated(node: Node, shared: SharedTrees | None = None) -> list[Diagnostic]:
    """Return warnings about ``<NA>`` as a text, and one for each outdated field used."""
    shared = shared or SharedTrees()
    unsafe: Diagnostic | None = None
    outdated: dict[str, Span] = {}
    seen: set[int] = set()
    stack: list[Node] = [node]
    while stack:
        part = stack.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if part is not node and id(part) in shared.nodes:
            if id(part) not in shared.plain:
                shared.plain[id(part)] = not unsafe_and_deprecated(part, shared)
            if shared.plain[id(part)]:
                continue
        if isinstance(part, NotNode):
            stack.append(part.child)
        elif isinstance(part, (AndNode, OrNode)):
            stack += reversed(part.children)
        elif isinstance(part, ComparisonNode):
            last = _fields_inside(part.left, outdated)
            plugin = last is not None and last.startswith(("ka.", "jevt."))
            if plugin and part.op in _EQUALITY and part.modifier is None:
                unsafe = unsafe or _unsafe(part)
    told = [unsafe] if unsafe else []
    return told + [
        _outdated(name, outdated[name]) for name in DEPRECATED_FIELDS if name in outdated
    ]


def _remark(code: str, message: str, span: Span, label: str, help: str) -> Diagnostic:
    return Diagnostic(code, "warning", message, span, label, help, "LOAD_COMPILE_CONDITION")


def _needs_no_regex(pattern: str) -> bool:
    """Tell whether only the ends hold anything special: ``^``, ``$``, ``.*`` and the like."""
    size, i = len(pattern), 0
    while i < size:
        char = pattern[i]
        if (i == 0 and char == "^") or (i == size - 1 and char == "$"):
            i += 1
        elif ((i == 0 and size > 1) or i == size - 2) and char == "." and pattern[i + 1] in "+*?":
            i += 2
        elif char in _REGEX_SPECIAL:
            return False
        else:
            i += 1
    return True


def outdated_in(operand: Argument) -> bool:
    """Whether an operand names an outdated field."""
    found: dict[str, Span] = {}
    _fields_inside(operand, found)
    return bool(found)


def _fields_inside(operand: Argument, outdated: dict[str, Span]) -> str | None:
    """Note outdated fields of an operand; return the name of its last field.

    What stands in a tuple is not looked at.
    """
    last = None
    stack: list[Argument] = [operand]
    while stack:
        part = stack.pop()
        if isinstance(part, FieldNode):
            last = part.name
            if last in DEPRECATED_FIELDS:
                outdated.setdefault(last, part.span)
        elif isinstance(part, TransformNode):
            stack += reversed(part.args)
    return last


def _unsafe(node: ComparisonNode) -> Diagnostic | None:
    right = node.right
    literals = right.items if isinstance(right, ListNode) else (right,)
    for literal in literals:
        if isinstance(literal, LiteralNode) and literal.text == "<NA>":
            label = "a missing value is not equal to this text"
            return Diagnostic(
                *("RK405", "warning", "comparison with the text `<NA>`", literal.span, label),
                "use `exists`",
                "LOAD_UNSAFE_NA_CHECK",
            )
    return None


def _outdated(name: str, span: Span) -> Diagnostic:
    label = "always 0, since enter events are gone"
    if name == "evt.dir":
        label = "`<` is always true and `>` always false, since enter events are gone"
    message = f"field `{name}` is outdated"
    return Diagnostic("RK404", "warning", message, span, label, None, "LOAD_DEPRECATED_ITEM")
