"""Which names a log file gets when it is rotated, and what it is recognised by."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator

from rulekit.capture.inflate import GZIP_MAGIC, ZSTD_MAGIC
from rulekit.capture.reader import open_stream

HEAD_BYTES = 1024
"""Of the beginning of a file that tell it from others."""

SURE_BYTES = 64
"""A shorter beginning does not tell a file from others by itself."""

# One step back to the former name: compressed; log.1, log-20260102, log.old; log.1.txt, and what
# the API server does (lumberjack): log-2026-01-02T03-04-05.678.txt.
_STEPS = (
    re.compile(r"^(.+)\.(?:gz|zst)$"),
    re.compile(r"^(.+?)(?:\.\d+|[-.]\d{4}-?\d\d-?\d\d[-T_.:\d]*|\.old|\.bak)$"),
    re.compile(r"^(.+?)(?:\.\d+|[-.]\d{4}-?\d\d-?\d\d[-T_.:\d]*?)(\.[A-Za-z]\w*)$"),
)

_COMPRESSED = re.compile(r"\.(?:gz|zst)$")
# log.1, log.1.txt; what follows a digit is part of a time: log-2026-01-02T03-04-05.678.txt.
_NUMBERED = re.compile(r"^(.*\D)\.(\d{1,9})(\.[A-Za-z]\w*)?$")


def former_names(name: str) -> Iterator[str]:
    """Yield a file name and what it may have been called before it was rotated."""
    yield name
    for step in _STEPS:
        found = step.match(name)
        if found:
            yield from former_names("".join(found.groups()))


def is_rotated(name: str, original: str) -> bool:
    """Return whether a file of this name may once have had the other one."""
    return name != original and original in former_names(name)


def are_related(one: str, other: str) -> bool:
    """Return whether two file names may stem from the same one by rotation."""
    return not set(former_names(one)).isdisjoint(former_names(other))


def oldest_first(files: Iterable[tuple[str, int]]) -> list[str]:
    """Return paths in the order in which they were written.

    That is the order of their times, but for files that rotation numbers: whatever their times,
    log.2 is older than log.1, and that older than log. Copies often have the times of the copying.

    Args:
        files: Path, and time of the last change.
    """
    found = [path for path, _ in sorted(files, key=lambda file: (file[1], file[0]))]
    families: dict[str, list[tuple[int, int]]] = {}
    for at, path in enumerate(found):
        folder, name = os.path.split(path)
        match = _NUMBERED.match(_COMPRESSED.sub("", name))
        base, number = (match[1] + (match[3] or ""), int(match[2])) if match else (name, 0)
        families.setdefault(os.path.join(folder, base), []).append((-number, at))
    ordered = list(found)
    for family in families.values():
        for (_, old), (_, new) in zip(sorted(family), family, strict=True):
            ordered[new] = found[old]
    return ordered


def is_compressed(descriptor: int) -> bool:
    """Return whether an open file is gzip or zstd."""
    return os.pread(descriptor, 4, 0).startswith((GZIP_MAGIC, ZSTD_MAGIC))


def read_head(descriptor: int, compressed: bool) -> tuple[bytes, bool]:
    """Return the first `HEAD_BYTES` of an open file, inflated, and whether they break off.

    They do in a compressed file that is still being written.

    Raises:
        OSError: It cannot be read.
        SourceError: It is compressed and damaged.
    """
    if not compressed:
        return os.pread(descriptor, HEAD_BYTES, 0), False
    head = b""
    stream = open_stream(f"/proc/self/fd/{descriptor}")
    try:
        while len(head) < HEAD_BYTES and (chunk := stream.next_chunk()) is not None:
            head += bytes(chunk[:HEAD_BYTES])
        return head[:HEAD_BYTES], len(head) < HEAD_BYTES and stream.cut
    finally:
        stream.close()


def digest(head: bytes) -> str:
    """Return what stands for the beginning of a file."""
    return hashlib.sha256(head).hexdigest()
