"""Following files: growth, rotation, restarts; nothing may get lost."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rulekit.errors import SourceError
from rulekit.sources import follow
from rulekit.sources.checkpoint import Checkpoint
from rulekit.sources.follow import LineFollower
from rulekit.sources.rotation import are_related, former_names, is_rotated, oldest_first
from tests.waiting import PATIENCE_S, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent


def text(*numbers: int) -> bytes:
    """Return lines long enough to tell files apart by."""
    return b"".join(b"line %06d %s\n" % (n, b"." * 60) for n in numbers)


def numbers_of(data: bytes) -> list[int]:
    return [int(line[5:11]) for line in data.splitlines() if line]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a tenth of the time everywhere."""
    for name in ("POLL_S", "_WHOLE_AFTER_S", "_REST_AFTER_S"):
        monkeypatch.setattr(follow, name, getattr(follow, name) / 10)
    # However long it takes to look at the folder, it is looked at again within two polls.
    monkeypatch.setattr(follow, "_SCAN_SHARE", 0)


class Tail:
    """A follower whose lines are looked at step by step."""

    def __init__(self, path: Path, state: Path | None = None, **options: object) -> None:
        self.notices: list[str] = []
        self._checkpoint = Checkpoint(state) if state is not None else None
        self.follower = LineFollower(
            path,
            checkpoint=self._checkpoint,
            on_notice=self.notices.append,
            **options,  # type: ignore[arg-type]
        )

    def more(self, idle: int = 3, until: Callable[[], bool] | None = None) -> list[int]:
        """Return the numbers of all lines that come before `idle` empty blocks in a row."""
        return numbers_of(self.data(idle, until))

    def data(self, idle: int = 3, until: Callable[[], bool] | None = None) -> bytes:
        found, empty = b"", 0
        ends_s = time.monotonic() + PATIENCE_S
        while (empty < idle or (until and not until())) and time.monotonic() < ends_s:
            block = self.follower.read()
            if block is None:
                break
            empty = 0 if block.data else empty + 1
            found += block.data
        return found

    def close(self, save: bool = True) -> None:
        self.follower.close()
        if save:
            self.follower.save()
        if self._checkpoint is not None:
            self._checkpoint.close()

    def __enter__(self) -> Tail:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close(save=False)


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "audit.log"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_growth_and_half_lines(log: Path) -> None:
    log.write_bytes(text(1, 2))
    with Tail(log) as tail:
        assert tail.more() == [1, 2]
        line = text(3)
        append(log, line[:20])
        assert tail.more() == []
        append(log, line[20:] + text(4)[:-1])
        assert tail.more() == [3]
        append(log, b"\n")
        assert tail.more() == [4]
        assert not any(tail.follower.stats().values())


def test_a_file_that_is_not_there_yet(log: Path) -> None:
    with Tail(log) as tail:
        assert tail.more(2) == []
        assert tail.notices == [f"{log}: not there yet: waiting for it"]
        log.write_bytes(text(1))
        assert tail.more() == [1]


def test_renamed(log: Path) -> None:
    log.write_bytes(text(1))
    with Tail(log) as tail:
        assert tail.more() == [1]
        append(log, text(2))
        log.rename(f"{log}.1")
        log.write_bytes(text(3))
        assert tail.more() == [2, 3]
        # The writer has not noticed yet.
        append(Path(f"{log}.1"), text(4))
        assert tail.more() == [4]
        append(log, text(5))
        assert tail.more() == [5]


def test_renamed_twice_between_two_looks(log: Path) -> None:
    log.write_bytes(text(1))
    with Tail(log) as tail:
        assert tail.more() == [1]
        append(log, text(2))
        log.rename(f"{log}.2")
        Path(f"{log}.1").write_bytes(text(3))
        log.write_bytes(text(4))
        assert tail.more() == [2, 3, 4]


def test_renamed_and_removed(log: Path) -> None:
    log.write_bytes(text(1))
    with Tail(log) as tail:
        assert tail.more() == [1]
        append(log, text(2))
        log.unlink()
        assert tail.more() == [2]
        log.write_bytes(text(3))
        assert tail.more() == [3]


def test_renamed_and_compressed(log: Path) -> None:
    log.write_bytes(text(1))
    with Tail(log) as tail:
        assert tail.more() == [1]
        log.rename(f"{log}.1")
        log.write_bytes(text(2))
        assert tail.more() == [2]
        subprocess.run(["gzip", f"{log}.1"], check=True)
        assert tail.more(80) == []  # longer than a removed file stays open
        append(log, text(3))
        assert tail.more() == [3]


def test_emptied(log: Path) -> None:
    log.write_bytes(text(1, 2))
    with Tail(log) as tail:
        assert tail.more() == [1, 2]
        log.write_bytes(text(3))
        assert tail.more() == [3]
        # To the same size, and beyond the former one.
        log.write_bytes(text(4))
        assert tail.more() == [4]
        log.write_bytes(text(5, 6, 7))
        assert tail.more() == [5, 6, 7]
        assert tail.follower.stats()["files_emptied"] == 3
        assert tail.notices == [f"{log}: emptied or overwritten: reading it from its beginning"] * 3


def test_copied_and_emptied(log: Path) -> None:
    log.write_bytes(text(1))
    with Tail(log) as tail:
        assert tail.more() == [1]
        append(log, text(2))
        shutil.copy(log, f"{log}.1")
        log.write_bytes(text(3))
        assert tail.more() == [2, 3]
        append(log, text(4))
        shutil.copy(log, f"{log}.2")
        assert tail.more() == [4]  # the copy is left alone while the original is there
        log.write_bytes(b"")
        assert tail.more() == []
        append(log, text(5))
        assert tail.more() == [5]


def test_a_line_cut_by_rotation_comes_from_the_copy(log: Path) -> None:
    log.write_bytes(text(1) + text(2)[:20])
    with Tail(log) as tail:
        assert tail.more() == [1]
        append(log, text(2)[20:])
        shutil.copy(log, f"{log}.1")
        log.write_bytes(text(3))
        assert tail.more() == [2, 3]


def test_the_last_line_of_a_rotated_file_may_lack_its_end(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_REST_AFTER_S", PATIENCE_S)
    log.write_bytes(text(1) + text(2)[:-1])
    with Tail(log) as tail:
        assert tail.more() == [1]
        log.rename(f"{log}.1")
        log.write_bytes(text(3))
        assert tail.more() == [3]
        monkeypatch.setattr(follow, "_REST_AFTER_S", 0.01)
        assert tail.more() == [2]


def test_a_last_line_that_is_whole(log: Path) -> None:
    log.write_bytes(b'{"a": 1}\n{"b": ')
    whole = []

    def is_whole(line: bytes) -> bool:
        whole.append(line)
        return line.endswith(b"}")

    with Tail(log, is_whole=is_whole) as tail:
        assert tail.data(15) == b'{"a": 1}\n'
        append(log, b"2}")
        assert tail.data(15) == b'{"b": 2}'
        append(log, b'\n{"c": 3}\n')
        assert tail.data().strip() == b'{"c": 3}'


def test_restart(log: Path, state: Path) -> None:
    log.write_bytes(text(1, 2) + text(3)[:30])
    tail = Tail(log, state)
    assert tail.more() == [1, 2]
    tail.close()
    append(log, text(3)[30:])
    tail = Tail(log, state)
    block = tail.follower.read()
    assert block is not None
    assert (numbers_of(block.data), block.line) == ([3], 2)
    tail.close()  # the block was not dealt with: nobody asked for the next one
    tail = Tail(log, state)
    assert tail.more() == [3]
    tail.close(save=False)
    tail = Tail(log, state)
    assert tail.more() == [3]
    tail.close()
    tail = Tail(log, state)
    assert tail.more() == []
    tail.close()


@pytest.mark.parametrize("rotate", ["rename", "copy", "compress", "lumberjack", "date"])
def test_restart_after_two_rotations(log: Path, state: Path, rotate: str) -> None:
    def next_file(n: int, data: bytes) -> None:
        if rotate == "lumberjack":
            log.rename(log.with_name(f"audit-2026-03-02T09-00-0{n}.123.log"))
        elif rotate == "date":
            log.rename(f"{log}-2026030{n}")
        else:
            for old in (2, 1):
                for suffix in ("", ".gz"):
                    if os.path.exists(f"{log}.{old}{suffix}"):
                        os.rename(f"{log}.{old}{suffix}", f"{log}.{old + 1}{suffix}")
            if rotate == "copy":
                shutil.copy2(log, f"{log}.1")
            else:
                log.rename(f"{log}.1")
            if rotate == "compress":
                subprocess.run(["gzip", f"{log}.1"], check=True)
        log.write_bytes(data)

    log.write_bytes(text(0))
    os.utime(log, (1000, 1000))
    next_file(1, text(1, 2))
    tail = Tail(log, state)
    assert tail.more() == [1, 2]  # not what was rotated before
    tail.close()
    append(log, text(3))
    next_file(2, text(4, 5))
    next_file(3, text(6))
    tail = Tail(log, state)
    assert tail.more() == [3, 4, 5, 6]
    tail.close()
    tail = Tail(log, state)
    assert tail.more() == []
    tail.close()


def test_restart_when_the_file_is_another_one(log: Path, state: Path) -> None:
    log.write_bytes(text(1, 2, 3))
    tail = Tail(log, state)
    assert tail.more() == [1, 2, 3]
    tail.close()
    log.write_bytes(text(4, 5, 6, 7))  # the same inode, and longer
    tail = Tail(log, state)
    assert tail.more() == [4, 5, 6, 7]
    tail.close()


def test_without_following(log: Path, state: Path) -> None:
    log.write_bytes(text(1) + text(2)[:-1])
    for expected in ([1], []):
        tail = Tail(log, state, follow=False)
        assert tail.more(99) == expected
        assert tail.follower.stats()["lines_unfinished"] == 1
        tail.close()
    append(log, b"\n" + text(3))
    tail = Tail(log, state, follow=False)
    assert tail.more(99) == [2, 3]
    tail.close()
    with Tail(log, follow=False) as tail:
        assert tail.more(99) == [1, 2, 3]
    log.write_bytes(text(1) + text(2)[:-1])
    with Tail(log, follow=False) as tail:
        assert tail.more(99) == [1, 2]
    with pytest.raises(SourceError, match="no such file"):
        Tail(log.with_name("missing"), follow=False)


def test_from_the_end(log: Path, state: Path) -> None:
    log.write_bytes(text(1) + text(2)[:30])
    tail = Tail(log, state, from_end=True)
    assert tail.more() == []
    append(log, text(2)[30:] + text(3))
    assert tail.more() == [2, 3]
    log.rename(f"{log}.1")
    log.write_bytes(text(4))
    assert tail.more() == [4]
    tail.close()
    append(log, text(5))
    tail = Tail(log, state, from_end=True)
    assert tail.more() == [5]
    tail.close()


def test_a_folder(tmp_path: Path, state: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for i, name in enumerate(("b", "a", "c.gz")):
        data = text(i)
        path = folder / name
        path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        os.utime(path, (1000 + i, 1000 + i))
    tail = Tail(folder, folder / "state.json")
    assert tail.more() == [0, 1, 2]
    (folder / ".c.tmp").write_bytes(text(3))
    assert tail.more() == []
    (folder / ".c.tmp").rename(folder / "c")
    (folder / "a").rename(folder / "a.1")
    append(folder / "b", text(4))
    append(folder / "a.1", text(5))
    assert sorted(tail.more()) == [3, 4, 5]
    tail.close()
    (folder / "b").unlink()
    (folder / "d").write_bytes(text(6))
    tail = Tail(folder, folder / "state.json")
    assert tail.more() == [6]
    tail.close()


def test_the_same_contents_again_are_read_again(tmp_path: Path) -> None:
    with Tail(tmp_path) as tail:
        for _ in range(3):
            (tmp_path / "job.json").write_bytes(text(1))
            assert tail.more() == [1]
            (tmp_path / "job.json").unlink()
            assert tail.more(60) == []


def test_a_compressed_file_that_is_still_being_written(tmp_path: Path) -> None:
    chance = random.Random(1)
    lines = [b"%d %d\n" % (i, chance.getrandbits(200)) for i in range(9000)]
    data = gzip.compress(b"".join(lines))
    path = tmp_path / "log.gz"
    path.write_bytes(data[: len(data) // 2])
    with Tail(tmp_path) as tail:
        found = tail.data()
        assert 3000 < found.count(b"\n") < 6000
        assert tail.follower.stats()["files_cut_short"] == 1
        append(path, data[len(data) // 2 :])
        found += tail.data()
        assert found == b"".join(lines)
        assert tail.follower.stats()["files_cut_short"] == 0


def test_damage_in_one_file_does_not_end_the_others(tmp_path: Path) -> None:
    data = gzip.compress(text(*range(2000)))
    (tmp_path / "a.gz").write_bytes(data[:200] + b"\xff" * 300 + data[500:])
    (tmp_path / "b").write_bytes(text(7))
    with Tail(tmp_path) as tail:
        assert tail.data().endswith(text(7))
        stats = tail.follower.stats()
        assert (stats["files_cut_short"], stats["files_unreadable"]) == (1, 1)
        assert "damaged gzip data" in tail.notices[0]
        assert tail.notices[0].startswith(str(tmp_path / "a.gz"))


def test_lines_that_are_too_long(log: Path, state: Path) -> None:
    log.write_bytes(text(1) + b"x" * 300_000)
    tail = Tail(log, state, max_line_bytes=1000)
    assert tail.more() == [1]
    tail.close()
    append(log, b"x" * 300_000 + b"\n" + text(2))
    tail = Tail(log, state, max_line_bytes=1000)
    assert tail.more() == [2]
    assert tail.follower.stats()["lines_too_long"] == 1
    tail.close()


def test_more_files_than_may_be_open(tmp_path: Path) -> None:
    for i in range(300):
        (tmp_path / f"log-{i}").write_bytes(text(i))
    with Tail(tmp_path) as tail:
        assert sorted(tail.more()) == list(range(300))
        assert len(os.listdir("/proc/self/fd")) < 120
        for i in range(0, 300, 7):
            append(tmp_path / f"log-{i}", text(1000 + i))
        assert sorted(tail.more(60)) == list(range(1000, 1300, 7))


def test_a_link_to_where_the_log_is(log: Path, tmp_path: Path) -> None:
    link = tmp_path / "current"
    log.write_bytes(text(1))
    link.symlink_to(log)
    with Tail(link) as tail:
        assert tail.more() == [1]
        log.rename(f"{log}.1")
        append(Path(f"{log}.1"), text(2))
        log.write_bytes(text(3))
        assert tail.more() == [2, 3]
        other = log.with_name("other.log")
        other.write_bytes(text(4))
        link.unlink()
        link.symlink_to(other)
        append(log, text(5))
        assert sorted(tail.more()) == [4, 5]


def test_stop(log: Path) -> None:
    log.write_bytes(text(1))
    with Tail(log) as tail:
        assert tail.more() == [1]
        threading.Timer(0.3, tail.follower.stop).start()
        while tail.follower.read() is not None:
            pass
        assert tail.follower.read() is None


# ---- what cannot be used ------------------------------------------------------------------------


def test_what_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="standard input"):
        LineFollower("-")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="only files and folders"):
        LineFollower(tmp_path / "pipe")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[1]", b"\xff", b"[" * 9999,
     b'{"rulekit_checkpoint": 2, "saved_ns": 0, "files": []}',
     b'{"rulekit_checkpoint": 1, "saved_ns": 0, "files": [{"name": "a"}]}',
     b'{"rulekit_checkpoint": 1, "saved_ns": 0, "files":'
     b' [{"name": "a", "device": 1, "inode": 1, "offset": -1}]}'],
    ids=range(8),
)  # fmt: skip
def test_a_bad_checkpoint_is_not_overwritten(state: Path, data: bytes) -> None:
    state.write_bytes(data)
    for _ in range(2):  # it is not left locked
        with pytest.raises(SourceError, match="no checkpoint of rulekit; remove it"):
            Checkpoint(state)
    assert state.read_bytes() == data


def test_what_is_no_file_is_no_checkpoint(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        with pytest.raises(SourceError, match="not a regular file"):
            Checkpoint(path)
    assert os.listdir(tmp_path) == ["pipe"], "no lock is left behind"


def test_a_checkpoint_is_for_one_process(state: Path) -> None:
    first = Checkpoint(state)
    with pytest.raises(SourceError, match="another process uses it"):
        Checkpoint(state)
    first.close()
    Checkpoint(state).close()
    with pytest.raises(SourceError, match="no such file"):
        Checkpoint(state.with_name("missing") / "state")


def test_names_of_rotated_files() -> None:
    for name in (
        "audit.log.1", "audit.log.12.gz", "audit.log-20260102", "audit.log-2026-01-02.zst",
        "audit.log.old", "audit-2026-01-02T03-04-05.678.log", "audit.1.log",
        "audit-20260102.log.gz",
        "audit-2026-01-02T03-04-05.678.log.gz", "audit.log.1.bak", "audit.log-20260102-1700000000",
    ):  # fmt: skip
        assert is_rotated(name, "audit.log"), name
        assert are_related(name, "audit.log.3"), name
    for name in ("audit.log", "audit.logs", "audit-2.log", "other.log.1", "audit", "xaudit.log.1"):
        assert not is_rotated(name, "audit.log"), name
    assert not is_rotated("app-2026-01-03.log", "app-2026-01-02.log")
    assert len(list(former_names("1.2.3.4.5.gz"))) < 99


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        # Copied one by one, in the order of names; all at once.
        ({"log": 1, "log.1": 2, "log.10": 3, "log.2": 4}, ["log.10", "log.2", "log.1", "log"]),
        (
            {"log": 1, "log.1": 1, "log.10.gz": 1, "log.2": 1},
            ["log.10.gz", "log.2", "log.1", "log"],
        ),
        # Another log between them keeps its place.
        ({"a.1.log": 1, "b.log": 2, "a.2.log": 3}, ["a.2.log", "b.log", "a.1.log"]),
        # Times in names are in order by themselves; so are files that have nothing to do with it.
        ({"l-2026-01-02T03-04-05.678.log": 1, "l-2026-01-02T03-04-05.999.log": 2}, None),
        ({"b": 1, "a": 2, "log-20260102.1": 3, "log-20260102.2": 4}, None),
    ],
)
def test_the_order_of_rotated_files(times: dict[str, int], expected: list[str] | None) -> None:
    found = oldest_first((f"/x/{name}", time) for name, time in times.items())
    assert found == [f"/x/{name}" for name in expected or times]


def test_copies_of_rotated_files_are_read_in_their_order(log: Path) -> None:
    for number, name in ((1, "audit.log.10"), (2, "audit.log.2"), (3, "audit.log.1")):
        (log.parent / name).write_bytes(text(number))
    log.write_bytes(text(4))
    now_ns = time.time_ns()
    for path in log.parent.iterdir():
        os.utime(path, ns=(now_ns, now_ns))
    assert Tail(log, follow=False).more() == [1, 2, 3, 4]


# ---- everything at once -------------------------------------------------------------------------

# Reads until it is killed; what was printed counts as delivered.
_READER = """
import sys, time
from rulekit.sources.checkpoint import Checkpoint
from rulekit.sources.follow import LineFollower
follower = LineFollower(sys.argv[1], checkpoint=Checkpoint(sys.argv[2]))
out = open(sys.argv[3], "ab", buffering=0)
while (block := follower.read()) is not None:
    follower.save()
    out.write(block.data)
"""


@pytest.mark.parametrize("how", ["rename", "copy", "compress"])
def test_nothing_gets_lost_under_rotation_and_kill_9(log: Path, state: Path, how: str) -> None:
    out = log.with_name("..").resolve() / "out"
    out.touch()
    chance = random.Random(how)
    log.touch()
    readers = 0

    def start() -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", _READER, str(log), str(state), str(out)]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)

    def rotate() -> None:
        for old in range(30, 0, -1):
            for suffix in ("", ".gz"):
                if os.path.exists(f"{log}.{old}{suffix}"):
                    os.rename(f"{log}.{old}{suffix}", f"{log}.{old + 1}{suffix}")
        if how == "copy":
            shutil.copy(log, f"{log}.1")
            os.truncate(log, 0)
            return
        log.rename(f"{log}.1")
        log.touch()
        if how == "compress":
            subprocess.run(["gzip", f"{log}.1"], check=True)

    reader = start()
    append(log, text(0))
    written = 1
    try:
        # From its first checkpoint on it finds what was rotated meanwhile, however long ago.
        wait_until(lambda: state.exists() and json.loads(state.read_text())["files"])
        for step in range(60):
            n = chance.randrange(1, 400)
            data = text(*range(written, written + n))
            cut = chance.randrange(len(data))
            append(log, data[:cut])
            if chance.random() < 0.2 and how != "copy":
                rotate()  # in the middle of a line, which goes on in the new file
                data = data[:cut] + b"\n" + data[cut:]
                cut += 1
            append(log, data[cut:])
            written += n
            time.sleep(chance.random() * 0.03)
            if chance.random() < 0.2:
                time.sleep(0.25 if how == "copy" else 0)
                rotate()
            if step % 15 == 14:
                reader.send_signal(signal.SIGKILL)
                reader.wait()
                readers += 1
                reader = start()
        wait_until(lambda: b"line %06d " % (written - 1) in out.read_bytes(), "the last line")
        time.sleep(0.5)
    finally:
        reader.kill()
        reader.wait()
        assert reader.stderr is not None
        errors = reader.stderr.read()
    assert errors == b""
    found = {
        int(line[5:11])
        for line in out.read_bytes().splitlines()
        if len(line) == 72 and line.startswith(b"line ")
    }
    pieces = out.read_bytes().count(b"line ") - len(found)
    missing = set(range(written)) - found
    if how == "copy":
        assert not missing
    else:  # a line that was cut by rotation has two parts
        assert len(missing) <= 20, sorted(missing)[:20]
    assert pieces < written * 2
    assert json.loads(state.read_text())["files"]


@pytest.mark.skipif(not shutil.which("logrotate"), reason="needs logrotate")
@pytest.mark.parametrize(
    "options",
    ["create", "copytruncate", "create\ncompress", "copytruncate\ncompress",
     "dateext\ncompress\ndelaycompress"],
)  # fmt: skip
def test_logrotate(log: Path, state: Path, tmp_path: Path, options: str) -> None:
    config = tmp_path / "logrotate.conf"
    options += "\ndateformat -%Y%m%d-%s" if "dateext" in options else ""
    user = "su root root\n" if os.getuid() == 0 else ""
    config.write_text(f"{log} {{\n{user}rotate 20\n{options}\n}}\n")
    config.chmod(0o644)

    def rotate() -> None:
        command = ["logrotate", "-f", "-s", str(tmp_path / "status"), str(config)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)

    log.write_bytes(text(0))
    tail = Tail(log, state)
    expected = [0]
    found = tail.more()
    for i in range(1, 4 if "dateext" in options else 8):
        append(log, text(2 * i))
        if i % 3 == 0:
            tail.close()
            rotate()
            log.touch()
            tail = Tail(log, state)
        else:
            rotate()
        append(log, text(2 * i + 1))
        expected += [2 * i, 2 * i + 1]
        if "dateext" in options:
            time.sleep(1.1)  # the date is its name
        found += tail.more()
    tail.close()
    assert found == expected
