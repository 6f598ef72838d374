"""``--write``: events into a capture instead of onto the screen."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rulekit.cli.console import Progress, count, say, size_of
from rulekit.cli.limits import limits_of, tell_refused
from rulekit.cli.window import window_of
from rulekit.errors import SourceError

if TYPE_CHECKING:
    from rulekit.engine.slice import Slice

WRITE_HELP = """\
--write copies the events into another capture, in their original form. With them go, marked as
not to be shown, the events that readers need to know which process and which file they speak of,
so every field keeps its value; only the numbers of events change. Without CONDITION, --from and
--to the whole capture is copied as it is. '-' is standard output."""

EXAMPLES = (
    (
        "rulekit events -e rulesets/captures/attack-host.scap.gz -w shadow.scap.gz"
        " 'fd.name = /etc/shadow'",
        "a capture of the events that touch one file",
    ),
)


def add_write(parser: argparse._ActionsContainer) -> None:
    """Add ``--write`` and ``--compress``."""
    parser.add_argument("-w", "--write", metavar="FILE", help="write the events to FILE, a capture")
    parser.add_argument(
        "-z",
        "--compress",
        action="store_true",
        help="write gzip; done without asking when FILE ends in .gz",
    )


def write_events(args: argparse.Namespace) -> int:
    """Write the slice that the arguments ask for; 2 when the capture is damaged."""
    from rulekit.engine.slice import write_slice

    bar = Progress(size_of(args.capture))
    try:
        made = write_slice(
            args.capture,
            args.write,
            args.condition,
            window=window_of(args),
            compress=True if args.compress else None,
            progress=bar.update,
            limits=limits_of(args),
        )
    except SourceError as error:
        bar.clear()
        say(
            f"{error}; what comes before it was written: {args.write} is partial"
            if error.offset
            else str(error)
        )
        return 2
    finally:
        bar.clear()
    say(_summary(args.write, made))
    tell_refused(made.refused)
    return 0


def _summary(path: str, made: Slice) -> str:
    text = f"{path}: {count(made.events, 'event')}"
    if made.state_only:
        text += f", {made.state_only} more for the state only"
    text += f", {made.bytes} bytes"
    if made.lost:
        text += f" (left out for want of room: {made.lost})"
    return text
