"""Events from Python: one by one, or in columns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from rulekit._fastmatch import Matcher
from rulekit.compiler.program import compile_ruleset
from rulekit.engine._loop import EventLoop
from rulekit.engine._view import Event, EventIterator
from rulekit.engine.alerts import compile_output
from rulekit.engine.limits import StateLimits
from rulekit.engine.pipeline import bind
from rulekit.engine.window import window
from rulekit.errors import RuleError
from rulekit.sources import base
from rulekit.sources.base import Source
from rulekit.state._outputs import OutputProgram

if TYPE_CHECKING:
    import pyarrow as pa

    from rulekit.capture._reader import CaptureReader

MAX_ROWS = 65536

# What most questions about an event need.
DEFAULT_FIELDS = (
    "evt.num", "evt.rawtime", "evt.type", "evt.res", "proc.pid", "proc.name", "proc.cmdline",
    "proc.pname", "user.name", "fd.num", "fd.name", "fd.type", "container.id",
)  # fmt: skip


class EventSource:
    """Events of a capture or another source, each seen in the state of its time.

    Iterating reads the source from its beginning; a file can be read again and again, a pipe once.
    One reading at a time is in one thread; memory does not grow with the source.

        for event in rulekit.open_source("capture.scap.gz"):
            print(event.number, event.type, event["proc.name"])

    Attributes:
        path: What the user named.
    """

    def __init__(self, source: Source, limits: StateLimits | None = None) -> None:
        self._source = source
        self._limits = limits
        self._readers: list[CaptureReader] = []
        self._programs = _Programs()
        self.path = source.path

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def events(
        self, condition: str | None = None, *, first: str | None = None, last: str | None = None
    ) -> Iterator[Event]:
        """Yield the events for which a condition holds; None is every one that rules may see.

        An event's fields and params can be read until the next event is asked for.

        Args:
            condition: As in a rule.
            first, last: Ends of the part to look at: event numbers (``"1500"``), times or
                distances from the first event (``"+10s"``), as ``--from`` and ``--to``.

        Raises:
            RuleError: The condition cannot be used.
            SourceError: The source cannot be read, or is damaged; what comes before the damage was
                yielded.
        """
        return EventIterator(self._loop(condition, first, last), self._programs)

    def to_arrow(
        self,
        fields: Sequence[str] = DEFAULT_FIELDS,
        condition: str | None = None,
        *,
        batch_size: int = MAX_ROWS,
        first: str | None = None,
        last: str | None = None,
    ) -> pa.RecordBatchReader:
        """Return fields of events as columns, batch by batch; nothing is done per row in Python.

        Texts become strings (what is no UTF-8 becomes U+FFFD), numbers 64-bit integers, buffers
        binary, lists lists; null is null. Times are what the field is: ``evt.rawtime`` counts ns.
        Ancestor fields without index and ``evt.rawarg`` are the text that outputs print.

        Args:
            fields: Names as in a condition, with arguments: ``proc.aname[2]``, ``evt.arg.flags``.
            condition, first, last: As in `events`.
            batch_size: Rows of a batch at most; less when texts are long.

        Returns:
            A reader: ``.read_all()`` gives a table, iterating gives record batches. When the source
            is damaged its rows up to there come first, then `SourceError`.

        Raises:
            RulekitError: pyarrow is not installed.
            RuleError: A field or the condition cannot be used.
            SourceError: The source cannot be opened.
        """
        from rulekit.engine.arrow import open_batches

        return open_batches(lambda: self._loop(condition, first, last), fields, batch_size)

    def stats(self) -> dict[str, int]:
        """Return counters of the last reading by name: what was read, skipped and lost."""
        return self._readers[-1].stats() if self._readers else {}

    def close(self) -> None:
        """Give back what was opened. Idempotent."""
        for reader in self._readers:
            reader.close()
        self._source.close()

    def __enter__(self) -> EventSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _loop(self, condition: str | None, first: str | None, last: str | None) -> EventLoop:
        part = window(first, last)
        matcher = None
        if condition is not None:
            matcher = Matcher(compile_ruleset([(condition, bind(condition), None)]))
        reader = self._source.connect()
        self._readers[:-1] = []
        self._readers.append(reader)
        return EventLoop(reader, matcher, window=part, limits=self._limits)


def open_source(
    spec: str | os.PathLike[str] | BinaryIO, *, limits: StateLimits | None = None
) -> EventSource:
    """Return the events of what `spec` names: a capture, ``-``, a binary file, or ``NAME:REST``.

    ``NAME`` is an entry point of the group `rulekit.sources`: a callable that takes ``REST`` and
    returns a `rulekit.sources.base.Source`. A file of that very name wins. A capture is opened when
    its events are asked for.

    Args:
        limits: How much a reading may remember of processes and files; None is the defaults.

    Raises:
        SourceError: A plug-in of that name exists and fails.
    """
    return EventSource(base.open_source(spec), limits)


class _Programs(dict[str, OutputProgram]):
    """Fields made ready, by their names."""

    def __missing__(self, name: str) -> OutputProgram:
        try:
            output = compile_output(f"%{name}")
        except RuleError as error:
            raise KeyError(f"{name}: {error}") from None
        if output.keys != (name,):
            raise KeyError(f"{name}: not the name of one field")
        self[name] = output
        return output
