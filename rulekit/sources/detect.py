"""Tells by its first bytes which rules a source is for."""

from __future__ import annotations

import io
import os
import stat
import sys
import zlib
from itertools import islice

from rulekit.capture.reader import GZIP_MAGIC, ZSTD_MAGIC
from rulekit.sources.documents import DocumentSource

_HEAD_BYTES = 4096
_FILES = 64  # of a folder that are looked into
AUDIT = "k8s_audit"
CAPTURE = "syscall"


class _StandardInput(io.BufferedReader):
    """Standard input whose first bytes were looked at."""

    name = "<stdin>"


def detect_source(spec: DocumentSource) -> tuple[str, DocumentSource]:
    """Return the event source that `spec` has events of, and what to read them from.

    JSON documents are taken for audit events of Kubernetes, everything else for a capture.

    Args:
        spec: A path, a folder, ``-`` for standard input, or an open binary file, which is taken for
            a capture.
    """
    if not isinstance(spec, (str, os.PathLike)):
        return CAPTURE, spec
    source: DocumentSource = spec
    try:
        if os.fspath(spec) == "-":
            source = stream = _StandardInput(io.FileIO(sys.stdin.fileno(), closefd=False))
            head = stream.peek(_HEAD_BYTES)[:_HEAD_BYTES]
        elif os.path.isdir(spec):
            with os.scandir(spec) as entries:
                heads = (_head(entry.path) for entry in islice(entries, _FILES))
                return (AUDIT if any(map(_is_json, heads)) else CAPTURE), spec
        else:
            head = _head(spec)
    except (OSError, ValueError):
        return CAPTURE, spec  # opening it says what is wrong
    return source_of_bytes(head), source


def source_of_bytes(head: bytes) -> str:
    """Return the event source of what begins with these bytes."""
    return AUDIT if _is_json(head) else CAPTURE


def _head(path: str | os.PathLike[str]) -> bytes:
    """Return the first bytes of a regular file, nothing of any other: a pipe would lose them."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        return b""
    with open(path, "rb", buffering=0) as file:
        return file.read(_HEAD_BYTES)


def _is_json(head: bytes) -> bool:
    """Return whether these first bytes, inflated where that is possible, begin a JSON document."""
    if head.startswith(GZIP_MAGIC):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, 256)
        except zlib.error:
            return False
    elif head.startswith(ZSTD_MAGIC):
        return True  # captures never are
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
