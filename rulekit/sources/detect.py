"""Tells by its first bytes which rules a source is for."""

from __future__ import annotations

import io
import os
import stat
import sys
import zlib
from itertools import islice

from rulekit.capture.inflate import GZIP_MAGIC, ZSTD_MAGIC
from rulekit.sources.documents import DocumentSource

_HEAD_BYTES = 4096
_CAPTURE_MAGIC = b"\x0a\x0d\x0d\x0a"  # of the first block of every capture, either way
_ZSTD_BLOCK_BYTES = 132 * 1024
_FILES = 64  # of a folder that are looked into
AUDIT = "k8s_audit"
CAPTURE = "syscall"
LINUX_AUDIT = "linux_audit"


class _StandardInput(io.BufferedReader):
    """Standard input whose first bytes were looked at."""

    name = "<stdin>"


def detect_source(spec: DocumentSource) -> tuple[str, DocumentSource]:
    """Return what `spec` is, and what to read it from: ``syscall``, ``k8s_audit``, ``linux_audit``.

    Logs of Linux audit are known by their first line; other JSON documents are taken for audit
    events of Kubernetes, everything else for a capture.

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
                kinds = {source_of_bytes(head) for head in heads}
            return next((k for k in (AUDIT, LINUX_AUDIT) if k in kinds), CAPTURE), spec
        else:
            head = _head(spec)
    except (OSError, ValueError):
        return CAPTURE, spec  # opening it says what is wrong
    return source_of_bytes(head), source


def source_of_bytes(head: bytes) -> str:
    """Return what begins with these bytes, which are inflated where that is possible."""
    if head.startswith(GZIP_MAGIC):
        try:
            head = zlib.decompressobj(wbits=31).decompress(head, _HEAD_BYTES)
        except zlib.error:
            return CAPTURE
    elif head.startswith(ZSTD_MAGIC):
        head = _inflate_zstd(head)
    if not head or head.startswith(_CAPTURE_MAGIC):
        return CAPTURE
    # Not at the top: it reads tables that captures do not need.
    from rulekit.sources.linux_audit.log import is_audit_log

    if is_audit_log(head):
        return LINUX_AUDIT
    is_json = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
    return AUDIT if is_json else CAPTURE


def _head(path: str | os.PathLike[str]) -> bytes:
    """Return the first bytes of a regular file, nothing of any other: a pipe would lose them."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        return b""
    with open(path, "rb", buffering=0) as file:
        head = file.read(_HEAD_BYTES)
        if head.startswith(ZSTD_MAGIC):
            head += file.read(_ZSTD_BLOCK_BYTES)  # nothing comes out before a block is complete
        return head


def _inflate_zstd(head: bytes) -> bytes:
    """Return what zstd data begin with: `{` where nobody can tell, for captures never are."""
    try:
        import zstandard
    except ImportError:
        return b"{"
    try:
        return zstandard.ZstdDecompressor().decompressobj().decompress(head)[:_HEAD_BYTES] or b"{"
    except zstandard.ZstdError:
        return b"{"
