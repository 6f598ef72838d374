"""A second walk over the blocks of a sound capture, sharing nothing with the native one."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator

from .reference import EVENTS, Raw

EVENT_BLOCKS = {0x204: 2, 0x208: 6, 0x216: 2, 0x217: 6, 0x221: 2, 0x222: 6}


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (type, body) of each block."""
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    at = 0
    while at < len(data):
        kind, total = struct.unpack_from("<II", data, at)
        yield kind, data[at + 8 : at + total - 4]
        at += total


def raw_events(data: bytes) -> Iterator[Raw]:
    """Yield the events of a capture as they are stored."""
    for kind, body in blocks(data):
        if kind not in EVENT_BLOCKS:
            continue
        at = EVENT_BLOCKS[kind]
        _, tid, length, type_id = struct.unpack_from("<QqIH", body, at)
        large = "LARGE_PAYLOAD" in EVENTS[type_id]["flags"]
        width, code = (4, "I") if large else (2, "H")
        if kind in (0x204, 0x208):
            start = at + 22
            for n in range(len(EVENTS[type_id]["params"]), -1, -1):
                if 22 + width * n > length:
                    continue
                sizes = struct.unpack_from(f"<{n}{code}", body, start)
                if 22 + width * n + sum(sizes) == length:
                    break
            else:
                raise ValueError("no parameter count fits")
        else:
            start = at + 26
            (n,) = struct.unpack_from("<I", body, at + 22)
            sizes = struct.unpack_from(f"<{n}{code}", body, start)
        at = start + width * n
        params = []
        for size in sizes:
            params.append(body[at : at + size])
            at += size
        yield Raw(type_id, tid, tuple(params))
