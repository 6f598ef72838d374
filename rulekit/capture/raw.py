"""Unbuffered bytes of files, pipes and file objects, as they lie there."""

from __future__ import annotations

import io
import os
import select
import sys
from typing import Any, BinaryIO

from rulekit.errors import SourceError


class Raw:
    """Unbuffered bytes of a file, a pipe or a file object."""

    def __init__(self, source: str | os.PathLike[str] | BinaryIO) -> None:
        self._owned = True
        self.position = 0  # bytes read, from where the source was handed over
        self._file: Any
        if isinstance(source, (str, os.PathLike)):
            self.path = os.fspath(source)
            try:
                if self.path == "-":
                    self.path = "<stdin>"
                    self._file = io.FileIO(sys.stdin.fileno(), closefd=False)
                else:
                    self._file = io.FileIO(self.path)
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise SourceError(f"cannot be opened: {reason}", self.path) from error
        else:
            self._owned = False
            self._file = source
            self.path = str(getattr(source, "name", "<stream>"))

    def readinto(self, buffer: memoryview) -> int:
        """Fill the start of `buffer`; 0 means the end."""
        try:
            n: int
            if hasattr(self._file, "readinto1"):
                # One read: what a pipe has now is not held back until there is more.
                n = self._file.readinto1(buffer) or 0
            elif hasattr(self._file, "readinto"):
                n = self._file.readinto(buffer) or 0
            else:
                data = self._file.read(len(buffer))
                n = len(data)
                buffer[:n] = data
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise SourceError(f"cannot be read: {reason}", self.path) from error
        self.position += n
        return n

    def wait(self, timeout_s: float) -> bool:
        """Return whether there is something to read, or the end, within some time."""
        try:
            descriptor = self._file.fileno()
            return bool(select.select([descriptor], [], [], timeout_s)[0])
        except (OSError, ValueError, AttributeError):
            return True  # nobody knows

    def rewind(self, position: int) -> bool:
        """Go back to a former `position`; False where that is not possible."""
        try:
            self._file.seek(position - self.position, os.SEEK_CUR)
        except (OSError, ValueError, AttributeError):
            return False
        self.position = position
        return True

    def read_head(self) -> bytes:
        """Read the first bytes, four unless the stream is shorter."""
        head = bytearray(4)
        n = 0
        while n < 4:
            got = self.readinto(memoryview(head)[n:])
            if not got:
                break
            n += got
        return bytes(head[:n])

    def close(self) -> None:
        if self._owned:
            self._file.close()
