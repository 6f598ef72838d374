"""Batches of events from the ring, read ahead by a thread of its own."""

from __future__ import annotations

import queue
import threading
import time

from rulekit.errors import SourceError
from rulekit.sources.ebpf.loader import LOSSES, Probe

BATCH_BYTES = 1 << 20
BATCHES = 16
MAX_RECORD_BYTES = 1 << 17  # more than any record has
NAP_S = 0.002  # between two looks at a ring that was empty
IDLE_NAP_S = 0.02  # after a second without events
COUNT_S = 1.0  # between two looks at the probe's counters
ANSWER_S = 0.1  # after so long the reader is given nothing for once


class RingStream:
    """A stream of chunks: the snapshot, then what comes out of the ring.

    `next_chunk` returns an empty chunk now and then, also while events keep coming, so that its
    caller can look at other things: clocks, files, alerts that wait to be printed. The thread
    drains even when nobody reads, until all buffers are full; only then does the ring fill up and
    the probe count what is lost.

    Args:
        probe: That fills the ring; detached when the stream is told to stop.
        snapshot: Bytes before the first event.
        path: What the source is called.

    Attributes:
        losses: Events that happened and were not taken in, by reason, as of a second ago at most;
            exact at the end.
    """

    cut = False

    def __init__(self, probe: Probe, snapshot: bytes, path: str) -> None:
        self.path = path
        self.losses: dict[str, int] = {}
        self._probe = probe
        self._counters: dict[str, int] = {}
        self._lost_types: dict[str, int] = {}
        self._problem: Exception | None = None
        self._snapshot = snapshot
        self._free: queue.SimpleQueue[bytearray] = queue.SimpleQueue()
        self._full: queue.SimpleQueue[tuple[bytearray, int] | None] = queue.SimpleQueue()
        for _ in range(BATCHES):
            self._free.put(bytearray(BATCH_BYTES))
        self._current: bytearray | None = None
        self._stopping = threading.Event()
        self._ended = False
        self._rested_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="rulekit-ring", daemon=True)
        self._thread.start()

    @property
    def filled(self) -> float:
        """How much of the ring is taken by what was not read yet, from 0 to 1."""
        return float(self._probe.ring.waiting / self._probe.ring_bytes)

    def next_chunk(self) -> memoryview | None:
        if self._snapshot:
            snapshot, self._snapshot = self._snapshot, b""
            return memoryview(snapshot)
        if self._current is not None:
            self._free.put(self._current)
            self._current = None
        if self._ended:
            return None
        if time.monotonic() - self._rested_s > ANSWER_S:
            self._rested_s = time.monotonic()
            return memoryview(b"")
        try:
            item = self._full.get(timeout=ANSWER_S)
        except queue.Empty:
            self._rested_s = time.monotonic()
            return memoryview(b"")
        if item is None:
            self._ended = True
            if self._problem is not None:
                raise SourceError(f"the probe cannot be read: {self._problem}", self.path)
            return None
        self._current, size = item
        return memoryview(self._current)[:size]

    def stats(self) -> dict[str, int]:
        """Return what the probe counted: losses by reason and type, and other misfortunes."""
        lost = {f"lost_{name}": n for name, n in self.losses.items()}
        return (
            lost
            | {f"lost_of_type_{name}": n for name, n in self._lost_types.items()}
            | {
                "parameters_unreadable": self._counters.get("unreadable", 0),
                "processes_not_followed": self._counters.get("not_followed", 0),
                "calls_skipped_by_kernel": self._counters.get("skipped", 0),
            }
        )

    def stop(self) -> None:
        """Let the stream end after what is in the ring now. Safe in signal handlers."""
        self._stopping.set()

    def close(self) -> None:
        """Stop the thread. Idempotent."""
        self._stopping.set()
        while self._thread.is_alive():
            self._free.put(bytearray(BATCH_BYTES))  # it may wait for room
            self._thread.join(0.1)

    def _run(self) -> None:
        try:
            self._drain()
        except Exception as error:  # whoever reads must hear of it, or waits for ever
            self._problem = error
        finally:
            self._full.put(None)

    def _drain(self) -> None:
        last = counted = time.monotonic()
        stopping = False
        buffer = memoryview(b"")
        room = 0  # in the buffer
        while True:
            if not stopping and self._stopping.is_set():
                stopping = True
                self._probe.detach()
            if time.monotonic() - counted > COUNT_S:
                counted = time.monotonic()
                self._count()
            if not room:
                buffer, room = memoryview(self._free.get()), BATCH_BYTES
            n = self._probe.ring.drain(buffer[BATCH_BYTES - room :])
            room -= n
            used = BATCH_BYTES - room
            # While the reader is behind, little by little makes whole batches: room for much more.
            if used and (room < MAX_RECORD_BYTES or self._full.empty()):
                self._full.put((buffer.obj, used))  # type: ignore[arg-type]
                room = 0
            if n:
                if n > BATCH_BYTES // 2:
                    continue
                last = time.monotonic()
            elif stopping:
                break
            if stopping:
                continue
            idle = time.monotonic() - last > 1
            self._stopping.wait(IDLE_NAP_S if idle else NAP_S)
        if room and room < BATCH_BYTES:
            self._full.put((buffer.obj, BATCH_BYTES - room))  # type: ignore[arg-type]
        self._count()

    def _count(self) -> None:
        self._counters = self._probe.counters()
        losses = {name: self._counters[name] for name in LOSSES}
        if losses != self.losses:
            self._lost_types = self._probe.lost_by_type()
            self.losses = losses
