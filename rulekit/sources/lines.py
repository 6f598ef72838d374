"""Text as blocks of whole lines: what every source reads that is written line by line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from rulekit.native._json import count_lines

# How the first line of a text ends that goes over many lines: no whole document ends so.
_UNFINISHED = (b"{", b"[", b",", b":")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Block:
    """Lines in one piece of bytes.

    Attributes:
        data: Whole lines; only the last one of a file may lack its line feed.
        path: Where they come from, as the user named it.
        line: Lines of that file before these.
        whole: `data` is all of a file, and seems to be one text that goes over many lines.
    """

    data: bytes
    path: str
    line: int = 0
    whole: bool = False


class LineReader(ABC):
    """Where lines come from; for one thread."""

    @abstractmethod
    def read(self) -> Block | None:
        """Return the next block, which may be empty; None at the end.

        To ask for a block says that everything in the one before has been dealt with.

        Raises:
            SourceError: It cannot be read on.
        """

    @abstractmethod
    def stats(self) -> dict[str, int]:
        """Return counters by name: what was left out so far."""

    @abstractmethod
    def close(self) -> None:
        """Give back what was opened. Idempotent."""


class LineCutter:
    """Cuts a stream of bytes behind its line feeds; no line may take more than so much memory.

    Args:
        path: What blocks say they come from.
        max_bytes: Longer lines are replaced by empty ones and counted.
        texts: Hold a stream that begins like one text over many lines, and return it as a whole.
        line: Lines before the first byte.
        middle: The first byte is not the first one of its file.
        inside: The stream begins inside of a line, whose rest is left out.
    """

    def __init__(
        self,
        path: str,
        max_bytes: int,
        *,
        texts: bool = False,
        line: int = 0,
        middle: bool = False,
        inside: bool = False,
    ) -> None:
        self.path = path
        self.too_long = 0
        self.line = line
        self.waiting_bytes = 0
        """Taken, but not yet part of a block."""
        self._max_bytes = max_bytes
        self._held: list[bytes] = []  # a line that has begun, without a line feed
        self._skipping = inside  # the rest of a line that is too long
        self._at_start = not (middle or inside)
        self._unseen = texts and self._at_start  # the first line has still to be looked at
        self._whole = False

    @property
    def held(self) -> bytes:
        """A line that has begun, as far as it is known; empty when it is already too long."""
        return b"".join(self._held)

    def take(self, data: bytes) -> Block | None:
        """Return the lines that end in `data`, or None."""
        if self._unseen and b"\n" in data:
            self._look_at_first(data)
        if self._whole:
            self._held.append(data)
            self.waiting_bytes += len(data)
            if self.waiting_bytes <= self._max_bytes:
                return None
            data = self.held
            self._held, self.waiting_bytes, self._whole = [], 0, False
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
        self._held, self.waiting_bytes = [], 0
        if end < len(data):
            self._hold(data[end:])
        return self._block(head, False)

    def rest(self) -> Block | None:
        """Return what is left at the end of the stream."""
        data, self._held = self.held, []
        self.waiting_bytes = 0
        self._skipping = False
        return self._block(data, self._whole) if data else None

    def _look_at_first(self, data: bytes) -> None:
        """Look at the first line: is the file to be held, as one text?"""
        text = b"".join((*self._held, data)).removeprefix(_BOM).lstrip()
        first = text.partition(b"\n")[0].rstrip()
        self._unseen = not first
        self._whole = first.startswith((b"{", b"[")) and first.endswith(_UNFINISHED)

    def _hold(self, data: bytes) -> None:
        self.waiting_bytes += len(data)
        if self._skipping:
            return
        self._held.append(data)
        if self.waiting_bytes > self._max_bytes:
            self.too_long += 1
            self._held = []
            self._skipping = True

    def _block(self, data: bytes, whole: bool) -> Block:
        before = self.line
        self.line += count_lines(data)
        if self._at_start:
            self._at_start = False
            data = data.removeprefix(_BOM)
        return Block(data, self.path, before, whole)
