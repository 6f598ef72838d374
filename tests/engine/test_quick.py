"""The short way of events that only their thread notices leaves all as the long one does."""

from __future__ import annotations

import gzip
import io
import random
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rulekit._fastmatch import Matcher
from rulekit.capture import Builder, FdEntry
from rulekit.capture._reader import CaptureReader
from rulekit.compiler.program import compile_ruleset
from rulekit.engine._loop import EventLoop
from rulekit.engine.pipeline import bind
from rulekit.engine.stats import Stats
from rulekit.engine.window import window
from rulekit.errors import SourceError
from rulekit.tools.summaries.base import fields_output

CAPTURES = (
    "own/attack-host-2025-all.scap.gz",
    "own/attack-docker-all.scap.gz",
    "public/sf_nginx_nginx.scap.gz",
    "public/sf_tcp-client-server.scap",
    "public/sf_setns.scap",
)
# One rule for every type of event, one of a few; what their comparisons hold for comes and goes.
RULES = (
    "proc.name = nosuch_zzz or fd.name = /nosuch_zzz",
    "fd.name startswith /etc or proc.name in (sh, bash)",
    "evt.type in (read, close, brk) and fd.name contains so and proc.pname exists",
    "evt.type = openat and fd.name = /etc/passwd",
)
FIELDS = (
    "thread.tid", "proc.cmdline", "proc.cwd", "fd.num", "fd.name", "fd.type", "fd.connected",
    "fd.name_changed", "evt.cpu", "evt.num", "evt.rawtime", "thread.exectime",
)  # fmt: skip
EVENT = 0x216
GENERIC_EXIT = 1
READ_ENTER = 6
ALL = window("1", None)  # with a window, every event goes all the way


def run(data: bytes, rules: tuple[str, ...], careful: bool) -> dict[str, Any]:
    """Return all that a run over a capture leaves behind."""
    program = compile_ruleset([(text, bind(text), None) for text in rules])
    stats = Stats()
    loop = EventLoop(
        CaptureReader(io.BytesIO(data)),
        Matcher(program),
        window=ALL if careful else None,
        stats=stats,
    )
    matches: list[object] = []
    error = ""
    try:
        while (found := loop.next()) is not None:
            if found:
                matches.append((loop.raw, loop.num, loop.ts_ns, loop.tid, loop.matched()))
    except SourceError as at:
        error = str(at)
    seen = (loop.raw, loop.num, loop.ts_ns, loop.tid, loop.span_ns, loop.n_events)
    output = fields_output(FIELDS)
    tables = (loop.tables(), loop.threads(output), loop.descriptors(output))
    loop.close()
    return {
        "matches": matches, "error": error, "seen": seen, "tables": tables,
        "stats": (stats.events, stats.delivered, stats.visible, stats.drops, stats.counters),
    }  # fmt: skip


def read(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def blocks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the bytes of each block."""
    at = 0
    while at + 8 <= len(data):
        block, total = struct.unpack_from("<II", data, at)
        yield block, data[at : at + total]
        at += total


def same(data: bytes, rules: tuple[str, ...]) -> dict[str, Any]:
    """Return what a run leaves behind, and hold that it is the same without the short way."""
    quick = run(data, rules, careful=False)
    assert quick == run(data, rules, careful=True)
    return quick


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("rules", [RULES[:1], RULES[1:], RULES])
def test_short_way_leaves_the_same(shared: Path, name: str, rules: tuple[str, ...]) -> None:
    same(read(shared / "captures" / name), rules)


@pytest.mark.parametrize("name", CAPTURES)
def test_events_of_threads_mixed_up(shared: Path, name: str) -> None:
    dice = random.Random(1)
    mixed = bytearray()
    for kind, block in blocks(read(shared / "captures" / name)):
        changed = bytearray(block)
        if kind == EVENT and dice.random() < 0.5:
            struct.pack_into("<Q", changed, 18, dice.choice((1, 2, 3)))
        mixed += changed
    same(bytes(mixed), RULES[:1])
    same(bytes(mixed), RULES)


@pytest.mark.parametrize("name", CAPTURES)
def test_events_with_flags(shared: Path, name: str) -> None:
    dice = random.Random(2)
    flagged = bytearray()
    for kind, block in blocks(read(shared / "captures" / name)):
        if kind == EVENT and dice.random() < 0.5:
            size = struct.pack("<I", len(block) + 4)
            flags = struct.pack("<I", dice.choice((0, 1)))  # shown, for the state only
            flagged += struct.pack("<I", EVENT + 1) + size + block[8:10] + flags + block[10:-4]
            flagged += size
        else:
            flagged += block
    same(bytes(flagged), RULES[:1])


def test_the_first_transfer_of_a_socket_tells_that_it_is_connected() -> None:
    b = Builder()
    b.add_process(100, "cat")
    here, there = ("10.0.0.1", 40000), ("10.0.0.2", 53)
    for fd in (4, 5):
        b.add_fd(100, FdEntry(fd, "ipv4", local=here, peer=there, l4="udp"))
    # The last few of a file never go the short way.
    for fd, res in ((3, 1), (4, -11), (4, -11), (5, 1), *((3, 1),) * 20):
        b.add_event("read", {"res": res, "data": b"x", "fd": fd, "size": 1}, tid=100)
    _, _, descriptors = same(b.build(), RULES[:1])["tables"]
    assert {fd["fd.num"]: fd["fd.connected"] for fd in descriptors} == {4: False, 5: True}


def test_damage_is_met_the_same_way(shared: Path) -> None:
    data = read(shared / "captures/public/sf_tcp-client-server.scap")
    events = [block for kind, block in blocks(data) if kind == EVENT]
    start = data[: data.index(events[0])]
    dice = random.Random(5)
    met = set()
    for _ in range(200):
        first = dice.randrange(len(events) - 300)
        damaged = bytearray(start + b"".join(events[first : first + 300]))
        for _ in range(4):
            at = dice.randrange(len(start), len(damaged))
            damaged[at] = dice.choice((0, 1, 8, 0x40, 0xFF, damaged[at] ^ 1 << dice.randrange(8)))
        met.add(same(bytes(damaged), RULES[:2])["error"] != "")
    assert met == {False, True}


def test_the_last_event_before_damage_is_the_current_one() -> None:
    b = Builder()
    for tid in (100, 200):
        b.add_process(tid, "cat")
    for tid in (100, 200, *(100,) * 30):  # of each the first one goes the whole way
        b.add_event("getuid", {"uid": 0}, tid=tid, cpu=tid)
    data = bytearray(b.build())
    events = [block for kind, block in blocks(bytes(data)) if kind == EVENT]
    at = data.index(events[0]) + 10 * len(events[0])
    struct.pack_into("<I", data, at + 32, 1 << 30)  # so many parameters
    found = same(bytes(data), RULES[:1])
    assert "more parameters" in found["error"]
    assert found["seen"][3] == 100


@pytest.mark.parametrize("name", CAPTURES)
def test_a_run_may_end_anywhere(shared: Path, name: str) -> None:
    data = read(shared / "captures" / name)
    for part in range(1, 20):
        same(data[: len(data) * part // 20], RULES[:1])


@pytest.mark.parametrize("name", CAPTURES[:2])
def test_lengths_no_short_way_expects(shared: Path, name: str) -> None:
    every = list(blocks(read(shared / "captures" / name)))[:8000]
    start = [kind for kind, _ in every].index(EVENT)
    seen: Counter[tuple[int, int]] = Counter()
    for i, (kind, block) in enumerate(every):
        if kind != EVENT:
            continue
        event, n = struct.unpack_from("<HI", block, 30)
        seen[event, n] += 1
        if n > 4 or seen[event, n] not in (1, 60):
            continue
        # The threads of the beginning, and what was opened lately, are past enough.
        before = b"".join(b for _, b in (*every[:start], *every[max(start, i - 200) : i]))
        after = b"".join(b for _, b in every[i + 1 : i + 20])
        for which in range(n):
            for length in (1, 2, 4, 9, 0xFFF8):
                changed = bytearray(block)
                struct.pack_into("<H", changed, 36 + 2 * which, length)
                found = same(bytes(before + changed + after), RULES[:1])
                same(bytes(before + changed + after), ("fd.name contains /",))
                assert length < 0xFFF8 or "invalid event" in str(found["error"])
    assert len(seen) > 20


@pytest.mark.parametrize("call", [1, 1023, 1024, 5000, 0xFFFF])
def test_calls_that_nobody_knows_are_asked_about(call: int) -> None:
    b = Builder()
    b.add_process(100, "cat")
    for _ in range(30):
        b.add_raw(GENERIC_EXIT, [struct.pack("<H", call), b"\1\0"], tid=100)
    assert len(same(b.build(), ("proc.name = cat",))["matches"]) == 30


def test_no_name_is_not_the_empty_name() -> None:
    b = Builder()
    b.add_process(100, "cat")
    # Of an fd that nobody opened the name is empty; calls without an fd have none.
    for name in (*("read",) * 4, *("getuid",) * 4, *("read",) * 20):
        b.add_event(name, {"fd": 9} if name == "read" else {}, tid=100)
    found = same(b.build(), ("evt.type in (read, getuid) and not fd.name exists",))["matches"]
    assert len(found) == 4


# Widths that no recorder writes: what such a number is, is for the long way to say.
@pytest.mark.parametrize("width", [0, 1, 2, 3, 4, 7, 9, 12, 16])
@pytest.mark.parametrize("joined", [False, True])
def test_the_number_of_an_fd_is_read_at_its_width(width: int, joined: bool) -> None:
    b = Builder()
    b.add_process(100, "cat")
    b.add_fd(100, FdEntry(3, "file", name="/etc/passwd"))
    one, usual = struct.pack("<q", 1), struct.pack("<q", 3)
    odd = (usual + usual)[:width]
    # The first ones make known that no rule holds; the last few of a file never go the short way.
    # Behind the fd are zeros: read too far it is the same number.
    for fd in (*(usual,) * 4, odd, *(usual,) * 20):
        ends = [one, b"x"]
        if joined:
            b.add_raw(READ_ENTER, [fd, bytes(4)], tid=100)
        else:
            ends += [fd, bytes(4)]
        b.add_raw(READ_ENTER + 1, ends, tid=100)
    found = same(b.build(), ("evt.type = read and not fd.name startswith /etc",))["matches"]
    # What joins is cut to the width of its parameter.
    known = width in (1, 2, 4) or (joined and width > 8)
    assert len(found) == (not known)


@pytest.mark.parametrize("width", [0, 1, 2, 3, 4, 8, 9])
def test_the_number_of_a_call_is_read_at_its_width(width: int) -> None:
    b = Builder()
    b.add_process(100, "cat")
    uname = (67).to_bytes(16, "little")[:width]
    for call in (b"\1\0", uname, *(b"\1\0",) * 20):
        # Read one byte too far it is the number of another call, which no rule asks for.
        b.add_raw(GENERIC_EXIT, [call, b"\1\0"], tid=100)
    found = same(b.build(), ("evt.type = uname",))["matches"]
    assert len(found) == (width in (1, 2, 4, 8))
