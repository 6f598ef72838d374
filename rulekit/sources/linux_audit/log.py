"""Logs of Linux audit as captures: text goes in, chunks of capture bytes come out."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import BinaryIO

from rulekit.capture._reader import CaptureReader
from rulekit.capture.reader import ChunkStream, open_stream
from rulekit.sources.base import Source
from rulekit.sources.linux_audit._stream import AuditDecoder

AuditInput = str | os.PathLike[str] | BinaryIO

# Lines as auditd writes them, and as the kernel does when there is no auditd; objects as laurel and
# go-audit write them; and what every document of auditbeat has somewhere.
_BEGINNING = re.compile(
    rb"(?:node=\S+ |audit: )?type=[A-Z0-9_\[\]]+ (?:msg=)?audit\(\d+\.\d+:\d+\)"
    rb'|(?:@cee: ?)?\{"ID":\s*"\d+\.\d+:\d+"'
    rb'|\{"sequence":\s*\d+,\s*"timestamp":\s*"\d+\.\d+"'
)
ANSWER_S = 0.1  # how long the reader waits before it is told that there is nothing yet
QUIET_S = 2.0
"""Without a line for so long, nothing is added to an event any more."""

_AUDITBEAT = re.compile(rb'\{.*"auditd":\s*\{')


def is_audit_log(head: bytes) -> bool:
    """Return whether these first bytes begin a log of Linux audit."""
    head = head.lstrip()
    if _BEGINNING.match(head) is not None:
        return True
    return b'"@timestamp"' in head and _AUDITBEAT.match(head) is not None


class AuditChunks:
    """A stream of audit logs, read as a stream of capture bytes; for one thread.

    Attributes:
        path: What the user named.
    """

    def __init__(self, stream: ChunkStream) -> None:
        self.path = stream.path
        self._stream = stream
        self._decoder = AuditDecoder()
        self._ended = False
        self._heard_s = time.monotonic()
        self._wait: Callable[[float], bool] = getattr(stream, "wait", lambda _: True)

    @property
    def cut(self) -> bool:
        """Whether compressed data ended before their end mark."""
        return self._stream.cut

    def next_chunk(self) -> bytes | None:
        """Return the next bytes, none while nobody writes into a pipe, None at the end.

        Raises:
            SourceError: The log cannot be read on.
        """
        while not self._ended:
            if not self._wait(ANSWER_S):
                if time.monotonic() - self._heard_s < QUIET_S:
                    return b""
                return self._decoder.pause()
            chunk = self._stream.next_chunk()
            if chunk is None:
                self._ended = True
                made = self._decoder.finish()
            else:
                self._heard_s = time.monotonic()
                made = self._decoder.feed(chunk)
            if made:
                return made
        return None

    def stats(self) -> dict[str, int]:
        """Return counters by name."""
        return self._decoder.stats()

    def close(self) -> None:
        """Give back the log. Idempotent."""
        self._stream.close()


class AuditSource(Source):
    """A log of Linux audit, or a folder of the files that it was rotated into, oldest first.

    Args:
        source: A path, ``-`` for standard input, or an open binary file, which is left open; plain,
            gzip or zstd.
    """

    def __init__(self, source: AuditInput) -> None:
        if isinstance(source, (str, os.PathLike)):
            super().__init__(os.fspath(source))
        else:
            super().__init__(str(getattr(source, "name", "<stream>")))
        self._source = source

    def connect(self) -> CaptureReader:
        if isinstance(self._source, (str, os.PathLike)) and os.path.isdir(self._source):
            from rulekit.sources.follow import LineFollower
            from rulekit.sources.linux_audit.followed import FollowedChunks

            files = LineFollower(self._source, follow=False)
            return CaptureReader(FollowedChunks(files, self.path, is_kept=False))
        return CaptureReader(AuditChunks(open_stream(self._source)))
