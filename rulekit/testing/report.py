"""Results of cases for people and machines: terminal, JSON lines, diagnostics."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rulekit.testing.judge import Failure, Outcome, Result
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.render import render

_LETTERS = {"passed": ".", "failed": "F", "error": "E", "xfailed": "x", "xpassed": "X"}
_COLOURS = {"passed": "32", "failed": "31", "error": "31", "xfailed": "33", "xpassed": "31"}
_ORDER: tuple[Outcome, ...] = ("failed", "error", "passed", "xfailed", "xpassed")
_MARKS = {"✓": "32", "✗": "31"}
_PERCENT = 7  # columns of ` [100%]`


@dataclass(frozen=True, slots=True)
class Style:
    """How results are printed.

    Attributes:
        verbosity: -1: nothing but failures and the verdict; 0: a letter a case; 1: a line a case.
        width: Columns of the terminal.
        slowest: How many of the slowest cases to name.
    """

    verbosity: int = 0
    colour: bool = False
    width: int = 80
    slowest: int = 0

    def paint(self, code: str, text: str) -> str:
        """Return text in a colour, if there are to be colours."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text


PLAIN = Style()


def shown(path: Path) -> str:
    """Return a path as people would type it: relative where that is shorter."""
    try:
        relative = os.path.relpath(path)
    except ValueError:
        return str(path)
    return min(relative, str(path), key=len)


def text_report(
    results: Iterable[Result],
    total: int,
    elapsed_s: Callable[[], float],
    *,
    deselected: int = 0,
    style: Style = PLAIN,
) -> Iterator[str]:
    """Yield pieces of text while results come in, then failures and the verdict.

    Args:
        results: In any order; a file's name comes again when another file was in between.
        total: Number of results to come.
        elapsed_s: Returns the seconds since the start.
        deselected: Cases that were left out by choice.
    """
    done: list[Result] = []
    if style.verbosity >= 0:
        left_out = f", {deselected} deselected" if deselected else ""
        yield f"{_cases(total)}{left_out}\n\n"
    if style.verbosity > 0:
        yield from _lines(_noted(results, done), total, style)
    elif style.verbosity == 0:
        yield from _letters(_noted(results, done), total, style)
    else:
        for _ in _noted(results, done):
            pass
    bad = [result for result in done if not result.good]
    if bad:
        yield f"\n{_rule(' FAILURES ', '=', style)}\n"
    for same in _alike(bad):
        yield failure_text(same[0], style)
        if len(same) > 1:
            yield f"    the same for {_cases(len(same) - 1)} more\n\n"
    yield from _slowest(done, style)
    if bad:
        yield f"{_rule(' short summary ', '=', style)}\n"
    for same in _alike(bad):
        result = same[0]
        place = f"{shown(result.case.file)}:{result.case.line}"
        name = result.case.name if len(same) == 1 else _cases(len(same))
        why = result.failures[0].message if result.failures else result.case.xfail
        outcome = style.paint(_COLOURS[result.outcome], result.outcome.upper())
        yield f"{outcome} {place} {name} - {why}\n"
    if not bad and style.verbosity >= 0:
        yield "\n"
    verdict = _rule(_verdict(done, elapsed_s(), deselected), "=", style)
    code = "1;31" if bad else "1;32" if any(r.outcome == "passed" for r in done) else "1;33"
    yield f"{style.paint(code, verdict)}\n"


def _alike(bad: Sequence[Result]) -> list[list[Result]]:
    """Return results one by one; those with the same mistakes in a file together."""
    groups: dict[object, list[Result]] = {}
    for number, result in enumerate(bad):
        found = [failure.diagnostic for failure in result.failures]
        places = tuple(
            (each.code, each.span.source.name, each.span.start) for each in found if each
        )
        same = bool(found) and len(places) == len(found)
        groups.setdefault(places if same else number, []).append(result)
    return list(groups.values())


def _cases(n: int) -> str:
    return f"{n} case{'' if n == 1 else 's'}"


def _noted(results: Iterable[Result], done: list[Result]) -> Iterator[Result]:
    for result in results:
        done.append(result)
        yield result


def _letters(results: Iterable[Result], total: int, style: Style) -> Iterator[str]:
    """Yield a letter for each case behind the name of its file, the share of cases at the end."""
    file: Path | None = None
    column = done = 0
    for result in results:
        if result.case.file != file:
            if file is not None:
                yield _percent(column, done, total, style)
            file = result.case.file
            head = f"{shown(file)} "
            column = len(head)
            yield head
        elif column >= style.width - _PERCENT:
            yield _percent(column, done, total, style)
            column = 0
        yield style.paint(_COLOURS[result.outcome], _LETTERS[result.outcome])
        column += 1
        done += 1
    if done:
        yield _percent(column, done, total, style)


def _lines(results: Iterable[Result], total: int, style: Style) -> Iterator[str]:
    for done, result in enumerate(results, 1):
        text = f"{shown(result.case.file)}:{result.case.line} {result.case.name} "
        outcome = result.outcome.upper()
        column = len(text) + len(outcome)
        if result.case.xfail is not None:
            outcome += f" ({result.case.xfail})"
            column = len(text) + len(outcome)
        yield text + style.paint(_COLOURS[result.outcome], outcome)
        yield _percent(column, done, total, style)


def _percent(column: int, done: int, total: int, style: Style) -> str:
    share = f"[{done * 100 // max(total, 1):3d}%]"
    blanks = " " * max(1, style.width - len(share) - column)
    return f"{blanks}{style.paint('36', share)}\n"


def _slowest(done: Sequence[Result], style: Style) -> Iterator[str]:
    if style.slowest:
        yield f"{_rule(f' slowest {style.slowest} ', '=', style)}\n"
    for result in sorted(done, key=lambda each: -each.duration_s)[: style.slowest]:
        name = f"{shown(result.case.file)}:{result.case.line} {result.case.name}"
        yield f"{result.duration_s:7.3f}s {name}\n"


def _rule(text: str, mark: str, style: Style) -> str:
    return text.center(style.width, mark)


def failure_text(result: Result, style: Style = PLAIN) -> str:
    """Return what is to be said about a case that is not good: a headline and its failures."""
    title = f" {shown(result.case.file)}:{result.case.line} {result.case.name} "
    lines = [style.paint("1;31", _rule(title, "_", style)), ""]
    for found in diagnostics([result]):
        lines.append(render([found], colour=style.colour))
        failure = next((f for f in result.failures if f.message == found.message), None)
        if failure is not None and failure.detail:
            lines += [f"    {_marked(line, style)}".rstrip() for line in failure.detail]
        lines.append("")
    return "\n".join(lines) + "\n"


def _marked(line: str, style: Style) -> str:
    """Return a line of a tree, its mark in colour."""
    mark = line.lstrip()[:1]
    return line.replace(mark, style.paint(_MARKS[mark], mark), 1) if mark in _MARKS else line


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
