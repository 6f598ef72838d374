"""The file that a slice or a recording is written to."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import zlib
from typing import BinaryIO

from rulekit.errors import SinkError, reason

_GZIP = 16 + zlib.MAX_WBITS


class CaptureFile:
    """Bytes into a file, compressed if wanted.

    Args:
        path: ``-`` for standard output.
        compress: Write gzip.
        in_place: Write under this name from the start. Otherwise what is there, or nothing, stays
            until the first `sync`: whoever looks there never finds half a beginning.

    Raises:
        SinkError: The file cannot be written; its text says how much of it was.

    Attributes:
        n_bytes: Written so far, as compressed.
        cut: Whether bytes behind the last needed one were taken back.
    """

    def __init__(self, path: str, compress: bool, *, in_place: bool = True) -> None:
        self._path = path
        self._written_as = path  # until it takes its name
        self._deflate = zlib.compressobj(wbits=_GZIP) if compress else None
        self.n_bytes = 0
        self.cut = False
        self._file: BinaryIO
        if path == "-":
            if sys.stdout.isatty():
                raise SinkError("a capture is not written to a terminal: name a file with -w")
            self._file = sys.stdout.buffer
            self._path = "<stdout>"
        else:
            if not in_place and (os.path.isfile(path) or not os.path.lexists(path)):
                self._written_as = f"{path}.part"
            try:
                # Closed by __exit__.
                self._file = open(self._written_as, "wb", buffering=0)  # noqa: SIM115
            except OSError as error:
                raise SinkError(f"{path}: cannot be written: {reason(error)}") from error
        self._can_cut = path != "-" and stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        # Where the needed bytes end: how many of the file, and the compressor as it was then.
        self._needed = (0, self._deflate)

    def write(self, data: bytes, needed: int) -> None:
        """Append data; so many bytes of it are needed, and with them all before."""
        if needed and self._can_cut:
            self._append(data[:needed])
            self._needed = (self.n_bytes, self._deflate and self._deflate.copy())
            data = data[needed:]
        self._append(data)

    def sync(self) -> None:
        """Write what the compressor holds back, so that a file that ends here can be read."""
        if self._deflate is not None:
            self._put(self._deflate.flush(zlib.Z_SYNC_FLUSH))
        if self._written_as != self._path and self._path != "<stdout>":
            try:
                os.replace(self._written_as, self._path)
            except OSError as error:
                raise self._refused(error) from error
            self._written_as = self._path

    def finish(self) -> None:
        """Write what is left; the file is a whole capture then."""
        if self._can_cut:
            size_bytes, self._deflate = self._needed
            self.cut = True
            self._file.truncate(size_bytes)
            self._file.seek(size_bytes)
            self.n_bytes = size_bytes
        if self._deflate is not None:
            self._put(self._deflate.flush())
        try:
            self._file.flush()
            if self._path != "<stdout>":
                self._file.close()
        except BrokenPipeError:
            raise
        except OSError as error:  # some file systems report a full disk only here
            raise self._refused(error) from error

    def _append(self, data: bytes) -> None:
        self._put(data if self._deflate is None else self._deflate.compress(data))

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                done = self._file.write(rest)
                self.n_bytes += done
                rest = rest[done:]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> SinkError:
        return SinkError(
            f"{self._path}: {reason(error)}; the file is partial: {self.n_bytes} bytes were written"
        )

    def __enter__(self) -> CaptureFile:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._path == "<stdout>":
            return
        with contextlib.suppress(OSError):
            self._file.close()
        if self._written_as != self._path:  # it never had its beginning
            with contextlib.suppress(OSError):
                os.remove(self._written_as)
