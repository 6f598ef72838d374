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
    ItemRun,
    ListItems,
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
    text = _plain(node)
    return _flatten(node, _text_parts) if text is None else text


def _plain(node: Node) -> str | None:
    """Return the text of a comparison of a field with literals, as nearly all of them are."""
    if not isinstance(node, ComparisonNode) or not isinstance(node.left, FieldNode):
        return None
    left = node.left.name if node.left.arg is None else node.left.name + _bracket(node.left.arg)
    op = f"{node.op} {node.modifier}" if node.modifier else node.op
    right = node.right
    if right is None:
        return f"{left} {op}"
    if isinstance(right, (ListNode, LiteralNode)):
        return f"{left} {op} {''.join(_right(node, right))}"  # type: ignore[arg-type]
    return None


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
        yield f"({', '.join(_items(right))})"
    elif isinstance(right, FieldNode):
        yield from ("val(", right, ")")
    elif isinstance(right, TransformNode):
        yield right
    elif node.op in _UNQUOTED or node.modifier:
        yield right.text
    else:
        yield _value(right.text, right.quoted or right.text in _MODIFIERS)


def _items(node: ListNode) -> Iterator[str]:
    if isinstance(node.items, ListItems):
        for run in node.items.runs:
            if isinstance(run, ItemRun):  # without a node for each
                yield from map(_value, run.read.texts, run.read.quoted)
            else:
                yield from (_value(item.text, item.quoted) for item in run)
    else:
        yield from (_value(item.text, item.quoted) for item in node.items)


def _bracket(arg: str | None) -> str:
    if arg is None:
        return ""
    return f"[{arg if _bare_arg(arg) else quote(arg)}]"


def _value(text: str, quoted: bool | int) -> str:
    return text if not quoted and _bare(text) else quote(text)


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
