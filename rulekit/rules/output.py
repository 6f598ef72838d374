"""Output texts of rules → templates: literal pieces and tokens with a bound field or call.

A token is the longest text after ``%`` that names something: ``%proc.names`` is the field
``proc.name`` followed by an ``s``. Nothing stands for a percent sign itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from rulekit.rules.ast import Argument, FieldNode, LiteralNode, TransformNode, TupleNode
from rulekit.rules.bound import BoundField, BoundTransform, BoundTuple
from rulekit.rules.names import DEPRECATED_FIELDS, FORGET, close_to, fields_of, is_field
from rulekit.rules.operands import CheckError, bind_field, bind_operand
from rulekit.rules.output_template import (
    OutputPart,
    OutputTemplate,
    OutputText,
    OutputToken,
    Unplaced,
)
from rulekit.rules.parser import ConditionSyntaxError, parse_operand
from rulekit.rules.static import PREFIX, static_value
from rulekit.rules.syntax import TRANSFORMERS
from rulekit.rules.tokens import BadEscape, unescape
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText, Span

# Widths beyond this would only fill memory.
WIDEST = 65536

_CONTAINER_INFO = "%container.info"
# Longer texts are not worth their place among those that are kept.
_LONGEST_KEPT = 2000
# No name of a field is longer, unless all of it is one.
_LONGEST_NAME = 400

_QUOTED = r'"[^"\0]*(?:(?<=\\)"[^"\0]*)*(?<!\\)"' + "|" + r"'[^'\0]*(?:(?<=\\)'[^'\0]*)*(?<!\\)'"
_field = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)+").match
_bracket = re.compile(rf"\[({_QUOTED}|[^\]\[\"' \t\n\v\f\r]+)\]").match
_call = re.compile(rf"(?:{'|'.join(TRANSFORMERS)})\(").match
_inside_call = re.compile(rf"{_QUOTED}|\[[^\]\[\"' \t\n\v\f\r]+\]|[()]").search
_width = re.compile(r"[0-9]*").match
_needs_quotes = re.compile(r"[\b\f\n\r\t =\\\"'\0]").search


class _Refused(Exception):
    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def parse_output(text: SourceText, source: str) -> OutputTemplate | Diagnostic:
    """Parse the output of a rule, or return why it cannot be used.

    Args:
        text: The output, outer white space already trimmed.
        source: Event source of the rule.
    """
    warnings: list[Diagnostic] = []
    if _CONTAINER_INFO in text.text:
        span = text.span(at := text.text.index(_CONTAINER_INFO), at + len(_CONTAINER_INFO))
        label = "prints nothing any more"
        warnings.append(_outdated("RK502", f"`{_CONTAINER_INFO}` is outdated", span, label))
        text = _without_container_info(text)
    if not text.text:
        label = "nothing would be printed"
        return _error("RK503", "output is empty", text.span(0, 0), label)
    # The values of constants are those of a configuration.
    read = _read if PREFIX in text.text or len(text.text) > _LONGEST_KEPT else _read_before
    unplaced = read(text.text, source)
    if isinstance(unplaced, Diagnostic):
        return _refused(text, source)
    for name in DEPRECATED_FIELDS:
        # Anywhere in the text, so `evt.latency.ns` counts as `evt.latency`, too.
        if (at := text.text.find(name)) >= 0:
            span = text.span(at, at + len(name))
            label = "always 0, since enter events are gone"
            if name == "evt.dir":
                label = "always `<` on system calls, since enter events are gone"
            warnings.append(_outdated("RK504", f"field `{name}` is outdated", span, label))
    return OutputTemplate(text, unplaced, tuple(warnings))


def _read(text: str, source: str) -> Unplaced | Diagnostic:
    try:
        return Unplaced(tuple(_parts(SourceText("", text), source)))
    except _Refused as e:
        return e.diagnostic


_read_before = lru_cache(maxsize=4096)(_read)
FORGET.append(_read_before.cache_clear)


def _refused(text: SourceText, source: str) -> Diagnostic:
    """Say once more, with the places of the text, why it cannot be used."""
    try:
        list(_parts(text, source))
    except _Refused as e:
        return e.diagnostic
    raise AssertionError(text.text)


def field_key(node: FieldNode) -> str:
    """Return the key of a field among an alert's fields."""
    if node.arg is None:
        return node.name
    if node.arg and not _needs_quotes(node.arg):
        return f"{node.name}[{node.arg}]"
    shown = node.arg.replace("\\", "\\\\").replace('"', '\\"')
    for char, escape in ("\b", "b"), ("\f", "f"), ("\n", "n"), ("\r", "r"), ("\t", "t"):
        shown = shown.replace(char, f"\\{escape}")
    return f'{node.name}["{shown}"]'


def _outdated(code: str, message: str, span: Span, label: str) -> Diagnostic:
    return Diagnostic(code, "warning", message, span, label, None, "LOAD_DEPRECATED_ITEM")


def _error(code: str, message: str, span: Span, label: str, help: str | None = None) -> Diagnostic:
    return Diagnostic(code, "error", message, span, label, help, "LOAD_ERR_COMPILE_OUTPUT")


def _without_container_info(text: SourceText) -> SourceText:
    """Return the text without ``%container.info``, each place still known."""
    whole, size = text.text, len(_CONTAINER_INFO)
    offsets: list[int] = []
    at = 0
    while (found := whole.find(_CONTAINER_INFO, at)) >= 0:
        offsets.extend(range(at, found))
        at = found + size
    offsets.extend(range(at, len(whole)))
    kept = "".join([whole[i] for i in offsets])
    return SourceText(text.name, kept, text, (*offsets, len(whole)))


def _parts(text: SourceText, source: str) -> Iterator[OutputPart]:
    whole = text.text
    at = 1 if whole.startswith("*") else 0
    while at < len(whole):
        percent = whole.find("%", at)
        if percent < 0:
            yield OutputText(whole[at:])
            return
        if percent > at:
            yield OutputText(whole[at:percent])
        token = _token(text, percent, source)
        yield token
        at = token.span.end


def _token(text: SourceText, percent: int, source: str) -> OutputToken:
    whole = text.text
    start = _width(whole, percent + 1).end()  # type: ignore[union-attr]
    if start == len(whole):
        label = "a field is needed after `%`; a percent sign itself cannot be printed"
        span = text.span(percent, start)
        raise _Refused(_error("RK505", "output ends within a token", span, label))
    digits = whole[percent + 1 : start].lstrip("0")
    if len(digits) > len(str(WIDEST)) or int(digits or "0") > WIDEST:
        span = text.span(percent + 1, start)
        raise _Refused(_error("RK506", "token is too wide", span, f"at most {WIDEST}"))
    node, operand = _operand(text, start, source)
    end = operand.span.end
    return OutputToken(
        whole[percent:end],
        whole[start:end] if isinstance(node, TransformNode) else field_key(node),
        operand,
        int(digits) if digits else None,
        tuple(_fields_inside(node, operand)),
        text.span(percent, end),
        tuple(_constants_inside(node)),
    )


def _operand(
    text: SourceText, start: int, source: str
) -> tuple[FieldNode | TransformNode, BoundField | BoundTransform]:
    """Return the longest operand that begins at `start`."""
    found = _field(text.text, start)
    if found is not None:
        bracket = _bracket(text.text, found.end())
        word = text.text[start : found.end() if bracket is None else bracket.end()]
        known = PREFIX not in word and len(word) <= _LONGEST_NAME
        reading = (_reading_before if known else _reading)(word, source)
        if reading is not None:
            span = text.span(start, start + reading.span.end)
            field = FieldNode(reading.name, reading.arg, span)
            return field, bind_field(field, source)
        raise _Refused(_unknown(text, start, found.end(), source))
    if _call(text.text, start) is None:
        raise _Refused(_no_operand(text, start))
    refused: Diagnostic | None = None
    for end in _call_ends(text.text, start):
        try:
            call = _shifted(parse_operand(SourceText("", text.text[start:end])), text, start)
            bound = bind_operand(call, source).operand
        except ConditionSyntaxError as e:
            refused = _moved(e.diagnostic, text, start)
        except CheckError as e:
            refused = e.diagnostic
        else:
            assert isinstance(call, TransformNode)
            assert isinstance(bound, BoundTransform)
            return call, bound
    if refused is None:
        span = text.span(start - 1, start)
        raise _Refused(_error("RK501", "call is not closed", span, "no `)` ends this token"))
    raise _Refused(_error("RK501", refused.message, refused.span, refused.label, refused.help))


def _reading(word: str, source: str) -> FieldNode | None:
    """Return the longest field that a word begins with; its place is that in the word."""
    text = SourceText("", word)
    for field in _field_readings(text):
        # What is no field is not worth an explanation: most readings are none.
        if is_field(field.name, field.arg, source):
            return field
    return None


_reading_before = lru_cache(maxsize=4096)(_reading)
FORGET.append(_reading_before.cache_clear)


def _field_readings(text: SourceText) -> Iterator[FieldNode]:
    """Yield what may be the field that a word begins with, the longest reading first."""
    whole = text.text
    end = _field(whole).end()  # type: ignore[union-attr]
    bracket = _bracket(whole, end)
    if bracket is not None:
        arg = bracket[1]
        try:
            arg = unescape(arg, end + 1) if arg[0] in "\"'" else arg
            yield FieldNode(whole[:end], arg, text.span(0, bracket.end()))
        except BadEscape:
            pass
    yield FieldNode(whole[:end], None, text.span(0, end))
    for shorter in range(min(end, _LONGEST_NAME) - 1, 0, -1):
        if whole[shorter - 1] != ".":
            yield FieldNode(whole[:shorter], None, text.span(0, shorter))


def _call_ends(whole: str, start: int) -> Iterator[int]:
    """Yield where the call at `start` may end: after its brackets, after its parenthesis."""
    depth = 0
    at = start
    while (found := _inside_call(whole, at)) is not None:
        at = found.end()
        if found[0] == "(":
            depth += 1
        elif found[0] == ")":
            depth -= 1
            if depth == 0:
                bracket = _bracket(whole, at)
                if bracket is not None:
                    yield bracket.end()
                yield at
                return


def _shifted(
    node: FieldNode | TransformNode, text: SourceText, by: int
) -> FieldNode | TransformNode:
    """Return `node`, read from a piece of `text` that begins at `by`, with its places there."""
    done: list[Argument] = []
    stack: list[tuple[Argument, bool]] = [(node, False)]
    while stack:
        part, ready = stack.pop()
        span = Span(text, part.span.start + by, part.span.end + by)
        if isinstance(part, FieldNode):
            done.append(FieldNode(part.name, part.arg, span))
        elif isinstance(part, LiteralNode):
            done.append(LiteralNode(part.text, part.quoted, span))
        else:
            inner = part.items if isinstance(part, TupleNode) else part.args
            if not ready:
                stack.append((part, True))
                stack += [(arg, False) for arg in reversed(inner)]
                continue
            args = tuple(done[len(done) - len(inner) :])
            del done[len(done) - len(inner) :]
            if isinstance(part, TupleNode):
                done.append(TupleNode(args, span))
            else:
                done.append(TransformNode(part.name, args, part.arg, span))
    moved = done[0]
    assert isinstance(moved, (FieldNode, TransformNode))
    return moved


def _moved(found: Diagnostic, text: SourceText, by: int) -> Diagnostic:
    span = text.span(found.span.start + by, found.span.end + by)
    return Diagnostic(found.code, found.severity, found.message, span, found.label, found.help)


def _fields_inside(node: Argument, operand: object) -> Iterator[tuple[str, BoundField]]:
    """Yield the fields of a token with their keys; tree and bound form have one shape."""
    stack: list[tuple[Argument, object]] = [(node, operand)]
    while stack:
        part, bound = stack.pop()
        if isinstance(part, FieldNode) and isinstance(bound, BoundField):
            yield field_key(part), bound
        elif isinstance(part, (TransformNode, TupleNode)):
            inner = part.items if isinstance(part, TupleNode) else part.args
            matching: tuple[object, ...] = ()
            if isinstance(bound, BoundTransform):
                matching = bound.args
            elif isinstance(bound, BoundTuple):
                matching = bound.items
            stack += reversed(list(zip(inner, matching, strict=True)))


def _constants_inside(node: Argument) -> Iterator[tuple[str, str]]:
    """Yield the static fields of a token with their values."""
    stack: list[Argument] = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, FieldNode):
            value = static_value(part.name)
            if value is not None:
                yield part.name, value
        elif isinstance(part, (TransformNode, TupleNode)):
            stack += part.items if isinstance(part, TupleNode) else part.args


def _unknown(text: SourceText, start: int, end: int, source: str) -> Diagnostic:
    name = text.text[start:end]
    try:
        bind_field(FieldNode(name, None, text.span(start, end)), source)
    except CheckError as e:
        found = e.diagnostic
        return _error("RK501", found.message, text.span(start - 1, end), found.label, found.help)
    raise AssertionError(name)


def _no_operand(text: SourceText, start: int) -> Diagnostic:
    whole = text.text
    span = text.span(start - 1, start + 1)
    label = "a field is needed after `%`; a percent sign itself cannot be printed"
    help = None
    word = re.compile(r"[A-Za-z][A-Za-z0-9_]*").match(whole, start)
    if word is not None:
        span = text.span(start - 1, word.end())
        label = "no field and no transformer"
        calls = whole.startswith("(", word.end())
        close = close_to(word[0], TRANSFORMERS if calls else fields_of("syscall"))
        help = close and f"did you mean `%{close}`?"
    shown = whole[span.start : min(span.end, span.start + 60)]
    return _error("RK501", f"bad token `{shown}`", span, label, help)
