"""What is sound in a file of a log, where it is damaged, and how many records that cost."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from zlib import crc32

HEADER = struct.Struct("<IIQ")  # size of the payload, checksum of number and payload, number
MAX_PAYLOAD_BYTES = 16 << 20
GAP_NUMBER = (1 << 64) - 1
"""In the place of a number: what follows is no record but fills a place where some were."""

_USUAL_BYTES = 512  # of a record, where no sound one tells
_MOST_AHEAD = 1 << 32  # no number is so far from the one before
_ZEROS = b"\0\0\0"  # the last bytes of a number below 2^40
_ZEROS_AT = HEADER.size - len(_ZEROS)
_NUMBER_AT = 8
_not_zero = re.compile(rb"[^\0]").search


@dataclass(slots=True)
class Measured:
    """A file of a log.

    Attributes:
        size_bytes: Up to the end of the last sound record.
        n_records: Sound ones; `n_settled` of them lie before the settled bytes.
        resume: Offset behind the settled bytes, or behind the damage around their end.
        last_number: Of the last sound record.
        gaps: Where damage begins, and where the next sound record does; `fresh`: those that are not
            marked yet.
        n_lost: Records that were damaged and not settled, as well as it can be told.
    """

    size_bytes: int = 0
    n_records: int = 0
    n_settled: int = 0
    resume: int = 0
    last_number: int = 0
    gaps: dict[int, int] = field(default_factory=dict)
    fresh: dict[int, int] = field(default_factory=dict)
    n_lost: int = 0


def measure(data: bytes, settled_bytes: int = 0) -> Measured:
    """Find the records of a file; those that follow damage are found as well.

    Args:
        settled_bytes: So many at the beginning were delivered: what is damaged there is no loss.
    """
    found = Measured()
    damages: list[tuple[int, int, int, int]] = []  # start, end, numbers of the records around
    at = 0
    while at + HEADER.size <= len(data):
        number, end = _record_at(data, at)
        if number == GAP_NUMBER:
            found.gaps[at] = end
        elif number:
            found.n_records += 1
            found.size_bytes = end
            # The checksum does not cover the upper half of a number: one that is damaged there is
            # sound all the same, and those behind it are not older.
            if found.last_number < number < found.last_number + _MOST_AHEAD:
                found.last_number = number
        else:
            end = _next_record(data, at + 1, found.last_number)
            if end < 0:
                break
            found.fresh[at] = end
            number = _record_at(data, end)[0]
            damages.append((at, end, found.last_number, number))
        if at < settled_bytes <= end:
            found.n_settled, found.resume = found.n_records, end
        at = end
    found.gaps.update(found.fresh)
    if found.size_bytes < len(data):
        damages.append((found.size_bytes, len(data), found.last_number, 0))
    mean = found.size_bytes - sum(end - start for start, end in found.gaps.items())
    mean = mean // found.n_records if found.n_records else _USUAL_BYTES
    for start, end, before, behind in damages:
        if end > settled_bytes:
            found.n_lost += _lost(data, max(start, settled_bytes), end, before, behind, mean)
    return found


def filler(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield offsets and headers that make a damaged place one that is passed over."""
    while end - start >= HEADER.size:
        size = min(end - start - HEADER.size, MAX_PAYLOAD_BYTES)
        if 0 < end - start - HEADER.size - size < HEADER.size:
            size -= HEADER.size  # so that the rest has room for a header, too
        body = data[start + HEADER.size : start + HEADER.size + size]
        yield start, HEADER.pack(size, crc32(body, GAP_NUMBER & 0xFFFFFFFF), GAP_NUMBER)
        start += HEADER.size + size


def _record_at(data: bytes, at: int) -> tuple[int, int]:
    """Return number and end of what is sound there, zeros when nothing is."""
    size, crc, number = HEADER.unpack_from(data, at)
    end = at + HEADER.size + size
    if not number or size > MAX_PAYLOAD_BYTES or end > len(data):
        return 0, 0
    # No payload is empty: a file of zeros is not full of records.
    if not size and number != GAP_NUMBER:
        return 0, 0
    sound = crc32(data[at + HEADER.size : end], number & 0xFFFFFFFF) == crc
    return (number, end) if sound else (0, 0)


def _next_record(data: bytes, at: int, last: int) -> int:
    """Return where the next sound record begins, -1 when there is none."""
    zeros = data.find(_ZEROS, at + _ZEROS_AT)
    while zeros >= 0:
        start = zeros - _ZEROS_AT
        number = _record_at(data, start)[0] if start + HEADER.size <= len(data) else 0
        if last < number < last + _MOST_AHEAD:
            return start
        behind = zeros + 1
        if not any(data[start + _NUMBER_AT : start + HEADER.size]):
            # A disk that lost its power leaves zeros by the million: no number ends among them.
            rest = _not_zero(data, zeros)
            if rest is None:
                return -1
            behind = max(behind, rest.start() - len(_ZEROS) + 1)
        zeros = data.find(_ZEROS, behind)
    return -1


def _lost(data: bytes, start: int, end: int, before: int, behind: int, mean: int) -> int:
    """Return how many records were between two places, by their headers or by their usual size."""
    at, number, n_lost = start, before, 0
    most = behind or before + _MOST_AHEAD
    while at + HEADER.size <= end:
        size, _, found = HEADER.unpack_from(data, at)
        if not number < found < most or not 0 < size <= MAX_PAYLOAD_BYTES:
            break
        n_lost, number = n_lost + 1, found
        at += HEADER.size + size
        if at == end or (at > end and not behind):
            return n_lost
    n_lost = max(1, n_lost + round((end - at) / mean)) if at < end else max(1, n_lost)
    return min(n_lost, behind - before - 1) if behind > before + 1 else n_lost
