"""Events as Python objects, for looking into a source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from rulekit.capture._reader import iter_events
from rulekit.schema.events import EventType, event_types


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


def read_events(capture: str | os.PathLike[str] | BinaryIO) -> Iterator[Event]:
    """Yield the events of a capture, plain or gzip, in its order.

    Raises:
        SourceError: The capture cannot be read, or is damaged here; everything before the damage
            was yielded.
    """
    types = event_types()
    names = [tuple(param.name for param in kind.params) for kind in types]
    for position, number, time_ns, tid, kind, params in iter_events(capture):
        yield Event(
            position=position,
            number=number,
            time_ns=time_ns,
            tid=tid,
            type=types[kind],
            # An older recorder may have written fewer params than the type has today.
            params=dict(zip(names[kind], params, strict=False)),
        )
