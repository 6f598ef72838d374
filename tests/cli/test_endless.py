"""What is read as a whole may have no end: it is refused with its name, and memory stays small."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

RULES = "rulesets/kubernetes/rules.yaml"
CAPTURE = "rulesets/captures/tiny-host.scap.gz"
MOST_BYTES = 3 << 30


def bounded() -> None:
    """Let a command that reads without end fail before the machine does."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--config", "/dev/zero", "-e", CAPTURE),
        ("run", "--falco-config", "/dev/zero", "-e", CAPTURE),
        ("run", "-r", RULES, "--field-map", "/dev/zero", "-e", CAPTURE),
        ("run", "-r", "/dev/zero", "-e", CAPTURE),
        ("config", "check", "/dev/zero"),
        ("check", "/dev/zero"),
        ("fmt", "/dev/zero"),
        ("events", "-e", CAPTURE, "--conditions", "/dev/zero"),
        ("events", "-e", CAPTURE, "--outputs", "/dev/zero"),
        ("bench", "-r", RULES, "-e", CAPTURE, "--compare", "/dev/zero"),
        ("k8s", "scan", "/dev/zero"),
        ("k8s", "audit-policy", "-r", RULES, "--check", "/dev/zero"),
        ("linux", "audit-rules", "-r", "rulesets/impact/rules.yaml", "--check", "/dev/zero"),
        ("k8s", "webhook", "-r", RULES, "--token-file", "/dev/zero", "--stop-after", "1"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_a_file_without_an_end_is_refused_by_name(cli, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments, preexec_fn=bounded)
    assert done.returncode != 0
    assert "/dev/zero" in done.stderr + done.stdout
    assert "MiB" in done.stderr + done.stdout, done.stderr


def test_a_pipe_without_an_end_is_refused_too(cli) -> None:
    endless = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    try:
        done = cli("fmt", "-", stdin=endless.stdout, preexec_fn=bounded)
    finally:
        endless.kill()
        endless.communicate()
    assert done.returncode == 2
    assert "<stdin>: larger than 64 MiB" in done.stderr


def test_a_secret_without_an_end_is_refused_at_its_place(cli, tmp_path: Path) -> None:
    config = tmp_path / "rulekit.yaml"
    config.write_text("sinks:\n  s: {type: splunk, url: 'http://127.0.0.1:1',"
                      " token: {file: /dev/zero}}\n")  # fmt: skip
    done = cli("config", "check", config, preexec_fn=bounded)
    assert done.returncode == 1
    assert "/dev/zero: larger than" in done.stderr + done.stdout
