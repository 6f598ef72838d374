"""Logs of audit that are followed: no event may get lost, whatever line a run ends at."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import compile_output
from rulekit.sources import follow
from rulekit.sources.checkpoint import Checkpoint
from rulekit.sources.detect import LINUX_AUDIT, detect_source
from rulekit.sources.follow import LineFollower
from rulekit.sources.linux_audit import followed
from rulekit.sources.linux_audit.followed import FollowedAuditSource
from rulekit.sources.opening import open_reader
from tests.sources.linux_audit.formats import auditbeat, go_audit
from tests.sources.linux_audit.logs import Log
from tests.waiting import PATIENCE_S, wait_for_text

NAME = compile_output("%evt.arg.name")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a tenth of the time everywhere."""
    for name in ("POLL_S", "_WHOLE_AFTER_S", "_REST_AFTER_S"):
        monkeypatch.setattr(follow, name, getattr(follow, name) / 10)
    # However long it takes to look at the folder, it is looked at again within two polls.
    monkeypatch.setattr(follow, "_SCAN_SHARE", 0)
    # However slow this machine is, no event is taken to be over unless a test says so.
    monkeypatch.setattr(followed, "QUIET_S", PATIENCE_S)


def opens(first: int, n: int, ms: int | None = None, **options: object) -> Log:
    """Return a log in which so many files are opened, named by numbers."""
    log = Log(serial=first * 10)
    if ms is not None:
        log.ms = ms
    for i in range(first, first + n):
        log.call(257, pid=10 + i % 5, args=(0xFFFFFF9C, 0, 0, 0), exit=3, paths=(f"/{i:06d}",),
                 cwd="/", **options)  # fmt: skip
    return log


def mixed(log: Log, seed: int) -> list[str]:
    """Return the lines of a log as several processors write them: those of an event in order."""
    events: dict[str, list[str]] = {}
    for line in log.lines:
        events.setdefault(line.partition("msg=")[2].partition(" ")[0], []).append(line)
    rng, waiting, found = random.Random(seed), list(events.values()), []
    running: list[list[str]] = []
    while waiting or running:
        while waiting and len(running) < 3:
            running.append(waiting.pop(0))
        one = rng.choice(running)
        found.append(one.pop(0))
        if not one:
            running.remove(one)
    return found


class Run:
    """A run of rulekit that follows a log, or reads it to its end."""

    def __init__(self, path: Path, state: Path | None = None, *, follow: bool = True) -> None:
        self._checkpoint = Checkpoint(state) if state is not None else None
        follower = LineFollower(path, follow=follow, checkpoint=self._checkpoint)
        self._source = FollowedAuditSource(follower, str(path), is_kept=state is not None)
        self._loop = EventLoop(self._source.open())
        self.ended = False

    def more(self, idle: int = 3) -> list[int]:
        """Return the files of all events before nothing new came so many times."""
        found, quiet = [], 0
        while quiet < idle:
            got = self._loop.next()
            if got is None:
                self.ended = True
                break
            quiet = 0 if got else quiet + 1
            if got:
                found.append(int(self._loop.render(NAME)[0].strip("/")))
            elif got is False:
                self._source.save()
        return found

    def end(self) -> list[int]:
        """End in order and return what came on the way."""
        self._source.stop()
        found = self.more()
        assert self.ended
        self._source.save()
        self.close()
        return found

    def stats(self) -> dict[str, int]:
        return self._source.stats()

    def close(self) -> None:
        """End at once: what was not kept is not kept."""
        self._source.close()
        if self._checkpoint is not None:
            self._checkpoint.close()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "audit.log"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_an_event_goes_on_in_the_next_file(log: Path) -> None:
    lines = opens(1, 3).lines
    log.write_text("".join(f"{line}\n" for line in lines[:6]))
    run = Run(log)
    assert run.more() == [1]
    log.rename(f"{log}.1")
    log.write_text("".join(f"{line}\n" for line in lines[6:]))
    assert run.more() == [2, 3]
    assert run.end() == []


def test_half_a_line_is_no_record_yet(log: Path) -> None:
    data = bytes(opens(1, 2))
    run = Run(log)
    for i in range(0, len(data), 500):
        append(log, data[i : i + 500])
        run.more(1)
    assert run.stats()["audit_lines_rejected"] == 0
    assert run.stats()["events"] == 2
    run.close()


def test_an_event_without_an_end_comes_when_nobody_writes_on(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write_bytes(bytes(opens(1, 1, title=None)))
    run = Run(log)
    assert run.more() == []
    monkeypatch.setattr(followed, "QUIET_S", 0)
    assert run.more() == [1]
    run.close()


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("clean", [False, True])
def test_a_run_that_ends_inside_of_an_event(log: Path, state: Path, cut: int, clean: bool) -> None:
    """The next one reads it as a whole, and none that was complete again."""
    lines = opens(1, 3, ms=time.time_ns() // 1_000_000).lines
    per_event = len(lines) // 3
    log.write_text("".join(f"{line}\n" for line in lines[:cut]))
    run = Run(log, state)
    first = run.more(1)
    if clean:
        first += run.end()
    else:
        run.close()
    assert first == list(range(1, 1 + cut // per_event))
    append(log, "".join(f"{line}\n" for line in lines[cut:]).encode())
    run = Run(log, state)
    second = run.more()
    assert second == list(range(1 + cut // per_event, 4))
    assert run.stats()["audit_events_without_syscall"] == 0
    run.close()


def test_hourly_runs_without_following(log: Path, state: Path) -> None:
    found = []
    for i in range(4):
        append(log, bytes(opens(i * 10, 10)))
        run = Run(log, state, follow=False)
        found += run.more()
        assert run.ended
        run.end()
    assert found == list(range(40))


def test_compressed_meanwhile(log: Path, state: Path) -> None:
    log.write_bytes(bytes(opens(0, 50)))
    run = Run(log, state)
    found = run.more() + run.end()
    append(log, bytes(opens(50, 50)))
    with gzip.open(f"{log}.1.gz", "wb") as packed:
        packed.write(log.read_bytes())
    log.write_bytes(bytes(opens(100, 50)))
    run = Run(log, state)
    found += run.more()
    assert found == list(range(150))
    run.close()


def test_a_folder_of_rotated_files(log: Path) -> None:
    """Oldest first; an event that goes over the border of two is one event."""
    lines = opens(0, 30).lines
    for i, (name, part) in enumerate(
        [("audit.log.2.gz", lines[:50]), ("audit.log.1", lines[50:75]), ("audit.log", lines[75:])]
    ):
        data = "".join(f"{line}\n" for line in part).encode()
        path = log.with_name(name)
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        os.utime(path, (1_700_000_000 + i, 1_700_000_000 + i))
    kind, spec = detect_source(log.parent)
    assert kind == LINUX_AUDIT
    loop = EventLoop(open_reader(spec))
    found = []
    while (got := loop.next()) is not None:
        if got:
            found.append(int(loop.render(NAME)[0].strip("/")))
    assert found == list(range(30))


@pytest.mark.parametrize("write", [bytes, go_audit, auditbeat], ids=["raw", "go-audit", "beat"])
def test_every_format(log: Path, state: Path, write) -> None:
    found = []
    for i in range(3):
        append(log, write(bytes(opens(i * 5, 5))))
        run = Run(log, state)
        found += run.more() + run.end()
    assert found == list(range(15))


@pytest.mark.parametrize("seed", range(6))
def test_growth_rotation_and_restarts_at_any_line(
    log: Path, state: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of several events mixed; the runs end in order, or are killed."""
    rng = random.Random(seed)
    lines = mixed(opens(0, 400, ms=time.time_ns() // 1_000_000), seed)
    data = "".join(f"{line}\n" for line in lines).encode()
    found: list[int] = []
    run, at, rotations = Run(log, state), 0, 0
    while at < len(data):
        step = rng.choice((100, 3000, 20000))
        append(log, data[at : at + step])
        at += step
        what = rng.random()
        if what < 0.5:
            found += run.more(1)
        elif what < 0.6:
            # Nobody rotates in the middle of a line.
            end = data.find(b"\n", at - 1) + 1 or len(data)
            append(log, data[at:end])
            at = max(at, end)
            rotations += 1
            time.sleep(0.02)  # or the times of two files are the same, and so their order unknown
            for i in range(rotations, 0, -1):
                older = Path(f"{log}.{i - 1}") if i > 1 else log
                older.rename(f"{log}.{i}")
        elif what < 0.75:
            found += run.more(1) + run.end()
            run = Run(log, state)
        elif what < 0.85:
            found += run.more(1)
            run.close()
            run = Run(log, state)
    found += run.more(4)
    monkeypatch.setattr(followed, "QUIET_S", 0)
    found += run.more(2)
    assert run.stats()["audit_lines_rejected"] == 0
    run.close()
    assert set(found) == set(range(400))


RULES = """\
- rule: Opened
  desc: d
  condition: evt.type = openat
  output: "%fd.name %proc.name"
  priority: INFO
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for process in found:
        process.kill()
        process.communicate()


def start(started: list[subprocess.Popen[bytes]], *args: str | Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(
        [sys.executable, "-m", "rulekit", "run", *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(root)}, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    started.append(process)
    return process


def test_the_command_follows_and_goes_on(
    started: list[subprocess.Popen[bytes]], rules: Path, log: Path, state: Path, tmp_path: Path
) -> None:
    log.write_bytes(bytes(opens(1, 2)))
    out = tmp_path / "out"
    command = ("-r", rules, "-e", log, "--follow", "--checkpoint", state, "-o", out)

    process = start(started, *command)
    wait_for_text(out, "/000002")
    append(log, bytes(opens(3, 1)))
    wait_for_text(out, "/000003")
    process.terminate()
    _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    assert b"3 events" in told
    log.rename(f"{log}.1")
    append(Path(f"{log}.1"), bytes(opens(4, 1)))
    log.write_bytes(bytes(opens(5, 1)))
    process = start(started, *command)
    wait_for_text(out, "/000005")
    process.terminate()
    process.communicate(timeout=PATIENCE_S)
    names = [line.split()[2] for line in out.read_bytes().splitlines()]
    assert names == [b"/00000%d" % i for i in range(1, 6)]


def test_a_pipe_is_read_as_it_is_written(
    started: list[subprocess.Popen[bytes]], rules: Path
) -> None:
    process = start(started, "-r", rules, "-e", "-", "--source", "linux_audit")
    assert process.stdin is not None
    assert process.stdout is not None
    for i in range(3):
        # The last one has no end: it comes after two seconds of silence.
        title = None if i == 2 else "x"
        process.stdin.write(bytes(opens(i, 1, title=title)))
        process.stdin.flush()
        assert b"/00000%d" % i in process.stdout.readline()
    process.stdin.close()
    process.stdin = None
    _, told = process.communicate(timeout=PATIENCE_S)
    assert b"3 events" in told
