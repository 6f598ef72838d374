"""Parts of captures as captures."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from rulekit._fastmatch import Matcher
from rulekit.compiler.program import compile_ruleset
from rulekit.engine._slice import SliceLoop
from rulekit.engine.capture_file import CaptureFile
from rulekit.engine.limits import StateLimits
from rulekit.engine.pipeline import CapturePath, bind
from rulekit.engine.window import Window
from rulekit.errors import SinkError, SourceError
from rulekit.sources.opening import open_reader


@dataclass(slots=True)
class Slice:
    """What a slice came to hold.

    Attributes:
        events: Those asked for, copied as they are; of a whole capture all event headers.
        state_only: Events besides, marked as to be applied by readers and not shown.
        bytes: Written, as compressed.
        lost: Enter events that waited for their exits and were forgotten for want of room, and
            events that the mark made longer than the format allows: 0 but for absurd captures.
        refused: What of the state found no room, by name.
    """

    events: int = 0
    state_only: int = 0
    bytes: int = 0
    lost: int = 0
    refused: dict[str, int] = field(default_factory=dict)


def write_slice(
    source: CapturePath,
    target: CapturePath,
    condition: str | None = None,
    *,
    window: Window | None = None,
    compress: bool | None = None,
    progress: Callable[[SliceLoop], None] | None = None,
    limits: StateLimits | None = None,
) -> Slice:
    """Copy the events of a capture that a condition and a window choose into another capture.

    Chosen events are copied as they are, in their original form. With them go the events that
    readers need to know what was known: which process it was, which file. These carry the format's
    flag for events that are applied and not shown, so every field of the chosen events has the
    value that it has in the whole capture; only their numbers change. A file ends with the last
    chosen event; a pipe cannot be cut, so what was copied behind it for a next one stays. Without
    condition and window everything is copied as it is, also what nobody can interpret.

    Args:
        target: A path, ``-`` for standard output.
        compress: Write gzip; by default when the target ends in ``.gz``.
        progress: Called now and then.
        limits: How much to remember of processes and files; None is the defaults.

    Raises:
        RuleError: The condition cannot be used.
        SourceError: The capture cannot be read, or is damaged; what comes before the damage was
            written.
        SinkError: The target cannot be written; its text says how much of it was.
    """
    matcher = Matcher(compile_ruleset([(condition, bind(condition), None)])) if condition else None
    path = os.fspath(target)
    made = Slice()
    with contextlib.closing(SliceLoop(open_reader(source), matcher, window, limits=limits)) as loop:
        # Emptying the target would end the source.
        if _is_same_file(source, path):
            raise SinkError(f"{path}: is the capture that is read; write to another file")
        with CaptureFile(path, path.endswith(".gz") if compress is None else compress) as out:
            error: SourceError | None = None
            while True:
                try:
                    data = loop.next()
                except SourceError as damage:
                    error = damage
                    break
                if data is None:
                    break
                out.write(data, loop.needed)
                made.events = loop.n_chosen
                if progress is not None:
                    progress(loop)
            out.finish()
    made.events = loop.n_chosen if matcher is not None or window is not None else loop.n_events
    made.state_only = loop.n_needed if out.cut else loop.n_state_only
    made.lost = loop.n_lost + loop.n_too_long
    made.bytes = out.n_bytes
    made.refused = loop.refused
    if error is not None:
        raise error
    return made


def _is_same_file(source: CapturePath, target: str) -> bool:
    try:
        read = os.fstat(sys.stdin.fileno()) if os.fspath(source) == "-" else os.stat(source)
        written = os.fstat(sys.stdout.fileno()) if target == "-" else os.stat(target)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(read.st_mode) and os.path.samestat(read, written)
