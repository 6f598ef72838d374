"""Streams: plain, gzip, several members, pipes; and what is refused."""

from __future__ import annotations

import gzip
import io
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rulekit.capture import inflate, reader
from rulekit.capture._reader import CaptureReader, iter_events
from rulekit.capture.builder import Builder
from rulekit.errors import SourceError


def capture(n_events: int = 20, *, start: int = 0, compress: bool = False) -> bytes:
    b = Builder()
    b.add_process(1, "systemd")
    for i in range(start, start + n_events):
        b.add_event("getcwd", {"res": i, "path": "/" + "x" * (i * 37 % 900)}, tid=i)
    return b.build(compress=compress)


def tids(source: object) -> list[int]:
    return [e[3] for e in iter_events(source)]


@pytest.mark.parametrize("compress", [False, True])
def test_a_file_a_path_and_a_file_object_give_the_same(tmp_path: Path, compress: bool) -> None:
    data = capture(compress=compress)
    path = tmp_path / "c.scap"
    path.write_bytes(data)
    assert tids(path) == tids(str(path)) == tids(io.BytesIO(data)) == list(range(20))
    with path.open("rb") as file:
        assert tids(file) == list(range(20))
        assert not file.closed


@pytest.mark.parametrize("chunk", [4, 5, 8, 13, 64, 1000])
@pytest.mark.parametrize("compress", [False, True])
def test_blocks_may_span_any_number_of_chunks(
    monkeypatch: pytest.MonkeyPatch, chunk: int, compress: bool
) -> None:
    monkeypatch.setattr(reader, "CHUNK_BYTES", chunk)
    monkeypatch.setattr(inflate, "INFLATED_BYTES", chunk)
    data = capture(compress=compress)
    whole = list(iter_events(io.BytesIO(capture())))
    assert whole == list(iter_events(io.BytesIO(data)))


@pytest.mark.parametrize("compress", [False, True])
def test_concatenated_captures_are_sections_numbered_on(compress: bool) -> None:
    data = capture(3, compress=compress) + capture(4, start=3, compress=compress)
    events = iter_events(io.BytesIO(data))
    assert [(e[0], e[1], e[3]) for e in events] == [(i + 1, i + 1, i) for i in range(7)]
    assert events.stats["sections"] == 2


def test_a_member_may_end_anywhere_and_padding_may_follow() -> None:
    plain = capture()
    for cut in (1, 3, 11, 100, len(plain) // 2, len(plain) - 1):
        members = gzip.compress(plain[:cut]) + gzip.compress(b"") + gzip.compress(plain[cut:])
        assert tids(io.BytesIO(members + bytes(100))) == list(range(20))


def test_a_large_event_is_read_whole_and_a_ceiling_refuses_it() -> None:
    b = Builder()
    b.add_event("asyncevent", {"name": "x", "data": b"y" * 3_000_000}, tid=1)
    data = b.build(compress=True)
    ((*_, params),) = iter_events(io.BytesIO(data))
    assert params[2] == b"y" * 3_000_000
    with pytest.raises(SourceError, match="too long"):
        list(iter_events(io.BytesIO(data), max_block_bytes=1_000_000))


def test_a_claimed_length_allocates_nothing() -> None:
    data = capture(1) + struct.pack("<II", 0x221, 0x0FFFFFFF)
    events = iter_events(io.BytesIO(data))
    assert next(events)[0] == 1
    with pytest.raises(SourceError, match=r"block of type 221h \(8 of 268435455 bytes\)"):
        next(events)


def test_a_pipe_that_dribbles_is_read() -> None:
    data = capture()
    read_end, write_end = os.pipe()

    def feed() -> None:
        with os.fdopen(write_end, "wb", buffering=0) as pipe:
            for at in range(0, len(data), 97):
                pipe.write(data[at : at + 97])

    writer = threading.Thread(target=feed)
    writer.start()
    with os.fdopen(read_end, "rb", buffering=0) as pipe:
        assert tids(pipe) == list(range(20))
    writer.join()


@pytest.mark.parametrize("compress", [False, True])
def test_standard_input_is_called_minus(compress: bool) -> None:
    code = "from rulekit.capture._reader import iter_events; print(len(list(iter_events('-'))))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=capture(compress=compress),
        capture_output=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout == b"20\n"


def test_a_reader_of_a_long_gzip_can_be_closed_early() -> None:
    before = threading.active_count()
    data = gzip.compress(capture(20000), 1)
    assert len(gzip.decompress(data)) > 8 * inflate.INFLATED_BYTES
    events = iter_events(io.BytesIO(data))
    for _ in range(12000):
        next(events)
    events.close()
    events.close()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(5)
    assert threading.active_count() == before
    assert len(tids(io.BytesIO(data))) == 20000


SECTION = capture(0)[:28]


@pytest.mark.parametrize(
    ("data", "message", "offset"),
    [
        (b"", "there is nothing in it", 0),
        (b"hello, world, this is text\n", "neither a section header nor gzip data", 0),
        (b"\x0a\x0d", "ends inside a block header", 0),
        (gzip.compress(b""), "there is nothing in it", 0),
        (gzip.compress(b"hello, world"), "does not begin with a section header", 0),
        (SECTION[:8] + b"\x1a\x2b\x3c\x4d" + SECTION[12:], "big-endian", 0),
        (SECTION[:8] + b"\x1a\x2b\x3c\x00" + SECTION[12:], "wrong magic", 0),
        (SECTION[:12] + b"\x02\x00" + SECTION[14:], "version 2.2 is newer", 0),
        (SECTION[:4] + b"\x10" + SECTION[5:], "too short", 0),
        (SECTION[:24] + b"\x10" + SECTION[25:], "not repeated", 0),
        (SECTION + b"\x16\x02\0\0", "ends inside a block header", 28),
    ],
)
def test_what_is_no_capture_is_refused_with_a_reason(
    data: bytes, message: str, offset: int
) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        list(iter_events(io.BytesIO(data)))
    assert caught.value.offset == offset
    assert caught.value.path == "<stream>"


def test_a_capture_in_which_nothing_happened_is_one() -> None:
    assert list(iter_events(io.BytesIO(SECTION))) == []
    assert list(iter_events(io.BytesIO(gzip.compress(SECTION + SECTION)))) == []


def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.scap", tmp_path):
        with pytest.raises(SourceError) as caught:
            CaptureReader(path)
        assert str(path) in str(caught.value)


def until_error(data: bytes) -> tuple[list[int], str, dict[str, int]]:
    """Return the tids of the events, the error's text, and the counters."""
    events = iter_events(io.BytesIO(data))
    found = []
    try:
        for event in events:
            found.append(event[3])
    except SourceError as error:
        return found, str(error), events.stats
    return found, "", events.stats


def test_gzip_that_is_cut_delivers_what_there_was() -> None:
    data = capture(300, compress=True)
    for cut in (len(data) - 1, len(data) - 8, len(data) - 20, len(data) // 2, 200):
        found, error, stats = until_error(data[:cut])
        assert found == list(range(len(found)))
        assert "truncated" in error or not error
        assert stats["compressed_data_cut"] == 1
    assert len(until_error(data[:-8])[0]) == 300


@pytest.mark.parametrize("n_events", [3, 3000])
def test_damaged_gzip_delivers_what_was_before(n_events: int) -> None:
    data = bytearray(capture(n_events, compress=True))
    data[-6] ^= 0xFF  # the checksum
    found, error, _ = until_error(bytes(data))
    assert found == list(range(n_events))
    assert "damaged gzip data" in error


def test_damage_inside_gzip_loses_nothing_before_it() -> None:
    plain = capture(3000)
    whole = gzip.compress(plain, 0)  # stored, so that the place of the damage is known
    broken = bytearray(whole)
    at = whole.index(plain[1_200_000:1_200_050])
    header = whole.rindex(b"\xff\xff\x00\x00", 0, at)  # of the stored block: length, complement
    broken[header + 2] ^= 0xFF
    found, error, _ = until_error(bytes(broken))
    assert "damaged gzip data" in error
    events_before = len(until_error(plain[: header - 40])[0])
    assert events_before - 2 <= len(found) <= events_before + 2
    assert found == list(range(len(found)))


def test_what_follows_gzip_data_is_not_ignored() -> None:
    found, error, _ = until_error(capture(2, compress=True) + b"garbage")
    assert found == [0, 1]
    assert "no gzip data follow" in error
