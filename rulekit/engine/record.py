"""A live source into captures."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from rulekit._fastmatch import Matcher
from rulekit.compiler.program import compile_ruleset
from rulekit.engine._slice import SliceLoop
from rulekit.engine.capture_file import CaptureFile
from rulekit.engine.pipeline import bind
from rulekit.errors import SinkError, reason
from rulekit.sources.base import Source

SYNC_S = 1.0  # of compressed data, so much is lost at most when the process is killed


@dataclass(frozen=True, slots=True)
class Rotation:
    """When the next file begins, and how many are kept.

    Attributes:
        bytes: Of a file, as compressed; `seconds` since its start; `events` in it. 0: never.
        files: So many are kept, the oldest are removed; 0: all.
    """

    bytes: int = 0
    seconds: float = 0.0
    events: int = 0
    files: int = 0

    @property
    def rotates(self) -> bool:
        """Whether there is more than one file."""
        return bool(self.bytes or self.seconds or self.events)


@dataclass(slots=True)
class Recording:
    """What was recorded.

    Attributes:
        events: Those asked for; `state_only` those besides, marked as not to be shown.
        bytes: In all files together, as compressed.
        files: Written, oldest first, also those that are removed again.
        lost: Events that happened and are in no file; `losses` the same by reason.
    """

    events: int = 0
    state_only: int = 0
    bytes: int = 0
    files: list[str] = field(default_factory=list)
    lost: int = 0
    losses: dict[str, int] = field(default_factory=dict)


def record(
    source: Source,
    target: str,
    condition: str | None = None,
    *,
    compress: bool | None = None,
    max_events: int = 0,
    max_seconds: float = 0.0,
    rotation: Rotation | None = None,
    progress: Callable[[SliceLoop], None] | None = None,
) -> Recording:
    """Write what a live source delivers into a capture, or into a row of captures.

    Each file begins with what was known of processes, files and accounts then, so each can be read
    by itself. With a condition the events that it chooses are written, and those that readers need
    to know which process and which file they speak of, marked as not to be shown.

    Args:
        target: A path, ``-`` for standard output. When files rotate, a counter follows the name; a
            name with ``%`` is a format of `time.strftime` instead.
        compress: Write gzip; by default when the target ends in ``.gz``.
        max_events: Stop after so many chosen events; 0: no limit.
        max_seconds: Stop after so many seconds; 0: no limit.
        progress: Called now and then.

    Raises:
        RuleError: The condition cannot be used.
        SourceError: The source cannot be opened.
        SinkError: A file cannot be written; its text says how much of it was.
    """
    rotation = rotation or Rotation()
    matcher = Matcher(compile_ruleset([(condition, bind(condition), None)])) if condition else None
    made = Recording()
    loop = SliceLoop(source.open(), matcher, keeps_state=rotation.rotates)
    names = _Names(target, rotation)
    compress = target.endswith(".gz") if compress is None else compress
    ends_s = time.monotonic() + max_seconds if max_seconds else float("inf")
    first = 0  # events before those of the file that is written
    try:
        # Before there is a file, so that none is ever without its beginning.
        loop.limit = _limit(rotation, first, max_events)
        data, needed = loop.next(), loop.needed
        more = data is not None
        while more:
            made.files.append(names.next())
            with CaptureFile(made.files[-1], compress, in_place=False) as out:
                out.write(data or b"", needed)
                out.sync()
                more = _fill(loop, out, rotation, source, first, ends_s, max_events, progress)
                out.finish()
            made.bytes += out.n_bytes
            if more:
                first = loop.n_chosen
                loop.limit = _limit(rotation, first, max_events)
                snapshot = loop.snapshot()
                # The next file begins with an event: without any it would be no capture.
                while (data := loop.next()) == b"":
                    _tick(source, ends_s)
                more = data is not None
                data, needed = snapshot + (data or b""), len(snapshot) + loop.needed
    finally:
        made.events = loop.n_chosen
        made.state_only = loop.n_state_only
        made.lost = loop.n_drops
        made.losses = dict(loop.losses)
        loop.close()
        source.close()
    return made


def _tick(source: Source, ends_s: float) -> None:
    """End the source when it is time."""
    if time.monotonic() > ends_s:
        source.stop()


def _limit(rotation: Rotation, first: int, max_events: int) -> int:
    """Return the number of events to stop at, for the end or the next file; 0: none."""
    limits = (max_events, first + rotation.events if rotation.events else 0)
    return min((n for n in limits if n), default=0)


def _fill(
    loop: SliceLoop,
    out: CaptureFile,
    rotation: Rotation,
    source: Source,
    first: int,
    ends_s: float,
    max_events: int,
    progress: Callable[[SliceLoop], None] | None,
) -> bool:
    """Write the rest of one file; return whether a next one follows."""
    started_s = synced_s = time.monotonic()
    loop.limit = _limit(rotation, first, max_events)
    while True:
        now_s = time.monotonic()
        if now_s - synced_s > SYNC_S:
            out.sync()
            synced_s = now_s
        if progress is not None:
            progress(loop)
        _tick(source, ends_s)
        if max_events and loop.n_chosen >= max_events:
            return False
        if loop.n_chosen > first and (
            (rotation.bytes and out.n_bytes >= rotation.bytes)
            or (rotation.seconds and now_s - started_s >= rotation.seconds)
            or (rotation.events and loop.n_chosen - first >= rotation.events)
        ):
            return True
        data = loop.next()
        if data is None:
            return False
        out.write(data, loop.needed)


class _Names:
    """Names of the files of a row; removes the oldest when there are enough."""

    def __init__(self, target: str, rotation: Rotation) -> None:
        self._target = target
        self._rotation = rotation
        self._kept: deque[str] = deque()
        self._n = self._same = 0
        self._moment = ""
        if rotation.rotates and target == "-":
            raise SinkError("standard output is one file: name a file with -w for rotation")

    def next(self) -> str:
        """Return the name of the next file."""
        if not self._rotation.rotates:
            return self._target
        base, gz = self._target.removesuffix(".gz"), ".gz" * self._target.endswith(".gz")
        if "%" in base:
            moment = time.strftime(base)
            # A counter where the format tells two files of a row not apart.
            self._same = self._same + 1 if moment == self._moment else 0
            self._moment = moment
            path = moment + (f".{self._same}" if self._same else "") + gz
        else:
            path = f"{base}{self._n}{gz}"
        self._n += 1
        if path in self._kept:
            self._kept.remove(path)
        self._kept.append(path)
        while self._rotation.files and len(self._kept) > self._rotation.files:
            oldest = self._kept.popleft()
            try:
                os.remove(oldest)
            except FileNotFoundError:
                pass
            except OSError as error:
                raise SinkError(f"{oldest}: cannot be removed: {reason(error)}") from error
        return path
