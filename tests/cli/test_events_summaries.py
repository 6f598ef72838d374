"""``rulekit events``: times, buffers, JSON, counts, summaries, tables, tree, lists."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from rulekit.cli.main import main

ROOT = Path(__file__).resolve().parent.parent.parent
TINY = ROOT / "rulesets" / "captures" / "tiny-host.scap.gz"
GOLDEN = ROOT / "tests" / "golden" / "events"


@pytest.fixture
def cli(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., CompletedProcess[str]]:
    """Run the command in this process: many short runs, whose start-up is tested elsewhere."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("RULEKIT_TRACEBACK", "1")
    time.tzset()

    def run(*arguments: str | Path) -> CompletedProcess[str]:
        code = main(list(map(str, arguments)))
        out, err = capfd.readouterr()
        return CompletedProcess([], code, out, err)

    return run


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("topfiles_bytes", ["-c", "topfiles_bytes"]),
        ("topprocs_errors", ["-c", "topprocs_errors"]),
        ("fdbytes_by", ["-c", "fdbytes_by", "proc.name"]),
        ("topscalls", ["-c", "topscalls"]),
        ("spy_users", ["-c", "spy_users"]),
        ("ps", ["-c", "ps"]),
        ("lsof", ["-c", "lsof", "proc.name = cat", "evt.type = read and proc.name = cat"]),
        ("counts", ["-S"]),
        ("tree", ["--tree", "evt.type = execve and proc.name = cat"]),
        ("hex", ["-X", "-n", "2", "-t", "r", "evt.type = read and evt.rawres > 0"]),
        ("json", ["-j", "-n", "3", "evt.type = openat"]),
        ("ps.json", ["-j", "-c", "ps"]),
    ],
)
def test_what_is_printed(cli, golden, name: str, arguments: list[str]) -> None:
    done = cli("events", "-e", TINY, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    golden(GOLDEN / f"{name}.out", done.stdout)


def test_lists_need_no_capture(cli) -> None:
    names = [line.split()[0] for line in cli("events", "-cl").stdout.splitlines() if line]
    for name in ("topprocs_cpu", "topconns", "lsof", "netstat", "list_login_shells", "errors"):
        assert name in names
    listed = [json.loads(line) for line in cli("events", "-cl", "-j").stdout.splitlines()]
    assert {"name", "category", "help", "arguments"} == set(listed[0])
    told = cli("events", "-i", "fdbytes_by").stdout
    assert told.startswith("-c fdbytes_by KEY\n")
    assert json.loads(cli("events", "-i", "spy_port", "-j").stdout)["arguments"][0]["required"]
    assert "proc.aname" in cli("events", "-l").stdout
    events = cli("events", "-L").stdout.splitlines()
    assert "< close(ERRNO res, FD fd)" in events
    assert not any(line.startswith("> open(") for line in events)


def test_a_condition_follows_the_arguments_of_a_summary(cli) -> None:
    def rows(*words: str) -> list[str]:
        done = cli("events", "-e", TINY, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[2:]

    every = rows("-c", "fdbytes_by", "proc.name")
    only = [line for line in every if line.endswith(" cat")]
    assert len(only) == 1
    assert len(every) > 1
    for words in (
        ["-c", "fdbytes_by", "proc.name", "proc.name = cat"],
        ["-c", "fdbytes_by", "proc.name", "proc.name", "=", "cat"],
        ["-c", "fdbytes_by proc.name", "-p", "c", "proc.name = cat"],
        ["proc.name = cat", "-c", "fdbytes_by", "proc.name"],
    ):
        assert rows(*words) == only, words


def test_an_optional_argument_is_no_condition(cli) -> None:
    deep = cli("events", "-e", TINY, "-c", "spy_users", "0").stdout
    assert deep != ""
    cat = cli("events", "-e", TINY, "-c", "spy_users", "proc.name = cat").stdout
    assert cat != deep
    assert all(" cat " in line for line in cat.splitlines())


def test_the_tree_is_that_of_the_moment(cli) -> None:
    first = cli("events", "-e", TINY, "-p", "%evt.num", "-n1", "evt.type = execve").stdout.strip()
    at = cli("events", "-e", TINY, "--tree", "--at", first).stdout
    assert at.count("<---") == 1
    assert cli("events", "-e", TINY, "--tree", "evt.type = execve").stdout == at
    assert cli("events", "-e", TINY, "--tree", "--from", first).stdout == at
    assert "<---" not in cli("events", "-e", TINY, "--tree").stdout
    objects = [
        json.loads(line)
        for line in cli("events", "-e", TINY, "--tree", "-j", "--at", first).stdout.splitlines()
    ]
    assert [o["current"] for o in objects].count(True) == 1
    assert objects[0]["depth"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which capture? say -e CAPTURE"),
        (["-c", "topproc_cpu"], "no summary is called `topproc_cpu`; do you mean topprocs_cpu?"),
        (["-c", "fdbytes_by"], "-c fdbytes_by: which key? the field that makes the groups"),
        (["-c", "fdbytes_by", "nosuch"], "`nosuch` is no field of system calls"),
        (["-c", "spy_port", "http"], "host_port: `http` is no number"),
        (["-c", "ps", "--tree"], "--tree and -c do not go together"),
        (["-S", "-c", "ps"], "-c and -S do not go together"),
        (["--at", "5"], "--at goes with --tree and -c"),
        (["--tree", "--at", "5", "--to", "6"], "--at and --from or --to do not go together"),
        (["--tree", "evt.num = 123456789"], "there is no such event"),
        (["-S", "-n", "1"], "-n goes with events and -c, not with -S"),
        (["-c", "ps", "evt.nosuch = 1"], "nosuch"),
    ],
)
def test_mistakes_are_one_line(cli, arguments: list[str], message: str) -> None:
    capture = ["-e", TINY] if arguments else []
    done = cli("events", *capture, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("rulekit: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_damaged_capture_gives_what_was_before(cli, tmp_path: Path) -> None:
    cut = tmp_path / "cut.scap.gz"
    cut.write_bytes(TINY.read_bytes()[:-2000])
    for arguments in (["-c", "topscalls"], ["-S"], ["--tree"], ["-c", "stdout"]):
        done = cli("events", "-e", cut, *arguments)
        assert done.returncode == 2, arguments
        assert str(cut) in done.stderr
        if arguments != ["-c", "stdout"]:
            assert done.stdout != ""


def test_what_nobody_recorded_is_said(cli) -> None:
    done = cli("events", "-e", TINY, "-c", "topfiles_time")
    assert done.returncode == 0
    assert "records only where calls end" in done.stderr
