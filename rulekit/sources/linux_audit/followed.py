"""Logs of Linux audit as they are written, rotated, and on from the last time."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace

from rulekit.capture._reader import CaptureReader
from rulekit.sources.base import Source
from rulekit.sources.checkpoint import Position
from rulekit.sources.follow import LineFollower
from rulekit.sources.linux_audit._stream import AuditDecoder
from rulekit.sources.linux_audit.log import QUIET_S


@dataclass(frozen=True, slots=True)
class _Fed:
    """A block that was given to the decoder, and has been dealt with.

    Attributes:
        ends: Bytes of the stream up to its end.
        positions: How far every file was dealt with then; `at`: which of them it is of.
    """

    data: bytes
    ends: int
    positions: list[Position]
    at: int

    def before(self, place: int) -> list[Position]:
        """Return the positions as they were at a place in the stream, which lies in this block."""
        tail = self.data[len(self.data) - (self.ends - place) :]
        found = list(self.positions)
        if self.at >= 0:
            own = found[self.at]
            found[self.at] = replace(
                own,
                offset=max(0, own.offset - len(tail)),
                line=max(0, own.line - tail.count(b"\n")),
            )
        return found


class FollowedChunks:
    """A followed log as a stream of capture bytes; for one thread.

    The records of an event are many lines. Where some of them are still missing, the positions that
    are kept are those of the first one: the next run reads the event as a whole.

    Args:
        follower: What is read; closed with the stream.
        path: What the user named.
        is_kept: Another run will go on, so that events that are being written at the end are left
            to it.

    Attributes:
        path: What the user named.
    """

    cut = False

    def __init__(self, follower: LineFollower, path: str, *, is_kept: bool) -> None:
        self.path = path
        self._follower = follower
        self._is_kept = is_kept
        self._decoder = AuditDecoder()
        self._ended = False
        self._heard_s = time.monotonic()
        self._last = b""  # given to the decoder, not dealt with
        self._open: deque[_Fed] = deque()  # from the first record of an incomplete event on
        self._safe: list[Position] | None = None  # None: all that was read

    def next_chunk(self) -> bytes | None:
        """Return what is complete now, which may be nothing yet; None at the end.

        Raises:
            SourceError: The log cannot be read on.
        """
        if self._ended:
            return None
        block = self._follower.read()
        self._take_note()
        if block is None:
            return self._end()
        now_s = time.monotonic()
        if not block.data:
            if now_s - self._heard_s < QUIET_S:
                return b""
            return self._decoder.pause()
        self._heard_s = now_s
        # The last line of a file may lack its line feed.
        self._last = block.data if block.data.endswith(b"\n") else block.data + b"\n"
        return self._decoder.feed(self._last)

    def stats(self) -> dict[str, int]:
        """Return counters by name."""
        return {**self._follower.stats(), **self._decoder.stats()}

    def save(self) -> None:
        """Keep how far the log was dealt with; see `LineFollower.save`."""
        self._follower.save(self._safe)

    def close(self) -> None:
        """Give back the files. Idempotent."""
        self._follower.close()

    def _end(self) -> bytes:
        self._ended = True
        if not self._is_kept:
            return self._decoder.finish()
        made = self._decoder.pause_older(time.time_ns() // 1_000_000)
        self._take_note()
        return made

    def _take_note(self) -> None:
        """Work out what to keep, now that all that was given before has been dealt with."""
        begins = self._decoder.open_from
        if begins is None:
            self._open.clear()
            self._last, self._safe = b"", None
            return
        if self._last:
            self._open.append(_Fed(self._last, self._decoder.n_bytes, *self._follower.mark()))
            self._last = b""
        while self._open[0].ends <= begins:
            self._open.popleft()
        self._safe = self._open[0].before(begins)


class FollowedAuditSource(Source):
    """A log of Linux audit that is followed, or read on from the last time.

    Args:
        follower: Reads its lines.
        path: What the user named.
        is_kept: See `FollowedChunks`.
    """

    def __init__(self, follower: LineFollower, path: str, *, is_kept: bool) -> None:
        super().__init__(path)
        self._follower = follower
        self._chunks = FollowedChunks(follower, path, is_kept=is_kept)

    def connect(self) -> CaptureReader:
        return CaptureReader(self._chunks)

    def stop(self) -> None:
        """End in order. Safe in signal handlers."""
        self._follower.stop()

    def save(self) -> None:
        """Keep in the checkpoint how far the log was dealt with.

        To be called when the alerts of all that the engine asked for before are safe.

        Raises:
            SourceError: The checkpoint cannot be written.
        """
        self._chunks.save()
