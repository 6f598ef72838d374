"""Several captures in one run: the alerts of each, in order, whoever is done first."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

RULES = "rulesets/credential_access/rules.yaml"
ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = "rulesets/captures"
CAPTURES = [f"{FOLDER}/{name}.scap.gz" for name in ("attack-host", "tiny-host", "attack-docker")]


def alone(cli, capture: str, *more: str) -> str:  # type: ignore[no-untyped-def]
    done = cli("run", "-r", RULES, "-e", capture, "-q", *more)
    assert done.returncode == 0
    return str(done.stdout)


def named(cli, capture: str) -> str:  # type: ignore[no-untyped-def]
    return "".join(f"{capture}: {line}\n" for line in alone(cli, capture).splitlines())


@pytest.mark.parametrize("jobs", ["1", "2", "8"])
def test_alerts_come_in_the_order_of_captures(cli, jobs: str) -> None:
    expected = "".join(named(cli, capture) for capture in CAPTURES)
    assert expected.count("\n") > 8
    arguments = [argument for capture in CAPTURES for argument in ("-e", capture)]
    done = cli("run", "-r", RULES, *arguments, "-j", jobs)
    assert done.returncode == 0
    assert done.stdout == expected
    heads = [line for line in done.stderr.splitlines() if " events in " in line]
    assert [line.split(":")[0] for line in heads] == CAPTURES


def test_json_names_the_capture_where_falco_has_no_key(cli, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff\n.scap.gz")
    odd.write_bytes((ROOT / CAPTURES[0]).read_bytes())
    arguments = ("run", "-q", "-r", RULES, "-e", CAPTURES[0], "-e", odd, "--format", "json")
    falco = [json.loads(line) for line in cli(*arguments).stdout.splitlines()]
    own = [json.loads(line) for line in cli(*arguments, "--json-extra").stdout.splitlines()]
    names = [alert.pop("rulekit")["capture"] for alert in own]
    assert own == falco
    shown = os.fspath(odd).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    assert names == [name for name in (CAPTURES[0], shown) for _ in range(len(own) // 2)]
    text = cli(*arguments[:-2]).stdout.splitlines()
    assert len(text) == len(own), "one line each, whatever the name"
    assert text[-1].startswith(f"{tmp_path}/\ufffd\\n.scap.gz: ")


def test_a_damaged_capture_spoils_no_other(cli, tmp_path: Path) -> None:
    broken = tmp_path / "broken.scap.gz"
    whole = (ROOT / CAPTURES[0]).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    done = cli("run", "-r", RULES, "-q", "-e", broken, "-e", CAPTURES[2], "-j", "2")
    assert done.returncode == 2
    assert done.stdout.endswith(named(cli, CAPTURES[2]))
    assert str(broken) in done.stderr
    assert "1 problem in 2 captures" in done.stderr
    missing = cli("run", "-r", RULES, "-q", "-e", "/none.scap", "-e", CAPTURES[2])
    assert missing.returncode == 2
    assert missing.stdout == named(cli, CAPTURES[2])


def test_what_does_not_go_together_is_refused(cli) -> None:
    for arguments, message in (
        (("-e", "-"), "standard input"),
        (("-e", f"{FOLDER}/attack-audit.jsonl"), "has events of k8s_audit"),
        (("-e", CAPTURES[1], "-j", "0"), "is no number of captures"),
        (("-e", CAPTURES[1], "--follow"), "for one log"),
    ):
        done = cli("run", "-r", RULES, "-e", CAPTURES[0], *arguments)
        assert done.returncode == 2
        assert message in done.stderr


def test_a_full_disk_ends_the_run(cli) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    arguments = [argument for capture in CAPTURES for argument in ("-e", capture)]
    done = cli("run", "-r", RULES, *arguments, "-o", "/dev/full")
    assert done.returncode == 2
    assert "no space left" in done.stderr


def feed(path: Path, section: bytes, begun: threading.Event) -> None:
    """Write a capture without an end into a named pipe, until nobody reads it."""
    n = 0
    with contextlib.suppress(BrokenPipeError), open(path, "wb", buffering=0) as pipe:
        while True:
            pipe.write(section)
            n += 1
            if n > 20:
                begun.set()


def begin(jobs: str, *captures: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rulekit", "run", "-r", RULES, "-j", jobs]
    command += ["--source", "syscall"]
    return subprocess.Popen(
        [*command, *(str(word) for capture in captures for word in ("-e", capture))], cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


@contextlib.contextmanager
def ended(run: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        run.kill()
        run.communicate()


def interrupted(run: subprocess.Popen[str]) -> str:
    """Interrupt a run, and return what it told."""
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=100)
    assert run.returncode == 130, told
    return told


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_stops_all_captures_at_once(tmp_path: Path, jobs: str) -> None:
    """Before, the run went on to the end of each capture that was being read."""
    section = gzip.decompress((ROOT / CAPTURES[1]).read_bytes())
    names = [tmp_path / "a.scap", tmp_path / "b.scap"]
    feeders = []
    for name in names:
        os.mkfifo(name)
        feeders.append((begun := threading.Event(), threading.Thread(
            target=feed, args=(name, section, begun), daemon=True)))  # fmt: skip
        feeders[-1][1].start()
    run = begin(jobs, *names)
    with ended(run):
        for begun, _ in feeders[: int(jobs)]:
            assert begun.wait(100)
        told = interrupted(run)
    assert told.endswith("rulekit: interrupted\n")
    for name in names[: int(jobs)]:
        line = next(line for line in told.splitlines() if line.startswith(f"{name}: "))
        assert "(partial)" in line
        assert int(line.split()[1]) > 1000, "what was done is told"
    with pytest.raises(ProcessLookupError):
        os.killpg(run.pid, 0)


def test_an_interrupt_does_not_wait_for_a_silent_pipe(tmp_path: Path) -> None:
    silent = tmp_path / "silent.scap"
    os.mkfifo(silent)
    run = begin("2", silent, CAPTURES[1])
    with ended(run), open(silent, "wb"):
        interrupted(run)
