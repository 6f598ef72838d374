"""The file sink: every line once, whole, through rotation, full disks and renamed files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rulekit.errors import SinkError
from rulekit.sinks.base import Record
from rulekit.sinks.file import FileOptions, FileSink


def batch(*bodies: bytes) -> list[Record]:
    return [Record(str(i), i, 4, "r", "syscall", "h", body) for i, body in enumerate(bodies)]


def lines(n: int, start: int = 0) -> list[bytes]:
    return [b"alert %06d\n" % i for i in range(start, start + n)]


def test_batches_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "alerts.log"
    path.write_text("before\n")
    sink = FileSink(FileOptions(path=path, fsync="batch"))
    assert sink.send(batch(*lines(10))) is None
    assert sink.send(batch(*lines(5, 10))) is None
    sink.close()
    assert path.read_bytes() == b"before\n" + b"".join(lines(15))


def test_a_half_line_of_a_killed_process_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "alerts.log"
    path.write_text("half")
    sink = FileSink(FileOptions(path=path))
    sink.send(batch(b"whole\n"))
    sink.close()
    assert path.read_bytes() == b"half\nwhole\n"


def test_files_are_rotated_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "alerts.log"
    sink = FileSink(FileOptions(path=path, max_bytes=130, keep=2))
    for start in range(0, 50, 5):
        assert sink.send(batch(*lines(5, start))) is None
    sink.close()
    kept = [Path(f"{path}.2"), Path(f"{path}.1"), path]
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert all(one.stat().st_size <= 130 for one in kept)
    assert b"".join(one.read_bytes() for one in kept) == b"".join(lines(30, 20))
    assert sink.counters() == {"rotations": 4}


def test_a_line_longer_than_the_limit_gets_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "alerts.log"
    sink = FileSink(FileOptions(path=path, max_bytes=20))
    sink.send(batch(b"short\n", b"x" * 50 + b"\n", b"short\n"))
    sink.close()
    assert path.read_bytes() == b"short\n"
    assert Path(f"{path}.1").read_bytes() == b"x" * 50 + b"\n"


def test_nothing_is_kept_when_nothing_is_to_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "alerts.log"
    sink = FileSink(FileOptions(path=path, max_bytes=26, keep=0))
    sink.send(batch(*lines(10)))
    sink.close()
    assert [one.name for one in tmp_path.iterdir()] == ["alerts.log"]


def test_a_renamed_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "alerts.log"
    sink = FileSink(FileOptions(path=path))
    sink.send(batch(b"1\n"))
    path.rename(tmp_path / "old.log")
    sink.send(batch(b"2\n"))
    sink.reopen()
    sink.send(batch(b"3\n"))
    sink.close()
    assert (tmp_path / "old.log").read_bytes() == b"1\n"
    assert path.read_bytes() == b"2\n3\n"


def test_a_full_disk_takes_whole_lines_and_the_rest_comes_again(small_disk: Path) -> None:
    path = small_disk / "alerts.log"
    sink = FileSink(FileOptions(path=path))
    records = batch(*[b"%05d" % i + b"x" * 994 + b"\n" for i in range(400)])
    receipt = sink.send(records)
    assert receipt is not None
    done = 400 - len(receipt.again)
    assert path.read_bytes() == b"".join(one.body for one in records[:done])
    assert "no space left" in receipt.reason
    with pytest.raises(SinkError, match="no space left"):
        sink.send([records[i] for i in receipt.again])
    os.truncate(path, 0)
    assert sink.send([records[i] for i in receipt.again][:100]) is None
    sink.close()


def test_what_a_full_disk_took_is_synced_before_it_counts(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    sink = FileSink(FileOptions(path=small_disk / "alerts.log", fsync="batch"))
    records = batch(*[b"%05d" % i + b"x" * 994 + b"\n" for i in range(400)])
    receipt = sink.send(records)
    assert receipt is not None
    assert synced == [1000 * (400 - len(receipt.again))]
    sink.close()


def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    sink = FileSink(FileOptions(path=tmp_path / "nowhere" / "x"))
    with pytest.raises(SinkError, match=r"nowhere/x: no such file or directory"):
        sink.send(batch(b"x\n"))
