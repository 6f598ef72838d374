"""Files that are read as a whole: configurations, rules, questions. An endless one is refused."""

from __future__ import annotations

import errno
import os
import sys
from typing import BinaryIO

MAX_BYTES = 64 << 20


def read_whole(path: str | os.PathLike[str], most: int = MAX_BYTES) -> bytes:
    """Return the content of a file; ``-`` is not standard input here, see `read_given`.

    Args:
        most: A file with more bytes is refused after so many: /dev/zero and pipes have no end.

    Raises:
        OSError: It cannot be read, or is larger.
    """
    with open(path, "rb") as file:
        return _read(file, most)


def read_given(name: str, most: int = MAX_BYTES) -> bytes:
    """Return the content of a file, or of standard input when its name is ``-``; as above."""
    return _read(sys.stdin.buffer, most) if name == "-" else read_whole(name, most)


def read_text(path: str | os.PathLike[str], most: int = MAX_BYTES) -> str:
    """Return a file of UTF-8 as text; line ends become line feeds.

    Raises:
        OSError: It cannot be read, or is larger.
        UnicodeDecodeError: It is not UTF-8.
    """
    text = read_whole(path, most).decode("utf-8")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _read(file: BinaryIO, most: int) -> bytes:
    data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {most >> 20} MiB, no more is read as a whole")
    return data
