"""What every log of a spool can do, and the one that keeps its records in memory."""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Log(Protocol):
    """Records in order; for one thread at a time."""

    n_bytes: int

    def append(self, number: int, payload: bytes) -> int:
        """Add a record at the end and return its bytes; after an `OSError` nothing was added."""

    def head(self) -> int | None:
        """Return the number of the record to be read next, from 1; None when all are read."""

    def take(self) -> bytes | None:
        """Return the payload of the next record and go on; None for a damaged one."""

    def take_run(self, before: int, most: int, most_bytes: int) -> tuple[list[bytes], int]:
        """Return the payloads of the next records, and how many were damaged and left out.

        Args:
            before: Only records with smaller numbers.
            most, most_bytes: Go on while there are fewer.
        """

    def drop(self) -> int:
        """Forget the oldest records that are not on their way; return how many."""

    def settle(self) -> None:
        """Forget all that was read."""

    def __len__(self) -> int: ...


class MemoryLog:
    """Records in memory: what the disk had no room for, or nobody wants there."""

    def __init__(self) -> None:
        self.n_bytes = 0
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._taken_bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, number: int, payload: bytes) -> int:
        """Add a record."""
        self._waiting.append((number, payload))
        self.n_bytes += len(payload)
        return len(payload)

    def head(self) -> int | None:
        """Return the number of the next record."""
        return self._waiting[0][0] if self._waiting else None

    def take(self) -> bytes:
        """Return the next record."""
        payload = self._waiting.popleft()[1]
        self._taken_bytes += len(payload)
        return payload

    def take_run(self, before: int, most: int, most_bytes: int) -> tuple[list[bytes], int]:
        """Return the next records; none is ever damaged."""
        waiting, size = self._waiting, 0
        found: list[bytes] = []
        while waiting and waiting[0][0] < before and len(found) < most and size < most_bytes:
            found.append(self.take())
            size += len(found[-1])
        return found, 0

    def drop(self) -> int:
        """Forget the oldest record."""
        if not self._waiting:
            return 0
        self.n_bytes -= len(self._waiting.popleft()[1])
        return 1

    def settle(self) -> None:
        """Forget all that was read."""
        self.n_bytes -= self._taken_bytes
        self._taken_bytes = 0
