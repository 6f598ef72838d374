"""Conditions as text → syntax tree; syntax diagnostics."""

from __future__ import annotations

from rulekit.rules._read import items_of, read_condition, read_operand
from rulekit.rules.ast import FieldNode, Node, ReadItems, TransformNode
from rulekit.rules.syntax import ConditionSyntaxError, syntax_error
from rulekit.text.pieced import PiecedText
from rulekit.text.source import SourceText

RULE_FILE_DEPTH = 1000
FILTER_DEPTH = 100
# A tree takes some two hundred bytes of memory per character.
MAX_CHARS = 5_000_000

__all__ = ["ConditionSyntaxError", "parse_condition", "parse_operand"]


def parse_condition(
    text: SourceText,
    *,
    max_depth: int = RULE_FILE_DEPTH,
    lists: dict[str, ReadItems] | None = None,
) -> Node:
    """Parse a condition.

    Args:
        text: The condition; lists are already substituted.
        max_depth: Nested productions at which reading stops: 1000 in rule files, 100 for a
            filter on its own. A pair of parentheses counts five.
        lists: Lists of earlier conditions by their text, to be read once; this one's are added.

    Raises:
        ConditionSyntaxError: The text is no condition.
    """
    if not text.text:
        raise ConditionSyntaxError(
            syntax_error("RK100", "empty condition", text.span(0, 0), "a condition is needed"),
            "shape",
        )
    if len(text.text) > MAX_CHARS and _read_anew(text) > MAX_CHARS:
        message = f"condition is longer than {MAX_CHARS} characters"
        found = syntax_error("RK335", message, text.span(0, 1), "lists and exceptions put in")
        raise ConditionSyntaxError(found, "depth")
    node = read_condition(text, max_depth, {} if lists is None else lists)
    if node is None:
        from rulekit.rules.grammar import read_with_grammar  # takes longer than many conditions

        node = read_with_grammar(text, "condition", max_depth)[0]
    return node


def _read_anew(text: SourceText) -> int:
    """Return the characters that become a tree: lists are read once for all that name them."""
    inserted = text.inserted().values() if isinstance(text, PiecedText) else ()
    lists = (whole for whole in inserted if items_of(whole) is not None)
    return len(text.text) - sum(len(whole.text) for whole in lists)


def parse_operand(text: SourceText, *, max_depth: int = FILTER_DEPTH) -> FieldNode | TransformNode:
    """Parse a field or transformer that makes up the whole text.

    Raises:
        ConditionSyntaxError: The text is neither.
    """
    node = read_operand(text, max_depth)
    if node is None:
        from rulekit.rules.grammar import read_with_grammar

        node = read_with_grammar(text, "operand", max_depth)
    return node
