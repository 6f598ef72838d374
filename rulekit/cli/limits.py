"""``--max-threads`` and ``--max-fds``: how much a command remembers of processes and files."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rulekit.cli.arguments import count
from rulekit.cli.console import say

if TYPE_CHECKING:
    from rulekit.config.options import LimitOptions
    from rulekit.engine.limits import StateLimits


def add_limits(parser: argparse._ActionsContainer) -> None:
    """Add ``--max-threads`` and ``--max-fds``."""
    parser.add_argument(
        "--max-threads",
        metavar="N",
        type=count,
        help="remember no more than N threads at a time (default 262144)",
    )
    parser.add_argument(
        "--max-fds",
        metavar="N",
        type=count,
        help="remember no more than N open descriptors of a process (default 4096); what found no"
        " room is counted and told at the end",
    )


def limits_of(args: argparse.Namespace, configured: LimitOptions | None = None) -> StateLimits:
    """Return the bounds that the options name; a configuration says what they leave open."""
    from rulekit.engine.limits import StateLimits

    given = {} if configured is None else configured.given()
    options = {"threads": args.max_threads, "fds_per_process": args.max_fds}
    return StateLimits(**given | {name: n for name, n in options.items() if n is not None})


def tell_refused(counters: Mapping[str, int]) -> None:
    """Say on stderr what found no room."""
    for name, number in sorted(counters.items()):
        if name.endswith("_refused"):
            say(f"note: {name.replace('_', ' ')}: {number}")
