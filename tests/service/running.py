"""A service as a process of its own, asked over HTTP."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE_S, wait_until


class Running:
    """A `rulekit run --config` under way.

    Attributes:
        pid: Of it.
        url: Of its health and metrics.
    """

    def __init__(self, config: Path, *args: str, env: dict[str, str] | None = None) -> None:
        self._errors = config.with_suffix(".err")
        with open(self._errors, "wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rulekit", "run", "--config", str(config), *args],
                stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **(env or {})},
            )  # fmt: skip
        self.pid = self._process.pid
        found = wait_until(lambda: self._gone() or re.search(r"http://\S+", self.said))
        assert found is not True, self.said
        self.url = found[0]

    def _gone(self) -> bool:
        return self._process.poll() is not None

    @property
    def said(self) -> str:
        """What it wrote to stderr so far."""
        return self._errors.read_text("utf-8", "replace")

    def get(self, path: str, accept: str = "*/*") -> tuple[int, str]:
        """Return status and body of an answer."""
        request = urllib.request.Request(self.url + path, headers={"Accept": accept})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def health(self) -> dict[str, Any]:
        """Return what /healthz says."""
        content: dict[str, Any] = json.loads(self.get("/healthz")[1])
        return content

    def metrics(self) -> dict[str, float]:
        """Return the figures of /metrics by name with labels."""
        figures = {}
        for line in self.get("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                figures[name] = float(value)
        return figures

    def statuses(self) -> list[dict[str, str]]:
        """Return /proc/.../status of every thread."""
        found = []
        for path in Path(f"/proc/{self.pid}/task").glob("*/status"):
            lines = path.read_text().splitlines()
            found.append(dict(line.split(":\t", 1) for line in lines if ":\t" in line))
        return found

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def reloads(self) -> float:
        """Return how many reloads there were, whatever came of them."""
        figures = self.metrics()
        return (
            figures['rulekit_reloads_total{result="ok"}']
            + figures['rulekit_reloads_total{result="failed"}']
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        self._process.send_signal(number)
        return self._process.wait(PATIENCE_S)

    def end(self) -> None:
        """Kill what is left of it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
