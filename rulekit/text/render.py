"""Diagnostics → carets for people, JSON and GitHub annotations for programs."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from rulekit.text.codes import code_named
from rulekit.text.diagnostic import Diagnostic, Fix, Label
from rulekit.text.source import Span

MAX_LINE = 160
_MAX_LINES = 4
_TAB = "    "
_COLOURS = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "info": "\x1b[1;36m",
    "gutter": "\x1b[1;34m",
    "bold": "\x1b[1m",
    "help": "\x1b[1;32m",
}
_RESET = "\x1b[0m"


def render(diagnostics: Iterable[Diagnostic], *, colour: bool = False) -> str:
    """Return diagnostics as text for a terminal, a blank line between them, no final newline."""
    paint = _Painter(colour)
    return "\n\n".join(_render_one(found, paint) for found in diagnostics)


def render_excerpt(span: Span, label: str = "", *, colour: bool = False) -> str:
    """Return the place of a span and its lines of the file, marked, without a headline."""
    outer = span.outermost()
    line, column = outer.source.locate(outer.start)
    width = len(str(outer.source.locate(_last(outer))[0]))
    paint = _Painter(colour)
    head = f"{' ' * width}--> {printable(outer.source.name)}:{line}:{column}"
    return "\n".join([head, *_excerpt(outer, label, width, "^", "error", paint)])


def render_counts(diagnostics: Sequence[Diagnostic]) -> str:
    """Return how many errors and warnings there are: ``2 errors, 1 warning``."""
    parts = []
    for severity in ("error", "warning", "info"):
        count = sum(found.severity == severity for found in diagnostics)
        if count:
            plural = "" if count == 1 or severity == "info" else "s"
            parts.append(f"{count} {severity}{plural}")
    return ", ".join(parts) or "nothing found"


class _Painter:
    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, style: str, text: str) -> str:
        return f"{_COLOURS[style]}{text}{_RESET}" if self.colour and text else text


def _render_one(found: Diagnostic, paint: _Painter) -> str:
    shown: list[tuple[Span, str, bool]] = [(found.span.outermost(), found.label, True)]
    shown += [(label.span.outermost(), label.text, False) for label in found.labels]
    width = max(len(str(span.source.locate(_last(span))[0])) for span, _, _ in shown)
    lines = [
        paint(found.severity, f"{found.severity}[{found.code}]")
        + paint("bold", f": {printable(found.message)}")
    ]
    for i, (span, label, primary) in enumerate(shown):
        line, column = span.source.locate(span.start)
        arrow = "-->" if i == 0 else ":::"
        lines.append(
            f"{' ' * width}{paint('gutter', arrow)} {printable(span.source.name)}:{line}:{column}"
        )
        style = found.severity if primary else "gutter"
        lines += _excerpt(span, label, width, "^" if primary else "-", style, paint)
    notes = []
    if found.help:
        notes.append(("help", found.help))
    if found.fix:
        notes.append(("fix", f"{found.fix.title}: {_change(found.fix)}"))
    for name, text in notes:
        gutter = paint("gutter", f"{' ' * width} =")
        lines.append(f"{gutter} {paint('help', name)}: {printable(text)}")
    return "\n".join(lines)


def _change(fix: Fix) -> str:
    span = fix.span.outermost()
    old, new = span.text, fix.replacement
    if not old:
        return f"insert `{new}`"
    return f"remove `{old}`" if not new else f"`{old}` → `{new}`"


def _last(span: Span) -> int:
    return max(span.start, span.end - 1)


def _excerpt(
    span: Span, label: str, width: int, mark: str, style: str, paint: _Painter
) -> list[str]:
    """Return the lines of the file that hold a span, marked, the label behind the last one."""
    source = span.source
    if not source.text:
        return [f"{' ' * width} {paint('gutter', '|')} {paint(style, printable(label))}".rstrip()]
    first = source.locate(span.start)[0]
    last = max(first, source.locate(_last(span))[0])
    numbers = list(range(first, last + 1))
    skipped = 0
    if len(numbers) > _MAX_LINES:
        skipped = len(numbers) - _MAX_LINES
        numbers = [*numbers[: _MAX_LINES - 1], numbers[-1]]
    out: list[str] = []
    bar = paint("gutter", "|")
    for i, number in enumerate(numbers):
        if skipped and i == len(numbers) - 1:
            out.append(f"{' ' * width} {paint('gutter', f'... {skipped} lines ...')}")
        text, start = _line(span, number)
        # Only the part of the span on this line, leading blanks left out.
        left = max(span.start - start, 0) if number == first else len(text) - len(text.lstrip())
        right = min(span.end - start, len(text)) if number == last else len(text.rstrip())
        left = min(left, len(text))
        right = max(right, left + 1)
        text, left, right = _clip(text, left, right)
        marks = mark * max(1, display_width(text[left:right]))
        pad = " " * display_width(text[:left])
        note = f" {printable(label)}" if label and number == last else ""
        out.append(f"{paint('gutter', str(number).rjust(width))} {bar} {_shown(text)}".rstrip())
        out.append(f"{' ' * width} {bar} {pad}{paint(style, marks + note)}")
    return out


def _line(span: Span, number: int) -> tuple[str, int]:
    """Return a line of the source, counted from 1, and the offset where it begins."""
    lines = span.source.text
    start = span.source.line_start(number)
    end = lines.find("\n", start)
    end = len(lines) if end < 0 else end
    return lines[start:end].rstrip("\r"), start


def _clip(text: str, left: int, right: int) -> tuple[str, int, int]:
    """Shorten a long line around the marked part."""
    if len(text) <= MAX_LINE:
        return text, left, right
    start = max(0, min(left - MAX_LINE // 3, len(text) - MAX_LINE))
    end = start + MAX_LINE
    clipped = text[start:end]
    left, right = left - start, min(right, end) - start
    if start:
        clipped = "…" + clipped[1:]
    if end < len(text):
        clipped = clipped[:-1] + "…"
    return clipped, left, max(right, left + 1)


def _shown(text: str) -> str:
    return "".join(_TAB if char == "\t" else _visible(char) for char in text)


def display_width(text: str) -> int:
    """Return how many columns a terminal needs for `text` as an excerpt shows it."""
    width = 0
    for char in text:
        if char == "\t":
            width += len(_TAB)
        elif char.isascii():
            width += 1
        elif unicodedata.combining(char):
            continue
        else:
            wide = unicodedata.east_asian_width(char) in "WF"
            width += 2 if wide and _visible(char) == char else 1
    return width


def _visible(char: str) -> str:
    """Return a stand-in for characters that would move the cursor or colour the terminal."""
    if char.isprintable() or unicodedata.combining(char):
        return char
    return "·" if char.isspace() else "�"


def printable(text: str) -> str:
    """Return text without line breaks and control characters."""
    return "".join(" " if char in "\t\n\r" else _visible(char) for char in text)


def range_of(span: Span) -> dict[str, int]:
    """Return lines and columns, from 1, and offsets, from 0, of a span in its file."""
    start = span.source.locate(span.start)
    end = span.source.locate(max(span.end, span.start))
    return {
        "line": start[0],
        "column": start[1],
        "end_line": end[0],
        "end_column": end[1],
        "offset": span.start,
        "end_offset": max(span.end, span.start),
    }


def _place(span: Span) -> dict[str, Any]:
    outer = span.outermost()
    return {"file": outer.source.name, **range_of(outer)}


def _label_json(label: Label) -> dict[str, Any]:
    return {"text": label.text, **_place(label.span)}


def diagnostic_json(found: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic as JSON; lines and columns count from 1, offsets from 0."""
    fix = None
    if found.fix is not None:
        fix = {
            "title": found.fix.title,
            "replacement": found.fix.replacement,
            **_place(found.fix.span),
        }
    known = code_named(found.code)
    return {
        "code": found.code,
        "slug": known.slug if known is not None else found.code,
        "severity": found.severity,
        "message": found.message,
        "label": found.label,
        "help": found.help,
        "falco": found.falco,
        **_place(found.span),
        "labels": [_label_json(label) for label in found.labels],
        "fix": fix,
    }


_ANNOTATIONS = {"error": "error", "warning": "warning", "info": "notice"}


def github_annotations(diagnostics: Iterable[Diagnostic]) -> str:
    """Return workflow commands that mark the lines in a pull request, one per line."""
    lines = []
    for found in diagnostics:
        span = found.span.outermost()
        place = range_of(span)
        message = found.message if not found.label else f"{found.message}: {found.label}"
        if found.help:
            message += f" ({found.help})"
        properties = {
            "file": span.source.name,
            "line": place["line"],
            "endLine": place["end_line"],
            "col": place["column"],
            "endColumn": place["end_column"],
            "title": found.code,
        }
        listed = ",".join(f"{key}={_escape(str(v), True)}" for key, v in properties.items())
        lines.append(f"::{_ANNOTATIONS[found.severity]} {listed}::{_escape(message, False)}")
    return "\n".join(lines)


def _escape(text: str, is_property: bool) -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return text.replace(":", "%3A").replace(",", "%2C") if is_property else text
