"""The grammar of conditions at work: reads what the quick reader leaves, explains what is wrong."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark
from lark.exceptions import UnexpectedToken

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
from rulekit.rules.lexer import ConditionLexer, ConditionText, LexToken, TooDeep, Unreadable
from rulekit.rules.syntax import ConditionSyntaxError, bad_escape, syntax_error, unreadable
from rulekit.rules.tokens import BadEscape
from rulekit.text.source import SourceText, Span


def read_with_grammar(text: SourceText, start: str, max_depth: int) -> Any:
    """Return the tree of a text: of a ``condition`` with its place, of an ``operand`` alone.

    Raises:
        ConditionSyntaxError: The text is neither.
    """
    carried = ConditionText(text.text)
    carried.source = text
    carried.max_depth = max_depth
    carried.base = 0 if start == "condition" else -3
    try:
        return _lark().parse(carried, start)
    except TooDeep as e:
        label = f"more than {max_depth} levels; a pair of parentheses counts five"
        span = text.span(e.offset, e.offset + 1)
        message = "condition is nested too deeply"
        raise ConditionSyntaxError(syntax_error("RK105", message, span, label), "depth") from None
    except BadEscape as e:
        raise ConditionSyntaxError(bad_escape(text, e.offset)) from None
    except Unreadable as e:
        raise ConditionSyntaxError(unreadable(text, e.offset, e.accepts)) from None
    except UnexpectedToken as e:
        # The end token has no span: the text stops too early.
        stopped = getattr(e.token, "span", None)
        offset = len(text.text) if stopped is None else stopped.start
        raise ConditionSyntaxError(unreadable(text, offset, frozenset(e.expected))) from None


@cache
def _lark() -> Lark:
    grammar = (files("rulekit.rules") / "grammar.lark").read_text("utf-8")
    return Lark(
        grammar,
        parser="lalr",
        lexer=ConditionLexer,
        start=["condition", "operand"],
        transformer=_Builder(),
    )


def _join(first: Span, last: Span) -> Span:
    return Span(first.source, first.start, last.end)


class _Builder:
    """Tree nodes from grammar rules; each method is called with what its rule covers.

    Boolean operands travel as (node, span): the span takes in parentheses, the node's own
    does not.
    """

    def condition(self, c: list[Any]) -> tuple[Node, Span]:
        chain: list[tuple[Node, Span]] = c[0]
        if len(chain) == 1:
            return chain[0]
        span = _join(chain[0][1], chain[-1][1])
        return OrNode(tuple([node for node, _ in chain]), span), span

    def conjunction(self, c: list[Any]) -> tuple[Node, Span]:
        chain: list[tuple[Node, Span]] = c[0]
        if len(chain) == 1:
            return chain[0]
        span = _join(chain[0][1], chain[-1][1])
        return AndNode(tuple([node for node, _ in chain]), span), span

    def or_chain(self, c: list[Any]) -> list[Any]:
        return c

    and_chain = args = elements = or_chain

    def or_longer(self, c: list[Any]) -> list[Any]:
        # Growing in place keeps long chains linear.
        chain: list[Any] = c[0]
        chain.append(c[2] if len(c) == 3 else (c[2][0], _join(c[1].span, c[3].span)))
        return chain

    and_longer = or_longer

    def negation(self, c: list[Any]) -> tuple[Node, Span]:
        if len(c) == 1:
            operand: tuple[Node, Span] = c[0]
            return operand
        return self._negated(c[0], c[0].span, c[1][0], c[1][1], 0)

    def negation_glued(self, c: list[Any]) -> tuple[Node, Span]:
        first = c[0] if c[0].type == "NOT" else None
        return self._negated(first, c[0].span, c[-2][0], c[-1].span, 1)

    @staticmethod
    def _negated(
        run: LexToken | None, first: Span, child: Node, last: Span, more: int
    ) -> tuple[Node, Span]:
        """Negate `child` once or not at all: a run of `not` cancels in pairs."""
        span = _join(first, last)
        count = more + (run.text.count("n") if run is not None else 0)
        return (NotNode(child, span) if count % 2 else child), span

    def group(self, c: list[Any]) -> tuple[Node, Span]:
        return c[1][0], _join(c[0].span, c[2].span)

    def macro(self, c: list[Any]) -> tuple[Node, Span]:
        return MacroNode(c[0].text, c[0].span), c[0].span

    def primary(self, c: list[Any]) -> Any:
        return c[0]

    operand = operand_right = num_right = str_right = argument = element = primary

    def exists(self, c: list[Any]) -> tuple[Node, Span]:
        span = _join(c[0].span, c[1].span)
        return ComparisonNode(c[0], "exists", None, None, span), span

    def comparison(self, c: list[Any]) -> tuple[Node, Span]:
        span = _join(c[0].span, c[2].span)
        return ComparisonNode(c[0], c[1].text, None, c[2], span), span

    def modified(self, c: list[Any]) -> tuple[Node, Span]:
        span = _join(c[0].span, c[3].span)
        return ComparisonNode(c[0], c[1].text, c[2].text, c[3], span), span

    def literal(self, c: list[Any]) -> LiteralNode:
        return LiteralNode(c[0].text, c[0].type == "QUOTED", c[0].span)

    def items(self, c: list[Any]) -> ListNode:
        return ListNode(c[0].items, c[0].span)

    def val(self, c: list[Any]) -> FieldNode | TransformNode:
        field: FieldNode = c[1]
        if len(c) == 4:
            # Reads, but `check` refuses it: val() takes no argument.
            return TransformNode("val", (field,), c[3].text, _join(c[0].span, c[3].span))
        return field

    def field(self, c: list[Any]) -> FieldNode:
        if len(c) == 1:
            return FieldNode(c[0].text, None, c[0].span)
        return FieldNode(c[0].text, c[1].text, _join(c[0].span, c[1].span))

    def transform(self, c: list[Any]) -> TransformNode:
        arg = c[3].text if len(c) == 4 else None
        arguments: tuple[Argument, ...] = tuple(c[1])
        return TransformNode(c[0].text[:-1], arguments, arg, _join(c[0].span, c[-1].span))

    def args_longer(self, c: list[Any]) -> list[Any]:
        c[0].append(c[2])
        found: list[Any] = c[0]
        return found

    def tuple_(self, c: list[Any]) -> TupleNode:
        return TupleNode(tuple(c[1] or ()), _join(c[0].span, c[-1].span))
