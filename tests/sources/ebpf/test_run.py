"""`rulekit run --source ebpf`: rules over what happens now."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rulekit.engine._loop import EventLoop
from rulekit.sources.ebpf.routes import state_events
from rulekit.sources.ebpf.scope import HOST_PIDNS, Scope
from rulekit.sources.ebpf.source import EbpfSource
from tests.sources.ebpf.live import Command, Decoy, Workload
from tests.waiting import PATIENCE_S

RULES = """\
- rule: Read secret
  desc: a file was opened by its name
  condition: evt.type in (open, openat, openat2) and fd.name endswith /secret
  output: "%proc.cmdline|%fd.name|%proc.exepath|%proc.pid|%proc.vpid"
  priority: WARNING
- rule: Program
  desc: a program was started
  condition: evt.type = execve and evt.arg.res = 0
  output: "%proc.cmdline|%proc.exepath"
  priority: NOTICE
"""


def alerts(out: bytes, rule: str) -> list[dict[str, str]]:
    """Return the output fields of the alerts of a rule."""
    found = [json.loads(line) for line in out.splitlines()]
    return [alert["output_fields"] for alert in found if alert["rule"] == rule]


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return str(path)


@pytest.mark.parametrize("kind", ["pidns", "tree"])
def test_alerts_of_a_scope_and_of_nobody_else(
    kind: str,
    workload: Callable[..., Workload],
    command: Callable[..., Command],
    decoy: Decoy,
    rules: str,
    tmp_path: Path,
) -> None:
    (tmp_path / "secret").write_text("x")
    work = workload("sh", "-c", f"cat {tmp_path}/secret; ls /; : > out")
    watcher = command("run", "--source", "ebpf", "-r", rules, "--scope", f"{kind}:{work.pid}",
                      "--format", "json")  # fmt: skip
    work.go()
    code, out, err = watcher.stop()
    assert code == 0, err
    (read,) = alerts(out, "Read secret")
    assert read["proc.cmdline"] == f"cat {tmp_path}/secret"
    assert read["fd.name"] == f"{tmp_path}/secret"
    assert Path(read["proc.exepath"]).name == "cat"
    started = [each["proc.cmdline"] for each in alerts(out, "Program")]
    assert started[-2:] == [f"cat {tmp_path}/secret", "ls /"]
    decoy.absent_from(out, err)
    assert b", 0 drops, " in err


def test_it_does_not_watch_itself_where_it_has_another_number(
    bpf: None, rules: str, tmp_path: Path
) -> None:
    """In a pid namespace that is watched as a whole, itself included."""
    script = (
        '"$0" -m rulekit record --scope pidns:1 -w a.scap -n 900 2>said &'
        " until grep -q watching said; do sleep 0.1; done;"
        " for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ls /; done; wait"
    )
    done = subprocess.run(
        ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
         f": >said; {script}", sys.executable],
        cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + (tmp_path / "said").read_text()
    shown = subprocess.run(
        [sys.executable, "-m", "rulekit", "events", "-e", "a.scap", "-p", "*%proc.cmdline"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert len(shown) == 900
    assert "ls /" in shown
    assert not [line for line in shown if "rulekit record" in line and not line.startswith("sh -c")]


def test_a_signal_before_the_probe_is_loaded_counts(bpf: None) -> None:
    idle = subprocess.Popen(["sleep", "60"])
    try:
        source = EbpfSource(Scope("tree", idle.pid), state_events())
        source.stop()
        with source:
            reader = source.open()
            loop = EventLoop(reader)
            while loop.next() is not None:  # it ends by itself
                pass
    finally:
        idle.kill()
        idle.wait()


def refusal(*args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "rulekit", "run", "--source", "ebpf", *args],
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ([], "say which processes to watch"),
        (["--scope", "tree:1", "--whole-host"], "say which processes to watch"),
        (["--scope", "nonsense"], "is no scope"),
        (["--scope", "tree:-1"], "is no scope"),
        (["--scope", "cgroup:/nonexistent"], "no such file"),
        (["--scope", "cgroup:/proc"], "no control group of version 2"),
        (["--scope", "pidns:4194303"], "no such process"),
    ],
)
def test_a_scope_that_is_none_is_refused(
    bpf: None, scope: list[str], expected: str, rules: str
) -> None:
    assert expected in refusal("-r", rules, *scope)


@pytest.mark.parametrize("scope", ["pidns", "cgroup"])
def test_the_whole_host_is_refused_by_any_other_name(bpf: None, scope: str, rules: str) -> None:
    if os.stat("/proc/self/ns/pid").st_ino != HOST_PIDNS:
        pytest.skip("these tests run in a pid namespace of their own")
    # A thread of the kernel: it is in the root control group.
    said = refusal("-r", rules, "--scope", f"{scope}:2")
    assert "--whole-host" in said
    assert "watching" not in said


def test_the_first_process_is_no_tree(bpf: None, rules: str) -> None:
    assert "watching" not in refusal("-r", rules, "--scope", "tree:1")
