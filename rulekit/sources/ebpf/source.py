"""The live source: what the processes of a scope do, as it happens."""

from __future__ import annotations

from collections.abc import Callable

from rulekit.capture._reader import CaptureReader
from rulekit.compiler.tables import Program
from rulekit.sources.base import Source
from rulekit.sources.containers.lookup import Lookup
from rulekit.sources.containers.stream import DEFAULT_WAIT_S, ContainerStream
from rulekit.sources.ebpf.loader import DEFAULT_RING_BYTES, DEFAULT_SNAPLEN, Probe
from rulekit.sources.ebpf.routes import EventSet, events_for, state_events
from rulekit.sources.ebpf.scope import Scope
from rulekit.sources.ebpf.snapshot import snapshot
from rulekit.sources.ebpf.stream import RingStream


class EbpfSource(Source):
    """Events of running processes, taken by a probe in the kernel.

    Args:
        scope: What is watched.
        events: What is delivered besides what the state of processes and files needs.
        ring_bytes, snaplen: See `Probe`.
        containers: Has container engines asked, see `ContainerStream`; belongs to the source.
        container_wait_s: How long the first process of a container waits for their answer.
        on_loaded: Called when nothing more needs rights, before threads are started.
    """

    def __init__(
        self,
        scope: Scope,
        events: EventSet,
        *,
        ring_bytes: int = DEFAULT_RING_BYTES,
        snaplen: int = DEFAULT_SNAPLEN,
        containers: Lookup | None = None,
        container_wait_s: float = DEFAULT_WAIT_S,
        on_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(f"ebpf:{scope}")
        self._scope = scope
        self._events = events | state_events()
        self._ring_bytes = ring_bytes
        self._snaplen = snaplen
        self._probe: Probe | None = None
        self._containers = containers
        self._container_wait_s = container_wait_s
        self._on_loaded = on_loaded
        self._stream: RingStream | ContainerStream | None = None
        self._stopped = False

    def connect(self) -> CaptureReader:
        self._probe = Probe(
            self._scope, self._events, ring_bytes=self._ring_bytes, snaplen=self._snaplen
        )
        try:
            start = snapshot(*self._probe.initial_state())
            self._on_loaded()
            ring = self._stream = RingStream(self._probe, start, self.path)
            if self._containers is not None:
                self._stream = ContainerStream(
                    ring, self._containers, wait_s=self._container_wait_s
                )
            if self._stopped:  # meanwhile: loading the probe takes a while
                self._stream.stop()
            return CaptureReader(self._stream)
        except BaseException:
            self.close()
            raise

    @property
    def filled(self) -> float:
        """How full the ring is, from 0 to 1."""
        return 0.0 if self._stream is None else self._stream.filled

    def stop(self) -> None:
        """End after the events that have happened by now. Safe from signal handlers."""
        self._stopped = True
        if self._stream is not None:
            self._stream.stop()

    def prepare(self, program: Program) -> None:
        """Deliver what a program needs besides, from every event on that begins after this returns.

        May be called by any thread while another one reads: a reload calls it before the new
        program takes the place of the old one. Events are never taken away again.

        Raises:
            SourceError: The kernel refused.
        """
        self._events |= events_for(program)
        if self._probe is not None:
            self._probe.widen(self._events)

    def close(self) -> None:
        super().close()
        if self._stream is not None:
            self._stream.close()
        if self._probe is not None:
            self._probe.close()
