"""Diagnostics for conditions that do not parse: what was expected, and the likely slip."""

from __future__ import annotations

import re
from difflib import get_close_matches

from rulekit.errors import RuleError
from rulekit.text.diagnostic import Diagnostic, Fix
from rulekit.text.source import SourceText, Span

OPERATORS = (
    *("exists", "<=", "<", ">=", ">", "==", "=", "!=", "glob", "iglob", "contains", "icontains"),
    *("bcontains", "startswith", "bstartswith", "endswith", "regex", "intersects", "in", "pmatch"),
)
TRANSFORMERS = ("tolower", "toupper", "b64", "basename", "len", "join", "concat", "getopt")
_NEEDS_BLANK = frozenset(op for op in OPERATORS if op.isalpha()) - {
    *("exists", "in", "intersects", "pmatch"),
}
_FOREIGN = {"&&": "and", "||": "or", "!": "not", "&": "and", "|": "or"}
_word = re.compile(r"[A-Za-z][A-Za-z0-9_]*").match
_symbol = re.compile(r"&&|\|\||[!&|]").match


class ConditionSyntaxError(RuleError):
    """A condition that does not parse.

    Attributes:
        diagnostic: What is wrong and where.
        error_class: ``syntax``, ``depth`` (nested too deeply) or ``shape`` (no text at all).
    """

    def __init__(self, diagnostic: Diagnostic, error_class: str = "syntax") -> None:
        super().__init__(diagnostic.message, (diagnostic,))
        self.diagnostic = diagnostic
        self.error_class = error_class


def syntax_error(
    code: str, message: str, span: Span, label: str, help: str | None = None, fix: Fix | None = None
) -> Diagnostic:
    """Return an error of reading; Falco knows one code for all of them."""
    return Diagnostic(
        code, "error", message, span, label, help, falco="LOAD_ERR_COMPILE_CONDITION", fix=fix
    )


def bad_escape(text: SourceText, offset: int) -> Diagnostic:
    """Explain the unknown escape at `offset`."""
    char = text.text[offset + 1 : offset + 2]
    span = text.span(offset, offset + 1 + len(char))
    if char == "x":
        label = "two hexadecimal digits follow `\\x`"
        return syntax_error("RK103", "bad escape `\\x`", span, label)
    if char in "\"'":
        label = f"`\\{char}` may only stand inside {char} quotes"
        return syntax_error("RK103", f"bad escape `\\{char}`", span, label)
    label = "escapes are \\b \\f \\n \\r \\t \\\\ \\/ \\xHH and the quote itself"
    help = f"write `\\\\{char}` for a backslash followed by `{char}`"
    return syntax_error("RK103", f"unknown escape `\\{char}`", span, label, help)


def unreadable(text: SourceText, offset: int, accepts: frozenset[str]) -> Diagnostic:
    """Explain why nothing that `accepts` allows begins at `offset`."""
    rest = text.text[offset : offset + 64]
    if not rest:
        return _ends_early(text, accepts)
    word, symbol = _word(rest), _symbol(rest)
    found = (word or symbol or re.match(r".", rest, re.DOTALL))[0]  # type: ignore[index]
    span = text.span(offset, offset + len(found))
    if rest[0] in "\"'" and accepts & {"QUOTED", "MODIFIER"}:
        return _unclosed(text, offset)
    if rest[0] == "[" and "ARG" in accepts:
        label = "an argument is a text without blanks, brackets and quotes, or a quoted text"
        return syntax_error("RK101", "bad argument in brackets", span, label)
    if "EXISTS" in accepts:
        return _no_operator(span, found)
    if "OR" in accepts:
        return _no_connective(span, found, accepts)
    if "NOT" in accepts or "LPAR" in accepts:
        return _no_operand(span, found, rest)
    if {"COMMA", "RPAR"} & accepts and not accepts & {"QUOTED", "FIELD"}:
        label = "expected `,` or `)`"
        return syntax_error("RK101", f"unexpected {_shown(found)}", span, label)
    return _no_value(span, found, rest, accepts)


def _shown(found: str) -> str:
    return f"`{found}`" if found.isprintable() else f"character U+{ord(found[0]):04X}"


def _expected(accepts: frozenset[str]) -> str:
    if "EXISTS" in accepts:
        return "an operator"
    if "OR" in accepts:
        return "`and`, `or` or `)`" if "AND" in accepts else "`or` or `)`"
    if "NOT" in accepts:
        return "a field, a macro or `(`"
    if "LIST" in accepts:
        return "a list in parentheses"
    if accepts <= {"NUMBER", "VAL", "XF"}:
        return "a number"
    if accepts <= {"COMMA", "RPAR", "ARG"}:
        return "`)`"
    return "a value" if accepts & {"BARE", "QUOTED"} else "a field"


def _ends_early(text: SourceText, accepts: frozenset[str]) -> Diagnostic:
    end = len(text.text)
    if not text.text.strip(" \t\x08\r\n"):
        span = text.span(0, end)
        return syntax_error("RK101", "condition holds only blanks", span, "a condition is needed")
    start = len(text.text.rstrip(" \t\x08\r\n"))
    label = f"expected {_expected(accepts)} after this"
    return syntax_error("RK101", "condition ends too early", text.span(start - 1, start), label)


def _unclosed(text: SourceText, offset: int) -> Diagnostic:
    span, quote = text.span(offset, offset + 1), text.text[offset]
    help = None
    if text.text.find(f"\\{quote}", offset) >= 0:
        help = f"`\\{quote}` does not close it, not even as `\\\\{quote}`"
    return syntax_error("RK102", "quote is not closed", span, "opened here", help)


def _no_operator(span: Span, found: str) -> Diagnostic:
    lower = found.lower()
    if found in _NEEDS_BLANK:
        label = "a blank is needed after this operator"
        return syntax_error("RK104", f"`{found}` is followed by no blank", span, label)
    if lower != found and lower in OPERATORS:
        fix = Fix(span, lower, "write it in lower case")
        label = "operators are lower case"
        return syntax_error(
            "RK107", f"unknown operator `{found}`", span, label, f"write `{lower}`", fix
        )
    help = None
    if close := get_close_matches(lower, OPERATORS, n=1, cutoff=0.7):
        help = f"did you mean `{close[0]}`?"
    elif lower == "not":
        help = "`not` stands before the field"
    return syntax_error(
        "RK101", f"unexpected {_shown(found)}", span, "expected an operator after the field", help
    )


def _no_connective(span: Span, found: str, accepts: frozenset[str]) -> Diagnostic:
    help: str | None
    if found == "and" and "AND" not in accepts:
        label = "`or(` took one whole operand; only `or` may follow it"
        help = "put parentheses around what `and` should join, or a blank after `or`"
        return syntax_error("RK106", "`and` after `or(...)`", span, label, help)
    lower = found.lower()
    if found in ("and", "or"):
        label = "a blank or `(` is needed after it"
        return syntax_error("RK104", f"`{found}` is followed by no blank", span, label)
    if lower in ("and", "or") or found in _FOREIGN:
        right = _FOREIGN.get(found, lower)
        fix = None if right == "not" else Fix(span, right, f"write `{right}`")
        if fix is not None:
            label, help = "connectives are the words `and` and `or`", f"write `{right}`"
            return syntax_error("RK107", f"unexpected `{found}`", span, label, help, fix)
    if found == "#":
        label = "conditions know no comments"
        return syntax_error("RK101", "unexpected `#`", span, label)
    label, help = f"expected {_expected(accepts)}", None
    before = span.source.text[: span.start].rstrip()
    if found in ("=", "!", "<", ">") and re.search(r"(^|[\s(])[A-Za-z][A-Za-z0-9_]*$", before):
        help = "a name without a dot is a macro, not a field"
    elif found == ")" and span.source.text.count("(") < span.source.text.count(")"):
        label = "nothing is open that this could close"
    return syntax_error("RK101", f"unexpected {_shown(found)}", span, label, help)


def _no_operand(span: Span, found: str, rest: str) -> Diagnostic:
    if found in _FOREIGN and _FOREIGN[found] == "not" and not rest.startswith("!="):
        fix = Fix(span, "not ", "write `not`")
        return syntax_error(
            "RK107", "unexpected `!`", span, "negation is the word `not`", "write `not`", fix
        )
    label = "expected a field, a macro or `(`"
    if found == ")":
        label = "expected a field, a macro or `(` before this"
    elif found == "#":
        label = "conditions know no comments"
    return syntax_error("RK101", f"unexpected {_shown(found)}", span, label)


def _no_value(span: Span, found: str, rest: str, accepts: frozenset[str]) -> Diagnostic:
    help = None
    label = f"expected {_expected(accepts)}"
    if "LIST" in accepts and rest[0] in "\"'0123456789-+":
        help = "put the value in parentheses"
    elif "NUMBER" in accepts and "BARE" not in accepts and rest[0] in "\"'":
        help = "take the quotes away"
    elif rest[0] == "(" and "BARE" in accepts:
        help = "a list needs `in`, `intersects`, `pmatch` or a modifier such as `anyof`"
    elif rest[0] in ",=" and "BARE" in accepts:
        help = "quote a value that holds `,` or `=`"
    return syntax_error("RK101", f"unexpected {_shown(found)}", span, label, help)
