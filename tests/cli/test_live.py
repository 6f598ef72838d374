"""A command behind ``--``: it runs as if a shell had started it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from rulekit.cli.live import _end_by_signals, _Launched
from rulekit.errors import RulekitError


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


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"#!/none/of/these -x\necho\n", "its interpreter /none/of/these is missing"),
        (b"\0\1\2\3", "exec format error"),
    ],
)
def test_a_command_that_cannot_be_started_is_an_error(
    tmp_path: Path, content: bytes, why: str
) -> None:
    """Before, it was told, and the exit code was 0 all the same."""
    script = tmp_path / "script"
    script.write_bytes(content)
    script.chmod(0o755)
    ends: Any = Ends()
    with _Launched([str(script)]) as launched:
        pid = launched.pid
        with pytest.raises(RulekitError, match=f"script' cannot be started: {why}"):
            launched.go(ends)
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_a_command_that_was_never_let_go_is_gone() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with _Launched(["sleep", "1000"]) as launched:
        pid = launched.pid
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_second_interrupt_does_not_wait_for_the_source() -> None:
    ends: Any = Ends()
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        _end_by_signals(ends)
        signal.raise_signal(signal.SIGINT)
        assert ends.stopped.is_set()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
