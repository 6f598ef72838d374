"""What all sources share: the events they deliver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType

from rulekit.schema.events import EventType


@dataclass(frozen=True, slots=True)
class Event:
    """One event as a source delivers it, converted to its current form.

    Rules do not run over these objects: the engine reads the bytes itself. They are for looking
    into a source from Python.

    Attributes:
        position: Among all event headers of the source, from 1; also headers that are not
            delivered count.
        number: Among the delivered events, from 1; the field ``evt.num``.
        time_ns: Since the Unix epoch (UTC).
        tid: Thread that caused the event.
        type: Declaration of the event type, with names and types of the params.
        params: Raw value of each param by name, little-endian where it is a number; empty where
            the event carries none.
    """

    position: int
    number: int
    time_ns: int
    tid: int
    type: EventType
    params: Mapping[str, bytes]


class Source(ABC):
    """Where events come from; iterable once, from the first event to the last."""

    @abstractmethod
    def __iter__(self) -> Iterator[Event]:
        """Yield events.

        Raises:
            SourceError: The source is damaged here; everything before it was yielded.
        """

    @property
    @abstractmethod
    def counters(self) -> Mapping[str, int]:
        """What was read, skipped and lost so far, by name."""

    @abstractmethod
    def close(self) -> None:
        """Release the source; closing twice does nothing."""

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
