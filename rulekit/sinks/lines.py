"""Whole lines into a file descriptor; what command lines print through."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from rulekit.errors import SinkError, reason

_BATCH_BYTES = 1 << 16
_MAX_AGE_S = 0.2


class LineWriter:
    """Writes lines to a file descriptor in batches.

    A target that refuses a batch (disk full) keeps all whole lines that fitted; the line that was
    cut is taken back where the target allows it.

    Args:
        descriptor: Open for writing; owned by the writer when `owned`.
        name: What messages call the target.
        patient: Let lines wait for a batch; otherwise each is written at once.
    """

    def __init__(
        self, descriptor: int, name: str, *, owned: bool = False, patient: bool = True
    ) -> None:
        self._descriptor = descriptor
        self._name = name
        self._owned = owned
        self._patient = patient
        self._waiting: list[bytes] = []
        self._size_bytes = 0
        self._flushed_at_s = time.monotonic()
        self._closed = False
        self.lines = 0
        """Lines delivered whole."""

    def write(self, line: bytes) -> None:
        """Take one line; written when the batch is full or old."""
        self._waiting.append(line)
        self._size_bytes += len(line)
        if (
            not self._patient
            or self._size_bytes >= _BATCH_BYTES
            or time.monotonic() - self._flushed_at_s > _MAX_AGE_S
        ):
            self.flush()

    def flush(self) -> None:
        """Write all lines taken so far; raises `SinkError`, or `BrokenPipeError` as it comes."""
        batch, self._waiting, self._size_bytes = self._waiting, [], 0
        data = memoryview(b"".join(batch))
        done = 0
        try:
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
        except BrokenPipeError:
            raise
        except OSError as error:
            whole = bytes(data[:done]).rfind(b"\n") + 1
            self.lines += bytes(data[:whole]).count(b"\n")
            self._take_back(done - whole)
            raise SinkError(f"{self._name}: {reason(error)}") from error
        self.lines += len(batch)
        self._flushed_at_s = time.monotonic()

    def _take_back(self, size_bytes: int) -> None:
        if size_bytes:
            with contextlib.suppress(OSError):  # a pipe or device cannot shrink
                end = os.lseek(self._descriptor, 0, os.SEEK_CUR)
                os.ftruncate(self._descriptor, end - size_bytes)

    def __enter__(self) -> LineWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what waits, then close the descriptor if it belongs to the writer."""
        if self._closed:
            return
        self._closed = True
        try:
            self.flush()
        finally:
            if self._owned:
                try:
                    os.close(self._descriptor)
                except OSError as error:  # some file systems report a full disk only here
                    raise SinkError(f"{self._name}: {reason(error)}") from error


def open_file(path: str | Path, *, append: bool = False) -> LineWriter:
    """Return a writer to a file, which is created or emptied, or added to.

    Raises:
        SinkError: It cannot be opened.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_APPEND if append else os.O_TRUNC)
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        raise SinkError(f"{path}: {reason(error)}") from error
    return LineWriter(descriptor, str(path), owned=True)
