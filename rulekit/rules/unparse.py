"""Syntax tree → text: condition text that parses back to the same tree, and s-expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from rulekit.rules.ast import (
    AndNode,
    Argument,
    ComparisonNode,
    FieldNode,
    ListNode,
    LiteralNode,
    MacroNode,
    Node,
    NotNode,
    OrNode,
    TransformNode,
    TupleNode,
)

_Right: TypeAlias = "LiteralNode | ListNode | FieldNode | TransformNode"
_Part: TypeAlias = "Node | Argument | str"

_bare = re.compile(r"[^()\"' \t\n\v\f\r=,\x00-\x1f\ud800-\udfff]+").fullmatch
_bare_arg = re.compile(r"[^\]\[\"' \t\n\v\f\r\x00-\x1f\ud800-\udfff]+").fullmatch
_name = re.compile(r"[A-Za-z][A-Za-z0-9_]*").fullmatch
_number = re.compile(r"0[xX][0-9a-fA-F]+|[+-]?[0-9]+\.?[0-9]*(?:[eE][+-][0-9]+)?").fullmatch
_special = re.compile(r"[\"\\\x00-\x1f\ud800-\udfff]")
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
# Read as modifiers where a list or a name follows.
_MODIFIERS = frozenset({"oneof", "anyof", "allof"})
# Take numbers and names, never a quoted text.
_UNQUOTED = frozenset({"<", "<=", ">", ">=", "in", "intersects", "pmatch"})


def unparse(node: Node) -> str:
    """Return condition text that parses to an equal tree, spans aside.

    Groups get parentheses only where the tree needs them.
    """
    return _flatten(node, _text_parts)


def unparse_operand(operand: FieldNode | TransformNode) -> str:
    """Return a field or transformer call as conditions and outputs write it."""
    return _flatten(operand, _text_parts)


def to_sexpr(node: Node) -> str:
    """Return the tree as an s-expression, the form of the conformance corpus."""
    return _flatten(node, _sexpr_parts)


def _flatten(node: _Part, parts: Callable[[Any], Iterable[_Part]]) -> str:
    """Replace each node by its parts until only text is left; any depth is fine."""
    done: list[str] = []
    stack: list[_Part] = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            done.append(part)
        else:
            stack.extend(reversed(tuple(parts(part))))
    return "".join(done)


def quote(text: str) -> str:
    """Return `text` in double quotes, escaped so that it reads back unchanged."""

    def escaped(found: re.Match[str]) -> str:
        char = found[0]
        return _ESCAPES.get(char) or f"\\x{ord(char) & 0xFF:02x}"

    # A backslash right before the closing quote would keep it open, even a doubled one.
    if text.endswith("\\"):
        return f'"{_special.sub(escaped, text[:-1])}\\ "'
    return f'"{_special.sub(escaped, text)}"'


def _between(word: str, nodes: Iterable[_Part]) -> Iterator[_Part]:
    for i, node in enumerate(nodes):
        if i:
            yield word
        yield node


def _text_parts(node: Node | Argument) -> Iterator[_Part]:
    if isinstance(node, ComparisonNode):
        yield node.left
        yield f" {node.op} {node.modifier}" if node.modifier else f" {node.op}"
        if node.right is not None:
            yield " "
            yield from _right(node, node.right)
    elif isinstance(node, (AndNode, OrNode)):
        word = " and " if isinstance(node, AndNode) else " or "
        for i, child in enumerate(node.children):
            grouped = isinstance(child, OrNode) or type(child) is type(node)
            yield (word + "(" if grouped else word) if i else ("(" if grouped else "")
            yield child
            yield ")" if grouped else ""
    elif isinstance(node, NotNode):
        # Two `not` in a row would cancel, so a negated negation is a group.
        grouped = isinstance(node.child, (AndNode, OrNode, NotNode))
        yield from ("not (", node.child, ")") if grouped else ("not ", node.child)
    elif isinstance(node, MacroNode):
        yield node.name
    elif isinstance(node, FieldNode):
        yield node.name + _bracket(node.arg)
    elif isinstance(node, LiteralNode):
        yield node.text if not node.quoted and _number(node.text) else quote(node.text)
    elif isinstance(node, TupleNode):
        yield from ("(", *_between(", ", node.items), ")")
    else:
        yield from (f"{node.name}(", *_between(", ", node.args), ")" + _bracket(node.arg))


def _right(node: ComparisonNode, right: _Right) -> Iterator[_Part]:
    if isinstance(right, ListNode):
        yield f"({', '.join(_value(item, in_list=True) for item in right.items)})"
    elif isinstance(right, FieldNode):
        yield from ("val(", right, ")")
    elif isinstance(right, TransformNode):
        yield right
    elif node.op in _UNQUOTED or node.modifier:
        yield right.text
    else:
        yield _value(right)


def _bracket(arg: str | None) -> str:
    if arg is None:
        return ""
    return f"[{arg if _bare_arg(arg) else quote(arg)}]"


def _value(node: LiteralNode, in_list: bool = False) -> str:
    if not node.quoted and _bare(node.text) and (in_list or node.text not in _MODIFIERS):
        return node.text
    return quote(node.text)


def _sexpr_parts(node: Node | Argument) -> Iterator[_Part]:
    if isinstance(node, ComparisonNode):
        yield f"({node.op}:{node.modifier} " if node.modifier else f"({node.op} "
        yield node.left
        if isinstance(node.right, FieldNode):
            yield from (" (fn val ", node.right, ")")
        elif isinstance(node.right, ListNode):
            yield " ".join([" (list", *(_json(item.text) for item in node.right.items)]) + ")"
        elif node.right is not None:
            yield from (" ", node.right)
        yield ")"
    elif isinstance(node, (AndNode, OrNode)):
        word = "(and " if isinstance(node, AndNode) else "(or "
        yield from (word, *_between(" ", node.children), ")")
    elif isinstance(node, NotNode):
        yield from ("(not ", node.child, ")")
    elif isinstance(node, MacroNode):
        yield f"(macro {_json(node.name)})"
    elif isinstance(node, FieldNode):
        yield f"(field {node.name}" + ("" if node.arg is None else f" {_json(node.arg)}") + ")"
    elif isinstance(node, LiteralNode):
        yield _json(node.text)
    elif isinstance(node, TupleNode):
        yield from ("(tlist " if node.items else "(tlist", *_between(" ", node.items), ")")
    else:
        arg = "" if node.arg is None else f" :arg {_json(node.arg)}"
        yield from (f"(fn {node.name} ", *_between(" ", node.args), arg + ")")


def _json(text: str) -> str:
    # Bytes from \xHH show as the character of that number.
    shown = "".join(chr(ord(c) - 0xDC00) if "\udc80" <= c <= "\udcff" else c for c in text)
    return json.dumps(shown, ensure_ascii=False)
