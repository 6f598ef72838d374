"""Parts of captures, written as captures, keep every value."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
from pathlib import Path

import pytest

from rulekit.capture import Builder
from rulekit.capture._reader import iter_events
from rulekit.capture.builder import START_NS
from rulekit.engine.slice import write_slice
from rulekit.engine.window import window
from rulekit.errors import RuleError, SinkError, SourceError
from rulekit.tools.lines import LineForm, event_lines
from tests.engine.slices import CONDITIONS, all_fields, read_by_sysdig, sysdig, values
from tests.fuzz.mutate import block_starts, mutate, plain

ROOT = Path(__file__).resolve().parent.parent.parent
BUNDLED = sorted((ROOT / "rulesets" / "captures").glob("*.scap.gz"))
HOST = ROOT / "rulesets" / "captures" / "attack-host.scap.gz"


@pytest.mark.parametrize("capture", BUNDLED, ids=lambda path: path.name)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_field_of_a_slice_has_its_value(
    capture: Path, condition: str, tmp_path: Path
) -> None:
    made = write_slice(capture, tmp_path / "slice.scap", condition)
    wanted = values(capture, condition)
    assert values(tmp_path / "slice.scap") == wanted
    assert made.events == len(wanted)
    assert made.lost == 0


def test_slices_of_captures_of_every_age_keep_their_values(shared: Path, tmp_path: Path) -> None:
    captures = [*(shared / "captures" / "public").glob("*.scap*")]
    captures += (shared / "captures" / "own").glob("*2025-falcoset.scap.gz")
    assert len(captures) > 20
    for capture in captures:
        if capture.name == "empty.scap":
            continue
        for condition in CONDITIONS[:4]:
            write_slice(capture, tmp_path / "slice.scap", condition)
            assert values(tmp_path / "slice.scap") == values(capture, condition), capture.name


def test_the_comparison_looks_at_all_fields() -> None:
    assert len(all_fields()) > 250


@pytest.mark.parametrize("capture", BUNDLED, ids=lambda path: path.name)
def test_a_whole_capture_is_copied_byte_by_byte(capture: Path, tmp_path: Path) -> None:
    plainly, packed = tmp_path / "copy.scap", tmp_path / "copy.scap.gz"
    made = write_slice(capture, plainly)
    assert plainly.read_bytes() == plain(capture)
    assert write_slice(plainly, packed).events == made.events
    assert gzip.decompress(packed.read_bytes()) == plain(capture)
    assert made.bytes == plainly.stat().st_size > packed.stat().st_size
    assert values(packed) == values(capture)


def test_whole_captures_of_every_age_are_copied_byte_by_byte(shared: Path, tmp_path: Path) -> None:
    for capture in (shared / "captures" / "public").glob("*.scap*"):
        if capture.name != "empty.scap":
            write_slice(capture, tmp_path / "copy.scap")
            assert (tmp_path / "copy.scap").read_bytes() == plain(capture), capture.name


def test_a_slice_of_a_window_keeps_what_happened_before(tmp_path: Path) -> None:
    write_slice(HOST, tmp_path / "a.scap", window=window("9000", "9100"))
    wanted = values(HOST, "evt.num >= 9000 and evt.num <= 9100")
    assert values(tmp_path / "a.scap") == wanted
    # Nothing behind the window is needed.
    last = max(number for _, number, *_ in iter_events(HOST))
    assert sum(1 for _ in iter_events(tmp_path / "a.scap")) < 9200 < last


def test_a_file_ends_with_the_last_chosen_event(tmp_path: Path) -> None:
    condition = "evt.num < 5000 and proc.name = bash"
    plainly, packed = tmp_path / "a.scap", tmp_path / "a.scap.gz"
    made = write_slice(HOST, plainly, condition)
    assert made.events > 100
    data = plainly.read_bytes()
    assert data[block_starts(data)[-1] :] in plain(HOST)  # not marked
    assert sum(1 for _ in iter_events(plainly)) == made.events + made.state_only
    assert made.bytes == len(data)
    again = write_slice(HOST, packed, condition)
    assert gzip.decompress(packed.read_bytes()) == data
    assert again.bytes == packed.stat().st_size
    assert values(plainly) == values(HOST, condition)
    none = write_slice(HOST, packed, "proc.name = nosuch")
    assert (none.events, none.state_only) == (0, 1)
    assert values(packed) == []


def test_a_slice_of_a_slice_is_a_slice(tmp_path: Path) -> None:
    write_slice(HOST, tmp_path / "a.scap", "proc.name = bash")
    write_slice(tmp_path / "a.scap", tmp_path / "b.scap", "evt.type = openat")
    assert values(tmp_path / "b.scap") == values(HOST, "proc.name = bash and evt.type = openat")


def old_capture() -> Builder:
    """Two events a call, as until early 2025; the first halves of two threads are interleaved."""
    b = Builder()
    for tid in (7, 8):
        b.add_process(tid, f"p{tid}")
        b.add_event("open", tid=tid, enter=True)
        fd, mode = (3).to_bytes(8, "little"), bytes(4)
        b.add_raw(3, [fd, b"/file%d\0" % tid, b"\1\0\0\0", mode], tid=tid)
    size = (1).to_bytes(4, "little")
    for tid in (7, 8):
        b.add_raw(6, [(3).to_bytes(8, "little"), size], tid=tid)
    for tid in (8, 7):
        b.add_raw(7, [(1).to_bytes(8, "little"), b"x"], tid=tid)
    return b


@pytest.fixture
def old(tmp_path: Path) -> Path:
    old_capture().save(tmp_path / "old.scap")
    return tmp_path / "old.scap"


def test_the_first_half_of_an_old_call_comes_with_the_second(old: Path, tmp_path: Path) -> None:
    target = tmp_path / "slice.scap"
    made = write_slice(old, target, "evt.type = read and proc.name = p7")
    assert (made.events, made.state_only) == (1, 5)
    # What is chosen stands in the file as it stood in the source.
    assert plain(target)[block_starts(plain(target))[-1] :] in plain(old)
    fields = ["evt.arg.size", "evt.arg.fd", "fd.name", "evt.rawtime"]
    assert values(target, None, fields) == values(old, "evt.type = read and proc.name = p7", fields)
    assert values(target, None, ["fd.name", "evt.arg.size"]) == [b"/file7\x1f1"]


def test_a_slice_of_an_old_capture_is_a_capture_when_nothing_was_chosen(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "cat")
    b.add_raw(6, [(3).to_bytes(8, "little"), (1).to_bytes(4, "little")], tid=7)
    b.add_raw(7, [(1).to_bytes(8, "little"), b"x"], tid=7)
    b.save(tmp_path / "old.scap")
    target = tmp_path / "slice.scap"
    made = write_slice(tmp_path / "old.scap", target, "proc.name = nosuch")
    assert (made.events, made.state_only) == (0, 2)
    assert values(target, None, ["proc.name"]) == []
    assert made.bytes == target.stat().st_size > 0


def test_unshown_events_lead_no_shown_metadata(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "cat")
    b.add_event("close", {"res": -9, "fd": 3}, tid=7)
    b.add_container("1" * 64, "late")
    b.save(tmp_path / "a.scap")
    write_slice(tmp_path / "a.scap", tmp_path / "b.scap", "container.name = late")
    assert values(tmp_path / "b.scap", None, ["evt.type", "container.name"]) == [
        b"container\x1flate"
    ]


def test_times_still_count_from_the_first_event(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "cat")
    b.add_event("close", {"res": -9, "fd": 3}, tid=7)
    b.add_event("close", {"res": -9, "fd": 4}, tid=7, ts_ns=START_NS + 5 * 10**9)
    b.save(tmp_path / "a.scap")
    write_slice(tmp_path / "a.scap", tmp_path / "b.scap", "fd.num = 4")
    assert list(event_lines(tmp_path / "b.scap", LineForm("%evt.reltime"))) == [b"5000000000"]


def test_sections_are_kept_apart(tmp_path: Path) -> None:
    parts = []
    for name in ("first", "second"):
        b = Builder()
        b.add_process(7, name)
        b.add_event("close", {"res": 0, "fd": 3}, tid=7)
        parts.append(b.build())
    (tmp_path / "two.scap").write_bytes(b"".join(parts))
    write_slice(tmp_path / "two.scap", tmp_path / "b.scap", "proc.name = second")
    assert values(tmp_path / "b.scap", None, ["proc.name"]) == [b"second"]
    write_slice(tmp_path / "two.scap", tmp_path / "c.scap", "evt.type = close")
    assert values(tmp_path / "c.scap", None, ["proc.name"]) == [b"first", b"second"]


def test_what_comes_before_damage_is_kept(tmp_path: Path) -> None:
    data = plain(BUNDLED[-1])
    at = block_starts(data)[-200]
    (tmp_path / "cut.scap").write_bytes(data[: at + 11])
    for condition in (None, "proc.name = bash"):
        target = tmp_path / "slice.scap.gz"
        with pytest.raises(SourceError, match=f"byte {at}"):
            write_slice(tmp_path / "cut.scap", target, condition)
        (tmp_path / "whole.scap").write_bytes(data[:at])
        assert values(target) == values(tmp_path / "whole.scap", condition)


def before_damage(capture: Path, condition: str | None = None) -> list[bytes]:
    template = "*" + "\x1f".join(f"%{name}" for name in all_fields())
    seen: list[bytes] = []
    with contextlib.suppress(SourceError):
        seen.extend(event_lines(capture, LineForm(template), condition))
    return seen


@pytest.mark.parametrize("first", range(0, 120, 20))
def test_slices_of_damaged_captures_hold_what_can_be_read(first: int, tmp_path: Path) -> None:
    data = plain(BUNDLED[-1])
    starts = block_starts(data)
    damaged, slice = tmp_path / "damaged.scap", tmp_path / "slice.scap"
    for seed in range(first, first + 20):
        damaged.write_bytes(mutate(data, starts, seed))
        slice.unlink(missing_ok=True)
        with contextlib.suppress(SourceError):
            write_slice(damaged, slice, CONDITIONS[1])
        if slice.exists():
            assert before_damage(slice) == before_damage(damaged, CONDITIONS[1]), seed


def test_threads_that_never_end_their_calls_do_not_grow_memory(tmp_path: Path) -> None:
    b = Builder()
    for i in range(60000):
        b.add_raw(6, [bytes(8), bytes(4)], tid=10 + i)
    b.add_raw(7, [(1).to_bytes(8, "little"), b"x"], tid=60009)
    b.save(tmp_path / "a.scap")
    made = write_slice(tmp_path / "a.scap", tmp_path / "b.scap", "evt.rawres = 1")
    assert made.events == 1
    assert made.lost > 30000


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"nosuch/a\.scap: cannot be written: no such file"):
        write_slice(HOST, tmp_path / "nosuch" / "a.scap")
    with pytest.raises(SinkError, match=r"cannot be written: is a directory"):
        write_slice(HOST, tmp_path)
    with pytest.raises(SinkError, match=r"/dev/full: no space left .* partial: 0 bytes were"):
        write_slice(HOST, "/dev/full", "proc.name = bash")
    with pytest.raises(SourceError, match="missing"):
        write_slice(tmp_path / "missing", tmp_path / "kept.scap")
    with pytest.raises(RuleError):
        write_slice(HOST, tmp_path / "kept.scap", "proc.nosuch = 1")
    assert not (tmp_path / "kept.scap").exists()


def test_the_source_is_not_overwritten(tmp_path: Path) -> None:
    copy = tmp_path / "a.scap.gz"
    shutil.copy(HOST, copy)
    os.link(copy, tmp_path / "same.scap.gz")
    for target in (copy, tmp_path / "same.scap.gz"):
        with pytest.raises(SinkError, match="is the capture that is read"):
            write_slice(copy, target)
    assert copy.read_bytes() == HOST.read_bytes()


@pytest.mark.skipif(shutil.which("sysdig") is None, reason="sysdig is not installed")
@pytest.mark.parametrize("name", ["sf_full_capture_mpm-event.scap.gz", "sf_files.scap"])
def test_sysdig_reads_slices_with_the_same_values(shared: Path, name: str, tmp_path: Path) -> None:
    capture = shared / "captures" / "public" / name
    whole = sysdig(capture)
    write_slice(capture, tmp_path / "copy.scap")
    assert sysdig(tmp_path / "copy.scap") == whole
    slice = tmp_path / "slice.scap"
    assert sum(read_by_sysdig(capture, slice, c, whole) for c in CONDITIONS[:3]) > 3


@pytest.mark.skipif(shutil.which("sysdig") is None, reason="sysdig is not installed")
def test_sysdig_reads_the_slice_of_a_capture_made_here(old: Path, tmp_path: Path) -> None:
    """The fcntl that sets a flag must not count as one more that duplicates, see `_copy`."""
    b = old_capture()
    for command, argument in ((1, 10), (3, 1)):  # F_DUPFD, then F_SETFD
        b.add_raw(150, [(3).to_bytes(8, "little"), bytes([command])], tid=7)
        b.add_raw(151, [(argument if command == 1 else 0).to_bytes(8, "little")], tid=7)
    b.add_raw(6, [(10).to_bytes(8, "little"), (1).to_bytes(4, "little")], tid=7)
    b.add_raw(7, [(1).to_bytes(8, "little"), b"x"], tid=7)
    b.save(old)
    write_slice(old, tmp_path / "slice.scap", "evt.type = read and fd.num = 10")
    slice = sysdig(tmp_path / "slice.scap")
    assert slice <= sysdig(old)
    assert slice.total() == 1
