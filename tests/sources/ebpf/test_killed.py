"""Whatever ends a recorder, its probe goes with it, and what it wrote can be read."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sources.ebpf.live import Command, Workload
from tests.waiting import PATIENCE_S, wait_until

BUSY = "while :; do ls / >/dev/null; cat /etc/hostname >/dev/null; echo >>turns; sleep 0.02; done"


def wait_for_turns(folder: Path) -> None:
    """Wait until what is busy in a folder has gone round some times more."""

    def turns() -> int:
        return (folder / "turns").stat().st_size if (folder / "turns").exists() else 0

    before = turns()
    wait_until(lambda: turns() >= before + 8)


def programs_of(pid: int) -> set[int]:
    """Return the ids of the programs that a process holds in the kernel."""
    found = set()
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            found |= {int(n) for n in re.findall(r"^prog_id:\s*(\d+)$", path.read_text(), re.M)}
        except OSError:
            continue  # closed meanwhile
    return found


def is_loaded(program: int) -> bool:
    """Return whether the kernel still has a program."""
    library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    fd = library.bpf_prog_get_fd_by_id(program)
    if fd < 0:
        return False
    os.close(fd)
    return True


def gone(programs: set[int]) -> bool:
    """Wait until all of them have gone: the kernel takes them apart afterwards."""
    return bool(wait_until(lambda: not any(map(is_loaded, programs))))


def events_of(path: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "events", "-e", path, "-p", "%evt.type %proc.name"],
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("name", "after_s"),
    [("a.scap", 0.0), ("a.scap.gz", 0.0), ("a.scap.gz", 0.07), ("a.scap", 0.9), ("a.scap.gz", 2.5)],
)
def test_a_killed_recorder(
    workload: Callable[..., Workload],
    command: Callable[..., Command],
    tmp_path: Path,
    name: str,
    after_s: float,
) -> None:
    work = workload("sh", "-c", BUSY)
    work.start()
    watcher = command("record", "--scope", f"pidns:{work.pid}", "-w", str(tmp_path / name))
    programs = programs_of(watcher.pid)
    assert len(programs) >= 4
    if after_s > 0.5:
        wait_for_turns(tmp_path)
    time.sleep(after_s)
    os.kill(watcher.pid, signal.SIGKILL)
    assert gone(programs)
    if not (tmp_path / name).exists():
        assert after_s < 0.5  # killed before it had its beginning
        return
    code, out, err = events_of(tmp_path / name)
    # The last block can be half a block; what was before it is told, and that it breaks off.
    assert code == 0 or "is the file truncated?" in err
    assert "Traceback" not in err
    assert "unexpected" not in err
    if after_s > 0.5:
        lines = out.splitlines()
        assert len(lines) > 50
        assert {"execve ls", "openat cat", "procexit cat"} <= set(lines)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_recorder_that_is_told_to_end(
    workload: Callable[..., Workload],
    command: Callable[..., Command],
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    work = workload("sh", "-c", BUSY)
    work.start()
    watcher = command("record", "--scope", f"pidns:{work.pid}", "-w", str(tmp_path / "a.scap.gz"))
    programs = programs_of(watcher.pid)
    wait_for_turns(tmp_path)
    code, _, err = watcher.stop(number)
    assert code == 0, err
    assert gone(programs)
    code, out, err = events_of(tmp_path / "a.scap.gz")
    assert (code, err) == (0, "")
    assert "execve ls" in out


def test_a_run_that_is_killed_while_it_loads(
    workload: Callable[..., Workload], tmp_path: Path
) -> None:
    """From before anything is loaded to after all is: nothing stays at any time."""
    work = workload("sleep", "30")
    work.start()
    seen = 0
    for i in (0, 1, 3, 5, 7):
        process = subprocess.Popen(
            [sys.executable, "-m", "rulekit", "record", "--scope", f"pidns:{work.pid}", "-w",
             str(tmp_path / "a.scap")],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        programs: set[int] = set()
        ends_s = time.monotonic() + PATIENCE_S
        # The more programs it has, the later in its start it is.
        while len(programs) < i and process.poll() is None and time.monotonic() < ends_s:
            programs = programs_of(process.pid)
        process.kill()
        process.wait()
        seen += len(programs)
        assert gone(programs)
    assert seen > 0
