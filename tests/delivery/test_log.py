"""Files of a spool that a disk damaged: what is sound is delivered, what is not is counted once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rulekit.delivery.measure
from rulekit.delivery.log import FileLog
from rulekit.delivery.measure import HEADER, filler, measure

SIZES = [40, 300, 5, 120, 77, 300, 61, 18, 240, 100]


def payload(number: int) -> bytes:
    return bytes([number]) * SIZES[number % len(SIZES)]


def write(folder: Path, number: int = 20) -> tuple[Path, list[int]]:
    """Write records into one file; return it and where each begins."""
    log = FileLog(folder, "p", 1 << 20)
    starts, at = [], 0
    for i in range(1, number + 1):
        starts.append(at)
        at += log.append(i, payload(i))
    log.close()
    (path,) = folder.iterdir()
    return path, starts


def damage(path: Path, at: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def read(log: FileLog) -> list[int]:
    found: list[int] = []
    while len(log):
        payloads, _ = log.take_run(1 << 60, 3, 1 << 20)
        found += [each[0] for each in payloads]
    return found


@pytest.mark.parametrize("part", [0, 4, 8, HEADER.size + 1], ids=["size", "crc", "number", "body"])
def test_one_damaged_record_is_one_loss(tmp_path: Path, part: int) -> None:
    """Before, all that followed was thrown away, and counted as one."""
    path, starts = write(tmp_path)
    damage(path, starts[7] + part, b"\xfe")
    log = FileLog(tmp_path, "p", 1 << 20)
    assert log.n_damaged == 1
    rest = [n for n in range(1, 21) if n != 8]
    assert len(log) == 19
    log.append(21, payload(21))
    log.close()
    again = FileLog(tmp_path, "p", 1 << 20)
    assert again.n_damaged == 0, "it was counted"
    assert read(again) == [*rest, 21]
    again.settle()
    assert again.position[1] == os.path.getsize(path)
    again.close()


def test_the_number_of_the_lost_is_known_where_numbers_tell(tmp_path: Path) -> None:
    path, starts = write(tmp_path)
    damage(path, starts[4], b"\xaa" * (starts[11] - starts[4] - 3))
    log = FileLog(tmp_path, "p", 1 << 20)
    assert (log.n_damaged, len(log)) == (7, 13)
    assert read(log) == [*range(1, 5), *range(12, 21)]
    log.close()


def test_what_is_lost_at_the_end_is_told_by_its_size(tmp_path: Path) -> None:
    path, starts = write(tmp_path)
    size = path.stat().st_size
    damage(path, starts[10], bytes(size - starts[10]))
    log = FileLog(tmp_path, "p", 1 << 20)
    assert 8 <= log.n_damaged <= 12, "ten; zeros are no records"
    assert read(log) == [*range(1, 11)]
    log.close()


def test_a_file_of_zeros_is_full_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "p-0000000000.spool").write_bytes(bytes(10_000))
    log = FileLog(tmp_path, "p", 1 << 20)
    assert len(log) == 0
    assert log.n_damaged > 1
    log.close()


@pytest.mark.parametrize("junk", [b"", b"\1", b"\1\2\3\4\5\6\7"])
def test_what_follows_zeros_is_found(tmp_path: Path, junk: bytes) -> None:
    path, _ = write(tmp_path, 1)
    record = path.read_bytes()
    for n in range(1, 80):
        data = junk + bytes(n) + record
        assert measure(data).fresh == {0: len(junk) + n}, n


def test_zeros_by_the_million_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def counted(data: bytes, at: int) -> tuple[int, int]:
        nonlocal looks
        looks += 1
        return record_at(data, at)

    record_at = rulekit.delivery.measure._record_at
    monkeypatch.setattr(rulekit.delivery.measure, "_record_at", counted)
    assert measure(bytes(1 << 20) + b"\1" + bytes(1 << 20)).n_records == 0
    assert looks < 100


def test_what_was_settled_is_no_loss(tmp_path: Path) -> None:
    path, starts = write(tmp_path)
    damage(path, starts[3] + HEADER.size, b"\xfe")
    log = FileLog(tmp_path, "p", 1 << 20, (0, starts[10]))
    assert log.n_damaged == 0
    assert read(log) == [*range(11, 21)]
    log.close()


def test_damage_while_it_is_open_costs_what_it_hits(tmp_path: Path) -> None:
    path, starts = write(tmp_path)
    log = FileLog(tmp_path, "p", 1 << 20)
    damage(path, starts[5] + 8, bytes(8))
    damage(path, starts[19] + HEADER.size, b"\xfe")
    assert log.head() == 1
    assert read(log) == [*range(1, 6), *range(7, 20)]
    assert log.n_damaged == 2
    log.append(21, payload(21))
    assert read(log) == [21]
    log.close()


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=30),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40)), max_size=4),
    st.floats(0, 1),
)
def test_whatever_is_damaged_the_rest_is_found(
    sizes: list[int], damages: list[tuple[float, bytes]], settled: float
) -> None:
    data, starts = bytearray(), []
    for number, size in enumerate(sizes, 1):
        body = bytes([number % 251]) * size
        from zlib import crc32

        starts.append(len(data))
        data += HEADER.pack(size, crc32(body, number), number) + body
    whole = bytes(data)
    for place, new in damages:
        at = int(place * (len(data) - 1))
        data[at : at + len(new)] = new[: len(data) - at]
    ends = [*starts[1:], len(data)]
    kept = [i for i, (a, b) in enumerate(zip(starts, ends, strict=True)) if data[a:b] == whole[a:b]]
    # The checksum covers all but the upper half of the number, which only orders.
    odd = [
        i
        for i, (a, b) in enumerate(zip(starts, ends, strict=True))
        if i not in kept
        and data[a : a + 12] + data[a + 16 : b] == whole[a : a + 12] + whole[a + 16 : b]
    ]
    begun = starts[int(settled * (len(starts) - 1))]
    found = measure(bytes(data), begun)
    assert len(kept) <= found.n_records <= len(kept) + len(odd)
    broken = [i for i in range(len(starts)) if i not in kept and i not in odd]
    if not broken:
        assert found.n_lost == 0
    elif any(ends[i] > begun for i in broken):
        assert found.n_lost
    before = [i for i in (*kept, *odd) if ends[i] <= begun]
    assert found.n_settled <= len(before)
    for start, end in found.fresh.items():
        for at, header in filler(bytes(data), start, end):
            data[at : at + HEADER.size] = header
    again = measure(bytes(data[: found.size_bytes]), begun)
    assert (again.n_records, again.n_lost, again.fresh) == (found.n_records, 0, {})


def test_a_number_that_is_damaged_where_no_checksum_sees_it_costs_nothing(tmp_path: Path) -> None:
    """Before, all that followed was taken for damage."""
    path, starts = write(tmp_path)
    damage(path, starts[6] + 12, b"\1")
    damage(path, starts[0] + 15, b"\xfe")
    log = FileLog(tmp_path, "p", 1 << 20)
    assert (log.n_damaged, log.last_number, len(log)) == (0, 20, 20)
    assert [log.take()[:1] for _ in range(20)] == [bytes([n]) for n in range(1, 21)]  # type: ignore[index]
    log.close()
