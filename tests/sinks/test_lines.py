"""Lines into descriptors: whole lines or nothing, and full disks are said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rulekit.errors import SinkError
from rulekit.sinks.lines import LineWriter, open_file


def test_a_file_holds_every_line(tmp_path: Path) -> None:
    path = tmp_path / "alerts.txt"
    path.write_text("old\n")
    with open_file(path) as sink:
        for i in range(20_000):
            sink.write(b"alert %d\n" % i)
    assert path.read_bytes() == b"".join(b"alert %d\n" % i for i in range(20_000))
    assert sink.lines == 20_000
    sink.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_an_error_that_names_the_file() -> None:
    sink = open_file("/dev/full")
    sink.write(b"alert\n")
    with pytest.raises(SinkError, match=r"/dev/full: no space left on device"):
        sink.close()
    sink.close()


def test_a_cut_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "alerts.txt"
    room = 10
    real = os.write

    def write(descriptor: int, data: memoryview) -> int:
        nonlocal room
        if not room:
            raise OSError(28, "No space left on device")
        written = real(descriptor, data[:room])
        room -= written
        return written

    sink = open_file(path)
    monkeypatch.setattr(os, "write", write)
    for _ in range(3):
        sink.write(b"12345\n")
    with pytest.raises(SinkError):
        sink.flush()
    monkeypatch.undo()
    sink.close()
    assert path.read_bytes() == b"12345\n"
    assert sink.lines == 1


def test_a_file_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"nowhere/x: no such file or directory"):
        open_file(tmp_path / "nowhere" / "x")


def test_an_impatient_writer_writes_at_once() -> None:
    reader, writer = os.pipe()
    sink = LineWriter(writer, "pipe", owned=True, patient=False)
    sink.write(b"now\n")
    assert os.read(reader, 10) == b"now\n"
    sink.close()
    os.close(reader)


def test_a_reader_that_left_is_a_broken_pipe() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    sink = LineWriter(writer, "pipe", owned=True, patient=False)
    with pytest.raises(BrokenPipeError):
        sink.write(b"now\n")
    sink.close()
