"""Records in order, in files of bounded size, read from the front: what a spool is made of.

A record on disk is ``size, crc, number`` and the payload; the number is that of the record within
its spool. Files are named ``<log>-<file number>.spool``; old ones go as a whole. Nothing is ever
rewritten, so a process that is killed at any moment leaves at most one half record, at the end of
the last file, which is cut off when the log is opened again. Damage before sound records, which a
disk can do, is then marked as a gap, so that it is counted once.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from rulekit.delivery.measure import GAP_NUMBER, MAX_PAYLOAD_BYTES, filler, measure
from rulekit.delivery.measure import HEADER as _HEADER

_pack, _unpack = _HEADER.pack, _HEADER.unpack_from
_READ_BYTES = 1 << 18
OVERHEAD_BYTES = _HEADER.size  # of a record


@dataclass(slots=True, eq=False)
class _Segment:
    """A file of a log: its bytes, its records, how many of these were read, and its gaps."""

    number: int
    path: Path
    descriptor: int = -1
    size_bytes: int = 0
    n_records: int = 0
    n_taken: int = 0
    gaps: dict[int, int] = field(default_factory=dict)  # by start: end

    def open(self) -> int:
        """Return a descriptor to read and append; it is opened when first needed."""
        if self.descriptor < 0:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self.descriptor = os.open(self.path, flags, 0o600)
        return self.descriptor

    def close(self) -> None:
        """Give the descriptor back."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class FileLog:
    """Records in files.

    Args:
        folder: Exists.
        name: Tells logs in one folder apart.
        segment_bytes: Size of a file, about.
        start: File number and offset where reading goes on, see `position`.

    Attributes:
        n_bytes: On disk.
        n_damaged: Records that were lost because they could not be read, as well as is known.
        last_number: Of the last record found when the log was opened.

    Raises:
        OSError: The folder cannot be read or written.
    """

    def __init__(
        self, folder: Path, name: str, segment_bytes: int, start: tuple[int, int] = (0, 0)
    ) -> None:
        self._folder = folder
        self._name = name
        self._segment_bytes = segment_bytes
        self._segments: deque[_Segment] = deque()
        self._next_number = start[0]
        # Segments before `_read` are read and wait to be settled; `_offset` is within that one.
        self._read = 0
        self._offset = 0
        self._on_the_way = -1  # number of the newest segment with records taken and not settled
        self._chunk = b""
        self._chunk_at = (-1, 0)
        self._n_left = 0
        self._resume = 0
        self.n_bytes = 0
        self.n_damaged = 0
        self.last_number = 0
        self._recover(start)

    def __len__(self) -> int:
        return self._n_left

    @property
    def position(self) -> tuple[int, int]:
        """File number and offset of the next record to be read."""
        self._advance()
        if self._read < len(self._segments):
            return self._segments[self._read].number, self._offset
        return self._next_number, 0

    def append(self, number: int, payload: bytes) -> int:
        """Write a record and return its bytes; after an `OSError` nothing of it stays."""
        crc = crc32(payload, number & 0xFFFFFFFF)
        data = _pack(len(payload), crc, number) + payload
        size = len(data)
        segment = self._segments[-1] if self._segments else None
        if segment is None or (
            segment.size_bytes and segment.size_bytes + size > self._segment_bytes
        ):
            segment = self._begin()
        descriptor = segment.descriptor if segment.descriptor >= 0 else segment.open()
        done = 0
        try:
            done = os.write(descriptor, data)
            while done < size:
                done += os.write(descriptor, data[done:])
        except OSError:
            if done:
                os.ftruncate(descriptor, segment.size_bytes)
            raise
        segment.size_bytes += size
        segment.n_records += 1
        self._n_left += 1
        self.n_bytes += size
        return size

    def _begin(self) -> _Segment:
        """Return a new file to append to."""
        if self._segments:
            self._segments[-1].close()
        segment = _Segment(self._next_number, self._path(self._next_number))
        segment.open()
        self._next_number += 1
        self._segments.append(segment)
        return segment

    def sync(self) -> None:
        """Have the newest file written to the device."""
        if self._segments:
            os.fdatasync(self._segments[-1].open())

    def head(self) -> int | None:
        """Return the number of the next record; 1 when it cannot be read, as `take` will say."""
        if not self._n_left:
            return None
        self._advance()
        header = self._at(_HEADER.size)
        number = 0 if header is None else int(_HEADER.unpack_from(*header)[2])
        return number if 0 < number < GAP_NUMBER else 1

    def take(self) -> bytes | None:
        """Return the payload of the next record; None when it is damaged and passed over."""
        self._advance()
        segment = self._segments[self._read]
        header = self._at(_HEADER.size)
        if header is not None:
            size, crc, number = _HEADER.unpack_from(*header)
            found = self._at(_HEADER.size + size) if size <= MAX_PAYLOAD_BYTES else None
            if found is not None:
                data, at = found
                payload = data[at + _HEADER.size : at + _HEADER.size + size]
                if crc32(payload, number & 0xFFFFFFFF) == crc:
                    self._offset += _HEADER.size + size
                    self._on_the_way = segment.number
                    segment.n_taken += 1
                    self._n_left -= 1
                    return payload
        self._skip_damage(segment)
        return None

    def take_run(self, before: int, most: int, most_bytes: int) -> tuple[list[bytes], int]:
        """Return the payloads of records in a row, and how many on the way were damaged."""
        found: list[bytes] = []
        n_damaged = size = 0
        while self._n_left and len(found) < most and size < most_bytes:
            size += self._take_from_chunk(found, before, most, most_bytes - size)
            if not self._n_left or len(found) >= most or size >= most_bytes:
                break
            # What the chunk does not hold as a whole: the next one, another file, or damage.
            head = self.head()
            if head is None or head >= before:
                break
            n_left = self._n_left
            payload = self.take()
            if payload is None:
                n_damaged += n_left - self._n_left
            else:
                found.append(payload)
                size += len(payload)
        return found, n_damaged

    def _take_from_chunk(self, found: list[bytes], before: int, most: int, most_bytes: int) -> int:
        """Add sound records of the chunk in memory; return their bytes."""
        if self._read >= len(self._segments):
            return 0
        segment = self._segments[self._read]
        number, start = self._chunk_at
        if number != segment.number or self._offset < start:
            return 0
        data = self._chunk
        limit = min(len(data), segment.size_bytes - start)
        at = begin = self._offset - start
        room = most - len(found)
        n = taken = 0
        while n < room and taken < most_bytes and at + _HEADER.size <= limit:
            length, crc, number = _unpack(data, at)
            end = at + _HEADER.size + length
            if number >= before or end > limit:
                break
            payload = data[at + _HEADER.size : end]
            if crc32(payload, number & 0xFFFFFFFF) != crc:
                break
            found.append(payload)
            taken += length
            n += 1
            at = end
        if n:
            self._offset += at - begin
            self._on_the_way = segment.number
            segment.n_taken += n
            self._n_left -= n
        return taken

    def drop(self) -> int:
        """Remove the oldest file with nothing on its way; return how many records went with it."""
        self._advance()
        for i in range(self._read, len(self._segments)):
            segment = self._segments[i]
            if segment.number == self._on_the_way:
                continue
            left = segment.n_records - segment.n_taken
            if i == self._read:
                self._offset = 0
            self._n_left -= left
            self._remove(i)
            if left:
                return left
            return self.drop()
        return 0

    def settle(self) -> None:
        """Remove the files of which everything is read."""
        self._on_the_way = -1
        self._advance()
        for _ in range(self._read):
            self._remove(0)
        self._read = 0
        if not self._n_left and self.n_bytes >= self._segment_bytes // 2:
            while self._segments:
                self._remove(0)
            self._offset = 0

    def close(self) -> None:
        """Close the files."""
        for segment in self._segments:
            segment.close()

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number:010d}.spool"

    def _advance(self) -> None:
        """Go on to the next file where all of one is read, and behind gaps."""
        while self._read + 1 < len(self._segments):
            segment = self._segments[self._read]
            if segment.n_taken < segment.n_records:
                break
            segment.close()
            self._read += 1
            self._offset = 0
        if self._read < len(self._segments) and (gaps := self._segments[self._read].gaps):
            while self._offset in gaps:
                self._offset = gaps[self._offset]

    def _skip_damage(self, segment: _Segment) -> None:
        """Go on at the next sound record of a file; forget those that are none any more."""
        start, size = self._offset, segment.size_bytes
        try:
            found = measure(os.pread(segment.open(), size - start, start))
        except OSError:
            found = measure(b"")
        n_lost = max(0, segment.n_records - segment.n_taken - found.n_records)
        segment.n_records -= n_lost
        self._n_left -= n_lost
        self.n_damaged += n_lost
        segment.gaps.update({start + a: start + b for a, b in found.gaps.items()})
        if start + found.size_bytes < size:
            segment.gaps[start + found.size_bytes] = size
        self._chunk_at = (-1, 0)
        self._advance()

    def _remove(self, index: int) -> None:
        segment = self._segments[index]
        del self._segments[index]
        segment.close()
        self.n_bytes -= segment.size_bytes
        with contextlib.suppress(OSError):  # what stays there goes when the log is opened again
            segment.path.unlink()

    def _at(self, size: int) -> tuple[bytes, int] | None:
        """Return bytes that hold the next `size` ones of the log, and where these begin."""
        segment = self._segments[self._read]
        end = self._offset + size
        if end > segment.size_bytes:
            return None
        number, start = self._chunk_at
        if number != segment.number or self._offset < start or end > start + len(self._chunk):
            start = self._offset
            try:
                self._chunk = os.pread(segment.open(), max(size, _READ_BYTES), start)
            except OSError:
                return None
            self._chunk_at = (segment.number, start)
            if len(self._chunk) < size:
                return None
        return self._chunk, self._offset - start

    def _recover(self, start: tuple[int, int]) -> None:
        """Find what an earlier process left."""
        pattern = re.compile(re.escape(self._name) + r"-(\d{10})\.spool")
        found = [m for m in map(pattern.fullmatch, os.listdir(self._folder)) if m]
        for number in sorted(int(m[1]) for m in found):
            self._next_number = max(self._next_number, number + 1)
            segment = _Segment(number, self._path(number))
            if number < start[0]:
                segment.path.unlink()
                continue
            self._measure(segment, start[1] if number == start[0] else 0)
            self._segments.append(segment)
            self._n_left += segment.n_records - segment.n_taken
            self.n_bytes += segment.size_bytes
        if self._segments and self._segments[0].n_taken:
            self._offset = self._resume

    def _measure(self, segment: _Segment, settled_bytes: int) -> None:
        """Count the records of a file; what follows the last whole one is cut off."""
        data = segment.path.read_bytes()
        found = measure(data, settled_bytes)
        if found.fresh:
            # Not by the descriptor of the segment, which only ever appends.
            with open(segment.path, "r+b") as file:
                for at, end in found.fresh.items():
                    for place, header in filler(data, at, end):
                        file.seek(place)
                        file.write(header)
        segment.n_records = found.n_records
        segment.n_taken = found.n_settled
        segment.size_bytes = found.size_bytes
        segment.gaps = found.gaps
        self.last_number = max(self.last_number, found.last_number)
        self.n_damaged += found.n_lost
        if found.n_settled:
            self._resume = found.resume
        if found.size_bytes < len(data):
            os.truncate(segment.path, found.size_bytes)
