"""JSON documents from files, folders, pipes and standard input, as blocks of whole lines."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

from rulekit.capture.reader import open_stream
from rulekit.errors import SourceError, reason
from rulekit.sources.lines import Block, LineCutter, LineReader
from rulekit.sources.rotation import oldest_first

DocumentSource = str | os.PathLike[str] | BinaryIO

MAX_DOCUMENT_BYTES = 64 << 20
"""Longer lines are left out and counted."""


class DocumentFiles(LineReader):
    """Documents of a file, or of the files of a folder, oldest first; plain, gzip or zstd.

    Args:
        source: A path, ``-`` for standard input, or an open binary file, which is left open.
        max_document_bytes: Longer lines are left out and counted.

    Raises:
        SourceError: There is no such file, or a folder cannot be listed.
    """

    def __init__(
        self, source: DocumentSource, *, max_document_bytes: int = MAX_DOCUMENT_BYTES
    ) -> None:
        self._max_bytes = max_document_bytes
        self._too_long = 0
        self._cut = 0
        self._blocks = self._read_all(_files(source))

    def read(self) -> Block | None:
        """Return the next block, None at the end; `SourceError` when it cannot be read on."""
        return next(self._blocks, None)

    def stats(self) -> dict[str, int]:
        """Return counters by name."""
        return {"documents_too_long": self._too_long, "files_cut_short": self._cut}

    def close(self) -> None:
        """Give back the files."""
        self._blocks.close()

    def _read_all(self, files: list[DocumentSource]) -> Generator[Block, None, None]:
        for file in files:
            yield from self._read_file(file)

    def _read_file(self, file: DocumentSource) -> Generator[Block, None, None]:
        stream = open_stream(file)
        lines = LineCutter(stream.path, self._max_bytes, texts=True)
        try:
            while (chunk := stream.next_chunk()) is not None:
                block = lines.take(bytes(chunk))
                if block is not None:
                    yield block
            block = lines.rest()
            if block is not None:
                yield block
            self._cut += stream.cut
        finally:
            self._too_long += lines.too_long
            stream.close()


def _files(source: DocumentSource) -> list[DocumentSource]:
    """Return the files of a folder, oldest first, or the source itself."""
    if not isinstance(source, (str, os.PathLike)) or not os.path.isdir(source):
        return [source]
    try:
        found = [each for each in Path(source).iterdir() if each.is_file()]
        return [*oldest_first((str(each), each.stat().st_mtime_ns) for each in found)]
    except OSError as error:
        raise SourceError(reason(error), os.fspath(source)) from error
