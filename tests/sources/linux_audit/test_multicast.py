"""`rulekit run --source linux_audit` on the kernel's own audit."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from rulekit.errors import SourceError
from rulekit.sources.linux_audit.multicast import MulticastStream, open_group
from tests.sources.ebpf.live import Command
from tests.sources.linux_audit.kernel import KernelAudit, require_audit

RULES = """\
- rule: Secret
  desc: d
  condition: evt.type in (open, openat) and fd.name endswith /secret-of-a-test
  output: "%proc.cmdline|%user.loginuid|%proc.pname|%evt.hostname"
  priority: WARNING
"""
AUDIT = (
    "-a always,exit -F arch=b64 -S execve -F success=1",
    "-a always,exit -F arch=b64 -S clone,clone3,fork,vfork -F success=1",
    "-a always,exit -F arch=b64 -S openat -F success=1",
)


@pytest.fixture(scope="module")
def audit() -> Iterator[KernelAudit]:
    """Return the kernel's audit, switched on for the tests of this module."""
    require_audit()
    with KernelAudit(AUDIT) as one:
        yield one


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    (tmp_path / "secret-of-a-test").write_text("x\n")
    return str(path)


@pytest.fixture
def watch(rules: str) -> Iterator[Callable[..., Command]]:
    """Return a function that starts a reader."""
    started: list[Command] = []

    def start(*args: str, **options: Sequence[str]) -> Command:
        started.append(Command("run", "--source", "linux_audit", "-r", rules, *args, **options))
        return started[-1]

    yield start
    for each in started:
        each.end()


def read_secret(audit: KernelAudit, folder: Path) -> None:
    subprocess.run(
        audit.command("sh", "-c", "cat secret-of-a-test; true"), cwd=folder, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def test_several_readers_at_once(
    audit: KernelAudit, watch: Callable[..., Command], tmp_path: Path
) -> None:
    watchers = [watch("--format", "json") for _ in range(3)]
    read_secret(audit, tmp_path)
    audit.settle()
    told = []
    for watcher in watchers:
        code, out, err = watcher.stop()
        assert code == 0, err
        assert b" 0 drops" in err
        told.append(out)
    (alert,) = map(json.loads, told[0].splitlines())
    assert alert["output_fields"]["user.loginuid"] == audit.loginuid
    assert alert["output_fields"]["proc.cmdline"] == "cat secret-of-a-test"
    assert alert["output_fields"]["proc.pname"] == "sh"
    assert alert["output_fields"]["evt.hostname"] == alert["hostname"] == os.uname().nodename
    assert told[0] == told[1] == told[2]


def test_alerts_come_at_once_and_a_signal_ends_in_order(
    audit: KernelAudit, watch: Callable[..., Command], tmp_path: Path
) -> None:
    watcher = watch()
    read_secret(audit, tmp_path)
    assert f"cat secret-of-a-test|{audit.loginuid}".encode() in watcher.line()
    code, _, err = watcher.stop(signal.SIGTERM)
    assert code == 0
    assert b"1 match" in err


def test_it_needs_nothing_but_cap_audit_read(
    audit: KernelAudit, watch: Callable[..., Command], tmp_path: Path
) -> None:
    watcher = watch(
        through=["setpriv", "--inh-caps=-all", "--ambient-caps=-all",
                 "--bounding-set=-all,+audit_read"],
    )  # fmt: skip
    (effective,) = re.findall(r"CapEff:\s*(\w+)", Path(f"/proc/{watcher.pid}/status").read_text())
    assert int(effective, 16) == 1 << 37
    read_secret(audit, tmp_path)
    assert b"cat secret-of-a-test" in watcher.line()


def test_what_a_slow_reader_loses_is_counted(audit: KernelAudit, tmp_path: Path) -> None:
    """Two of them: one that has room for everything, one that has room for nearly nothing."""
    (tmp_path / "x").write_text("")
    wide, narrow = open_group(), open_group(4096)
    assert wide.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 32 << 20
    read_many = "i=0; while [ $i -lt 500 ]; do : <x; i=$((i+1)); done"
    subprocess.run(audit.command("sh", "-c", read_many), cwd=tmp_path, check=True)
    audit.settle()
    # Only what comes behind a gap shows it.
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
    streams = [MulticastStream(wide), MulticastStream(narrow)]
    subprocess.run(audit.command("cat", "x"), cwd=tmp_path, check=True)
    audit.settle()
    for stream in streams:
        stream.stop()
        while stream.next_chunk() is not None:
            pass
        stream.close()
    all_of_it, part = (stream.stats() for stream in streams)
    assert streams[0].n_lost == 0
    assert all_of_it["events"] > 500
    assert streams[1].n_lost > 400
    assert part["audit_receive_buffer_overruns"] >= 1
    assert part["events"] + streams[1].n_lost == all_of_it["events"]


def test_a_hundred_thousand_arguments(audit: KernelAudit, tmp_path: Path) -> None:
    """The kernel spreads them over more than a hundred records."""
    stream = MulticastStream(open_group())
    # Through a script: the shell of the test has no room for so many.
    script = "import os; os.execv('/bin/true', ['true', *(f'arg{i}' for i in range(100_000))])"
    subprocess.run(audit.command(sys.executable, "-c", script), check=True, cwd=tmp_path)
    audit.settle()
    stream.stop()
    made = b""
    while (chunk := stream.next_chunk()) is not None:
        made += chunk
    stream.close()
    counted = stream.stats()
    assert counted["audit_arguments_cut"] == 1
    assert counted["audit_lines_rejected"] == counted["audit_events_incomplete"] == 0
    assert stream.n_lost == 0
    assert b"arg1\0arg2\0arg3\0" in made


def test_without_the_right_it_says_what_is_needed(rules: str) -> None:
    require_audit()
    pid = os.fork()
    if pid == 0:
        os.setuid(65534)
        try:
            open_group()
        except SourceError as error:
            os._exit(0 if "CAP_AUDIT_READ" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
