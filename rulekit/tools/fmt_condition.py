"""Lay out the text of a condition: only blanks move, never a token.

Works on the text, not on the syntax tree, so that conditions that cannot stand alone (the text of
an ``append``) or that hold names of lists are laid out like any other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from rulekit.rules.parser import ConditionSyntaxError, parse_condition
from rulekit.rules.unparse import to_sexpr
from rulekit.text.source import SourceText

_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\b\r\n]+)
    | (?P<field>[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)+
        \[(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\]\["'\s]*)\])
    | (?P<quoted>"(?:[^"\\]|\\"|\\(?!"))*"|'(?:[^'\\]|\\'|\\(?!'))*')
    | (?P<punct>[(),=])
    | (?P<word>[^()"'\s=,]+)
    """,
    re.VERBOSE,
)

# A word after one of these is a value, whatever it looks like.
_TAKES_VALUE = frozenset(
    (
        *("(", ",", "=", "==", "<", "<=", ">", ">=", "!=", "in", "intersects", "pmatch", "regex"),
        *("contains", "icontains", "bcontains", "startswith", "bstartswith", "endswith"),
        *("glob", "iglob", "oneof", "anyof", "allof"),
    )
)
_STEP = 2
_MAX_DEPTH = 200


class NotTokens(Exception):
    """The text does not split into tokens: an open quote or parenthesis."""


@dataclass(slots=True)
class Word:
    """A token that is no parenthesis; `gap` when a blank stands before it."""

    text: str
    gap: bool
    logical: bool


@dataclass(slots=True)
class Group:
    """Parentheses and what they hold."""

    gap: bool
    parts: list[Part] = field(default_factory=list)


Part: TypeAlias = "Word | Group"


def layout_condition(text: str, indent: int, width: int) -> list[str]:
    """Return the lines of a condition, each operand of the outermost operator on its own line.

    The lines begin with their indentation, `indent` blanks at least. Raises `NotTokens`.
    """
    return _layout(_group(_tokens(text)), indent, width)


def flat_condition(text: str) -> str:
    """Return a condition on one line. Raises `NotTokens`."""
    return "".join(f" {token}" if gap else token for token, gap in _tokens(text))


def same_tokens(first: str, second: str) -> bool:
    """Tell whether two conditions differ in nothing but blanks that carry no meaning."""
    try:
        return _tokens(first) == _tokens(second)
    except NotTokens:
        return first == second


def same_condition(first: str, second: str) -> bool:
    """Tell whether two conditions are read alike.

    The trees must be equal and only blanks may differ, because lists are put into the text
    before it is read.
    """
    tree = condition_tree(first)
    return tree is not None and tree == condition_tree(second) and same_tokens(first, second)


def condition_tree(text: str) -> str | None:
    """Return the tree of a condition as an s-expression, or None when it cannot be read."""
    # What an `append` adds begins with an operator; it reads after something else.
    if re.match(r"[ \t\b\r\n]*(and|or)\b", text):
        text = f"x {text.lstrip()}"
    try:
        return to_sexpr(parse_condition(SourceText("condition", text)))
    except ConditionSyntaxError:
        return None


def _tokens(text: str) -> list[tuple[str, bool]]:
    """Split; each token says whether a blank belongs before it.

    A blank after an opening and before a closing parenthesis or a comma goes, one after a comma
    comes; anywhere else a blank stays a blank and nothing stays nothing.
    """
    tokens: list[tuple[str, bool]] = []
    at, gap, before = 0, False, "("
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or (found.lastgroup != "blank" and "\n" in found.group()):
            raise NotTokens(text[at : at + 20])
        at = found.end()
        if found.lastgroup == "blank":
            gap = True
            continue
        token = found.group()
        tokens.append((token, before == "," or (gap and before != "(" and token not in "),")))
        before, gap = token, False
    return tokens


def _group(tokens: list[tuple[str, bool]]) -> list[Part]:
    stack = [Group(False)]
    before = ""
    for text, gap in tokens:
        if text == "(":
            inner = Group(gap)
            stack[-1].parts.append(inner)
            stack.append(inner)
        elif text == ")":
            stack.pop()
        else:
            logical = text in ("and", "or") and before not in _TAKES_VALUE
            stack[-1].parts.append(Word(text, gap, logical))
        before = text
        if not 0 < len(stack) <= _MAX_DEPTH:
            raise NotTokens(text)
    if len(stack) != 1:
        raise NotTokens("(")
    return stack[0].parts


def _flat(parts: Sequence[Part]) -> str:
    out = ""
    for i, part in enumerate(parts):
        blank = " " if part.gap and i else ""
        out += blank + (part.text if isinstance(part, Word) else f"({_flat(part.parts)})")
    return out


def _layout(parts: Sequence[Part], indent: int, width: int) -> list[str]:
    """Lay out one level: a line or more for each operand, ``or`` apart before ``and`` is."""
    lines: list[str] = []
    words = {part.text for part in parts if isinstance(part, Word) and part.logical}
    deeper = _STEP if len(words) == 2 else 0
    for operand in _split(parts, "or"):
        for i, chain in enumerate(_chains(operand, len(lines) > 0, indent, width)):
            lines += _operand(chain, indent + (deeper if i else 0), width)
    return lines


def _chains(operand: Sequence[Part], later: bool, indent: int, width: int) -> list[Sequence[Part]]:
    """Split an operand of ``or`` at its ``and``: always when it is all there is, else for room."""
    has_or = later or (isinstance(operand[0], Word) and operand[0].text == "or")
    if has_or and indent + len(_flat(operand)) <= width:
        return [operand]
    return _split(operand, "and")


def _split(parts: Sequence[Part], operator: str) -> list[Sequence[Part]]:
    pieces: list[Sequence[Part]] = []
    start = 0
    for i, part in enumerate(parts):
        if i > start and isinstance(part, Word) and part.logical and part.text == operator:
            pieces.append(parts[start:i])
            start = i
    if parts[start:]:
        pieces.append(parts[start:])
    return pieces


def _operand(parts: Sequence[Part], indent: int, width: int) -> list[str]:
    """Lay out one operand: on one line, or with its widest parentheses opened."""
    flat = " " * indent + _flat(parts)
    groups = [(len(_flat(p.parts)), i) for i, p in enumerate(parts) if isinstance(p, Group)]
    size, at = max(groups, default=(0, 0))
    if len(flat) <= width or not size:
        return [flat]
    group = parts[at]
    assert isinstance(group, Group)
    head = _flat(parts[:at]) + (" (" if group.gap and at else "(")
    inner = group.parts
    if any(isinstance(p, Word) and p.text == "," for p in inner):
        body = _fill(inner, indent + _STEP, width)
    else:
        body = _layout(inner, indent + _STEP, width)
    rest = parts[at + 1 :]
    tail = ")" + (" " if rest and rest[0].gap else "") + _flat(rest)
    return [" " * indent + head, *body, " " * indent + tail]


def _fill(parts: Sequence[Part], indent: int, width: int) -> list[str]:
    """Fill lines with the values of a list."""
    lines: list[str] = []
    line = ""
    for value in _split_commas(parts):
        if line and indent + len(line) + 1 + len(value) > width:
            lines.append(" " * indent + line)
            line = value
        else:
            line = f"{line} {value}" if line else value
    lines.append(" " * indent + line)
    return lines


def _split_commas(parts: Sequence[Part]) -> list[str]:
    values: list[str] = []
    start = 0
    for i, part in enumerate(parts):
        if isinstance(part, Word) and part.text == ",":
            values.append(_flat(parts[start : i + 1]))
            start = i + 1
    values.append(_flat(parts[start:]))
    return values
