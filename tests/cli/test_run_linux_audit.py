"""``rulekit run`` over logs of Linux audit."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.sources.linux_audit.logs import Log

RULES = """\
- rule: Shadow read
  desc: d
  condition: evt.type in (open, openat) and evt.is_open_read=true and fd.name=/etc/shadow
  output: p=%proc.name parent=%proc.pname user=%user.loginuid cmd=%proc.cmdline
  priority: WARNING
"""


@pytest.fixture
def log() -> bytes:
    log = Log(node="web1")
    log.call(59, pid=10, comm="bash", exe="/usr/bin/bash", argv=("bash",), cwd="/")
    log.call(56, pid=10, args=(0x1200011, 0, 0, 0), exit=11)
    log.call(59, pid=11, ppid=10, comm="cat", exe="/bin/cat", argv=("cat", "/etc/shadow"))
    log.call(257, pid=11, ppid=10, args=(0xFFFFFF9C, 0, 0, 0), exit=3, comm="cat", exe="/bin/cat",
             paths=("/etc/shadow",))  # fmt: skip
    return bytes(log)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("options", [(), ("--source", "linux_audit")])
def test_rules_of_system_calls(
    cli, tmp_path: Path, log: bytes, packed: bool, options: tuple[str, ...]
) -> None:
    rules, path = tmp_path / "rules.yaml", tmp_path / "audit.log"
    rules.write_text(RULES)
    path.write_bytes(gzip.compress(log) if packed else log)
    done = cli("run", "-r", rules, "-e", path, "--format", "json", *options)
    (alert,) = map(json.loads, done.stdout.splitlines())
    assert alert["rule"] == "Shadow read"
    assert alert["output_fields"].pop("evt.time")
    assert alert["output_fields"] == {
        "proc.name": "cat",
        "proc.pname": "bash",
        "user.loginuid": 1000,
        "proc.cmdline": "cat /etc/shadow",
    }
    assert alert["source"] == "syscall"
    assert done.stderr.startswith("4 events in ")
    assert done.returncode == 0


def test_standard_input(cli, tmp_path: Path, log: bytes) -> None:
    rules, path = tmp_path / "rules.yaml", tmp_path / "audit.log"
    rules.write_text(RULES)
    path.write_bytes(log)
    with path.open("rb") as file:
        done = cli("run", "-r", rules, "-e", "-", stdin=file)
    assert "p=cat parent=bash user=1000" in done.stdout


def test_what_is_left_out_is_told(cli, tmp_path: Path, log: bytes) -> None:
    rules, path = tmp_path / "rules.yaml", tmp_path / "audit.log"
    rules.write_text(RULES)
    path.write_bytes(log + b"type=SYSCALL msg=audit(1700")
    done = cli("run", "-r", rules, "-e", path)
    assert "note: audit lines rejected: 1" in done.stderr


def test_events_and_slices(cli, tmp_path: Path, log: bytes) -> None:
    path, target = tmp_path / "audit.log", tmp_path / "part.scap"
    path.write_bytes(log)
    done = cli("events", "-e", path, "-p", "%evt.type %proc.name %evt.hostname")
    assert done.stdout.splitlines() == [
        "execve bash web1",
        "clone bash web1",
        "execve cat web1",
        "openat cat web1",
    ]
    assert cli("events", "-e", path, "-w", target).returncode == 0
    again = cli("events", "-e", target, "-p", "%evt.type %proc.name %evt.hostname")
    assert again.stdout == done.stdout
