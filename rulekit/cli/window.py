"""``--from`` and ``--to``: the part of a capture that a command looks at."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rulekit.engine.window import Window

# Shown in the descriptions of the commands that have the two options.
WINDOW_HELP = """\
--from and --to name the first and the last event to look at: by number (1500, as evt.num), by
time (2026-07-01T12:00:00.5Z, 12:00:00.5 on the first event's day, @1700000000.25 since the
epoch; without a zone local time), or by distance from the first event (+10s, +250ms, +2m).
Events before --from are read all the same: they tell which process and which file later ones
speak of."""


def add_window(parser: argparse._ActionsContainer) -> None:
    """Add ``--from`` and ``--to``."""
    parser.add_argument(
        "--from", dest="from_", metavar="T", help="first event to look at: number or time"
    )
    parser.add_argument("--to", metavar="T", help="last event to look at: number or time")


def window_of(args: argparse.Namespace) -> Window | None:
    """Return the window that the options name, None when there is none.

    Raises:
        RulekitError: An option cannot be understood.
    """
    if args.from_ is None and args.to is None:
        return None
    from rulekit.engine.window import window

    return window(args.from_, args.to)
