"""Arguments that several commands share, and the types of their values."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rulekit.alert import PRIORITIES, priority_number
from rulekit.errors import RulekitError, reason
from rulekit.text.whole import read_given

_MAX_QUESTIONS_BYTES = 512 << 20  # one for each of some million events


def priority(text: str) -> str:
    """Return a priority in its printed spelling; for argparse."""
    try:
        return PRIORITIES[priority_number(text)]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text: str) -> int:
    """Return a whole number from 1 to 2147483647; for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to 2147483647")
    return number


def amount(text: str) -> float:
    """Return a number above 0; for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e12:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def add_rules(parser: argparse._ActionsContainer, *, required: bool = True) -> None:
    """Declare ``-r``, without which most commands have nothing to look at."""
    parser.add_argument(
        "-r",
        "--rules",
        metavar="RULES",
        action="append",
        type=Path,
        required=required,
        help="rules file; more of them are loaded in the order given",
    )


def add_matching(parser: argparse._ActionsContainer) -> None:
    """Declare which of the rules that match an event are looked for."""
    parser.add_argument(
        "--matching",
        choices=("first", "all"),
        default="first",
        help="stop at the first rule that matches an event (default), or try all",
    )


def add_capture(parser: argparse.ArgumentParser) -> None:
    """Add ``-e CAPTURE``."""
    parser.add_argument(
        "-e",
        "--capture",
        metavar="CAPTURE",
        required=True,
        help="capture to read: .scap, plain or gzip; - is standard input",
    )


def add_format(parser: argparse._ActionsContainer, default: str | None = "text") -> None:
    """Add ``--format``; a default of None tells that nobody asked."""
    parser.add_argument(
        "--format", choices=("text", "json"), default=default, help="text (default) or json"
    )


def add_field_map(parser: argparse._ActionsContainer) -> None:
    """Add ``--field-map``."""
    parser.add_argument(
        "--field-map",
        metavar="MAP",
        action="append",
        default=[],
        help="YAML file that declares fields of JSON documents, and their source; may be repeated",
    )


def use_field_map(args: argparse.Namespace) -> tuple[str, ...]:
    """Declare what ``--field-map`` names; return the sources; `RuleError` when it cannot be."""
    if not args.field_map:
        return ()
    from rulekit.cli.rules import explain
    from rulekit.errors import RuleError
    from rulekit.rules.field_map import use_field_maps

    try:
        return use_field_maps(args.field_map)
    except RuleError as error:
        explain(error.diagnostics, sys.stderr)
        raise RulekitError("the field map cannot be used") from None


def read_json_lines(path: str) -> Iterator[tuple[int, Any]]:
    """Yield line number and value of each line that is not blank; ``-`` is standard input.

    Raises:
        RulekitError: The file cannot be read or a line is not JSON; names the line.
    """
    try:
        data = read_given(path, _MAX_QUESTIONS_BYTES)
    except OSError as error:
        raise RulekitError(f"{path}: {reason(error)}") from None
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError):
            raise RulekitError(f"{path}:{number}: not JSON") from None


def read_conditions(path: str) -> list[str]:
    """Return the conditions of a file of JSON strings, one a line."""
    conditions = []
    for number, value in read_json_lines(path):
        if not isinstance(value, str):
            raise RulekitError(f"{path}:{number}: a condition is a JSON string")
        conditions.append(value)
    return conditions
