"""Results of cases for people and machines: terminal, JSON lines, diagnostics."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rulekit.testing.judge import Failure, Outcome, Result
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.render import render

_LETTERS = {"passed": ".", "failed": "F", "error": "E", "xfailed": "x", "xpassed": "X"}
_ORDER: tuple[Outcome, ...] = ("failed", "error", "passed", "xfailed", "xpassed")
_WIDTH = 80


def shown(path: Path) -> str:
    """Return a path as people would type it: relative where that is shorter."""
    try:
        relative = os.path.relpath(path)
    except ValueError:
        return str(path)
    return min(relative, str(path), key=len)


def text_report(
    results: Iterable[Result], total: int, elapsed_s: Iterator[float], *, deselected: int = 0
) -> Iterator[str]:
    """Yield pieces of text while results come in, then failures and the verdict.

    Args:
        results: In any order; a file's name comes again when another file was in between.
        total: Number of results to come.
        elapsed_s: Gives the seconds since the start.
        deselected: Cases that were left out by choice.
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
        yield _LETTERS[result.outcome]
    if done:
        yield _percent(column, len(done), total)
    bad = [result for result in done if not result.good]
    if bad:
        yield "\n" + " FAILURES ".center(_WIDTH, "=") + "\n"
    for result in bad:
        yield failure_text(result)
    if bad:
        yield " short summary ".center(_WIDTH, "=") + "\n"
    for result in bad:
        place = f"{shown(result.case.file)}:{result.case.line}"
        yield f"{result.outcome.upper()} {place} {result.case.name}\n"
    yield _verdict(done, next(elapsed_s), deselected).center(_WIDTH, "=") + "\n"


def failure_text(result: Result) -> str:
    """Return what is to be said about a case that is not good: a headline and its failures."""
    title = f" {shown(result.case.file)}:{result.case.line} {result.case.name} "
    lines = [title.center(_WIDTH, "_")]
    for found in diagnostics([result]):
        lines.append(render([found]))
        failure = next((f for f in result.failures if f.message == found.message), None)
        if failure is not None and failure.detail:
            lines += [f"    {line}".rstrip() for line in failure.detail]
        lines.append("")
    return "\n".join(lines) + "\n"


def diagnostics(results: Iterable[Result]) -> list[Diagnostic]:
    """Return every failure as a diagnostic of the test file, for SARIF and annotations."""
    found = []
    for result in results:
        if result.outcome == "xpassed":
            message = f"`{result.case.name}` passed: {result.case.xfail}"
            help_ = "take `xfail` away"
            found.append(Diagnostic("RK611", "error", message, result.case.span, "", help_))
        elif not result.good:
            found += [_diagnostic(result, failure) for failure in result.failures]
    return found


def _diagnostic(result: Result, failure: Failure) -> Diagnostic:
    if failure.diagnostic is not None:
        return failure.diagnostic
    code = "RK612" if result.error else "RK610"
    return Diagnostic(code, "error", failure.message, failure.span)


def _percent(column: int, done: int, total: int) -> str:
    return " " * max(1, 73 - column) + f"[{done * 100 // max(total, 1):3d}%]\n"


def _verdict(done: list[Result], elapsed_s: float, deselected: int) -> str:
    counts = Counter(result.outcome for result in done)
    parts = [
        f"{counts[outcome]} {'errors' if outcome == 'error' and counts[outcome] > 1 else outcome}"
        for outcome in _ORDER
        if counts[outcome]
    ]
    if deselected:
        parts.append(f"{deselected} deselected")
    return f" {', '.join(parts) or 'no cases'} in {elapsed_s:.2f}s "


def result_json(result: Result) -> dict[str, Any]:
    """Return a result as data: file, line, case, outcome, failures, duration."""
    return {
        "file": shown(result.case.file),
        "line": result.case.line,
        "case": result.case.name,
        "outcome": result.outcome,
        "failures": [
            {
                "line": failure.span.outermost().source.locate(failure.span.outermost().start)[0],
                "message": failure.message,
                "detail": list(failure.detail),
            }
            for failure in result.failures
        ],
        "xfail": result.case.xfail,
        "tags": list(result.case.tags),
        "duration_s": round(result.duration_s, 6),
    }


def json_report(results: Iterable[Result]) -> Iterator[str]:
    """Yield one JSON object a line."""
    for result in results:
        yield json.dumps(result_json(result), ensure_ascii=False) + "\n"


def exit_code(results: Sequence[Result]) -> int:
    """Return 0 when all is well, 1 when a case failed, 2 when one could not be run."""
    if any(result.error for result in results):
        return 2
    return 0 if all(result.good for result in results) else 1
