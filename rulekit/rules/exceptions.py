"""Exceptions of a rule: their shapes, and the condition text they turn into.

Two shapes: one field with a list of values, ``(f in (v, w))``, or several fields with tuples of
values, ``((f = v and g = w) or (...))``. The text is pasted behind the rule's condition before
lists are substituted, so a value may name a list.
"""

from __future__ import annotations

from difflib import get_close_matches

from rulekit.rules.definitions import Entry, ExceptionDef
from rulekit.rules.findings import Findings
from rulekit.rules.operands import CheckError, bind_operand
from rulekit.rules.parser import ConditionSyntaxError, parse_operand
from rulekit.schema.fields import current_fields
from rulekit.text.pieced import Part
from rulekit.text.source import SourceText, Span

LIST_OPERATORS = frozenset({"in", "intersects", "pmatch"})
MODIFIABLE_OPERATORS = frozenset(
    (
        *("=", "==", "!=", "contains", "icontains", "bcontains", "startswith", "bstartswith"),
        *("endswith", "glob", "iglob", "regex"),
    )
)
OPERATORS = LIST_OPERATORS | MODIFIABLE_OPERATORS | {"exists", "<", "<=", ">", ">="}
MODIFIERS = frozenset({"oneof", "anyof", "allof"})


def has_modifier(op: str) -> bool:
    """Whether `op` is an operator with a modifier: ``startswith anyof``."""
    name, _, modifier = op.partition(" ")
    return name in MODIFIABLE_OPERATORS and modifier in MODIFIERS


def takes_list(op: str) -> bool:
    """Whether the right side of `op` is a parenthesised list."""
    return op in LIST_OPERATORS or has_modifier(op)


def validate_exception(exception: ExceptionDef, source: str | None, out: Findings) -> bool:
    """Check operators and fields of a new exception and fill in the default operators.

    Args:
        source: Event source of the rule; None when nobody provides it (fields go unchecked).
    """
    fields = exception.fields
    assert fields is not None
    comps = exception.comps
    if comps is None or not comps.given:
        comps = Entry(fields.span, is_list=fields.is_list, text="" if fields.is_list else "in")
        comps.items = [Entry(f.span, text="=") for f in fields.items]
        exception.comps = comps
    check = _Checker(exception, out)
    if fields.is_list:
        if not comps.is_list:
            return check.fail(
                "RK321",
                "`comps` is a single text but `fields` is a sequence",
                comps.span,
                "both must have the same shape",
            )
        if len(comps.items) != len(fields.items):
            return check.fail(
                "RK321",
                f"{len(fields.items)} `fields` but {len(comps.items)} `comps`",
                comps.span,
                "each field needs its operator",
            )
        return all(check.operator(c) for c in comps.items) and all(
            check.field(f, source) for f in fields.items
        )
    if comps.is_list:
        return check.fail(
            "RK321",
            "`comps` is a sequence but `fields` is a single text",
            comps.span,
            "both must have the same shape",
        )
    return check.list_operator(comps) and check.field(fields, source)


class _Checker:
    def __init__(self, exception: ExceptionDef, out: Findings) -> None:
        self.exception = exception
        self.out = out

    def fail(
        self, code: str, message: str, span: Span, label: str, help_: str | None = None
    ) -> bool:
        self.out.fail(
            code,
            "LOAD_ERR_VALIDATE",
            message,
            span,
            self.exception.context,
            label=label,
            help=help_,
        )
        return False

    def operator(self, entry: Entry) -> bool:
        entry.text = entry.text.strip(" \t\r\n")
        if entry.text in OPERATORS or has_modifier(entry.text):
            return True
        close = get_close_matches(entry.text, sorted(OPERATORS), n=1)
        return self.fail(
            "RK322",
            f"unknown operator `{entry.text}` in exception `{self.exception.name}`",
            entry.span,
            "not an operator",
            f"did you mean `{close[0]}`?" if close else None,
        )

    def list_operator(self, entry: Entry) -> bool:
        entry.text = entry.text.strip(" \t\r\n")
        if takes_list(entry.text):
            return True
        return self.fail(
            "RK322",
            f"operator `{entry.text}` cannot be used with a single text as `fields`",
            entry.span,
            "compares with one value, not with a list",
            "use `in`, `pmatch`, `intersects` or a modifier such as `startswith anyof`; "
            "or make `fields`, `comps` and each value a sequence",
        )

    def field(self, entry: Entry, source: str | None) -> bool:
        if source is None or is_left_side(entry.text, source):
            return True
        if "(" not in entry.text and _lacks_argument(entry.text, source):
            # Falco trips over this one without knowing where.
            outside = self.exception.context.chain()[0]
            message = f"field `{entry.text}` needs an argument"
            self.out.fail("RK323", "LOAD_ERR_VALIDATE", message, entry.span, outside)
            return False
        names = [f.name for f in current_fields(source)]
        close = get_close_matches(entry.text, names, n=1)
        return self.fail(
            "RK323",
            f"unknown field `{entry.text}` in exception `{self.exception.name}`",
            entry.span,
            f"source `{source}` has no such field",
            f"did you mean `{close[0]}`?" if close else None,
        )


def is_left_side(text: str, source: str) -> bool:
    """Whether `text` is a field or transformer call that events of `source` have."""
    whole = SourceText("", text)
    try:
        bind_operand(parse_operand(whole), source)
    except (CheckError, ConditionSyntaxError):
        return False
    return True


def _lacks_argument(text: str, source: str) -> bool:
    try:
        bind_operand(parse_operand(SourceText("", text)), source)
    except CheckError as error:
        return error.error_class == "field-argument"
    except ConditionSyntaxError:
        pass
    return False


def exception_parts(exception: ExceptionDef, out: Findings) -> list[Part] | None:
    """Return the text that stands for an exception, empty when it has no values.

    Returns None after reporting values that do not fit the fields.
    """
    fields, comps = exception.fields, exception.comps
    assert fields is not None
    assert comps is not None
    check = _Checker(exception, out)
    parts: list[Part] = []
    if not fields.is_list:
        for value in exception.values:
            if value.is_list:
                check.fail(
                    "RK324",
                    f"a value of exception `{exception.name}` is a sequence",
                    value.span,
                    "`fields` is a single text, so each value must be one",
                )
                return None
            if parts:
                parts.append(Part(", "))
            else:
                parts += [Part("("), _text(fields), Part(" "), _text(comps), Part(" (")]
            parts += _quoted(value)
        return [*parts, Part("))")] if parts else []
    for value in exception.values:
        if len(value.items) != len(fields.items):
            have = len(value.items) if value.is_list else 1
            check.fail(
                "RK324",
                f"{len(fields.items)} `fields` but {have} in a value of "
                f"exception `{exception.name}`",
                value.span,
                "each value is a sequence with one entry per field",
            )
            return None
        parts.append(Part(" or (" if parts else "(("))
        for i, field in enumerate(fields.items):
            op = comps.items[i]
            parts += [Part(" and " if i else ""), Part(" "), _text(field), Part(" ")]
            parts += [_text(op), Part(" "), *_value(value.items[i], takes_list(op.text))]
        parts.append(Part(")"))
    return [*parts, Part(")")] if parts else []


def _text(entry: Entry) -> Part:
    """Return the text of an entry, with its place when it is unchanged since it was written."""
    origin = entry.text_span
    return Part(entry.text, origin if origin is not None and origin.text == entry.text else None)


def _quoted(entry: Entry) -> list[Part]:
    part = _text(entry)
    if " " in entry.text and entry.text[0] not in "\"'":
        return [Part('"'), part, Part('"')]
    return [part]


def _value(entry: Entry, as_list: bool) -> list[Part]:
    if entry.is_list:
        parts: list[Part] = []
        length = 0
        for item in entry.items:
            if length:
                parts.append(Part(", "))
            parts += _quoted(item)
            length += len(item.text)
        return [Part("("), *parts, Part(")")]
    if not as_list:
        return _quoted(entry)
    if entry.text.startswith("("):
        return [_text(entry)]
    return [Part("("), _text(entry), Part(")")]
