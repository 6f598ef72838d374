"""Streams of bytes: files, pipes, gzip, zstd; plain chunks come out.

A chunk stays valid until the next one is asked for. Memory is constant whatever the capture's size.
"""

from __future__ import annotations

import mmap
import os
from typing import BinaryIO, Protocol

from rulekit.capture.inflate import GZIP_MAGIC, ZSTD_MAGIC, GzipChunks, ZstdChunks
from rulekit.capture.raw import Raw
from rulekit.errors import SourceError

# A chunk of this size stays in the second-level cache from being read to being decoded.
CHUNK_BYTES = 256 * 1024

SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"


class ChunkStream(Protocol):
    """What the window asks for bytes."""

    path: str

    @property
    def cut(self) -> bool:
        """Whether compressed data ended before their end mark."""

    def next_chunk(self) -> bytes | memoryview | None:
        """Return the next bytes, or None at the end.

        Only a live stream returns no bytes: it has none yet, and may be asked again.

        Raises:
            SourceError: The stream cannot be read further.
        """

    def close(self) -> None:
        """Give up the stream. Idempotent; safe while another thread fills it."""


def open_chunks(source: str | os.PathLike[str] | BinaryIO) -> ChunkStream:
    """Open a plain or gzip capture, told apart by its first bytes.

    Args:
        source: A path, ``-`` for standard input, or an open binary file, which is left open.

    Raises:
        SourceError: It cannot be opened or read, or does not begin like a capture.
    """
    return _open(source, True)


def open_stream(source: str | os.PathLike[str] | BinaryIO) -> ChunkStream:
    """Open a stream of anything, plain, gzip or zstd, told apart by its first bytes.

    Args:
        source: As for `open_chunks`.

    Raises:
        SourceError: It cannot be opened or read, or the library for zstd is missing.
    """
    return _open(source, False)


def _open(source: str | os.PathLike[str] | BinaryIO, capture: bool) -> ChunkStream:
    raw = Raw(source)
    try:
        head = raw.read_head()
        if head[:2] == GZIP_MAGIC:
            return GzipChunks(raw, head)
        if head == ZSTD_MAGIC and not capture:
            return ZstdChunks(raw, head)
        if head and capture and not SECTION_MAGIC.startswith(head[:4]):
            raise SourceError("not a capture: neither a section header nor gzip data", raw.path, 0)
        return _PlainChunks(raw, head)
    except BaseException:
        raw.close()
        raise


class _PlainChunks:
    """An uncompressed capture, read into one buffer again and again.

    Not mapped, though that would save a tenth of the time per event: a mapped file that shrinks
    while it is read kills the process, and one that is written to changes after it was checked.
    """

    cut = False

    def __init__(self, raw: Raw, head: bytes) -> None:
        self.path = raw.path
        self._raw = raw
        self._head = head
        # Whole pages: copying to the same place in a page as it comes from takes a fifth less time
        # than to one a few bytes behind.
        self._buffer = memoryview(mmap.mmap(-1, CHUNK_BYTES))

    def next_chunk(self) -> memoryview | None:
        start = len(self._head)
        self._buffer[:start] = self._head
        self._head = b""
        n = start + self._raw.readinto(self._buffer[start:])
        return self._buffer[:n] if n else None

    def wait(self, timeout_s: float) -> bool:
        """Return whether the next chunk, or the end, can be had within some time."""
        return bool(self._head) or self._raw.wait(timeout_s)

    def close(self) -> None:
        self._raw.close()
