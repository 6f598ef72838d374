"""Servers as users start them: processes of their own, on free ports of 127.0.0.1."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from tests.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent.parent

pytest.importorskip("uvicorn", reason="needs the extra server")
pytest.importorskip("httptools", reason="needs the extra server")


class Server:
    """A process that listens.

    Attributes:
        told: Lines of its stderr so far.
    """

    def __init__(self, *args: object, code: str | None = None) -> None:
        command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "rulekit"]
        self.process = subprocess.Popen(
            [*command, *map(str, args)],
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told: list[str] = []
        self._ready = threading.Event()
        self.url = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._ready.wait(PATIENCE_S), self.told
        self.port = int(self.url.rpartition(":")[2].partition("/")[0]) if self.url else 0
        self.pool = urllib3.PoolManager(retries=False, timeout=PATIENCE_S, maxsize=16)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.told.append(line.rstrip("\n"))
            found = re.search(r"listening for .* on (http\S+)", line)
            if found:
                self.url = found[1]
                self._ready.set()
        self._ready.set()

    def post(self, body: object, **headers: str) -> tuple[int, dict[str, Any]]:
        """Post something as JSON; return status and answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        response = self.pool.request(
            "POST",
            self.url,
            body=data,
            headers={"Content-Type": "application/json", **headers},
        )
        return response.status, json.loads(response.data or b"{}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end and return its exit code."""
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code


@pytest.fixture
def server() -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server; what still runs is killed at the end."""
    started: list[Server] = []

    def start(*args: object, code: str | None = None) -> Server:
        started.append(Server(*args, code=code))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()
        each.pool.clear()
