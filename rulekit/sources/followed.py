"""One file that is followed: read as it grows, recognised when it is renamed or emptied."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Generator

from rulekit.capture.inflate import GZIP_MAGIC, ZSTD_MAGIC
from rulekit.capture.reader import ChunkStream, open_stream
from rulekit.errors import SourceError
from rulekit.sources.checkpoint import Position
from rulekit.sources.lines import Block, LineCutter
from rulekit.sources.rotation import HEAD_BYTES, SURE_BYTES, digest, is_compressed, read_head

CHUNK_BYTES = 256 * 1024


class FollowedFile:
    """A file and how far it has been read.

    Args:
        path: Of a file that exists.
        max_line_bytes: Longer lines are left out.

    Attributes:
        path: What it is called now.
        position: How far it was dealt with, always the end of a line.
        size_bytes: When it was last looked at, compressed or not.
        unfinished: It is compressed, and was still being written when it was opened.
        gone: No name leads to it any more; it is read as long as it is open.
        damaged: It is compressed and could not be inflated to its end; tried again when it grows.
        grown_s: `time.monotonic` when it last grew.

    Raises:
        OSError, SourceError: It cannot be opened; nothing is left open.
    """

    def __init__(self, path: str, max_line_bytes: int) -> None:
        self.path = path
        self.gone = False
        self.damaged = ""
        self.grown_s = time.monotonic()
        self.size_bytes = 0
        self._max_line_bytes = max_line_bytes
        self._descriptor = _open_regular(path)
        try:
            status = os.fstat(self._descriptor)
            self.key = (status.st_dev, status.st_ino)
            self.compressed = is_compressed(self._descriptor)
            self.head, self.unfinished = read_head(self._descriptor, self.compressed)
        except BaseException:
            self.close()
            raise
        self.size_bytes = status.st_size
        self.position = Position(path, *self.key, len(self.head), digest(self.head))
        self._offset = 0
        self._looked_at: tuple[int, int] | None = None
        self._read_to: tuple[int, int] | None = None  # size and time of a compressed file
        self._lines = LineCutter(path, max_line_bytes)

    @property
    def is_open(self) -> bool:
        """Whether it holds a descriptor."""
        return self._descriptor >= 0

    @property
    def too_long(self) -> int:
        """Lines left out so far because they are too long."""
        return self._lines.too_long

    @property
    def held(self) -> bytes:
        """The line that has begun and does not end yet."""
        return self._lines.held

    def begins_like(self, position: Position) -> bool:
        """Return whether it begins with what `position` was made of, and that says something."""
        n = position.head_bytes
        return SURE_BYTES <= n <= len(self.head) and digest(self.head[:n]) == position.head

    def is_at(self, position: Position) -> bool:
        """Return whether this is the very file that `position` was made of, not emptied since."""
        n = position.head_bytes
        device, inode = self.key
        return (
            inode == position.inode
            # Numbers of devices may change with a restart of the machine.
            and (device == position.device or (n >= SURE_BYTES and self.path == position.name))
            and digest(self.head[:n]) == position.head
            and (self.compressed or position.offset <= self.size_bytes)
        )

    def start_at(self, position: Position) -> None:
        """Go on where the reading of this file, or of the one it is a copy of, ended."""
        self._start(position.offset, position.line)

    def start_at_end(self) -> None:
        """Leave out what is in it now; of a compressed file that is all there will ever be."""
        if self.compressed:
            self._read_to = self._look()
            return
        at = max(0, self.size_bytes - CHUNK_BYTES)
        end = os.pread(self._descriptor, self.size_bytes - at, at).rfind(b"\n") + 1
        self._start(at + end, 0, inside=at > 0 and not end)

    def commit(self) -> None:
        """Take everything returned so far as dealt with."""
        self.position.name = self.path
        self.position.offset = self._offset - self._lines.waiting_bytes
        self.position.line = self._lines.line

    def wake(self, path: str, status: os.stat_result) -> None:
        """Take notice of what is known of the file now; open it again if it changed."""
        self.path = path
        self.gone = False
        if not self.is_open and (status.st_size, status.st_mtime_ns) != self._looked_at:
            descriptor = _open_regular(path)
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) == self.key:
                self._descriptor = descriptor
            else:
                os.close(descriptor)

    def is_replaced(self) -> bool:
        """Return whether it has other contents than those that were read: emptied, or new.

        Raises:
            OSError: It cannot be read.
        """
        if not self.is_open:
            return False
        now = self._look()
        if now == self._looked_at:
            return False
        if self.compressed:
            self._looked_at = now
            return False
        head = os.pread(self._descriptor, HEAD_BYTES, 0)
        n = self.position.head_bytes
        if not n and head.startswith((GZIP_MAGIC, ZSTD_MAGIC)):
            return True  # was empty when it was opened
        if self.size_bytes < self._offset or digest(head[:n]) != self.position.head:
            return True
        if len(head) > n:
            self.head = head
            self.position.head_bytes, self.position.head = len(head), digest(head)
        self._looked_at = now
        return False

    def read(self) -> Generator[Block, None, None]:
        """Yield the lines from the last place up to what is the end of the file now.

        Raises:
            OSError: It cannot be read on.
        """
        if not self.is_open:
            return
        now = self._look()
        if self.compressed:
            if now != self._read_to:
                self._read_to = now
                yield from self._inflate()
            return
        end = self.size_bytes
        while self._offset < end:
            data = os.pread(self._descriptor, min(CHUNK_BYTES, end - self._offset), self._offset)
            if not data:
                return  # emptied meanwhile, which the next look sees
            self._offset += len(data)
            self.grown_s = time.monotonic()
            block = self._lines.take(data)
            if block is not None:
                yield block

    def rest(self) -> Block | None:
        """Return the line that does not end, as the end of the file."""
        return self._lines.rest()

    def let_go(self) -> Position:
        """Close it and return what a copy of it, or itself under a new name, is recognised by."""
        if self._descriptor < 0 or os.fstat(self._descriptor).st_nlink == 0:
            self.position.inode = 0  # free for another file
        self.close()
        return self.position

    def close(self) -> None:
        """Give the descriptor back; `wake` opens it again. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _look(self) -> tuple[int, int]:
        status = os.fstat(self._descriptor)
        self.size_bytes = status.st_size
        return status.st_size, status.st_mtime_ns

    def _start(self, offset: int, line: int, *, inside: bool = False) -> None:
        self._offset = offset
        self._lines = LineCutter(
            self.path, self._max_line_bytes, line=line, middle=offset > 0, inside=inside
        )
        self.commit()

    def _inflate(self) -> Generator[Block, None, None]:
        """Inflate from the beginning, and leave out what was read before."""
        skip = self._offset
        stream: ChunkStream | None = None
        self.damaged = ""
        try:
            stream = open_stream(f"/proc/self/fd/{self._descriptor}")
            while (chunk := stream.next_chunk()) is not None:
                data = bytes(chunk[skip:])
                skip -= min(skip, len(chunk))
                self._offset += len(data)
                self.grown_s = time.monotonic()
                block = self._lines.take(data) if data else None
                if block is not None:
                    yield block
            if stream.cut:
                self.damaged = "the compressed data break off"
        except SourceError as error:
            self.damaged = str(error).removeprefix(f"/proc/self/fd/{self._descriptor}: ")
        finally:
            if stream is not None:
                stream.close()


def _open_regular(path: str) -> int:
    # Without waiting for the other end of a pipe that took the name.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(22, "not a regular file", path)
    return descriptor
