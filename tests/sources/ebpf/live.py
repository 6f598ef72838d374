"""A workload, a decoy and a `rulekit`: processes of live tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path


class Workload:
    """A process in a pid namespace of its own that waits until it is let go.

    Attributes:
        pid: Of it, as this process numbers it.
    """

    def __init__(self, command: list[str], folder: Path) -> None:
        self._folder = folder
        wait = 'read go; exec "$@"'
        self._outer = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", wait, "sh",
             *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder,
        )  # fmt: skip
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        while not (found := children.read_text().split()):
            assert self._outer.poll() is None
        self.pid = int(found[0])

    def go(self, timeout_s: float = 60) -> str:
        """Let it run to its end and return what it printed."""
        printed, _ = self._outer.communicate(b"\n", timeout=timeout_s)
        assert self._outer.returncode == 0, printed.decode()
        return printed.decode()

    def end(self) -> None:
        """Kill what is left of it."""
        if self._outer.poll() is None:
            self._outer.kill()
        self._outer.communicate()


class Decoy:
    """A process outside of every scope that does what the workloads do.

    Attributes:
        pid: Of it. `path`: of a file that it opens again and again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text("nobody may see this\n")
        script = "import sys,time\nwhile True:\n open(sys.argv[1]).close(); time.sleep(0.001)"
        self._process = subprocess.Popen([sys.executable, "-c", script, str(path)])
        self.pid = self._process.pid

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def absent_from(self, *data: bytes) -> None:
        """Assert that neither its number nor its path occurs."""
        assert self._process.poll() is None
        for each in data:
            assert os.fsencode(self.path.name) not in each
            assert self.pid.to_bytes(8, "little") not in each


class Command:
    """A `rulekit` that watches a workload until it is told to stop.

    Attributes:
        said: What it wrote to stderr until it was attached, or had ended.
    """

    def __init__(self, *args: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rulekit", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.pid = self._process.pid
        assert self._process.stderr is not None
        self.said = self._process.stderr.readline()
        while self.said and b"watching" not in self.said:
            self.said += self._process.stderr.readline()

    def stop(self, number: int = signal.SIGINT) -> tuple[int, bytes, bytes]:
        """Send a signal; return exit code, output, errors."""
        self._process.send_signal(number)
        out, err = self._process.communicate(timeout=30)
        return self._process.returncode, out, self.said + err

    def end(self) -> None:
        """Kill what is left of it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
