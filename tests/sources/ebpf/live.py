"""A workload, a decoy and a `rulekit`: processes of live tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

import pytest

from rulekit.capture._reader import CaptureReader, iter_events
from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import compile_output
from rulekit.schema.events import event_types
from tests.waiting import PATIENCE_S

REQUIRED = set(filter(None, os.environ.get("RULEKIT_REQUIRE", "").split(",")))


@cache
def missing() -> str:
    """Return what keeps the probe from being used here, or nothing."""
    from rulekit.errors import SourceError
    from rulekit.sources.ebpf.loader import Probe
    from rulekit.sources.ebpf.routes import state_events
    from rulekit.sources.ebpf.scope import Scope

    if os.geteuid() != 0:
        return "not root"
    try:
        # A process that does nothing, and so the smallest scope there is.
        idle = subprocess.Popen(["sleep", "60"])
        try:
            Probe(Scope("tree", idle.pid), state_events()).close()
        finally:
            idle.kill()
            idle.wait()
    except SourceError as error:
        return str(error)
    return ""


def require_probe() -> None:
    """Skip the test where no probe can be used; fail it where one is required."""
    reason = missing()
    if reason and "bpf" in REQUIRED:
        pytest.fail(f"RULEKIT_REQUIRE=bpf: {reason}")
    if reason:
        pytest.skip(f"no probe here: {reason}")


CGROUPS = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]


def make_cgroup(name: str) -> Path | None:
    """Return a new control group of version 2, or None where none can be made."""
    root = next((path for path in CGROUPS if (path / "cgroup.procs").exists()), None)
    if root is None:
        return None
    try:
        (root / name).mkdir(parents=True)
    except OSError:
        return None
    return root / name


def remove_cgroup(path: Path, *, parents: int = 0) -> None:
    """Remove a control group, once its processes have ended, and so many above it."""
    for each in (path, *list(path.parents)[:parents]):
        for _ in range(100):
            try:
                each.rmdir()
            except OSError:
                time.sleep(0.05)
            else:
                break


def _join(cgroup: Path) -> None:
    (cgroup / "cgroup.procs").write_text(str(os.getpid()))


class Workload:
    """A process in a pid namespace of its own that waits until it is let go.

    Attributes:
        pid: Of it, as this process numbers it.
    """

    def __init__(
        self,
        command: list[str],
        folder: Path,
        *,
        mounts: bool = False,
        cgroup: Path | None = None,
    ) -> None:
        self._folder = folder
        wait = 'read go; exec "$@"'
        self._outer = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
             *(["--mount"] if mounts else []), "sh", "-c", wait, "sh", *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder,
            preexec_fn=None if cgroup is None else lambda: _join(cgroup),
        )  # fmt: skip
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        while not (found := children.read_text().split()):
            assert self._outer.poll() is None
        self.pid = int(found[0])

    def start(self) -> None:
        """Let it run, and do not wait for it."""
        assert self._outer.stdin is not None
        self._outer.stdin.write(b"\n")
        self._outer.stdin.flush()

    def go(self, timeout_s: float = PATIENCE_S) -> str:
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
        script = "import sys,time\nwhile True:\n open(sys.argv[1]).close(); time.sleep(0.005)"
        self._process = subprocess.Popen([sys.executable, "-c", script, str(path)])
        self.pid = self._process.pid

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def absent_from(self, *data: bytes) -> None:
        """Assert that its path occurs nowhere."""
        assert self._process.poll() is None
        for each in data:
            assert os.fsencode(self.path.name) not in each

    def absent_from_blocks(self, path: Path) -> None:
        """Assert the same of the bytes of a capture, which may be cut, and of its threads."""
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data)
        self.absent_from(data)
        at = 0
        while at + 26 <= len(data):
            if data[at : at + 4] == b"\x16\x02\0\0":
                assert int.from_bytes(data[at + 18 : at + 26], "little") != self.pid
            at += max(int.from_bytes(data[at + 4 : at + 8], "little"), 12)

    def absent_from_capture(self, path: Path) -> None:
        """Assert that a capture knows neither its path nor its number."""
        self.absent_from(path.read_bytes())
        for *_, tid, type, params in iter_events(str(path)):
            assert tid != self.pid
            for param, value in zip(event_types()[type].params, params, strict=True):
                if param.type == "PT_PID":
                    assert value != self.pid.to_bytes(8, "little"), event_types()[type].name
        loop = EventLoop(CaptureReader(path))
        output = compile_output("%thread.tid")
        known = {each["thread.tid"] for each in loop.threads(output)}
        while loop.next() is not None:
            known |= {each["thread.tid"] for each in loop.threads(output)}
        loop.close()
        assert known
        assert self.pid not in known


class Command:
    """A `rulekit` that watches a workload until it is told to stop.

    Args:
        args: Of `rulekit`. `through`: a command that starts it.

    Attributes:
        said: What it wrote to stderr until it was attached, or had ended.
        seen: For whoever reads lines of its output: what was read so far.
        told: What all commands of a test have printed.
    """

    told: ClassVar[list[bytes]] = []

    def __init__(self, *args: str, through: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [*through, sys.executable, "-m", "rulekit", *args], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=0,  # what `line` leaves is for `stop`
        )  # fmt: skip
        self.pid = self._process.pid
        self.seen = b""
        assert self._process.stderr is not None
        self.said = line = self._process.stderr.readline()
        while line and b"watching" not in line:
            line = self._process.stderr.readline()
            self.said += line

    def line(self) -> bytes:
        """Return the next line of its output."""
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def stop(self, number: int = signal.SIGINT) -> tuple[int, bytes, bytes]:
        """Send a signal; return exit code, output, errors."""
        self._process.send_signal(number)
        out, err = self._process.communicate(timeout=PATIENCE_S)
        self.told += [out, err]
        return self._process.returncode, out, self.said + err

    def kill(self) -> None:
        """Kill it, if it still runs."""
        if self._process.poll() is None:
            self._process.kill()

    def end(self) -> None:
        """Kill what is left of it."""
        self.kill()
        self._process.communicate()
