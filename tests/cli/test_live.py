"""A command behind ``--``: it runs as if a shell had started it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

from rulekit.cli.live import _Launched


class Ends:
    """What is told when the command has ended."""

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def stop(self) -> None:
        self.stopped.set()


def test_a_command_ignores_no_signals_because_python_does(tmp_path: Path) -> None:
    """Otherwise `yes | head` in it ends with a complaint, not by the signal."""
    told, ends = tmp_path / "status", Ends()
    source: Any = ends
    with _Launched(["sh", "-c", f"grep SigIgn /proc/self/status > {told}"]) as launched:
        launched.go(source)
        assert ends.stopped.wait(30)
    ignored = int(told.read_text().split()[1], 16)
    for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        assert not ignored >> (number - 1) & 1, number
