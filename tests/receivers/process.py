"""Receivers that are programs of their own: found, started, waited for, killed, started again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import wait_until


def program(name: str, package: str) -> str:
    """Return the path of a program; skip the test where it is not installed."""
    path = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if path is None:
        pytest.skip(f"{name} is not installed (apt-get install {package})")
    return path


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of 127.0.0.1 that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections on a port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Process:
    """A program that runs in a folder until it is stopped; its output is in ``log``."""

    def __init__(self, command: list[str], folder: Path, ready: Callable[[], bool]) -> None:
        self.command = command
        self.log = folder / "log"
        self._folder = folder
        self._ready = ready
        self.start()

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self.command, cwd=self._folder, stdout=log, stderr=log, stdin=subprocess.PIPE
            )
        try:
            what = f"{self.command[0]} to listen"
            wait_until(lambda: self._ready() or self._died(), what)
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}\n{self._log_end()}") from error
        assert not self._died(), self._log_end()

    def _log_end(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def _died(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it in order."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
