"""The examples run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent
RULES = "rulesets/persistence/rules.yaml"
CAPTURE = "rulesets/captures/attack-host.scap.gz"


def run(*args: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *args], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_embedding_counts_tags(tmp_path: Path) -> None:
    cut = tmp_path / "cut.scap"
    cut.write_bytes(b"")
    done = run("examples/embed.py", RULES, CAPTURE, str(cut))
    assert done.returncode == 0, done.stderr
    assert "  persistence\n" in done.stdout
    assert str(cut) in done.stderr


def test_embedding_refuses_bad_rules(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("- rule: x\n")
    done = run("examples/embed.py", str(bad), CAPTURE)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_sink_of_ones_own_receives_every_alert(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.settimeout(PATIENCE_S)
        rules = "rulesets/command_and_control/rules.yaml"
        done = run("examples/custom_sink.py", rules, CAPTURE, path)
        assert done.returncode == 0, done.stderr
        assert json.loads(receiver.recv(65536))["source"] == "syscall"
    assert run("examples/custom_sink.py", RULES, CAPTURE, path).returncode == 2
