"""Whatever comes, the state stays whole and within its limits."""

from __future__ import annotations

import struct

from hypothesis import example, given, settings
from hypothesis import strategies as st

from rulekit.schema.events import event_types
from rulekit.state._probe import StateProbe
from tests.state.state_events import (
    CHILD_IN_PIDNS,
    CLONE_NEWPID,
    CLONE_THREAD,
    CLONE_VFORK,
    Machine,
    S,
    clone_params,
    execve_params,
    i64,
    text,
    u8,
    u32,
    u64,
)

KNOWN = [e for e in event_types() if e.params]
WIDTHS = {
    "INT8": 1, "UINT8": 1, "FLAGS8": 1, "ENUMFLAGS8": 1, "SIGTYPE": 1,
    "INT16": 2, "UINT16": 2, "FLAGS16": 2, "ENUMFLAGS16": 2, "SYSCALLID": 2, "PORT": 2,
    "INT32": 4, "UINT32": 4, "FLAGS32": 4, "ENUMFLAGS32": 4, "UID": 4, "GID": 4, "MODE": 4,
    "INT64": 8, "UINT64": 8, "ERRNO": 8, "FD": 8, "PID": 8, "RELTIME": 8, "ABSTIME": 8,
}  # fmt: skip
TIDS = [0, 1, 2, 3, 5, 8, -1, 2**31, -(2**63), 2**63 - 1]
SMALL = st.sampled_from(TIDS)
TEXTS = st.sampled_from(
    [
        b"",
        b"\0",
        b"/\0",
        b"/etc/passwd\0",
        b"../..\0",
        b"x",
        b"(NULL)\0",
        b"a=1\0b=2\0",
        b"\xff/" * 9,
    ]
)
SOCKET_BYTES = st.builds(
    lambda family, raw, path: bytes((family,)) + raw + path,
    st.sampled_from([1, 2, 10, 17]),
    st.sampled_from(
        [bytes(6), bytes(12), b"\x7f\0\0\1\5\0\x08\x08\x08\x08\6\0", bytes(18), bytes(36)]
    ),
    st.sampled_from([b"", b"/run/x\0"]),
)


def value_of(kind: str) -> st.SearchStrategy[bytes]:
    width = WIDTHS.get(kind)
    if width == 8:
        return st.one_of(
            SMALL.map(i64), st.sampled_from([3, 4, 5, 100, -2, -115]).map(i64), st.just(b"")
        )
    if width:
        mask = (1 << 8 * width) - 1
        numbers = st.sampled_from(
            [0, 1, 2, 3, 7, 8, 26, 36, 4096, CLONE_THREAD, CLONE_NEWPID, CHILD_IN_PIDNS, mask]
        )
        return numbers.map(lambda n: struct.pack("<Q", n & mask)[:width])
    if kind.startswith("SOCK"):
        return SOCKET_BYTES
    return TEXTS


@st.composite
def any_event(draw: st.DrawFn) -> tuple[int, int, list[bytes]]:
    event = draw(st.sampled_from(KNOWN))
    count = draw(st.sampled_from([len(event.params)] * 4 + [0, 1, 2]))
    params = [draw(value_of(p.type.removeprefix("PT_"))) for p in event.params[:count]]
    if draw(st.integers(0, 9)) == 0:
        params = [draw(st.binary(max_size=20)) for _ in range(draw(st.integers(0, 32)))]
    return event.id, draw(SMALL), params


FLAGS = st.sampled_from([0, 0, CLONE_THREAD, CHILD_IN_PIDNS, CLONE_NEWPID, CLONE_VFORK])
TID = st.integers(1, 9)


@st.composite
def process_event(draw: st.DrawFn) -> tuple[int, int, list[bytes]]:
    """Clones, execs and exits among nine numbers, so that every clash happens."""
    tid, pid, ptid, child = draw(TID), draw(TID), draw(TID), draw(TID)
    kind = draw(st.integers(0, 9))
    flags = draw(FLAGS)
    if kind < 3:
        return 223, tid, clone_params(child, tid, pid, ptid, flags=flags)
    if kind < 6:
        return 335, tid, clone_params(0, tid, pid, ptid, flags=flags, vtid=draw(TID))
    if kind == 6:
        return 293, tid, execve_params(draw(st.sampled_from([pid, -1, tid])), ptid=ptid)
    if kind == 7:
        return 401, tid, [i64(0), u32(36), text(b""), i64(draw(st.integers(0, 1)))]
    if kind == 8:
        return 3, tid, [i64(child), text(b"/x"), u32(4097), u32(0), u32(0), u64(0)]
    return 186, tid, [i64(0), i64(0), u8(0), u8(0), i64(ptid)]


@settings(max_examples=150)
@given(st.lists(any_event(), max_size=60), st.integers(0, 3 * S))
def test_any_events_are_survived(events: list[tuple[int, int, list[bytes]]], step: int) -> None:
    m = StateProbe(max_threads=6, max_fds=5, max_fds_total=12)
    m.limit_strings(2000, 20_000)
    now = S
    for event_type, tid, params in events:
        m.feed(event_type, tid, now, params)
        now += step
    m.check()
    counters = m.counters()
    assert counters["n_threads"] <= 6
    assert counters["n_fds"] <= 12
    assert counters["string_bytes"] <= 20_000


@settings(max_examples=200)
@given(st.lists(process_event(), max_size=80), st.sampled_from([1, S, 3 * S]))
@example([(223, 1, clone_params(0, 1, 1, 2)), (186, 1, [])], 1)
def test_any_life_of_processes_keeps_the_links_whole(
    events: list[tuple[int, int, list[bytes]]], step: int
) -> None:
    m = Machine(max_threads=8)
    for event_type, tid, params in events:
        m.now += step
        m.put(event_type, tid, *params)
        m.check()


def test_more_threads_than_the_limit_are_refused_and_counted() -> None:
    m = StateProbe(max_threads=1000)
    for tid in range(3000):
        m.feed(65, tid, S, [i64(0)])
    counters = m.counters()
    assert (counters["n_threads"], counters["threads_refused"]) == (1000, 2000)
    m.check()


def test_long_chains_of_parents_end() -> None:
    m = Machine()
    for tid in range(2, 3000):
        if tid != 100:
            m.put(223, tid, *clone_params(0, tid, tid, tid - 1 if tid != 101 else 99))
    for tid in range(1, 3000, 7):
        m.exit(tid)
        m.nothing(2999)
    m.check()


def test_strings_of_the_dead_are_collected() -> None:
    m = Machine()
    m.limit_strings(100_000, 1_000_000)
    for i in range(20_000):
        m.open(100, b"/tmp/file-%d" % i, fd=3)
    counters = m.counters()
    assert counters["strings_collected"] > 10_000
    assert counters["strings_refused"] == 0
    assert counters["string_bytes"] < 200_000
    assert m.fd(100, 3)["name"] == b"/tmp/file-19999"
    assert m.thread(100)["cwd"] == b"/home/me/"


def test_memory_for_enter_events_is_bounded() -> None:
    m = StateProbe()
    for tid in range(6000):
        m.feed(2, tid, S, [text(b"/" + b"x" * 16_000), u32(1), u32(0)])
    counters = m.counters()
    assert counters["enter_bytes"] <= 64 << 20
    assert counters["enters_refused"] > 0
