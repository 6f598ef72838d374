"""Alerts that wait for one sink: on disk, within bounds, in order, through restarts."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import heapq
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from rulekit.delivery.log import OVERHEAD_BYTES, FileLog
from rulekit.delivery.measure import GAP_NUMBER, MAX_PAYLOAD_BYTES
from rulekit.delivery.memory import Log, MemoryLog
from rulekit.errors import SinkError, reason
from rulekit.sinks.base import Record

WhenFull = Literal["block", "drop_oldest", "drop_lowest"]

_PRIORITIES = 8
_MEMORY_BYTES = 4 << 20  # what may wait in memory while the disk takes nothing
_SEGMENTS = 32  # files of a full spool
_MIN_SEGMENT_BYTES = 4096
_RETRY_DISK_S = 0.2
_PROBE_BYTES = 16 << 10
_CURSOR = struct.Struct(f"<{2 * _PRIORITIES}Q")


@dataclass(frozen=True, slots=True)
class SpoolPlan:
    """How alerts wait.

    Attributes:
        folder: For the files; None keeps everything in memory, nothing survives the process.
        max_bytes: Of all files together.
        full: What happens to a new alert without room: ``block`` makes the engine wait,
            ``drop_oldest`` removes the oldest file of alerts, ``drop_lowest`` the oldest file of
            the least urgent ones, and the new alert itself when all others are more urgent.
        sync_s: Seconds between syncs to the device; 0 after every alert, None never. Without it a
            killed process loses nothing, a machine without power the last seconds.
    """

    folder: Path | None = None
    max_bytes: int = 256 << 20
    full: WhenFull = "drop_lowest"
    sync_s: float | None = None


class Spool:
    """A queue of records: any thread puts, one takes.

    Raises:
        SinkError: The folder cannot be used, or another process uses it.
    """

    def __init__(self, plan: SpoolPlan) -> None:
        self._plan = plan
        self._mutex = threading.Lock()
        self._lock = threading.Condition(self._mutex)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Record).decode
        self._number = 0
        self._synced_s = time.monotonic()
        self._n_taken = 0
        self._wake_in = -1  # so many more records end the waiting of `take`; negative: none waits
        self._closing = False
        self._files: list[FileLog] = []
        self._segment_bytes = max(plan.max_bytes // _SEGMENTS, _MIN_SEGMENT_BYTES)
        self._guard = -1
        self._cursor = -1
        self.disk_full = False
        """Whether the last attempt to write to the disk failed."""
        self.dropped: dict[str, int] = {}
        """Alerts lost here by cause: ``full``, ``disk``, ``damaged``, ``too_large``, ``format``."""
        self._overflow = MemoryLog()
        if plan.folder is not None:
            self._open(plan.folder)
        # One per priority, so that the least urgent can go; the other policies use the first.
        self._queues: list[Log] = [*self._files] or [MemoryLog() for _ in range(_PRIORITIES)]
        self._logs: list[Log] = [*self._queues, self._overflow]
        self._used_bytes = sum(log.n_bytes for log in self._queues)
        self._max_payload_bytes = min(MAX_PAYLOAD_BYTES, plan.max_bytes // 2)
        self._by_priority = plan.full == "drop_lowest"

    def _open(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._guard = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._cursor = os.open(folder / "cursor", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            starts = self._read_cursor()
            for i, start in enumerate(starts):
                self._files.append(FileLog(folder, f"p{i}", self._segment_bytes, start))
        except OSError as error:
            self.close()
            if error.errno == errno.EWOULDBLOCK:
                raise SinkError(f"{folder}: another process uses this spool") from error
            raise SinkError(f"{folder}: {reason(error)}") from error
        self._number = max(log.last_number for log in self._files)
        damaged = sum(log.n_damaged for log in self._files)
        if damaged:
            self.dropped["damaged"] = damaged

    def __len__(self) -> int:
        return sum(map(len, self._logs))

    @property
    def unsettled(self) -> int:
        """Records that wait or are on their way."""
        return len(self) + self._n_taken

    @property
    def n_bytes(self) -> int:
        """Bytes that wait, on disk and in memory."""
        return sum(log.n_bytes for log in self._logs)

    def disk_has_room(self) -> bool:
        """Return whether the disk takes alerts; after a failure that is tried with a small file."""
        folder = self._plan.folder
        if not self.disk_full or folder is None:
            return True
        probe = folder / "probe"
        try:
            probe.write_bytes(bytes(_PROBE_BYTES))
            probe.unlink()
        except OSError:
            with contextlib.suppress(OSError):
                probe.unlink()
            return False
        self.disk_full = False
        return True

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._closing

    @property
    def capacity_bytes(self) -> int:
        """What an empty spool takes for sure; files that are read already keep a little of it."""
        logs = len(self._queues) if self._by_priority else 1
        kept = logs * (self._segment_bytes // 2) if self._files else 0
        return max(0, self._plan.max_bytes - kept)

    def size_of(self, record: Record) -> int | None:
        """Return the bytes that a record takes here, None when it is too large for any spool."""
        size = len(self._encode(record))
        return size + OVERHEAD_BYTES if size <= self._max_payload_bytes else None

    def put(self, record: Record, *, wait_s: float | None = None, counted: bool = True) -> bool:
        """Add a record; False when it was dropped itself.

        When this returns the record is in the hands of the kernel: killing the process does not
        lose it. With the policy ``block`` it waits until there is room or `stop` is called.

        Args:
            wait_s: Wait no longer than this.
            counted: Count the record when it is dropped.
        """
        payload = self._encode(record)
        if len(payload) > self._max_payload_bytes:
            self.lose("too_large", int(counted))
            return False
        until_s = None if wait_s is None else time.monotonic() + wait_s
        with self._mutex:
            while not self._try_put(record.priority, payload):
                left_s = None if until_s is None else until_s - time.monotonic()
                late = left_s is not None and left_s <= 0
                if self._plan.full != "block" or self._closing or late:
                    if counted:
                        self._lose("disk" if self.disk_full else "full")
                    return False
                if self.disk_full:
                    left_s = _RETRY_DISK_S if left_s is None else min(left_s, _RETRY_DISK_S)
                self._lock.wait(left_s)
            if self._wake_in >= 0:
                self._wake_in -= 1
                if self._wake_in <= 0:
                    self._lock.notify_all()
        return True

    def _try_put(self, priority: int, payload: bytes) -> bool:
        log = self._queues[priority if self._by_priority else 0]
        room = self._plan.max_bytes - len(payload) - OVERHEAD_BYTES
        # Once more after each file that makes room; there are not many.
        for _ in range(_SEGMENTS * 2):
            if self._used_bytes <= room:
                try:
                    self._used_bytes += log.append(self._number + 1, payload)
                except OSError:
                    self.disk_full = True
                else:
                    self._number += 1
                    self.disk_full = False
                    if self._plan.sync_s is not None:
                        self._sync(log)
                    return True
                # Somebody else took the room of the disk: memory helps as long as it can.
                if self._overflow.n_bytes + len(payload) <= _MEMORY_BYTES:
                    self._number += 1
                    self._overflow.append(self._number, payload)
                    return True
            if not self._make_room(priority):
                return False
        return False

    def _make_room(self, priority: int) -> bool:
        """Drop older records; False when nothing may be dropped for one of this priority."""
        if self._plan.full == "block":
            return False
        logs = list(self._queues)
        if self._plan.full == "drop_lowest":
            # The least urgent first; nothing more urgent than what comes.
            logs = logs[: priority - 1 if priority else None : -1]
        else:
            logs.sort(key=lambda log: log.head() or 1 << 63)
        for log in logs:
            if len(log) and (lost := log.drop()):
                self._count_bytes()
                self._lose("disk" if self.disk_full else "full", lost)
                return True
        return False

    def lose(self, cause: str, number: int = 1) -> None:
        """Count records that never came here."""
        if number:
            with self._mutex:
                self._lose(cause, number)

    def _count_bytes(self) -> None:
        self._used_bytes = sum(log.n_bytes for log in self._queues)

    def _lose(self, cause: str, number: int = 1) -> None:
        self.dropped[cause] = self.dropped.get(cause, 0) + number

    def _sync(self, log: Log) -> None:
        now_s = time.monotonic()
        wanted_s = self._plan.sync_s
        if wanted_s is not None and isinstance(log, FileLog) and now_s - self._synced_s >= wanted_s:
            log.sync()
            self._synced_s = now_s

    def take(
        self,
        max_records: int,
        max_bytes: int,
        *,
        linger_s: float = 0.0,
        timeout_s: float | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> list[Record]:
        """Return the next records in the order in which they were put; they stay until `settle`.

        Args:
            linger_s: How long to wait for a batch to fill once there is something.
            timeout_s: How long to wait for the first record; the list is empty after that, and
                when `stop` was called and nothing is left.
            wanted: Waiting ends when this is false; `wake` has it asked again.
        """
        with self._lock:
            self._wait(1, timeout_s, wanted)
            if linger_s and len(self):
                self._wait(max_records, linger_s, wanted)
            batch: list[Record] = []
            size = 0
            heads = [(head, i) for i, log in enumerate(self._logs) if (head := log.head())]
            heapq.heapify(heads)
            while heads and len(batch) < max_records and size < max_bytes:
                i = heads[0][1]
                log = self._logs[i]
                # The second of a heap is one of the two below the first.
                before = min(heads[1:3])[0] if len(heads) > 1 else GAP_NUMBER
                run, lost = log.take_run(before, max_records - len(batch), max_bytes - size)
                if lost:
                    self._lose("damaged", lost)
                size += sum(map(len, run))
                try:
                    batch += [*map(self._decode, run)]
                except msgspec.DecodeError:
                    batch += self._readable(run)
                if head := log.head():
                    heapq.heapreplace(heads, (head, i))
                else:
                    heapq.heappop(heads)
            self._n_taken += len(batch)
            return batch

    def _readable(self, payloads: Sequence[bytes]) -> Iterator[Record]:
        """Yield the records that are some; others are of another version, or sound by chance."""
        for payload in payloads:
            try:
                yield self._decode(payload)
            except msgspec.DecodeError:
                self._lose("damaged")

    def _wait(self, n_records: int, timeout_s: float | None, wanted: Callable[[], bool]) -> None:
        """Wait until there are so many records, the spool is closing or nothing is wanted."""

        def enough() -> bool:
            missing = n_records - len(self)
            self._wake_in = max(missing, 0)
            return missing <= 0 or self._closing or not wanted()

        self._lock.wait_for(enough, timeout_s)
        self._wake_in = -1

    def settle(self) -> None:
        """Forget what was taken: the receiver has it, or refused it for good."""
        with self._lock:
            self._n_taken = 0
            for log in self._logs:
                log.settle()
            self._count_bytes()
            self._write_cursor()
            self._lock.notify_all()

    def wake(self) -> None:
        """Have `take` ask `wanted` again."""
        with self._lock:
            self._lock.notify_all()

    def stop(self) -> None:
        """Let nobody wait any longer: `put` no more for room, `take` no more for records."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()

    def close(self) -> None:
        """Give back the files; what was not settled waits for the next process."""
        self.stop()
        with self._lock:
            for log in self._files:
                log.close()
            for descriptor in (self._guard, self._cursor):
                if descriptor >= 0:
                    os.close(descriptor)
            self._guard = self._cursor = -1

    def _write_cursor(self) -> None:
        if self._cursor < 0:
            return
        numbers = [0] * (2 * _PRIORITIES)
        for i, log in enumerate(self._files):
            numbers[2 * i : 2 * i + 2] = log.position
        data = _CURSOR.pack(*numbers)
        try:
            os.pwrite(self._cursor, data + zlib.crc32(data).to_bytes(4, "little"), 0)
        except OSError:  # only repetitions can come of it
            self.disk_full = True

    def _read_cursor(self) -> list[tuple[int, int]]:
        data = os.pread(self._cursor, _CURSOR.size + 4, 0)
        body, crc = data[: _CURSOR.size], data[_CURSOR.size :]
        if len(data) != _CURSOR.size + 4 or zlib.crc32(body).to_bytes(4, "little") != crc:
            return [(0, 0)] * _PRIORITIES
        numbers = _CURSOR.unpack(body)
        return list(zip(numbers[::2], numbers[1::2], strict=True))
