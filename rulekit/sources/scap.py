"""Captures in the ``.scap`` format as a source."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from rulekit.capture._reader import iter_events
from rulekit.schema.events import event_types
from rulekit.sources.base import Event, Source


class ScapSource(Source):
    """Events of a capture, plain or gzip.

    Args:
        capture: A path, ``-`` for standard input, or an open binary file (left open).

    Raises:
        SourceError: The capture cannot be opened, or is none.
    """

    def __init__(self, capture: str | os.PathLike[str] | BinaryIO) -> None:
        self._events = iter_events(capture)
        types = event_types()
        self._types = types
        self._names = [tuple(param.name for param in kind.params) for kind in types]

    def __iter__(self) -> Iterator[Event]:
        """Yield the events in the order of the capture."""
        for position, number, time_ns, tid, kind, params in self._events:
            yield Event(
                position=position,
                number=number,
                time_ns=time_ns,
                tid=tid,
                type=self._types[kind],
                # An older recorder may have written fewer params than the type has today.
                params=dict(zip(self._names[kind], params, strict=False)),
            )

    @property
    def counters(self) -> Mapping[str, int]:
        """Counters of the decoder by name."""
        return self._events.stats

    def close(self) -> None:
        """Close the capture."""
        self._events.close()


def open_source(capture: str | os.PathLike[str] | BinaryIO) -> Source:
    """Open a capture to look at its events one by one.

    Args:
        capture: A path, ``-`` for standard input, or an open binary file (left open).

    Raises:
        SourceError: The capture cannot be opened, or is none.
    """
    return ScapSource(capture)
