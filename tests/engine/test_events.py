"""Events one by one, and their fields in columns."""

from __future__ import annotations

import io
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import rulekit
from rulekit.capture import Builder, FdEntry
from rulekit.capture.builder import START_NS, container_cgroup
from rulekit.engine._loop import EventLoop
from rulekit.engine.arrow import bind_name
from rulekit.engine.events import DEFAULT_FIELDS, EventSource
from rulekit.errors import RuleError, RulekitError, SourceError
from rulekit.state._columns import ColumnSet
from tests.engine.slices import all_fields
from tests.fuzz.mutate import block_starts, plain

ROOT = Path(__file__).resolve().parent.parent.parent
TINY = ROOT / "rulesets" / "captures" / "tiny-host.scap.gz"
HOST = ROOT / "rulesets" / "captures" / "attack-host.scap.gz"


def small() -> Builder:
    b = Builder()
    b.add_process(7, "cat", exepath="/bin/cat", cgroups=container_cgroup("ab" * 32))
    b.add_fd(7, FdEntry(1, "fifo"))
    b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": b"/tmp/\xff\0", "flags": 1}, tid=7)
    b.add_event("read", {"res": 2, "fd": 3, "data": b"\0\xff", "size": 9}, tid=7, cpu=3)
    b.add_event("close", {"res": -9, "fd": 99}, tid=8)
    return b


@pytest.fixture
def source() -> EventSource:
    return rulekit.open_source(io.BytesIO(small().build()))


@pytest.mark.parametrize(
    ("condition", "number"),
    [
        ("proc.aname = sh", 1),
        ('concat(proc.aname, "+") = "sh init+"', 1),
        ('concat(proc.aname, "+") = "sh+"', 0),
        ('proc.aargs = "-c x -q"', 1),
        ("proc.aargs = -q", 0),
        ("len(proc.aargs) = 7 and tolower(proc.aargs[1]) = '-c x'", 1),
        ('join("-", (proc.apid, "x")) = 30-x', 1),
    ],
)
def test_all_ancestors_as_one_text(condition: str, number: int) -> None:
    b = Builder()
    b.add_process(10, "init", ptid=1, args=["-q"])
    b.add_process(20, "sh", ptid=10, args=["-c", "x"])
    b.add_process(30, "cat", ptid=20)
    b.add_event("close", {"res": 0, "fd": 3}, tid=30)
    source = rulekit.open_source(io.BytesIO(b.build()))
    assert len(list(source.events(condition))) == number


def test_an_event_shows_what_it_carries(source: EventSource) -> None:
    seen = []
    for event in source:
        assert isinstance(event, rulekit.Event)
        seen.append((event.number, event.position, event.type, event.tid, event.cpu, event.ts_ns))
        if event.type == "openat":
            assert event["proc.name"] == "cat"
            assert event["fd.name"] == "/tmp/\udcff"
            assert event.params["name"] == "/tmp/\udcff"
            assert event["fd.num"] == 3
            assert event["evt.is_open_read"] is True
            assert event["proc.pname"] is None
            assert event.get("proc.pname") is None
            assert event.get("proc.pname", "none") == "none"
            assert event["evt.arg.name"] == event["evt.arg[2]"]
            assert event.declaration.params[1].name == "dirfd"
        if event.type == "read":
            assert event.params == {"res": 2, "data": b"\0\xff", "fd": 3, "size": 9}
            assert sorted(event["fd.types"]) == ["file", "pipe"]
        if event.type == "close":
            assert event.params == {"res": -9, "fd": 99}
            assert event["evt.res"] == "EBADF"
    assert seen == [
        (1, 1, "openat", 7, 0, START_NS),
        (2, 2, "read", 7, 3, START_NS + 1_000_000),
        (3, 3, "close", 8, 0, START_NS + 2_000_000),
    ]


def test_an_event_without_a_value_says_none(source: EventSource) -> None:
    (event,) = [e for e in source if e.type == "openat"]
    assert event.number == 1
    assert repr(event) == f"<Event 1 openat tid=7 ts_ns={START_NS}>"


def test_an_event_that_is_gone_says_so() -> None:
    events = iter(rulekit.open_source(TINY))
    old = next(events)
    assert old.is_current
    assert old["evt.num"] == old.number
    new = next(events)
    assert new.is_current
    assert not old.is_current
    assert old.type
    for look in (lambda: old["evt.num"], lambda: old.params, lambda: old.get("evt.num")):
        with pytest.raises(RulekitError, match=f"event {old.number} is gone"):
            look()
    rest = list(events)
    assert not rest[-1].is_current
    with pytest.raises(RulekitError, match="is gone"):
        _ = rest[-1]["evt.num"]


def test_events_cannot_be_made_or_changed(source: EventSource) -> None:
    with pytest.raises(TypeError, match="open_source"):
        rulekit.Event()
    event = next(iter(source))
    with pytest.raises(AttributeError):
        event.number = 5


@pytest.mark.parametrize("name", ["nosuch", "proc.nosuch", "proc.name proc.pid", "", "evt.arg"])
def test_a_field_that_is_none_is_a_key_error(source: EventSource, name: str) -> None:
    event = next(iter(source))
    with pytest.raises(KeyError):
        event[name]


def test_events_can_be_chosen_and_read_again() -> None:
    source = rulekit.open_source(str(TINY))
    numbers = [e.number for e in source.events("evt.type = execve")]
    assert numbers == [e.number for e in source if e["evt.type"] == "execve"]
    assert numbers
    assert source.stats()["headers"] > 1000
    assert [e.number for e in source.events(first="20", last="22")] == [20, 21, 22]
    with pytest.raises(RuleError):
        source.events("proc.nosuch = 1")
    with pytest.raises(RulekitError, match="is no place in a capture"):
        source.events(first="x")
    source.close()
    source.close()


def test_damage_comes_after_what_is_before_it(tmp_path: Path) -> None:
    data = plain(HOST)
    path = tmp_path / "cut.scap"
    path.write_bytes(data[: block_starts(data)[-20] + 13])
    seen = []
    with pytest.raises(SourceError, match=r"cut\.scap: byte \d+: "):
        seen.extend(e.number for e in rulekit.open_source(path))
    assert len(seen) > 10000
    with pytest.raises(SourceError, match="missing"):
        iter(rulekit.open_source(tmp_path / "missing"))


# -- columns ---------------------------------------------------------------------------------------


def rows(path: Path, names: list[str], batch: int = 1000) -> list[list[Any]]:
    """Return every column as Python values, read from its buffers."""
    from rulekit.capture._reader import CaptureReader

    loop = EventLoop(CaptureReader(path))
    columns = ColumnSet([(name, bind_name(name)) for name in names])
    assert columns.names == tuple(names)
    found: list[list[Any]] = [[] for _ in names]
    more: bool | None = True
    while more is not None:
        more = loop.collect(columns, batch, 1 << 30)
        if more is True:
            continue
        assert columns.n_rows <= batch
        for values, (kind, _), taken in zip(found, columns.kinds(), columns.take(), strict=True):
            values.extend(decode(kind, *taken))
    return found


def decode(
    kind: str,
    n_rows: int,
    n_nulls: int,
    n_items: int,
    validity: bytes,
    lists: bytes | None,
    offsets: bytes | None,
    data: bytes,
) -> list[Any]:
    items: list[Any]
    if offsets is not None:
        ends = struct.unpack(f"<{n_items + 1}i", offsets)
        items = [data[a:b] for a, b in pairwise(ends)]
        if kind == "text":
            items = [item.decode() for item in items]
    elif kind == "bool":
        items = [bool(data[i // 8] >> i % 8 & 1) for i in range(n_items)]
    else:
        letter = {"int": "q", "uint": "Q", "double": "d"}[kind]
        items = list(struct.unpack(f"<{n_items}{letter}", data))
    if lists is not None:
        ends = struct.unpack(f"<{n_rows + 1}i", lists)
        items = [items[a:b] for a, b in pairwise(ends)]
    assert len(items) == n_rows
    known = [validity[i // 8] >> i % 8 & 1 for i in range(n_rows)]
    assert known.count(0) == n_nulls
    return [item if k else None for item, k in zip(items, known, strict=True)]


def test_columns_hold_what_events_show() -> None:
    names = [*DEFAULT_FIELDS, "evt.is_open_write", "fd.types", "proc.aname[2]", "evt.arg.name"]
    names += ["proc.duration", "thread.cpu", "evt.rawres"]
    columns = rows(HOST, names)
    shown = [[event[name] for event in rulekit.open_source(HOST)] for name in names]
    for name, column, values in zip(names, columns, shown, strict=True):
        assert len(column) == len(values) > 10000
        assert [_plain(v) for v in values] == column, name


def _plain(value: Any) -> Any:
    # What is no UTF-8 is escaped in one and replaced in the other.
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return value


def test_every_field_has_a_column() -> None:
    names = all_fields()
    columns = rows(TINY, names)
    assert {len(column) for column in columns} == {1024}
    assert sum(any(v is not None for v in column) for column in columns) > 150


def test_the_size_of_batches_changes_nothing() -> None:
    names = ["evt.num", "proc.name", "fd.types", "evt.is_io"]
    assert rows(TINY, names, 1) == rows(TINY, names, 7) == rows(TINY, names, 100_000)


@pytest.mark.parametrize("name", ["nosuch.field", "proc.name ", "toupper(proc.name)", "", "text"])
def test_what_is_no_field_has_no_column(name: str) -> None:
    with pytest.raises(RuleError):
        bind_name(name)
