"""``rulekit events -c`` and ``--tree``: arguments in, reports out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from rulekit.cli.console import say
from rulekit.cli.limits import limits_of
from rulekit.cli.window import window_of
from rulekit.errors import RuleError, RulekitError, SourceError
from rulekit.formats.base import encode, escape_controls
from rulekit.tools.summaries.base import Argument, Report, Request, Row, Summary
from rulekit.tools.summaries.index import summary
from rulekit.tools.summaries.text import report_lines

if TYPE_CHECKING:
    from rulekit.engine.stats import Stats
    from rulekit.engine.window import Window


def request_of(args: argparse.Namespace, stats: Stats) -> tuple[Summary, Request]:
    """Return what ``-c NAME ARGUMENT... CONDITION...`` asks for; `stats` is filled by the reading.

    The arguments of a summary come first; what is left is part of the condition. An optional
    argument that is no number, where one is wanted, or reads as a condition, where a mere text is
    wanted, begins the condition.
    """
    words = list(args.summary)
    if len(words) == 1 and " " in words[0]:
        words = words[0].split()  # as in -c "fdbytes_by fd.name"
    chosen = summary(words.pop(0))
    values: dict[str, Any] = {}
    for argument in chosen.arguments:
        if words and (argument.required or _fits(argument, words[0])):
            values[argument.name] = _value(argument, words.pop(0))
        elif argument.required:
            raise RulekitError(f"-c {chosen.name}: which {argument.name}? {argument.help}")
        else:
            break
    condition = " ".join([*words, *([args.condition] if args.condition else [])]) or None
    return chosen, Request(
        capture=args.capture,
        condition=condition,
        window=place_of(args),
        values=values,
        containers=args.template in ("c", "container", "k", "kubernetes"),
        buffers=args.buffers,
        limits=limits_of(args),
        stats=stats,
    )


def _fits(argument: Argument, word: str) -> bool:
    if argument.kind == "number":
        return _number(word) is not None
    return argument.kind == "condition" or not _is_condition(word)


def _is_condition(word: str) -> bool:
    from rulekit.engine.pipeline import bind

    try:
        bind(word)
    except RuleError:
        return False
    return True


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if 0 <= number < 1e15 else None


def _value(argument: Argument, word: str) -> Any:
    if argument.kind == "number":
        number = _number(word)
        if number is None:
            raise RulekitError(f"{argument.name}: `{word}` is no number")
        return int(number) if number == int(number) else number
    if argument.kind == "field":
        from rulekit.tools.summaries.base import operand

        operand(word)
    return word


def print_report(report: Report, *, as_json: bool, most: int | None) -> int:
    """Print a report; damage of the capture is shown after what was found before it."""
    found: list[SourceError] = []
    report.rows = _until_damage(report.rows, most, found)
    if as_json:
        names = [column.name for column in report.columns]
        for row in report.rows:
            _write(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False), False)
    else:
        for line in report_lines(report):
            _write(line, sys.stdout.isatty())
    for note in report.notes:
        say(f"note: {note}")
    for damage in found:
        raise damage
    return 0


def _until_damage(
    rows: Iterable[Row], most: int | None, damage: list[SourceError]
) -> Iterator[Row]:
    try:
        for i, row in enumerate(rows, 1):
            if most is not None and i > most:
                return
            yield row
    except SourceError as error:
        damage.append(error)


def _write(text: str, terminal: bool) -> None:
    # Buffers that were asked for as text keep their line feeds.
    if terminal:
        text = "\n".join(escape_controls(line) for line in text.split("\n"))
    sys.stdout.buffer.write(encode(text) + b"\n")


def place_of(args: argparse.Namespace) -> Window | None:
    """Return the part of the capture that --from and --to, or --at, name."""
    if args.at is None:
        return window_of(args)
    from rulekit.engine.window import Bound, Window

    return Window(first=Bound("number", args.at))


def print_tree(args: argparse.Namespace, stats: Stats) -> int:
    """Print the processes that run at an event, or at the end of the capture; fill `stats`."""
    from rulekit.tools.summaries.tables import reach
    from rulekit.tools.tree import process_tree, tree_lines, walk

    somewhere = args.condition is not None or args.at is not None or args.from_ is not None
    request = Request(
        args.capture, args.condition, place_of(args), limits=limits_of(args), stats=stats
    )
    with closing(request.open()) as loop:
        if somewhere and not reach(loop):
            raise RulekitError(f"{args.capture}: there is no such event")
        damage = None
        try:
            while not somewhere and loop.next() is not None:
                pass
        except SourceError as error:
            damage = error
        roots = process_tree(loop, current=loop.tid if somewhere else None)
    if args.format == "json":
        for process, depth, _ in walk(roots):
            _write(json.dumps(process.as_json(depth), ensure_ascii=False), False)
    else:
        for line in tree_lines(roots):
            _write(line, sys.stdout.isatty())
    if damage is not None:
        raise damage
    return 0
