"""Tokens of conditions: which kind of token may come next depends on where the parser stands.

`ConditionLexer` plugs into Lark. For each parser state it compiles one expression of the
terminals that the state accepts, in the order of their priorities; matching is then a single
call. It also counts how deep the text nests, so that depth is bounded while reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from lark.lexer import Lexer

from rulekit.rules._read import items_of
from rulekit.rules.ast import ItemRun, ListItems, LiteralNode
from rulekit.rules.tokens import unescape
from rulekit.text.pieced import PiecedText
from rulekit.text.source import SourceText, Span

if TYPE_CHECKING:
    from lark.common import LexerConf

BLANKS = " \t\x08\r\n"
_blanks = re.compile(f"[{BLANKS}]*").match
_item = re.compile(
    r""" "[^"\0]*(?:(?<=\\)"[^"\0]*)*(?<!\\)"
       | '[^'\0]*(?:(?<=\\)'[^'\0]*)*(?<!\\)'
       | [^()"'\ \t\n\v\f\r=,]+ """,
    re.VERBOSE,
).match
_ENDS_ITEM = frozenset(("", *"()\"' \t\n\v\f\r=,"))

# How many levels the peers count from a group's own level to the condition inside it.
_GROUP_LEVELS = {"LPAR": 5, "NOT_GLUE": 4, "AND_GLUE": 3, "OR_GLUE": 2}
# Level of a token above that of the condition it stands in.
_LEVELS = {"FIELD": 5, "NAME": 4, "QUOTED": 7, "BARE": 7, "NUMBER": 7, "LIST": 6}


_Items: TypeAlias = "tuple[LiteralNode, ...] | ListItems"


class Unreadable(Exception):
    """Nothing that may stand at `offset` is there; `accepts` are the kinds that may."""

    def __init__(self, offset: int, accepts: frozenset[str]) -> None:
        super().__init__(offset)
        self.offset = offset
        self.accepts = accepts


class TooDeep(Exception):
    """The text nests deeper than the limit at `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class ConditionText(str):
    """Text on its way through Lark together with where it comes from."""

    source: SourceText
    max_depth: int
    # Level at which reading begins; operands on their own skip some.
    base: int


class LexToken:
    """A token; `text` is unescaped for quoted kinds, `items` are those of a list."""

    __slots__ = ("items", "span", "text", "type")

    # Lark copies these when it makes the end token.
    start_pos = line = column = end_line = end_column = end_pos = 1

    def __init__(self, kind: str, text: str, span: Span, items: _Items = ()) -> None:
        self.type = kind
        self.text = text
        self.span = span
        self.items = items


class ConditionLexer(Lexer):
    """Lexer that asks the parser what may come next."""

    __future_interface__ = 2

    def __init__(self, lexer_conf: LexerConf) -> None:
        terminals = sorted(lexer_conf.terminals, key=lambda t: -t.priority)
        self._patterns = {t.name: t.pattern.to_regexp() for t in terminals}
        self._scanners: dict[Any, Any] = {}

    def _scanner(self, state: Any, accepted: dict[str, Any]) -> Any:
        parts = [f"(?P<{name}>{p})" for name, p in self._patterns.items() if name in accepted]
        # A state that accepts only the end gets an expression that never matches.
        scanner = re.compile("|".join(parts) or r"(?!)").match
        self._scanners[state] = scanner
        return scanner

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Any]:
        """Yield tokens while the parser moves on.

        Raises:
            Unreadable, BadEscape, TooDeep: The condition is wrong here.
        """
        text: ConditionText = getattr(lexer_state.text, "text", lexer_state.text)
        source, limit = text.source, text.max_depth
        states, scanners = parser_state.parse_conf.states, self._scanners
        state_stack = parser_state.state_stack
        # `base` is the level of the innermost condition, `call` that of the innermost
        # transformer (0 outside of one); `saved` holds both for each open parenthesis.
        base, call = text.base, 0
        saved: list[tuple[int, int]] = []
        right = False
        offset, size = 0, len(text)
        while True:
            offset = _blanks(text, offset).end()  # type: ignore[union-attr]
            state = state_stack[-1]
            if offset == size:
                if "$END" in states[state]:
                    return
                raise Unreadable(offset, _terminals(states[state]))
            scanner = scanners.get(state) or self._scanner(state, states[state])
            found = scanner(text, offset)
            if found is None:
                raise Unreadable(offset, _terminals(states[state]))
            kind, end = found.lastgroup, found.end()
            level = base + _LEVELS.get(kind, 0)
            value = found[0]
            items: _Items = ()
            if kind == "QUOTED":
                value = unescape(value, offset)
            elif kind == "FIELD":
                if call:
                    level = call + 2
            elif kind == "XF":
                saved.append((base, call))
                call = call + 2 if call else base + (8 if right else 5)
                level = call + 1
            elif kind == "VAL":
                saved.append((base, call))
                call = base + 6
            elif kind == "RPAR":
                if saved:
                    base, call = saved.pop()
            elif kind in _GROUP_LEVELS:
                saved.append((base, call))
                if not call:
                    base += _GROUP_LEVELS[kind]
                    level = base
                    right = False
            elif kind == "LIST":
                items, end = _scan_list(text, offset, source)
            elif kind == "ARG":
                value = value[1:-1]
                if value[0] in "\"'":
                    value = unescape(value, offset + 1)
            elif kind in ("NUM_OP", "STR_OP", "LIST_OP"):
                right = True
            elif kind in ("AND", "OR"):
                right = False
            elif kind == "NAME" and right:
                level = base + 7
            if level >= limit:
                raise TooDeep(offset)
            yield LexToken(kind, value, Span(source, offset, end), items)
            offset = end


def _terminals(actions: dict[str, Any]) -> frozenset[str]:
    return frozenset(name for name in actions if name.isupper())


def _scan_list(text: str, start: int, source: SourceText) -> tuple[_Items, int]:
    """Read the list that begins at `start`; return its items and where it ends."""
    items: list[LiteralNode] = []
    runs: list[ItemRun | tuple[LiteralNode, ...]] = []
    inserted = source.inserted() if isinstance(source, PiecedText) else {}
    offset = _blanks(text, start + 1).end()  # type: ignore[union-attr]
    if text.startswith(")", offset):
        return (), offset + 1
    while True:
        whole = inserted.get(offset)
        if whole is not None and (read := items_of(whole)) is not None:
            end = offset + len(whole.text)
            # The last item is the same here unless more of it follows.
            if text[end : end + 1] in _ENDS_ITEM:
                if items:
                    runs.append(tuple(items))
                    items = []
                runs.append(ItemRun(read, source, offset))
                offset = _blanks(text, end).end()  # type: ignore[union-attr]
                if text.startswith(")", offset):
                    return ListItems(tuple(runs)), offset + 1
                if not text.startswith(",", offset):
                    raise Unreadable(offset, frozenset({"COMMA", "RPAR"}))
                offset = _blanks(text, offset + 1).end()  # type: ignore[union-attr]
                continue
        found = _item(text, offset)
        if found is None:
            accepts = {"QUOTED", "BARE"} if items or runs else {"QUOTED", "BARE", "RPAR"}
            raise Unreadable(offset, frozenset(accepts))
        value, end = found[0], found.end()
        if quoted := value[0] in "\"'":
            value = unescape(value, offset)
        items.append(LiteralNode(value, quoted, Span(source, offset, end)))
        offset = _blanks(text, end).end()  # type: ignore[union-attr]
        if text.startswith(")", offset):
            if runs:
                return ListItems((*runs, tuple(items))), offset + 1
            return tuple(items), offset + 1
        if not text.startswith(",", offset):
            raise Unreadable(offset, frozenset({"COMMA", "RPAR"}))
        offset = _blanks(text, offset + 1).end()  # type: ignore[union-attr]
