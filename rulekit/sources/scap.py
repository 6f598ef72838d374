"""Captures in files, pipes and standard input."""

from __future__ import annotations

import os
from typing import BinaryIO

from rulekit.capture._reader import CaptureReader
from rulekit.sources.base import Source


class ScapSource(Source):
    """A capture, plain or gzip.

    Args:
        source: A path, ``-`` for standard input, or an open binary file, which is left open.
        lenient: Skip and count invalid events in sound blocks instead of stopping there.
        max_block_bytes: Larger blocks are an error; None is the reader's own limit.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        lenient: bool = False,
        max_block_bytes: int | None = None,
    ) -> None:
        if isinstance(source, (str, os.PathLike)):
            super().__init__(os.fspath(source))
        else:
            super().__init__(str(getattr(source, "name", "<stream>")))
        self._source = source
        self._lenient = lenient
        self._max_block_bytes = max_block_bytes

    def connect(self) -> CaptureReader:
        return CaptureReader(
            self._source, lenient=self._lenient, max_block_bytes=self._max_block_bytes
        )
