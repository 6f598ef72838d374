"""Alerts in a file: appended, rotated, synced if wanted."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from rulekit.errors import SinkError, reason
from rulekit.sinks.base import Options, Receipt, Record, Sink
from rulekit.sinks.values import Size


class FileOptions(Options):
    """Where the alerts go, and when the file is changed for a new one."""

    path: Annotated[Path, Meta(description="file to append to; made when missing")]
    max_bytes: Annotated[
        Size | None,
        Meta(description="rename the file and begin another before it grows beyond this"),
    ] = None
    keep: Annotated[int, Meta(ge=0, le=10_000, description="renamed files to keep: path.1 ...")] = 5
    fsync: Annotated[
        Literal["never", "batch"],
        Meta(description="batch: an alert is delivered when the device has it"),
    ] = "never"


class FileSink(Sink):
    """Appends alerts to a file, one a line; whole lines or nothing.

    A file that was renamed or removed meanwhile is begun anew by itself; `reopen` does so at once.
    """

    Options = FileOptions
    max_records = 5000

    def __init__(self, options: FileOptions) -> None:
        self._options = options
        self._path = options.path
        self._descriptor = -1
        self._size_bytes = 0
        self._rotations = 0
        self._why = ""

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Append a batch; what a full disk did not take is to be sent again."""
        limit = self._options.max_bytes
        if self._descriptor >= 0 and self._was_replaced():
            self.close()
        start = 0
        while start < len(batch):
            if self._descriptor < 0:
                self._open()
            end, size = start if limit is not None else len(batch), 0
            while (
                limit is not None
                and end < len(batch)
                and (
                    not self._size_bytes + size
                    or self._size_bytes + size + len(batch[end].body) <= limit
                )
            ):
                size += len(batch[end].body)
                end += 1
            if end == start:
                self._rotate()
                continue
            n_written = self._append([record.body for record in batch[start:end]])
            start += n_written
            if start < end:
                self._sync()
                return Receipt(again=list(range(start, len(batch))), reason=self._why)
        self._sync()
        return None

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def reopen(self) -> None:
        """Close the file and open what has its name now; a problem is told by the next batch."""
        self.close()
        with contextlib.suppress(SinkError):
            self._open()

    def counters(self) -> dict[str, int]:
        """Return how often the file was rotated."""
        return {"rotations": self._rotations}

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self._path, flags, 0o640)
            self._size_bytes = os.fstat(self._descriptor).st_size
            # A process that was killed, or a full disk, may have left half a line.
            if self._size_bytes and os.pread(self._descriptor, 1, self._size_bytes - 1) != b"\n":
                os.write(self._descriptor, b"\n")
                self._size_bytes += 1
        except OSError as error:
            self.close()
            raise SinkError(f"{self._path}: {reason(error)}") from error

    def _was_replaced(self) -> bool:
        try:
            return not os.path.samestat(os.stat(self._path), os.fstat(self._descriptor))
        except OSError:
            return True

    def _append(self, lines: list[bytes]) -> int:
        """Write lines; return how many are there as a whole."""
        data = b"".join(lines)
        done = 0
        try:
            while done < len(data):
                done += os.write(self._descriptor, memoryview(data)[done:])
        except OSError as error:
            self._why = f"{self._path}: {reason(error)}"
            whole = data.rfind(b"\n", 0, done) + 1
            n_written = data.count(b"\n", 0, whole)
            self._size_bytes += whole
            if done > whole:
                os.ftruncate(self._descriptor, self._size_bytes)
            if not n_written:
                raise SinkError(self._why) from error
            return n_written
        self._size_bytes += len(data)
        return len(lines)

    def _sync(self) -> None:
        if self._options.fsync == "batch":
            try:
                os.fsync(self._descriptor)
            except OSError as error:
                self.close()  # what a failed sync leaves behind is not known: write it anew
                raise SinkError(f"{self._path}: {reason(error)}") from error

    def _rotate(self) -> None:
        """Rename path.1 to path.2 and so on, path to path.1; the oldest goes."""
        self._sync()
        self.close()
        names = [self._path, *(Path(f"{self._path}.{i}") for i in range(1, self._options.keep + 1))]
        try:
            if not self._options.keep:
                self._path.unlink(missing_ok=True)
            for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
                if newer.exists():
                    os.replace(newer, older)
        except OSError as error:
            raise SinkError(f"{self._path}: {reason(error)}") from error
        self._rotations += 1


SINK = FileSink
