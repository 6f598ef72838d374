"""JSON documents from files, folders, pipes and standard input, as blocks of whole lines."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rulekit.capture.reader import open_stream
from rulekit.errors import SourceError, reason

DocumentSource = str | os.PathLike[str] | BinaryIO

MAX_DOCUMENT_BYTES = 64 << 20
"""Longer lines are left out and counted."""

# How the first line of a document ends that goes over many lines: no whole document ends so.
_UNFINISHED = (b"{", b"[", b",", b":")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Block:
    """Documents in one piece of bytes.

    Attributes:
        data: Lines of one document each; the last one may lack its line feed.
        path: Where they come from, as the user named it.
        starts: The first line is the first one of its file.
        whole: `data` is all of a file, and its documents seem to go over many lines.
    """

    data: bytes
    path: str
    starts: bool = True
    whole: bool = False


class DocumentReader(ABC):
    """Where documents come from; for one thread."""

    @abstractmethod
    def read(self) -> Block | None:
        """Return the next block, which may be empty; None at the end.

        Raises:
            SourceError: It cannot be read on.
        """

    @abstractmethod
    def stats(self) -> dict[str, int]:
        """Return counters by name: what was left out so far."""

    @abstractmethod
    def close(self) -> None:
        """Give back what was opened. Idempotent."""


class DocumentFiles(DocumentReader):
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
        lines = _Lines(stream.path, self._max_bytes)
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


class _Lines:
    """Cuts a stream of bytes behind its line feeds; no line may take more than so much memory."""

    def __init__(self, path: str, max_bytes: int) -> None:
        self.too_long = 0
        self._path = path
        self._max_bytes = max_bytes
        self._n_blocks = 0
        self._held: list[bytes] = []  # a line that has begun, without a line feed
        self._held_bytes = 0
        self._skipping = False  # the rest of a line that is too long
        self._started = False
        self._whole = False

    def take(self, data: bytes) -> Block | None:
        """Return the lines that end in `data`, or None."""
        if not self._started and b"\n" in data:
            self._begin(data)
        if self._whole:
            self._held.append(data)
            self._held_bytes += len(data)
            if self._held_bytes <= self._max_bytes:
                return None
            data = b"".join(self._held)
            self._held, self._held_bytes, self._whole = [], 0, False
        end = data.rfind(b"\n") + 1
        if not end:
            self._hold(data)
            return None
        head = data[:end]
        if self._skipping:
            head = head[head.index(b"\n") :]  # an empty line in its place
            self._skipping = False
        elif self._held:
            head = b"".join((*self._held, head))
        self._held, self._held_bytes = [], 0
        if end < len(data):
            self._hold(data[end:])
        return self._block(head)

    def rest(self) -> Block | None:
        """Return what is left at the end of the stream."""
        if not self._held:
            return None
        return self._block(b"".join(self._held), self._whole)

    def _begin(self, data: bytes) -> None:
        """Look at the first line: is the file to be held, as one text?"""
        text = b"".join((*self._held, data)).removeprefix(_BOM).lstrip()
        first = text.partition(b"\n")[0].rstrip()
        self._started = bool(first)
        self._whole = first.startswith((b"{", b"[")) and first.endswith(_UNFINISHED)

    def _hold(self, data: bytes) -> None:
        if self._skipping:
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > self._max_bytes:
            self.too_long += 1
            self._held, self._held_bytes = [], 0
            self._skipping = True

    def _block(self, data: bytes, whole: bool = False) -> Block:
        self._n_blocks += 1
        starts = self._n_blocks == 1
        return Block(data.removeprefix(_BOM) if starts else data, self._path, starts, whole)


def _files(source: DocumentSource) -> list[DocumentSource]:
    """Return the files of a folder by time of change, or the source itself."""
    if not isinstance(source, (str, os.PathLike)) or not os.path.isdir(source):
        return [source]
    try:
        found = [each for each in Path(source).iterdir() if each.is_file()]
        found.sort(key=lambda each: (each.stat().st_mtime_ns, each.name))
    except OSError as error:
        raise SourceError(reason(error), os.fspath(source)) from error
    return list(found)
