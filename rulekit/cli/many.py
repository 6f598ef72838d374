"""Several captures in one `rulekit run`: read at the same time, each with its own summary."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from rulekit.alert import CAPTURE
from rulekit.cli.console import count, say, summary
from rulekit.errors import RulekitError, SinkError, SourceError

if TYPE_CHECKING:
    from rulekit.alert import Alert
    from rulekit.cli.targets import Target
    from rulekit.engine.pipeline import Engine
    from rulekit.engine.window import Window


def add_jobs(parser: argparse._ActionsContainer) -> None:
    """Add ``-j``."""
    parser.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        type=_jobs,
        default=os.cpu_count() or 1,
        help="of several captures read N at the same time (default: as many as processors); alerts"
        " come in the order of captures, and of events in each; in text they begin with the name of"
        " their capture, other formats have it among what is rulekit's own (--json-extra)",
    )


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of captures")
    return int(text)


def open_captures(captures: Sequence[str], source: str | None, event_source: str) -> list[Any]:
    """Return what an engine can run for each capture.

    Args:
        source: What all of them are; None lets the first bytes of each tell.
        event_source: What the rules are for.

    Raises:
        RulekitError: One is standard input or given twice, or is about other events.
    """
    from rulekit.sources.detect import detect_source
    from rulekit.sources.opening import as_source, event_source_of

    opened = []
    for capture in captures:
        if capture == "-":
            raise RulekitError("-e -: standard input cannot be one of several captures")
        kind, spec = (source, capture) if source is not None else detect_source(capture)
        if event_source_of(kind) != event_source:
            raise RulekitError(
                f"{capture}: has events of {event_source_of(kind)}, {captures[0]} of {event_source}"
            )
        opened.append(as_source(kind, spec))
    return opened


def run_captures(
    engine: Engine,
    names: Sequence[str],
    sources: Sequence[Any],
    jobs: int,
    window: Window | None,
    look: Callable[[Alert], None],
    target: Target,
    quiet: bool,
) -> str | None:
    """Deliver the alerts of all captures, and print a summary of each; return what went wrong.

    A capture that breaks off is told, what it gave until then is kept, and the others go on. Ctrl-C
    stops all of them; what was delivered of each is told.
    """
    from rulekit.engine.many import run_many
    from rulekit.engine.stats import Stats

    errors: list[str] = []
    interrupted = False

    def tell(i: int, stats: Stats) -> None:
        if not quiet:
            print(f"{names[i]}: {summary(stats)}", file=sys.stderr)

    found = run_many(engine, sources, jobs, window=window, on_stop=tell)
    try:
        for i, what in found:
            if isinstance(what, Stats):
                tell(i, what)
            elif isinstance(what, SourceError):
                errors.append(str(what))
                say(f"{what}; what was found before is kept: the output is partial")
            elif isinstance(what, Exception):
                raise what
            else:
                look(what)
                target.begin(names[i])
                target.take(replace(what, context={**what.context, CAPTURE: names[i]}))
    except SinkError as problem:
        errors.append(str(problem))
        say(str(problem))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        found.close()
    late = target.finish()
    if late is not None:
        errors.append(late)
        say(late)
    if interrupted:
        raise KeyboardInterrupt
    return f"{count(len(errors), 'problem')} in {count(len(names), 'capture')}" if errors else None
