"""Puts what engines know of containers into a live stream, before the events of their processes."""

from __future__ import annotations

import re
import time
from collections import deque
from typing import Protocol

from rulekit.sources.containers._sightings import Sightings
from rulekit.sources.containers.lookup import Lookup
from rulekit.sources.containers.metadata import added, removed

DEFAULT_WAIT_S = 1.0
MAX_TOLD = 8192  # containers that readers know at a time; the oldest are forgotten, and told again
_ID = re.compile("[0-9a-f]{64}").fullmatch
_TURN_S = 0.1  # how long a reader waits before it may look at other things
_ROOM = 0.5  # of the buffers, beyond which nobody is waited for


class LiveStream(Protocol):
    """The stream of a live source."""

    path: str
    losses: dict[str, int]

    @property
    def filled(self) -> float:
        """How much of the room for what was not read yet is taken, from 0 to 1."""

    def next_chunk(self) -> bytes | memoryview | None: ...

    def stats(self) -> dict[str, int]: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class ContainerStream:
    """A stream of whole blocks with an event for each container that engines know.

    When the first process of a container is seen, what follows waits until an engine has told of
    the container, but no longer than `wait_s`, and not when events would be lost. After each wait
    in vain the next one is half as long, until there is an answer again. What comes too late is put
    in when it comes.

    Args:
        stream: Its chunks hold whole blocks; the first is the snapshot.
        lookup: Started by this; closed with it.
    """

    cut = False

    def __init__(
        self, stream: LiveStream, lookup: Lookup, *, wait_s: float = DEFAULT_WAIT_S
    ) -> None:
        self.path = stream.path
        self._stream = stream
        self._lookup = lookup
        self._wait_s = self._patience_s = wait_s
        self._sightings = Sightings()
        self._chunk: memoryview = memoryview(b"")
        self._at = 0
        self._marks: deque[tuple[int, int, str]] = deque()  # offset, time, id
        self._until_s = 0.0  # how long the first of them is waited for; 0: not yet
        self._told: deque[str] = deque()
        self._started = False
        self._ended = False
        self.n_waits_ended = 0
        lookup.start()

    @property
    def losses(self) -> dict[str, int]:
        """Events that happened and were not taken in, by reason."""
        return self._stream.losses

    @property
    def filled(self) -> float:
        """How much of the room for what was not read yet is taken, from 0 to 1."""
        return self._stream.filled

    def next_chunk(self) -> bytes | memoryview | None:
        while self._marks and self._marks[0][0] <= self._at:
            found = self._resolve()
            if found is None:
                return b""  # not yet
            if found:
                return found
        if self._at < len(self._chunk):
            end = self._marks[0][0] if self._marks else len(self._chunk)
            start, self._at = self._at, end
            return self._chunk[start:end]
        if news := self._news():
            return news
        if self._ended:
            return None
        self._chunk = memoryview(b"")
        self._at = 0
        chunk = self._stream.next_chunk()
        if chunk is None:
            self._ended = True
            return self._news() or None
        if not len(chunk):
            return b""
        if not self._started:
            self._started = True
            return self._begin(bytes(chunk))
        self._chunk = memoryview(chunk)
        for offset, ts_ns, id, full_id in self._sightings.scan(self._chunk):
            if _can_be_known(full_id):
                self._lookup.ask(id, full_id)
                self._marks.append((offset, ts_ns, id))
        return self.next_chunk()

    def _begin(self, snapshot: bytes) -> bytes:
        """Ask for the containers that run already; return the snapshot itself."""
        now_ns = time.time_ns()
        for id, full_id in self._sightings.snapshot(snapshot):
            if _can_be_known(full_id):
                self._lookup.ask(id, full_id)
                self._marks.append((0, now_ns, id))
        return snapshot

    def _resolve(self) -> bytes | None:
        """Return what is known of the container that is next, nothing, or None to wait on."""
        _, ts_ns, id = self._marks[0]
        container = self._lookup.known(id)
        if container is None and self._wait(id):
            container = self._lookup.known(id)
            if container is None:
                return None
        self._marks.popleft()
        if container is not None:
            self._until_s = 0.0
            self._patience_s = self._wait_s
            return self._tell(id) + added(container, ts_ns)
        if self._until_s:
            self._until_s = 0.0
            self._patience_s /= 2
            self.n_waits_ended += 1
        self._lookup.missed(id)
        return b""

    def _wait(self, id: str) -> bool:
        """Wait a moment for a container; False when it is no use, or for too long already."""
        if self._stream.filled > _ROOM or not self._lookup.hopeful(id):
            return False
        now_s = time.monotonic()
        if not self._until_s:
            self._until_s = now_s + self._patience_s
        if now_s >= self._until_s:
            return False
        self._lookup.wait(id, min(_TURN_S, self._until_s - now_s))
        return True

    def _tell(self, id: str) -> bytes:
        """Note that readers know a container now; return what has them forget the oldest."""
        self._told.append(id)
        if len(self._told) <= MAX_TOLD:
            return b""
        oldest = self._told.popleft()
        self._lookup.forget(oldest)
        self._sightings.forget(oldest)
        return removed(oldest, time.time_ns(), hidden=True)

    def _news(self) -> bytes:
        parts = []
        for news in self._lookup.news():
            if news.container is None:
                self._sightings.forget(news.id)
                if news.id in self._told:
                    self._told.remove(news.id)
                parts.append(removed(news.id, time.time_ns()))
            else:
                if not news.again:
                    parts.append(self._tell(news.id))
                parts.append(added(news.container, time.time_ns(), again=news.again))
        return b"".join(parts)

    def stats(self) -> dict[str, int]:
        """Return the counters of the stream, and what became of containers."""
        counts = self._lookup.counts()
        return self._stream.stats() | counts | {"containers_waited_in_vain": self.n_waits_ended}

    def stop(self) -> None:
        """Let the stream end. Safe in signal handlers."""
        self._stream.stop()

    def close(self) -> None:
        """Stop reading and asking. Idempotent."""
        self._stream.close()
        self._lookup.close()


def _can_be_known(full_id: str) -> bool:
    """Tell whether an id is one that Docker, Podman or a runtime of Kubernetes gives.

    The last part of any control group passes for a container of containerd.
    """
    return _ID(full_id) is not None
