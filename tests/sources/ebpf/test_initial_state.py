"""What was there before watching began: processes, their programs, their descriptors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sources.ebpf.live import Command, Decoy

HELD = Path(__file__).parent / "held.py"
CGROUPS = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]
FORM = (
    '{"fd": %fd.num, "type": "%fd.type", "name": "%fd.name", "comm": "%proc.name",'
    ' "args": "%proc.args", "exe": "%proc.exepath", "cwd": "%proc.cwd", "parent": "%proc.pname",'
    ' "env": "%proc.env[HELD_BY]", "uid": %user.uid, "user": "%user.name", "pid": %proc.pid,'
    ' "ppid": %proc.ppid, "ino": %proc.exe_ino, "caps": "%thread.cap_effective"}'
)


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """Return a control group of version 2 for the processes of one test."""
    root = next((path for path in CGROUPS if (path / "cgroup.procs").exists()), None)
    if root is None:
        pytest.skip("no control groups of version 2")
    path = root / f"rulekit-test-{os.getpid()}"
    try:
        path.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    yield path
    for _ in range(100):
        try:
            path.rmdir()
        except OSError:
            time.sleep(0.05)  # its processes are ending
        else:
            return


@pytest.mark.parametrize("kind", ["tree", "cgroup:pid", "cgroup:path"])
def test_processes_and_descriptors_of_before(
    bpf: None, kind: str, cgroup: Path, tmp_path: Path, decoy: Decoy
) -> None:
    shell = subprocess.Popen(
        ["sh", "-c", f"{sys.executable} {HELD} {tmp_path} 'an argument'; true"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "HELD_BY": "a test"},
        preexec_fn=lambda: (cgroup / "cgroup.procs").write_text(str(os.getpid())),
    )  # fmt: skip
    assert shell.stdout is not None
    assert shell.stdout.readline() == "ready\n"
    scope = {"tree": f"tree:{shell.pid}", "cgroup:pid": f"cgroup:{shell.pid}"}.get(
        kind, f"cgroup:{cgroup}"
    )
    watcher = Command("record", "--scope", scope, "-w", str(tmp_path / "a.scap"))
    try:
        out, _ = shell.communicate("go\n", timeout=30)
        code, _, err = watcher.stop()
    finally:
        watcher.end()
        shell.kill()
    assert code == 0, err
    truth: dict[str, Any] = json.loads(out)
    shown = subprocess.run(
        [sys.executable, "-m", "rulekit", "events", "-e", tmp_path / "a.scap", "-p", "*" + FORM,
         f"evt.type = fcntl and proc.pid = {truth['pid']}"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    events = {event["fd"]: event for event in map(json.loads, shown)}
    for fd, (kind_of, name) in truth["held"].items():
        event = events[int(fd)]
        assert (event["type"], name in event["name"]) == (kind_of, True), (fd, name, event)
        if kind_of != "pidfd":
            assert event["name"].removesuffix(" (deleted)") == name
    assert {each["comm"] for each in events.values()} == {Path(sys.executable).name[:15]}
    (event, *_) = events.values()
    assert event["args"] == f"{HELD} {tmp_path} an argument"
    assert event["exe"] == os.path.realpath(sys.executable)
    assert event["ino"] == os.stat(sys.executable).st_ino
    assert event["cwd"] == f"{truth['cwd']}/"
    assert (event["parent"], event["ppid"]) == ("sh", shell.pid)
    assert event["env"] == "a test"
    assert (event["uid"], event["user"]) == (0, "root")
    assert "CAP_CHOWN" in event["caps"]
    decoy.absent_from_capture(tmp_path / "a.scap")
