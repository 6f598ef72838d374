"""Sinks that take nothing: what is waited for is told, and Ctrl-C ends it at once."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = ROOT / "rulesets/credential_access/rules.yaml"
CAPTURE = ROOT / "rulesets/captures/attack-host.scap.gz"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """Return a configuration with a sink whose receiver refuses every connection."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        path = tmp_path / "rulekit.yaml"
        path.write_text(
            f"rules: [{RULES}]\nspool: {{path: {tmp_path}/spool}}\ndrain: 1h\nsinks:\n"
            f"  dead: {{type: webhook, url: 'http://127.0.0.1:{nobody.getsockname()[1]}/'}}\n"
        )
        yield path


def begin(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rulekit", "run", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def read_until(run: subprocess.Popen[str], text: str) -> list[str]:
    assert run.stderr is not None
    lines = []
    for line in run.stderr:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(lines)


def test_waiting_for_a_dead_sink_is_told_and_can_be_ended(config: Path) -> None:
    run = begin("-c", config, "-e", CAPTURE)
    try:
        told = read_until(run, "waiting for")[-1]
        assert re.search(r"not delivered yet: 8 alerts for dead; waiting for 3\d+\.\d s more", told)
        run.send_signal(signal.SIGINT)
        _, rest = run.communicate(timeout=100)
    finally:
        run.kill()
        run.communicate()
    assert run.returncode == 130
    assert "not delivered yet: 8 alerts for dead; what is spooled on disk goes out next" in rest
    assert rest.endswith("rulekit: interrupted\n")


def test_a_service_is_left_out_aloud_where_there_are_several_captures(cli, config: Path) -> None:
    text = config.read_text().replace("drain: 1h", "drain: 100ms\nservice: {listen: '127.0.0.1:0'}")
    config.write_text(text)
    tiny = ROOT / "rulesets/captures/tiny-host.scap.gz"
    done = cli("run", "-c", config, "-e", tiny, "-e", tiny.parent / "attack-docker.scap.gz")
    assert f"{config}: `service` is left out" in done.stderr
    assert "service" not in cli("run", "-r", RULES, "-e", tiny, "-e", CAPTURE).stderr
