"""Compressed streams inflated chunk by chunk: gzip ahead of the reader in its own thread, zstd."""

from __future__ import annotations

import queue
import threading
import zlib
from typing import TYPE_CHECKING, Any

from rulekit.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rulekit.capture.raw import Raw

try:
    from isal import isal_zlib as _fast_zlib
except ImportError:  # half as fast, else the same
    _inflate_lib: Any = zlib
else:
    _inflate_lib = _fast_zlib

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

# Inflated: handing a chunk from thread to thread costs as much as decoding many events.
INFLATED_BYTES = 512 * 1024
COMPRESSED_BYTES = 64 * 1024
ZSTD_CHUNK_BYTES = 256 * 1024
ZSTD_BYTES = 1024
ZSTD_WINDOW_BYTES = 1 << 27
CHUNKS_AHEAD = 4
CHUNKS_BEFORE_THREAD = 2


class ZstdChunks:
    """A zstd stream of any number of frames."""

    def __init__(self, raw: Raw, head: bytes) -> None:
        self.path = raw.path
        self.cut = False
        self._raw = raw
        try:
            import zstandard
        except ImportError as error:
            reason = "zstd data need the library zstandard: pip install zstandard"
            raise SourceError(reason, self.path) from error
        self._library: Any = zstandard
        self._frame: Any = None
        self._data = head
        # A few bytes can stand for 128 KiB: small pieces bound what one call inflates.
        self._buffer = memoryview(bytearray(ZSTD_BYTES))

    def next_chunk(self) -> bytes | None:
        chunks = []
        size = 0
        while size < ZSTD_CHUNK_BYTES and (chunk := self._next_piece()) is not None:
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks) or None

    def _next_piece(self) -> bytes | None:
        data, self._data = self._data, b""
        if not data:
            data = bytes(self._buffer[: self._raw.readinto(self._buffer)])
        if not data:
            self.cut = self._frame is not None
            return None
        if self._frame is None:
            inflater = self._library.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES)
            self._frame = inflater.decompressobj()
        try:
            piece: bytes = self._frame.decompress(data)
        except self._library.ZstdError as error:
            raise SourceError(f"damaged zstd data: {error}", self.path) from error
        if self._frame.eof:
            self._data = self._frame.unused_data
            self._frame = None
        return piece

    def close(self) -> None:
        self._raw.close()


class GzipChunks:
    """A gzip stream of any number of members, inflated ahead by a thread of its own."""

    def __init__(self, raw: Raw, head: bytes) -> None:
        self.path = raw.path
        self.cut = False
        self._raw = raw
        self._buffer = memoryview(bytearray(COMPRESSED_BYTES))
        self._inflated = self._inflate(head)
        self._n_chunks = 0
        self._closed = False
        # Two unbounded queues in C, one of them with permissions to go on, cost a third of a
        # bounded one in Python.
        self._ready: queue.SimpleQueue[bytes | SourceError | None] | None = None
        self._room: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def next_chunk(self) -> bytes | None:
        # Small captures end within the first chunks and are not worth a thread.
        if self._ready is None:
            self._n_chunks += 1
            if self._n_chunks <= CHUNKS_BEFORE_THREAD:
                return next(self._inflated, None)
            self._ready = queue.SimpleQueue()
            for _ in range(CHUNKS_AHEAD):
                self._room.put(True)
            threading.Thread(target=self._run, args=(self._ready,), daemon=True).start()
        chunk = self._ready.get()
        if isinstance(chunk, bytes):
            self._room.put(True)
            return chunk
        self._ready.put(chunk)  # the end stays the end
        if chunk is not None:
            raise chunk
        return None

    def close(self) -> None:
        if self._ready is None:
            self._raw.close()
        elif not self._closed:
            self._room.put(False)  # the thread closes the file
        self._closed = True

    def _run(self, ready: queue.SimpleQueue[bytes | SourceError | None]) -> None:
        last: SourceError | None = None
        try:
            while self._room.get() and not self._closed:
                chunk = next(self._inflated, None)
                if chunk is None:
                    break
                ready.put(chunk)
        except SourceError as error:
            last = error
        except BaseException as error:
            last = SourceError(f"cannot be read: {error!r}", self.path)
        finally:
            self._raw.close()
        ready.put(last)

    def _read(self) -> bytes:
        return bytes(self._buffer[: self._raw.readinto(self._buffer)])

    def _inflate(self, data: bytes) -> Iterator[bytes]:
        offset = 0
        while True:
            member = _inflate_lib.decompressobj(wbits=31)
            member_at, member_offset = self._raw.position - len(data), offset
            while not member.eof:
                if not data:
                    data = self._read()
                try:
                    if data:
                        chunk = member.decompress(data, INFLATED_BYTES)
                    else:
                        # Old recorders were often killed: no end mark is no error by itself.
                        self.cut = True
                        chunk = member.flush()
                except (zlib.error, _inflate_lib.error) as error:
                    rest = self._salvage(member_at, offset - member_offset)
                    if rest:
                        yield rest
                    offset += len(rest)
                    reason = f"damaged gzip data: {error}"
                    raise SourceError(reason, self.path, offset) from error
                data = member.unconsumed_tail
                if chunk:
                    offset += len(chunk)
                    yield chunk
                if self.cut:
                    return
            data = self._next_member(member.unused_data, offset)
            if not data:
                return

    def _salvage(self, member_at: int, skip: int) -> bytes:
        """Return what lies between the last good chunk and the damage behind it.

        A call that fails keeps to itself what it inflated before. Where the source can be read
        again the member is inflated once more, byte by byte at the end. At most INFLATED_BYTES.
        """
        if not self._raw.rewind(member_at):
            return b""
        piece = self._read()
        piece = piece[_gzip_header_bytes(piece) :]
        member = zlib.decompressobj(wbits=-15)  # whatever the checksum says
        found = bytearray()
        while piece:
            for at in range(0, len(piece), 1024):
                data = piece[at : at + 1024]
                while data:
                    try:
                        chunk = member.decompress(data, skip or 1)
                    except zlib.error:
                        return bytes(found)
                    data = member.unconsumed_tail
                    if skip:
                        skip -= len(chunk)
                    else:
                        found += chunk
                    if member.eof or len(found) >= INFLATED_BYTES:
                        return bytes(found)
            piece = self._read()
        return bytes(found)

    def _next_member(self, data: bytes, offset: int) -> bytes:
        """Return the start of the next member, or nothing; zero bytes between are padding."""
        while len(data) < 2 or data[0] == 0:
            data = data.lstrip(b"\0")
            if len(data) >= 2:
                break
            more = self._read()
            if not more:
                break
            data += more
        if data and not (GZIP_MAGIC.startswith(data[:2])):
            raise SourceError("bytes that are no gzip data follow the gzip data", self.path, offset)
        return data


def _gzip_header_bytes(data: bytes) -> int:
    """Return the length of a gzip member's header; everything if it is none."""
    if len(data) < 10 or data[2] != 8:
        return len(data)
    flags, at = data[3], 10
    if flags & 4:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for text in (8, 16):  # file name, comment
        if flags & text:
            at = data.find(b"\0", at) + 1
    return at + (2 if flags & 2 else 0)
