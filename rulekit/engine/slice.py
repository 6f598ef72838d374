"""Parts of captures as captures."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from rulekit._fastmatch import Matcher
from rulekit.compiler.program import compile_ruleset
from rulekit.engine._slice import SliceLoop
from rulekit.engine.pipeline import CapturePath, bind
from rulekit.engine.window import Window
from rulekit.errors import SinkError, SourceError, reason
from rulekit.sources.opening import open_reader

_GZIP = 16 + zlib.MAX_WBITS


@dataclass(slots=True)
class Slice:
    """What a slice came to hold.

    Attributes:
        events: Those asked for, copied as they are; of a whole capture all event headers.
        state_only: Events besides, marked as to be applied by readers and not shown.
        bytes: Written, as compressed.
        lost: Enter events that waited for their exits and were forgotten for want of room, and
            events that the mark made longer than the format allows: 0 but for absurd captures.
    """

    events: int = 0
    state_only: int = 0
    bytes: int = 0
    lost: int = 0


def write_slice(
    source: CapturePath,
    target: CapturePath,
    condition: str | None = None,
    *,
    window: Window | None = None,
    compress: bool | None = None,
    progress: Callable[[SliceLoop], None] | None = None,
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

    Raises:
        RuleError: The condition cannot be used.
        SourceError: The capture cannot be read, or is damaged; what comes before the damage was
            written.
        SinkError: The target cannot be written; its text says how much of it was.
    """
    matcher = Matcher(compile_ruleset([(condition, bind(condition), None)])) if condition else None
    path = os.fspath(target)
    made = Slice()
    with contextlib.closing(SliceLoop(open_reader(source), matcher, window)) as loop:
        # Emptying the target would end the source.
        if _is_same_file(source, path):
            raise SinkError(f"{path}: is the capture that is read; write to another file")
        with _Target(path, path.endswith(".gz") if compress is None else compress) as out:
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
    if error is not None:
        raise error
    return made


class _Target:
    """Bytes into a file, compressed if wanted.

    Attributes:
        n_bytes: Written so far.
        cut: Whether bytes behind the last needed one were taken back.
    """

    def __init__(self, path: str, compress: bool) -> None:
        self._path = path
        self._deflate = zlib.compressobj(wbits=_GZIP) if compress else None
        self.n_bytes = 0
        self.cut = False
        self._file: BinaryIO
        if path == "-":
            if sys.stdout.isatty():
                raise SinkError("a capture is not written to a terminal: name a file with -w")
            self._file = sys.stdout.buffer
            self._path = "<stdout>"
        else:
            try:
                self._file = open(path, "wb", buffering=0)  # noqa: SIM115 - closed by __exit__
            except OSError as error:
                raise SinkError(f"{path}: cannot be written: {reason(error)}") from error
        self._can_cut = path != "-" and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        # Where the needed bytes end: how many of the file, and the compressor as it was then.
        self._needed = (0, self._deflate)

    def write(self, data: bytes, needed: int) -> None:
        """Append data; so many bytes of it are needed, and with them all before."""
        if needed and self._can_cut:
            self._append(data[:needed])
            self._needed = (self.n_bytes, self._deflate and self._deflate.copy())
            data = data[needed:]
        self._append(data)

    def finish(self) -> None:
        """Write what is left; the file is a whole capture then."""
        if self._can_cut:
            size_bytes, self._deflate = self._needed
            self.cut = True
            self._file.truncate(size_bytes)
            self._file.seek(size_bytes)
            self.n_bytes = size_bytes
        if self._deflate is not None:
            self._put(self._deflate.flush())
        try:
            self._file.flush()
            if self._path != "<stdout>":
                self._file.close()
        except BrokenPipeError:
            raise
        except OSError as error:  # some file systems report a full disk only here
            raise self._refused(error) from error

    def _append(self, data: bytes) -> None:
        self._put(data if self._deflate is None else self._deflate.compress(data))

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                done = self._file.write(rest)
                self.n_bytes += done
                rest = rest[done:]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> SinkError:
        return SinkError(
            f"{self._path}: {reason(error)}; the file is partial: {self.n_bytes} bytes were written"
        )

    def __enter__(self) -> _Target:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._path != "<stdout>":
            with contextlib.suppress(OSError):
                self._file.close()


def _is_same_file(source: CapturePath, target: str) -> bool:
    try:
        read = os.fstat(sys.stdin.fileno()) if os.fspath(source) == "-" else os.stat(source)
        written = os.fstat(sys.stdout.fileno()) if target == "-" else os.stat(target)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(read.st_mode) and os.path.samestat(read, written)
