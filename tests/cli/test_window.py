"""``--from`` and ``--to``, pipes, and the memory that long ones take."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rulekit.capture import Builder
from rulekit.capture.builder import START_NS

ROOT = Path(__file__).resolve().parent.parent.parent
SECOND = 10**9


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Ten events, a second apart; the first opens the file that all others read."""
    b = Builder()
    b.add_process(7, "cat")
    b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": "/etc/passwd"}, tid=7)
    for i in range(1, 10):
        b.add_event("read", {"res": i, "fd": 3}, tid=7, ts_ns=START_NS + i * SECOND)
    path = tmp_path / "ten.scap"
    b.save(path)
    return path


def test_alerts_come_from_the_window_only(cli, capture: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: read\n  desc: d\n  condition: evt.type = read and fd.name = /etc/passwd\n"
        "  output: n=%evt.num\n  priority: INFO\n"
    )
    done = cli("run", "-r", rules, "-e", capture, "--from", "+3s", "--to", "6")
    assert done.returncode == 0
    assert [line.split("n=")[1] for line in done.stdout.splitlines()] == ["4", "5", "6"]
    assert "3 matches" in done.stderr
    assert "partial" not in done.stderr
    wrong = cli("run", "-r", rules, "-e", capture, "--from", "yesterday")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("rulekit: 'yesterday' is no place in a capture: ")


def test_events_takes_a_window_from_a_pipe(cli, capture: Path) -> None:
    with open(capture, "rb") as stream:
        done = cli("events", "-e", "-", "-p", "%evt.num", "--from", "9", stdin=stream)
    assert done.stdout == "9\n10\n"


def endless(path: Path, n_copies: int) -> Iterator[bytes]:
    data = path.read_bytes()
    for _ in range(n_copies):
        yield data  # one section after the other is one stream


def test_memory_does_not_grow_with_the_length_of_a_pipe(capture: Path, tmp_path: Path) -> None:
    """Forty times the data take no more memory."""
    script = (
        "import resource, sys; from rulekit.cli.main import main;"
        "code = main(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr); sys.exit(code)"
    )
    rules = ROOT / "rulesets" / "persistence" / "rules.yaml"
    command = [sys.executable, "-c", script, "run", "-r", str(rules), "-e", "-"]
    peak_kb = []
    source = ROOT / "rulesets" / "captures" / "attack-host.scap.gz"
    for n_copies in (1, 40):
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        ) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            for piece in endless(source, n_copies):
                process.stdin.write(piece)
            process.stdin.close()
            lines = process.stderr.read().decode().splitlines()
            assert process.wait() == 0, lines
        peak_kb.append(int(lines[-1]))
    assert peak_kb[1] < peak_kb[0] + 8 * 1024


def test_events_writes_a_capture(cli, capture: Path, tmp_path: Path) -> None:
    target = tmp_path / "slice.scap"
    done = cli("events", "-e", capture, "-w", target, "evt.rawres = 7")
    assert done.returncode == 0
    assert done.stdout == ""
    size = target.stat().st_size
    assert done.stderr == f"rulekit: {target}: 1 event, 1 more for the state only, {size} bytes\n"
    shown = cli("events", "-e", target, "-p", "%evt.type %evt.rawres %fd.name")
    assert shown.stdout == "read 7 /etc/passwd\n"


def test_a_written_capture_can_be_compressed_and_piped(cli, capture: Path, tmp_path: Path) -> None:
    for arguments in (["-w", tmp_path / "a.gz"], ["-z", "-w", tmp_path / "b"]):
        assert cli("events", "-e", capture, *arguments).returncode == 0
        assert Path(arguments[-1]).read_bytes()[:2] == b"\x1f\x8b"
    command = [
        sys.executable,
        "-m",
        "rulekit",
        "events",
        "-e",
        str(capture),
        "-w",
        "-",
        "--to",
        "2",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        done = cli("events", "-e", "-", "-p", "%evt.num", stdin=process.stdout)
    assert done.stdout == "1\n2\n"


def test_writing_reports_what_goes_wrong(cli, capture: Path, tmp_path: Path) -> None:
    done = cli("events", "-e", capture, "-w", "/dev/full", "evt.type = read")
    assert done.returncode == 2
    assert "no space left on device; the file is partial" in done.stderr
    assert done.stderr.count("\n") == 1
    done = cli("events", "-e", capture, "-w", capture)
    assert done.returncode == 2
    assert "is the capture that is read" in done.stderr
    cut = tmp_path / "cut.scap"
    cut.write_bytes(capture.read_bytes()[:-7])
    done = cli("events", "-e", cut, "-w", tmp_path / "a.scap")
    assert done.returncode == 2
    assert done.stderr.endswith(f"what comes before it was written: {tmp_path}/a.scap is partial\n")
    assert cli("events", "-e", tmp_path / "a.scap", "-p", "%evt.num").stdout.splitlines()[-1] == "9"
    for arguments in (["-p", "x"], ["--conditions", "x"], ["--outputs", "x"]):
        assert cli("events", "-e", capture, "-w", tmp_path / "b", *arguments).returncode == 2
    assert not (tmp_path / "b").exists()
