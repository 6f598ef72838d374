"""Alerts on standard output."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rulekit.sinks.base import Options, Receipt, Record, Sink
from rulekit.sinks.lines import LineWriter


class StdoutSink(Sink):
    """Writes alerts to standard output, one a line."""

    default_format = "text"

    def __init__(self, options: Options | None = None) -> None:
        self._writer = open_stdout()

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Write a batch at once."""
        for record in batch:
            self._writer.write(record.body)
        self._writer.flush()
        return None


def open_stdout() -> LineWriter:
    """Return a writer to standard output: at once on a terminal, in batches otherwise."""
    return LineWriter(1, "standard output", patient=not os.isatty(1))


SINK = StdoutSink
