"""Damaged captures: everything before the damage, then an error that names the place."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rulekit.capture._probe import read_snapshots
from rulekit.capture._reader import EventIterator, iter_events
from rulekit.capture.builder import Builder
from rulekit.capture.writer import (
    FdEntry,
    Group,
    Interface,
    encode_block,
    encode_event,
    encode_section,
)
from rulekit.errors import SourceError
from rulekit.schema.events import event_types

from .walk import EVENT_BLOCKS, blocks

TYPES = {e.enum: e.id for e in event_types()}


def small_capture() -> bytes:
    """Return a capture with something of everything, current and outdated."""
    b = Builder()
    b.interfaces += [
        Interface("lo", "127.0.0.1", "255.0.0.0", "127.255.255.255"),
        Interface("lo", "::1", "ffff::", "::"),
    ]
    b.groups.append(Group(4, "adm"))
    b.add_process(1, "systemd", args=["--x"], cgroups=["cpu=/"], env=["A=b"])
    b.add_fd(1, FdEntry(3, "file", "/etc/passwd"))
    b.add_fd(1, FdEntry(4, "ipv4", local=("10.0.0.1", 22), peer=("10.0.0.2", 40000)))
    b.add_fd(1, FdEntry(5, "ipv6_server", local=("::", 80)))
    b.add_fd(1, FdEntry(6, "unix", "/run/x", unix_source=1))
    b.add_raw(TYPES["PPME_CONTAINER_E"], [b"ab\0", bytes(4), b"n\0", b"i\0"], tid=1)
    b.add_raw(TYPES["PPME_SYSCALL_READ_E"], [bytes(8), bytes(4)], tid=1)
    b.add_raw(TYPES["PPME_SYSCALL_READ_X"], [bytes(8), b"data"], tid=1)
    b.add_event("switch", {"next": 2}, tid=1, flags=1)
    b.add_container("cd" * 32, "web")
    b.spawn(2, "cat", parent=1)
    return b.build()


SMALL = small_capture()


def read(data: bytes, **options: object) -> tuple[list[tuple[object, ...]], SourceError | None]:
    """Return the events before the end or the error."""
    found: list[tuple[object, ...]] = []
    try:
        for event in iter_events(io.BytesIO(data), **options):
            found.append(event)
    except SourceError as error:
        return found, error
    return found, None


def check_snapshots(data: bytes) -> None:
    """Read the metadata into a state, too."""
    try:
        for snapshot in read_snapshots(io.BytesIO(data)):
            assert snapshot["threads"].keys() is not None
    except SourceError:
        pass


def ends_of_blocks(data: bytes) -> dict[int, int]:
    """Return end of block → number of event headers up to there."""
    ends, at, n = {0: 0}, 0, 0
    for kind, body in blocks(data):
        at += len(body) + 12
        n += kind in EVENT_BLOCKS
        ends[at] = n
    return ends


def test_a_capture_cut_anywhere_yields_what_was_before_the_cut() -> None:
    whole, error = read(SMALL)
    assert error is None
    ends = ends_of_blocks(SMALL)
    for cut in range(len(SMALL)):
        found, error = read(SMALL[:cut])
        headers = max(n for end, n in ends.items() if end <= cut)
        assert found == [e for e in whole if e[0] <= headers], cut
        if cut not in ends:
            assert error is not None
            assert "truncated" in str(error)
            assert error.offset == max(end for end in ends if end <= cut)
        elif headers:
            assert error is None
        check_snapshots(SMALL[:cut])


def test_an_old_capture_cut_anywhere_yields_a_prefix(shared: Path) -> None:
    data = gzip.decompress((shared / "captures/public/cat_write.scap").read_bytes())
    whole, _ = read(data)
    ends = ends_of_blocks(data)
    first_event = min(end for end, n in ends.items() if n)
    # Every byte of the first events and the last ones, samples of the rest.
    cuts = {*range(first_event - 100, first_event + 400), *range(len(data) - 300, len(data))}
    for cut in sorted(cuts | set(range(0, len(data), 1009))):
        found, error = read(data[:cut])
        assert found == whole[: len(found)], cut
        assert error is None or "truncated" in str(error) or cut in (0, *ends)


@settings(max_examples=250, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(SMALL) - 1), st.integers(0, 255)), min_size=1, max_size=4
    ),
    st.booleans(),
)
def test_flipped_bytes_end_in_events_or_an_error(
    flips: list[tuple[int, int]], lenient: bool
) -> None:
    data = bytearray(SMALL)
    for at, value in flips:
        data[at] = value
    whole, _ = read(SMALL)
    found, error = read(bytes(data), lenient=lenient)
    # What lies before the first flipped block is untouched.
    ends = ends_of_blocks(SMALL)
    sound = max(n for end, n in ends.items() if end <= min(at for at, _ in flips))
    assert [e for e in found if e[0] <= sound] == [e for e in whole if e[0] <= sound]
    assert error is None or 0 <= error.offset <= len(data)
    check_snapshots(bytes(data))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 0xFFFFFFFF), st.binary(max_size=200))
def test_any_block_behind_sound_metadata_is_handled(kind: int, body: bytes) -> None:
    b = Builder()
    b.add_event("getcwd", {"res": 0, "path": "/"}, tid=1)
    for block in (kind, *EVENT_BLOCKS, *range(0x201, 0x223)):
        data = encode_section() + encode_block(block, body) + b.build()[28:]
        read(data)
        check_snapshots(data)


def event_block(**changes: int) -> bytes:
    """Return a getcwd event with fields of its frame or header replaced."""
    block = bytearray(
        encode_event(TYPES["PPME_SYSCALL_GETCWD_X"], [bytes(8), b"/\0"], ts_ns=1, tid=1)
    )
    places = {"total": 4, "len": 26, "type": 30, "nparams": 32, "len0": 36, "len1": 38}
    for name, value in changes.items():
        code = "<H" if name in ("type", "len0", "len1") else "<I"
        struct.pack_into(code, block, places[name], value)
    return bytes(block)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"total": 11}, "too short"),
        ({"total": 0}, "too short"),
        ({"total": 39}, "too short"),
        ({"total": 65536 + 12}, "too long"),
        ({"total": 0xFFFFFFFC}, "too long"),
        ({"len": 25}, "its length does not fit"),
        ({"len": 500}, "its length does not fit"),
        ({"nparams": 0xFFFFFFFF}, "more parameters than it holds"),
        ({"nparams": 8}, "more parameters than it holds"),
        ({"nparams": 7}, "reaches past its end"),
        ({"len0": 65535}, "reaches past its end"),
        ({"len1": 65535}, "reaches past its end"),
        ({"len1": 3}, "reaches past its end"),
    ],
)
def test_invalid_events_are_errors_at_their_block(changes: dict[str, int], message: str) -> None:
    good = encode_section() + event_block()
    found, error = read(good + event_block(**changes) + event_block())
    assert [e[0] for e in found] == [1]
    assert error is not None
    assert message in str(error)
    assert "block of type 216h" in str(error)
    assert error.offset == len(good)


def test_lenient_reading_goes_on_behind_an_invalid_event() -> None:
    events = EventIterator(
        io.BytesIO(encode_section() + event_block(len1=9) + event_block()), lenient=True
    )
    assert [e[0] for e in events] == [2]
    assert events.stats["bad_events"] == 1
    # A frame that cannot be trusted stays an error.
    _, error = read(encode_section() + event_block() + event_block(total=8), lenient=True)
    assert error is not None


def test_a_wrong_trailer_of_an_event_is_counted_only() -> None:
    block = event_block()
    events = iter_events(io.BytesIO(encode_section() + block[:-4] + bytes(4) + block))
    assert [e[0] for e in events] == [1, 2]
    assert events.stats["bad_trailers"] == 1


def test_a_wrong_trailer_of_metadata_is_an_error() -> None:
    block = encode_block(0x201, bytes(180))
    found, error = read(encode_section() + block[:-4] + bytes(4) + event_block())
    assert found == []
    assert "length is not repeated" in str(error)


def test_events_of_newer_writers_are_skipped_and_counted() -> None:
    data = encode_section() + event_block(type=454) + event_block(type=65535) + event_block()
    events = iter_events(io.BytesIO(data))
    assert [e[:2] for e in events] == [(3, 1)]
    assert events.stats["unknown_events"] == 2


def test_more_parameters_than_the_table_are_cut_where_that_is_harmless() -> None:
    kind = TYPES["PPME_SCHEDSWITCH_6_E"]
    params = [bytes(8)] * 9
    data = encode_section() + encode_event(kind, params, ts_ns=1, tid=1)
    ((*_, found),) = iter_events(io.BytesIO(data))
    assert len(found) == len(event_types()[kind].params) == 6


def test_unknown_metadata_is_skipped_and_unknown_blocks_between_events_are_not() -> None:
    strange = encode_block(0x777, b"what is this")
    events = iter_events(io.BytesIO(encode_section() + strange + event_block()))
    assert len(list(events)) == 1
    assert events.stats["unknown_blocks"] == 1
    found, error = read(encode_section() + event_block() + strange + event_block())
    assert len(found) == 1
    assert "could not restart" in str(error)
    assert "777h" in str(error)


@pytest.mark.parametrize(
    ("block", "body", "message"),
    [
        (0x201, bytes(176), "reads past its end"),
        (0x215, struct.pack("<I", 3), "longer than its block"),
        (0x215, struct.pack("<I", 0), "longer than its block"),
        (0x215, struct.pack("<I", 100), "longer than its block"),
        (0x215, struct.pack("<I", 4), "reads past its end"),
        (0x214, bytes(24), "reads past its end"),
        (0x218, bytes(8) + struct.pack("<IqQBH", 23, 1, 0, 2, 3) + b"x", "reads past its end"),
        (
            0x218,
            bytes(8) + struct.pack("<IqQBH", 1047, 1, 0, 2, 1024) + bytes(1024),
            "longer than the format",
        ),
        (0x203, bytes(8) + struct.pack("<qQB", 1, 0, 99) + bytes(9), "size is not known"),
        (0x205, struct.pack("<HH", 9, 0), "unknown type"),
        (0x220, struct.pack("<IBIH", 11, 1, 0, 256), "longer than the format"),
    ],
)
def test_metadata_that_contradicts_itself_is_an_error(
    block: int, body: bytes, message: str
) -> None:
    data = encode_section() + encode_block(block, body) + event_block()
    found, error = read(data)
    assert found == []
    assert error is not None
    assert message in str(error)
    assert f"{block:X}h" in str(error)
    assert error.offset >= 28
