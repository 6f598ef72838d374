"""``rulekit record``: what processes do now, into a capture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rulekit.cli.arguments import amount
from rulekit.cli.arguments import count as number
from rulekit.cli.console import Progress, count, loss_reasons, say
from rulekit.cli.live import SCOPE_HELP, add_scope, live

if TYPE_CHECKING:
    from rulekit.engine.record import Recording
    from rulekit.sources.ebpf.routes import EventSet

HELP = "record what processes do into a capture"
DESCRIPTION = f"""\
Writes every system call of the processes of a scope into a capture, in the layout that Falco and
sysdig write in 2026, until Ctrl-C, or as long as -M and -n say.

{SCOPE_HELP}

With CONDITION the events for which it holds are written, and with them, marked as not to be shown,
those that readers need to know which process and which file they speak of.

With -C, -G or -e the next file begins when one is large, old or long enough; each begins with what
was known then, so each can be read by itself. A counter follows the name; a name with % is a format
of time (strftime) instead. -W keeps the last files and removes the older ones."""
EXAMPLES = (
    (
        "rulekit record -w listing.scap -- ls /",
        "what a command does, from its first instruction to its last",
    ),
    (
        "sleep 60 & rulekit record --scope tree:$! -w sleep.scap.gz -M 1; kill $!",
        "a running process for a second, compressed",
    ),
    (
        "rulekit record -w secrets.scap 'fd.name startswith /etc/' -- sh -c 'cat /etc/passwd | wc'",
        "only what touches certain files",
    ),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("condition", metavar="CONDITION", nargs="?", help="write these events only")
    what = parser.add_argument_group("what to record")
    add_scope(what)
    what.add_argument(
        "-r",
        "--rules",
        metavar="RULES",
        action="append",
        type=Path,
        help="record only the types of events that these rules look at, and those that tell of"
        " processes and files",
    )
    what.add_argument("-M", "--seconds", metavar="S", type=amount, default=0.0, help="stop after S")
    what.add_argument(
        "-n", "--number", metavar="N", type=number, default=0, help="stop after N events"
    )
    where = parser.add_argument_group("where to")
    where.add_argument(
        "-w", "--write", metavar="FILE", required=True, help="capture to write; - is stdout"
    )
    where.add_argument(
        "-z",
        "--compress",
        action="store_true",
        help="write gzip; done without asking when FILE ends in .gz",
    )
    where.add_argument(
        "-C", "--megabytes", metavar="MB", type=amount, default=0.0, help="next file after 10^6 MB"
    )
    where.add_argument(
        "-G", "--file-seconds", metavar="S", type=amount, default=0.0, help="next file after S"
    )
    where.add_argument(
        "-e", "--file-events", metavar="N", type=number, default=0, help="next file after N events"
    )
    where.add_argument(
        "-W", "--files", metavar="N", type=number, default=0, help="keep the last N files"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no summary, no progress")


def run(args: argparse.Namespace) -> int:
    """Record; 2 when that is not possible."""
    from rulekit.engine.record import Rotation, record

    events = _events(args.rules)
    if events is None:
        return 2
    bar = Progress(None, False if args.quiet else None)
    rotation = Rotation(
        bytes=int(args.megabytes * 1e6),
        seconds=args.file_seconds,
        events=args.file_events,
        files=args.files,
    )
    try:
        with live(args, events) as source:
            made = record(
                source,
                args.write,
                args.condition,
                compress=True if args.compress else None,
                max_events=args.number,
                max_seconds=args.seconds,
                rotation=rotation,
                progress=bar.update,
            )
    finally:
        bar.clear()
    if not args.quiet:
        say(_summary(args.write, made))
    return 0


def _events(rules: list[Path] | None) -> EventSet | None:
    """Return what is to be recorded; None when the rules cannot be used."""
    from rulekit.sources.ebpf.routes import all_events, events_for

    if not rules:
        return all_events()
    from rulekit.cli.rules import load_or_explain
    from rulekit.engine.pipeline import Engine

    ruleset = load_or_explain(rules)
    return None if ruleset is None else events_for(Engine(ruleset).program)


def _summary(path: str, made: Recording) -> str:
    name = path if len(made.files) == 1 else f"{count(len(made.files), 'file')} ({path})"
    text = f"{name}: {count(made.events, 'event')}"
    if made.state_only:
        text += f", {made.state_only} more for the state only"
    text += f", {made.bytes} bytes, {count(made.lost, 'drop')}"
    return f"{text} ({reasons})" if (reasons := loss_reasons(made.losses)) else text
