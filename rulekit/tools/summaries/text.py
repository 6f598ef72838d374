"""Reports as text: columns of fixed width, numbers with their units."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor
from typing import Any

from rulekit.formats.base import escape_controls
from rulekit.tools.summaries.base import Column, Report

_BYTES = ("KB", "M", "G", "T", "P")
_RULE = "-" * 80


def report_lines(report: Report) -> Iterator[str]:
    """Yield the lines of a report, without line feeds."""
    if report.line is not None:
        for row in report.rows:
            line = report.line(row)
            yield line if report.with_data else escape_controls(line)
        return
    yield _columns(report.columns, [column.heading for column in report.columns])
    yield _RULE
    for row in report.rows:
        values = zip(report.columns, row, strict=True)
        yield _columns(report.columns, [value_text(column, value) for column, value in values])


def _columns(columns: tuple[Column, ...], texts: list[str]) -> str:
    *fixed, last = zip(columns, texts, strict=True)
    return (
        "".join(f"{text[: column.width - 1]:<{column.width}}" for column, text in fixed) + last[1]
    )


def value_text(column: Column, value: Any) -> str:
    """Return a value as a table shows it; null is ``<NA>``."""
    if value is None:
        return "<NA>"
    if isinstance(value, bool):
        return str(value).lower()
    if column.unit == "bytes":
        return bytes_text(value)
    if column.unit == "time":
        return time_text(value)
    if column.unit == "percent":
        return f"{value:.2f}%"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return escape_controls(str(value))  # a row is a line


def bytes_text(size: float) -> str:
    """Return ``512B``, ``1.20KB``, ``3.00M``: units of 1024."""
    if size <= 1024:
        return f"{size:.0f}B"
    for unit in _BYTES:
        size /= 1024
        if size <= 1024 or unit == _BYTES[-1]:
            return f"{floor(size * 100 + 0.5) / 100:.2f}{unit}"  # halves go up, as people round
    raise AssertionError


def time_text(ns: int) -> str:
    """Return a duration with three digits or so: ``1.05s``, ``23ms``, ``1.50ms``, ``7ns``."""
    ns = int(ns)
    for unit, size in ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000):
        if unit != "s" and ns >= size * 10:
            return f"{ns // size}{unit}"
        if ns >= size:
            return f"{ns // size}.{ns % size * 100 // size:02d}{unit}"
    return f"{ns}ns"
