"""Prints results of cases as a test runner does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rulekit.testing.runner import Result


def shown(path: Path) -> str:
    """Return a path as people would type it: relative where that is shorter."""
    try:
        relative = os.path.relpath(path)
    except ValueError:
        return str(path)
    return min(relative, str(path), key=len)


def text_report(results: Iterable[Result], total: int, elapsed_s: Iterator[float]) -> Iterator[str]:
    """Yield pieces of text while results come in, then failures and the verdict.

    Args:
        results: In the order of their files.
        total: Number of results to come.
        elapsed_s: Gives the seconds since the start.
    """
    done: list[Result] = []
    file: Path | None = None
    column = 0
    for result in results:
        if result.case.file != file:
            if file is not None:
                yield _percent(column, len(done), total)
            file = result.case.file
            head = f"{shown(file)} "
            column = len(head)
            yield head
        done.append(result)
        column += 1
        yield "." if result.passed else "E" if result.error else "F"
    if done:
        yield _percent(column, len(done), total)
    bad = [result for result in done if not result.passed]
    if bad:
        yield "\n" + " FAILURES ".center(80, "=") + "\n"
    for result in bad:
        title = f" {shown(result.case.file)}:{result.case.line} {result.case.name} "
        yield title.center(80, "_") + "\n"
        yield "".join(f"  {failure}\n" for failure in result.failures)
    yield _verdict(done, next(elapsed_s)).center(80, "=") + "\n"


def _percent(column: int, done: int, total: int) -> str:
    return " " * max(1, 73 - column) + f"[{done * 100 // max(total, 1):3d}%]\n"


def _verdict(done: list[Result], elapsed_s: float) -> str:
    failed = sum(not r.passed and not r.error for r in done)
    errors = sum(r.error for r in done)
    passed = len(done) - failed - errors
    parts = [
        f"{number} {word}"
        for number, word in (
            (failed, "failed"),
            (errors, "error" if errors == 1 else "errors"),
            (passed, "passed"),
        )
        if number
    ]
    return f" {', '.join(parts) or 'no cases'} in {elapsed_s:.2f}s "


def json_report(results: Iterable[Result]) -> Iterator[str]:
    """Yield one JSON object a line: file, line, case, outcome, failures."""
    for result in results:
        item: dict[str, Any] = {
            "file": shown(result.case.file),
            "line": result.case.line,
            "case": result.case.name,
            "outcome": "passed" if result.passed else "error" if result.error else "failed",
            "failures": list(result.failures),
        }
        yield json.dumps(item, ensure_ascii=False) + "\n"
