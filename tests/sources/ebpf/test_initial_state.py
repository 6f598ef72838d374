"""What was there before watching began: processes, their programs, their descriptors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rulekit.capture._reader import CaptureReader
from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import compile_output
from rulekit.errors import SourceError
from rulekit.sources.ebpf.loader import Probe
from rulekit.sources.ebpf.routes import state_events
from rulekit.sources.ebpf.scope import HOST_PIDNS, Identity, Scope, refuse_host
from rulekit.sources.ebpf.snapshot import snapshot
from tests.sources.ebpf.live import Command, Decoy, make_cgroup, remove_cgroup
from tests.waiting import PATIENCE_S

HELD = Path(__file__).parent / "held.py"
FORM = (
    '{"fd": %fd.num, "type": "%fd.type", "name": "%fd.name", "comm": "%proc.name",'
    ' "args": "%proc.args", "exe": "%proc.exepath", "cwd": "%proc.cwd", "parent": "%proc.pname",'
    ' "env": "%proc.env[HELD_BY]", "uid": %user.uid, "user": "%user.name", "pid": %proc.pid,'
    ' "ppid": %proc.ppid, "ino": %proc.exe_ino, "caps": "%thread.cap_effective"}'
)


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """Return a control group of version 2 for the processes of one test."""
    path = make_cgroup(f"rulekit-test-{os.getpid()}")
    if path is None:
        pytest.skip("no control group of version 2 can be made")
    yield path
    remove_cgroup(path)


def test_processes_of_before_on_older_kernels(
    bpf: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where the list cannot read arguments, all else is in it."""
    monkeypatch.setattr("rulekit.sources.ebpf.loader._LISTERS", ("tasks_short",))
    process = subprocess.Popen(["sleep", "30"], cwd=tmp_path)
    try:
        probe = Probe(Scope("tree", process.pid), state_events())
        try:
            start = snapshot(*probe.initial_state())
        finally:
            probe.close()
    finally:
        process.kill()
        process.wait()
    (tmp_path / "a.scap").write_bytes(start)
    reader = CaptureReader(str(tmp_path / "a.scap"))
    loop = EventLoop(reader)
    assert loop.next() is None
    form = "%thread.tid %proc.name %proc.args %proc.exepath %proc.cwd %user.uid"
    (told,) = loop.threads(compile_output(form))
    loop.close()
    assert told["thread.tid"] == process.pid
    assert told["proc.name"] == "sleep"
    assert not told["proc.args"]
    assert told["proc.exepath"] == os.path.realpath("/bin/sleep")
    assert told["proc.cwd"] == f"{os.path.realpath(tmp_path)}/"
    assert told["user.uid"] == 0


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
        out, _ = shell.communicate("go\n", timeout=PATIENCE_S)
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


@pytest.mark.parametrize(
    ("scope", "who", "cgroup_id", "said"),
    [
        (Scope("pidns", 7), Identity(5, 1, 7, HOST_PIDNS, 0), 0, "the pid namespace of the host"),
        (Scope("cgroup", 7), Identity(1, 0, 7, 4026532000, 1), 1, "the root control group"),
        (Scope("cgroup", path="/sys/fs/cgroup"), None, 1, "the root control group"),
        (Scope("tree", 1), Identity(5, 1, 1, HOST_PIDNS, 0), 0, "descends from this process"),
    ],
)
def test_the_whole_host_by_another_name(
    scope: Scope, who: Identity | None, cgroup_id: int, said: str
) -> None:
    with pytest.raises(SourceError, match=said) as error:
        refuse_host(scope, who, cgroup_id)
    assert "--whole-host" in str(error.value)
    refuse_host(Scope("pidns", 7), Identity(5, 1, 7, 4026532000, 1), 0)
    refuse_host(Scope("tree", 7), Identity(5, 1, 7, HOST_PIDNS, 0), 0)
