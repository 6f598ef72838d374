"""Groups of events: keys, sums, members, and the bounds of memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulekit.capture import Builder
from rulekit.engine._tally import Tally
from rulekit.tools.look import open_loop
from rulekit.tools.summaries.base import operand


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Two processes read and write; sizes are powers of two, so that sums tell their parts."""
    b = Builder()
    b.add_process(7, "cat")
    b.add_process(8, "dd")
    b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": "/etc/a"}, tid=7)
    for tid, size in ((7, 1), (7, 2), (8, 4), (7, -5), (8, 0), (8, 8)):
        b.add_event("read", {"res": size, "fd": 3}, tid=tid)
    b.add_event("write", {"res": 16, "fd": 1}, tid=8)
    path = tmp_path / "c.scap"
    b.save(path)
    return path


def rows(capture: Path, tally: Tally, condition: str | None = None, most: int | None = None):
    loop = open_loop(capture, condition)
    loop.tally([tally])
    assert loop.next() is None
    return tally.rows(most)


def test_values_above_zero_are_added_up(capture: Path) -> None:
    tally = Tally([operand("proc.name")], operand("evt.rawarg.res"))
    assert rows(capture, tally) == [(("dd",), 28, 3), (("cat",), 3, 2)]


def test_events_are_counted_without_a_value(capture: Path) -> None:
    tally = Tally([operand("proc.name"), operand("evt.type")])
    assert rows(capture, tally, "evt.type in (read, write)") == [
        (("cat", "read"), 3, 3),
        (("dd", "read"), 3, 3),
        (("dd", "write"), 1, 1),
    ]


def test_numbers_stay_numbers(capture: Path) -> None:
    tally = Tally([operand("proc.pid"), operand("evt.is_io_write")])
    found = rows(capture, tally, "evt.type = write")
    assert found == [((8, True), 1, 1)]


def test_events_with_a_null_key_belong_to_no_group(capture: Path) -> None:
    tally = Tally([operand("fd.sport")])
    assert rows(capture, tally) == []
    assert tally.dropped == 0


def test_members_are_counted_once(capture: Path) -> None:
    keys = [operand(name) for name in ("proc.name", "evt.type", "evt.rawres")]
    assert rows(capture, Tally(keys, distinct=2), "evt.type in (read, write)") == [
        (("dd",), 4, 4),
        (("cat",), 3, 3),
    ]
    assert rows(capture, Tally(keys[:2], distinct=1), "evt.type in (read, write)") == [
        (("dd",), 2, 4),
        (("cat",), 1, 3),
    ]


def test_a_transformer_can_be_the_key(capture: Path) -> None:
    tally = Tally([operand("toupper(proc.name)")])
    assert [key for key, *_ in rows(capture, tally, "evt.type = write")] == [("DD",)]


def test_only_the_greatest_are_returned(capture: Path) -> None:
    tally = Tally([operand("evt.num")], operand("evt.rawarg.res"))
    assert [total for _, total, _ in rows(capture, tally, most=2)] == [16, 8]
    assert tally.n_groups == 5


def test_groups_beyond_the_limit_are_counted_as_dropped(capture: Path) -> None:
    tally = Tally([operand("evt.num")], max_groups=3)
    assert len(rows(capture, tally)) == 3
    assert tally.dropped == 5


def test_bytes_of_keys_are_bounded(capture: Path) -> None:
    tally = Tally([operand("evt.num")], max_key_bytes=20)
    assert len(rows(capture, tally)) == 2
    assert tally.dropped == 6


def test_many_groups_survive_the_growth_of_the_table(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "cat")
    for i in range(5000):
        b.add_event("read", {"res": i + 1, "fd": 3}, tid=7)
    b.save(tmp_path / "c.scap")
    tally = Tally([operand("evt.num")], operand("evt.rawarg.res"))
    found = rows(tmp_path / "c.scap", tally)
    assert found == [((i,), i, 1) for i in range(5000, 0, -1)]


def test_a_tally_needs_a_key() -> None:
    with pytest.raises(ValueError, match="key"):
        Tally([])
    with pytest.raises(ValueError, match="key"):
        Tally([operand("proc.name")], distinct=1)


def test_each_rule_has_its_tally(capture: Path) -> None:
    loop = open_loop(capture, "evt.type = read")
    with pytest.raises(ValueError, match="as many"):
        loop.tally([])
