"""Format rule files: one look for all, comments kept, meaning untouched.

The text is walked by the places of its nodes (`fmt_nodes`) and written anew (`_Writer`); what came
out is read again and compared with what went in before anybody sees it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from rulekit.errors import RuleError
from rulekit.rules.yaml import parse_documents
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText
from rulekit.tools.fmt_condition import same_condition
from rulekit.tools.fmt_nodes import Alias, Map, Node, Scalar, Seq, Stream, Unsupported
from rulekit.tools.fmt_write import Writer

# Breaks lines for YAML but not for editors; texts with them are left alone.
_ODD_BREAKS = re.compile("[\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Formatted:
    """A formatted text; `left_alone` names the form that kept a text as it was, or is None."""

    text: str
    left_alone: str | None = None


def format_rules(text: str, name: str = "<text>") -> str:
    """Return a rule file in rulekit's form; see `format_text`."""
    return format_text(text, name).text


def format_text(text: str, name: str = "<text>") -> Formatted:
    """Format a rule file.

    Texts whose YAML has forms that rule files do not need (directives, deep nesting, indentation
    indicators) come back as they are.

    Raises:
        RuleError: The text is not YAML, or the formatted text would not mean the same (a defect
            of the formatter, found before it could do harm).
    """
    original = text
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    source = SourceText(name, text)
    try:
        before = Stream(text)
        if _ODD_BREAKS.search(text):
            raise Unsupported("a line break that editors do not know")
        formatted = Writer(before).write()
    except Unsupported as e:
        return Formatted(original, str(e))
    except (yaml.YAMLError, RecursionError) as e:
        raise _not_yaml(source, e) from None
    problem = _difference(before, formatted)
    if problem is not None:
        at, message = problem
        diagnostic = Diagnostic(
            "RK490",
            "error",
            f"formatting would change the file: {message}",
            source.span(at, min(at + 1, len(text))),
            "here; the file was left as it is",
        )
        raise RuleError(f"{name}: {message}", (diagnostic,))
    return Formatted(formatted)


def diff(before: str, after: str, name: str) -> str:
    """Return what formatting changed, as a unified diff."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"{name} (as it is)",
        f"{name} (formatted)",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _not_yaml(source: SourceText, error: Exception) -> RuleError:
    """Say it as the loader does; it knows better words and places than the YAML parser."""
    try:
        parse_documents(source, [])
    except RuleError as refused:
        return RuleError(f"{source.name}: {refused}", refused.diagnostics)
    # The loader tolerates what Falco does: a quote that is open at the end of the file.
    why = getattr(error, "problem", None) or str(error)
    at = max(0, len(source.text) - 1)
    found = Diagnostic("RK004", "error", f"not YAML: {why}", source.span(at, at + 1))
    return RuleError(f"{source.name}: {found.message}", (found,))


def _difference(before: Stream, formatted: str) -> tuple[int, str] | None:
    """Return place and name of the first difference in meaning, or None."""
    try:
        after = Stream(formatted)
    except (yaml.YAMLError, Unsupported):
        return 0, "the result is not YAML"
    if len(before.documents) != len(after.documents):
        return 0, "number of documents"
    for old, new in zip(before.documents, after.documents, strict=True):
        if (old.begin is None) != (new.begin is None) or (old.finish is None) != (
            new.finish is None
        ):
            return 0, "document markers"
        for first, second, condition in _pairs(old.root, new.root, 0, False):
            if not _same_node(first, second, condition):
                return first.start, "a value"
    if [before.text[c.start : c.end].rstrip() for c in before.comments] != [
        after.text[c.start : c.end].rstrip() for c in after.comments
    ]:
        return 0, "comments"
    return None


def _pairs(old: Node, new: Node, depth: int, condition: bool) -> Iterator[tuple[Node, Node, bool]]:
    """Yield corresponding nodes of two trees, and whether they are conditions of items."""
    yield old, new, condition
    if isinstance(old, Seq) and isinstance(new, Seq) and len(old.items) == len(new.items):
        for first, second in zip(old.items, new.items, strict=True):
            yield from _pairs(first, second, depth + 1, False)
    if isinstance(old, Map) and isinstance(new, Map) and len(old.pairs) == len(new.pairs):
        for (key, value), (new_key, new_value) in zip(old.pairs, new.pairs, strict=True):
            yield from _pairs(key, new_key, depth + 1, False)
            here = depth == 1 and isinstance(key, Scalar) and key.value == "condition"
            yield from _pairs(value, new_value, depth + 1, here)


def _same_node(old: Node, new: Node, condition: bool) -> bool:
    if isinstance(old, Alias) and isinstance(new, Alias):
        return old.anchor == new.anchor
    if isinstance(old, Scalar) and isinstance(new, Scalar):
        if (old.tag, old.anchor) != (new.tag, new.anchor):
            return False
        # A plain `null` and a quoted one differ; plain and folded conditions are both texts.
        return old.value == new.value or (condition and same_condition(old.value, new.value))
    if isinstance(old, Seq) and isinstance(new, Seq):
        return (old.tag, old.anchor, len(old.items)) == (new.tag, new.anchor, len(new.items))
    if isinstance(old, Map) and isinstance(new, Map):
        return (old.tag, old.anchor, len(old.pairs)) == (new.tag, new.anchor, len(new.pairs))
    return False
