"""``rulekit run --follow --checkpoint``: a log that is written while it is read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.state.documents import audit_event
from tests.waiting import PATIENCE_S, wait_for_text, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
RULES = """\
- rule: Seen
  desc: d
  condition: ka.verb exists
  output: verb=%ka.verb
  priority: INFO
  source: k8s_audit
"""


def lines(*verbs: str) -> str:
    return "".join(json.dumps(audit_event(verb=verb, auditID=verb)) + "\n" for verb in verbs)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


@contextmanager
def running(*args: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "rulekit", "run", *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_alerts_come_while_the_log_grows(rules: Path, tmp_path: Path) -> None:
    log, out, state = (tmp_path / name for name in ("audit.log", "out", "state"))
    command = ("-r", rules, "-e", log, "--follow", "--checkpoint", state, "-o", out)
    with running(*command) as process:
        log.write_text(lines("one"))
        wait_for_text(out, "verb=one")
        with log.open("a") as file:
            file.write(lines("two"))
        wait_for_text(out, "verb=two")
        log.rename(tmp_path / "audit.log.1")
        log.write_text(lines("three"))
        wait_for_text(out, "verb=three")
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert "3 events" in told
    with log.open("a") as file:
        file.write(lines("four") + lines("five")[:-1])
    with running(*command) as process:
        wait_for_text(out, "verb=five")  # whole, though without a line feed
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
    verbs = [line.rpartition("=")[2] for line in out.read_text().splitlines()]
    assert verbs == ["one", "two", "three", "four", "five"]


def test_only_what_is_new(rules: Path, tmp_path: Path) -> None:
    log, out = tmp_path / "audit.log", tmp_path / "out"
    log.write_text(lines("old"))
    with running("-r", rules, "-e", log, "--follow", "new", "-o", out) as process:

        def came() -> bool:  # whatever is written before it has begun is old
            with log.open("a") as file:
                file.write(lines("new"))
            return out.exists() and "verb=new" in out.read_text()

        wait_until(came)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
    assert "verb=old" not in out.read_text()


def test_a_checkpoint_without_following(cli, rules: Path, tmp_path: Path) -> None:
    log, state = tmp_path / "audit.log", tmp_path / "state"
    command = ("run", "-q", "-r", rules, "-e", log, "--checkpoint", state)
    log.write_text(lines("one"))
    assert cli(*command).stdout.count("verb=") == 1
    assert cli(*command).stdout == ""
    with log.open("a") as file:
        file.write(lines("two", "three"))
    assert cli(*command).stdout.count("verb=") == 2


def test_the_checkpoint_stays_where_alerts_could_not_be_written(
    cli, rules: Path, tmp_path: Path
) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    log, state = tmp_path / "audit.log", tmp_path / "state"
    log.write_text(lines("one"))
    command = ("run", "-q", "-r", rules, "-e", log, "--checkpoint", state)
    assert cli(*command, "-o", "/dev/full").returncode == 2
    assert cli(*command).stdout.count("verb=one") == 1


def test_what_cannot_be_followed(cli, rules: Path, tmp_path: Path) -> None:
    capture = ROOT / "rulesets" / "captures" / "tiny-host.scap.gz"
    done = cli("run", "-r", rules, "-e", capture, "--checkpoint", tmp_path / "state")
    assert done.returncode == 2
    assert "rulekit: --checkpoint is for logs of documents, not for captures" in done.stderr
    done = cli("run", "-r", rules, "-e", "-", "--follow")
    assert done.returncode == 2
    assert "standard input" in done.stderr
