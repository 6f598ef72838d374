"""Every parameter of a program's start, against what the one who started it wrote down."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rulekit.capture._reader import iter_events
from rulekit.capture.encode import encode_param, find_type
from rulekit.schema.events import event_types
from rulekit.sources.ebpf.scope import HOST_PIDNS
from tests.sources.ebpf.live import REQUIRED, Command, Decoy, Workload
from tests.waiting import PATIENCE_S

EXECS = Path(__file__).parent / "execs.py"
OF_HOST = os.stat("/proc/self/ns/pid").st_ino == HOST_PIDNS
EXECVE = find_type("execve")
PARAMS = {param.name: (i, param) for i, param in enumerate(EXECVE.params)}


@pytest.fixture(scope="module")
def execs(bpf: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("execs")
    decoy = Decoy(folder / "decoy-file-of-nobody")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rulekit", "record", "-w", folder / "a.scap", "--", "unshare",
             "--mount", sys.executable, EXECS, folder],
            capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip
        decoy.absent_from_capture(folder / "a.scap")
    finally:
        decoy.end()
    assert done.returncode == 0, done.stderr
    return folder / "a.scap", dict(map(json.loads, done.stdout.splitlines()))


def starts(capture: Path) -> dict[str, tuple[bytes, ...]]:
    """Return the parameters of the programs that were started, by their argv[0]."""
    exe, _ = PARAMS["exe"]
    return {
        params[exe].rstrip(b"\0").decode(): params
        for *_, type, params in iter_events(str(capture))
        if type == EXECVE.id and params[0] == bytes(8)
    }


NAMES = ("lower", "upper", "copied", "memory", "terminal", "login", "root", "nobody", "group")


@pytest.mark.parametrize("name", NAMES)
def test_parameters_of_a_start(execs: tuple[Path, dict[str, Any]], name: str) -> None:
    capture, truth = execs
    if name not in truth:
        if "bpf" in REQUIRED and name not in NAMES[:3]:
            pytest.fail("it was not started")
        pytest.skip("no overlay file system can be mounted here")
    params = starts(capture)[name]
    wrong = {}
    for key, value in truth[name].items():
        if key in ("tid", "pid", "ptid") and not OF_HOST:
            continue  # events have the numbers of the host
        i, param = PARAMS[key]
        if params[i] != encode_param(param, value):
            wrong[key] = (params[i], encode_param(param, value), value)
    assert not wrong


def test_groups_and_limits_are_those_of_proc(execs: tuple[Path, dict[str, Any]]) -> None:
    import resource

    capture, _ = execs
    params = starts(capture)["root"]
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert int.from_bytes(params[PARAMS["fdlimit"][0]], "little") == soft
    told = dict(
        each.split("=", 1)
        for each in params[PARAMS["cgroups"][0]].decode().rstrip("\0").split("\0")
    )
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            if controller in ("cpuset", "cpu", "cpuacct", "memory", "pids"):
                assert told[controller] == path
        if not controllers and path != "/":
            assert told["unified"] == path


RULES = """\
- rule: Drift
  desc: a program was started that is no part of its image
  condition: evt.type = execve and evt.res = SUCCESS and proc.is_exe_upper_layer = true
  output: "%proc.exe"
  priority: WARNING
- rule: Memory
  desc: a program was started from memory
  condition: evt.type = execve and evt.res = SUCCESS and proc.is_exe_from_memfd = true
  output: "%proc.exe"
  priority: WARNING
"""


def test_drift_is_seen_live(
    workload: Callable[..., Workload], command: Callable[..., Command], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    work = workload("unshare", "--mount", sys.executable, str(EXECS), str(tmp_path))
    watcher = command("run", "--source", "ebpf", "-r", str(rules), "--scope", f"pidns:{work.pid}",
                      "--format", "json")  # fmt: skip
    printed = work.go()
    code, out, err = watcher.stop()
    assert code == 0, err
    alerts = [json.loads(line) for line in out.splitlines()]
    found = {(alert["rule"], alert["output_fields"]["proc.exe"]) for alert in alerts}
    expected = {("Memory", "memory")}
    if "no overlay" not in printed:
        expected |= {("Drift", "upper"), ("Drift", "copied")}
    assert found == expected


NUMBERS = """
import os, threading
report = []
for flags in (False, True):
    if flags:
        name = lambda: report.append(f"thread {threading.get_native_id()}")
        thread = threading.Thread(target=name)
        thread.start()
        thread.join()
    else:
        child = os.fork()
        if child == 0:
            os.getuid()
            os._exit(0)
        os.waitpid(child, 0)
        report.append(f"child {child}")
print(os.getpid(), *report, sep="\\n")
"""


def test_numbers_in_a_namespace_of_its_own(
    workload: Callable[..., Workload], command: Callable[..., Command], tmp_path: Path
) -> None:
    """What a process calls itself and those that it makes, and who made whom."""
    work = workload(sys.executable, "-c", NUMBERS)
    watcher = command("record", "--scope", f"pidns:{work.pid}", "-w", str(tmp_path / "a.scap"))
    own, child, thread = work.go().split("\n")[:3]
    code, _, err = watcher.stop()
    assert code == 0, err
    shown = subprocess.run(
        [sys.executable, "-m", "rulekit", "events", "-e", tmp_path / "a.scap", "-p",
         "*%evt.type %evt.arg.res %thread.vtid %proc.vpid %proc.ppid %evt.arg.flags"
         " %proc.pidns_init_start_ts",
         "evt.type in (clone, clone3, fork, vfork)"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    made = [line.split(" ", 5) for line in shown]
    child, thread = child.removeprefix("child "), thread.removeprefix("thread ")
    assert [each[1:4] for each in made if each[2] == own] == [
        [child, own, own],
        [thread, own, own],
    ]
    told = [each for each in made if each[1] == "0"]
    assert [each[2:4] for each in told] == [[child, child], [thread, own]]
    assert str(work.pid) in told[0][4] or not OF_HOST
    assert "CLONE_THREAD" not in told[0][5]
    assert "CLONE_THREAD" in told[1][5]
    assert all("CHILD_IN_PIDNS" in each[5] for each in told)


TRACED = """
import ctypes, mmap, os, signal, time
signal.signal(signal.SIGUSR1, lambda *_: None)
child = os.fork()
if child == 0:
    os.kill(os.getppid(), signal.SIGUSR1)
    os._exit(0)
os.waitpid(child, 0)
area = mmap.mmap(-1, 64 * 4096)
for i in range(64):
    area[i * 4096] = 1
time.sleep(0.01)
"""


def test_signals_switches_and_page_faults(
    workload: Callable[..., Workload], command: Callable[..., Command], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: R\n  desc: d\n  condition: evt.type in (signaldeliver, switch, page_fault)\n"
        "  output: '%evt.type %thread.vtid %evt.args'\n  priority: INFO\n"
    )
    work = workload(sys.executable, "-c", TRACED)
    watcher = command("run", "--source", "ebpf", "-r", str(rules), "--scope", f"pidns:{work.pid}",
                      "--format", "json")  # fmt: skip
    work.go()
    code, out, err = watcher.stop()
    assert code == 0, err
    lines = [json.loads(line)["output_fields"] for line in out.splitlines()]
    by_type: dict[str, list[str]] = {}
    for fields in lines:
        by_type.setdefault(fields["evt.type"], []).append(fields["evt.args"])
    (delivered,) = (each for each in by_type["signaldeliver"] if "SIGUSR1" in each)
    sender, receiver = re.findall(r"[sd]pid=(\d+)", delivered)
    assert sender != receiver, delivered
    assert len(by_type["switch"]) > 2
    assert all("next=" in each and "pgft_min=" in each for each in by_type["switch"])
    faults = [each for each in by_type["page_fault"] if "USER_FAULT" in each and "WRITE" in each]
    assert len(faults) >= 64


def test_every_exit_type_has_a_way_into_the_probe() -> None:
    """What the table of today's events has is made by the probe, or is known not to be."""
    source = (Path(__file__).parents[3] / "rulekit/sources/ebpf/probe/exits.h").read_text()
    source += (Path(__file__).parents[3] / "rulekit/sources/ebpf/probe/process.h").read_text()
    missing = {
        event.enum
        for event in event_types()
        if event.source == "SYSCALL"
        and not event.flags & {"OLD_VERSION", "UNUSED"}
        and (event.is_exit or "SYSCALL" not in event.enum)
        and event.enum not in source
    }
    assert missing <= NOT_MADE


# Calls of 32-bit programs are told as those of 64 bits; a connect is told when it is done.
NOT_MADE = {
    "PPME_SYSCALL_STAT64_X", "PPME_SYSCALL_LSTAT64_X", "PPME_SYSCALL_FSTAT64_X",
    "PPME_SYSCALL_MMAP2_X", "PPME_SOCKET_SEND_X", "PPME_SOCKET_RECV_X", "PPME_SOCKET_CONNECT_E",
}  # fmt: skip
