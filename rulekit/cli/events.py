"""``rulekit events``: the events of a capture, printed or asked many questions at once."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from rulekit.cli.arguments import add_capture, read_conditions, read_json_lines
from rulekit.cli.slice import EXAMPLES as SLICE_EXAMPLES
from rulekit.cli.slice import WRITE_HELP, add_write, write_events
from rulekit.cli.window import WINDOW_HELP, add_window, window_of
from rulekit.errors import RulekitError
from rulekit.formats.base import escape_controls

if TYPE_CHECKING:
    from collections.abc import Iterable

HELP = "print the events of a capture"
DESCRIPTION = f"""\
Prints the events of a capture, one per line: all of them, or those for which CONDITION holds.

FORMAT is text with fields, as in the output of a rule: '%evt.num %proc.name %fd.name'. Events
for which one of the fields is null are left out, unless FORMAT begins with an asterisk: then
nulls print as <NA>.

{WINDOW_HELP}

{WRITE_HELP}

--conditions and --outputs answer many questions in one pass; they read one JSON value per line
and print one JSON object per line, in the same order. Positions count all event headers of the
file from 1, also those that no rule sees."""
EXAMPLES = (
    (
        "rulekit events -e rulesets/captures/tiny-host.scap.gz"
        " 'evt.type = execve and proc.name = cat'",
        "every start of a program called cat",
    ),
    (
        "rulekit events -e rulesets/captures/tiny-host.scap.gz -p '%evt.time %proc.name %fd.name'"
        " 'evt.is_open_write = true'",
        "chosen fields only",
    ),
    *SLICE_EXAMPLES,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_capture(parser)
    parser.add_argument("condition", nargs="?", metavar="CONDITION", help="as in a rule")
    parser.add_argument("-p", "--print", dest="template", metavar="FORMAT", help="what to print")
    add_window(parser)
    add_write(parser)
    many = parser.add_mutually_exclusive_group()
    many.add_argument(
        "--conditions",
        metavar="FILE",
        help='one JSON string per line in; {"condition", "matches" or "error"} per line out',
    )
    many.add_argument(
        "--outputs",
        metavar="FILE",
        help='{"event", "format"} per line in; {"text", "fields"} or {"error"} per line out',
    )


def run(args: argparse.Namespace) -> int:
    """Print events or answers."""
    many = args.conditions or args.outputs
    if many and (args.condition or args.template):
        raise RulekitError("--conditions and --outputs go with neither CONDITION nor -p")
    if args.write:
        if many or args.template:
            raise RulekitError("--write goes with neither -p nor --conditions nor --outputs")
        return write_events(args)
    if args.conditions:
        from rulekit.engine.pipeline import match_conditions

        return _answers(match_conditions(args.capture, read_conditions(args.conditions)))
    if args.outputs:
        from rulekit.engine.pipeline import render_outputs

        return _answers(render_outputs(args.capture, _wanted(args.outputs)))
    from rulekit.engine.pipeline import print_events

    write, terminal = sys.stdout.buffer.write, sys.stdout.isatty()
    for line in print_events(args.capture, args.template, args.condition, window_of(args)):
        # File names and arguments are bytes in no particular encoding: they come out as they are,
        # but for a terminal, which would obey some of them.
        write((visible(line) if terminal else line) + b"\n")
    return 0


def visible(line: bytes) -> bytes:
    """Return a line with control characters escaped, as valid UTF-8."""
    return escape_controls(line.decode("utf-8", "replace")).encode("utf-8")


def _answers(items: Iterable[dict[str, Any]]) -> int:
    for item in items:
        sys.stdout.write(json.dumps(item) + "\n")
    return 0


def _wanted(path: str) -> list[tuple[int, str]]:
    wanted = []
    for number, value in read_json_lines(path):
        event = value.get("event") if isinstance(value, dict) else None
        text = value.get("format") if isinstance(value, dict) else None
        if isinstance(event, bool) or not isinstance(event, int) or not isinstance(text, str):
            raise RulekitError(f'{path}:{number}: say {{"event": POSITION, "format": TEXT}}')
        wanted.append((event, text))
    return wanted
