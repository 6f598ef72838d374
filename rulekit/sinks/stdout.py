"""Alerts on standard output."""

from __future__ import annotations

import os

from rulekit.sinks.file import DescriptorSink


class StdoutSink(DescriptorSink):
    """Writes lines to standard output: at once on a terminal, in batches otherwise."""

    def __init__(self) -> None:
        super().__init__(1, "standard output", patient=not os.isatty(1))
