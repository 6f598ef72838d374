"""Real captures: read to the last byte, and numbered like the peers number them."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from rulekit.capture._reader import iter_events
from rulekit.schema.events import event_types

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
SMALL = sorted(
    p.relative_to(SHARED).as_posix()
    for folder in ("public", "own")
    for p in (SHARED / "captures" / folder).glob("*.scap*")
)
NUMBERED = sorted(p.stem for p in (SHARED / "reference/conformance/events").glob("*.tsv"))
# Numbered, never shown: leading state events, and enter events kept as a source of parameters.
LEADING = {324, 354, 356, 358, 360, 402}
HIDDEN = {"open", "creat", "openat", "openat2", "connect", "execve", "execveat"}


@pytest.mark.parametrize("name", SMALL)
def test_a_capture_is_read_to_its_last_byte(shared: Path, name: str) -> None:
    path = shared / name
    data = path.read_bytes()
    size = len(gzip.decompress(data)) if data[:2] == b"\x1f\x8b" else len(data)
    events = iter_events(path)
    numbers = [(raw, num) for raw, num, *_ in events]
    stats = events.stats
    assert stats["bytes"] == size
    assert [num for _, num in numbers] == list(range(1, len(numbers) + 1))
    assert stats["delivered"] == len(numbers)
    assert numbers[-1][0] <= stats["headers"]
    assert stats["bad_trailers"] == stats["unknown_blocks"] == stats["unknown_events"] == 0
    assert stats["enters_mismatched"] == stats["enters_evicted"] == 0


@pytest.mark.parametrize("name", NUMBERED)
def test_events_have_the_numbers_of_the_newest_peer(shared: Path, name: str) -> None:
    lines = (shared / "reference/conformance/events" / f"{name}.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines[1:]]
    want = {int(r[0]): (int(r[4]), int(r[1]), r[5]) for r in rows if r[4] != "-"}
    types = event_types()
    found = {}
    only_taking_numbers = 0
    leading = True
    path = next((shared / "captures/public").glob(f"{name}.scap*"))
    events = iter_events(path)
    for raw, num, ts_ns, _, type_id, _ in events:
        leading = leading and type_id in LEADING
        kind = types[type_id]
        if leading or (kind.name in HIDDEN and not kind.is_exit):
            only_taking_numbers += 1
        else:
            found[raw] = (num, ts_ns, kind.name)
    assert found == want
    # The list leaves out leading state events, too.
    first = int(rows[0][0])
    assert events.stats["headers"] == len(rows) + first - 1
    assert only_taking_numbers == len(list(iter_events(path))) - len(want)


def test_the_thread_ids_and_types_are_those_of_sysdig(shared: Path) -> None:
    if shutil.which("sysdig") is None:
        pytest.skip("sysdig is not installed")
    path = shared / "captures/public/sf_tcp-client-server.scap"
    text = subprocess.run(
        ["sysdig", "-r", path, "-p", "%evt.num %evt.rawtime %thread.tid %evt.dir %evt.type"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    theirs = {}
    for line in text.splitlines():
        num, ts_ns, tid, direction, kind = line.split()
        theirs[int(num)] = (int(ts_ns), int(tid), direction, kind)
    types = event_types()
    compared = 0
    for raw, _, ts_ns, tid, type_id, _ in iter_events(path):
        kind = types[type_id]
        if raw in theirs and kind.name != "syscall":
            mine = (ts_ns, tid, "<" if kind.is_exit else ">", kind.name)
            assert theirs[raw] == mine
            compared += 1
    assert compared > 80
