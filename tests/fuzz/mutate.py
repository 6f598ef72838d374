"""Damaged captures: bytes of a good one, changed so that headers and lengths lie."""

from __future__ import annotations

import gzip
import random
import struct
from pathlib import Path

INTERESTING = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)


def plain(path: Path) -> bytes:
    """Return the bytes of a capture, inflated."""
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def block_starts(data: bytes) -> list[int]:
    """Return the offset of every block: type, total length, body, total length again."""
    starts, offset = [], 0
    while offset + 12 <= len(data):
        (length,) = struct.unpack_from("<I", data, offset + 4)
        if length < 12 or offset + length > len(data):
            break
        starts.append(offset)
        offset += length
    return starts


def mutate(data: bytes, starts: list[int], seed: int) -> bytes:
    """Return a damaged copy; the same seed gives the same damage."""
    chance = random.Random(seed)
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 3, 10, 100))):
        # Half of the damage goes where structure is: the first bytes of blocks.
        if chance.random() < 0.5 and starts:
            at = chance.choice(starts) + chance.randrange(48)
        else:
            at = chance.randrange(len(out))
        at = min(at, len(out) - 1)
        kind = chance.randrange(5)
        if kind == 0:
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            size = chance.choice((1, 2, 4, 8))
            value = chance.choice(INTERESTING) & ((1 << 8 * size) - 1)
            out[at : at + size] = value.to_bytes(size, "little")
        elif kind == 2:
            del out[at : at + chance.randrange(1, 64)]
        elif kind == 3:
            out[at:at] = bytes(chance.randrange(256) for _ in range(chance.randrange(1, 64)))
        else:
            source = chance.randrange(len(out))
            size = chance.randrange(1, 256)
            out[at : at + size] = out[source : source + size]
        if not out:
            out = bytearray(b"\0")
    if chance.random() < 0.1:
        del out[chance.randrange(len(out)) :]
    return bytes(out)
