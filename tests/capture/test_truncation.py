"""A file cut off: what was before the cut, then an error with the file, the block and the place."""

from __future__ import annotations

import gzip
import os
import random
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from rulekit.capture._reader import iter_events
from rulekit.errors import SourceError

from .walk import EVENT_BLOCKS, blocks

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "rulesets" / "captures" / "tiny-host.scap.gz"
LONG = os.environ.get("RULEKIT_FUZZ_LONG") == "1"


def plain(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def read(path: Path) -> tuple[list[int], SourceError | None]:
    """Return the positions of the events before the end or the error."""
    found = []
    try:
        for event in iter_events(path):
            found.append(event[0])
    except SourceError as error:
        return found, error
    return found, None


def layout(data: bytes) -> list[tuple[int, int, int]]:
    """Return (start, kind, event headers before it) of every block, and the end."""
    found, at, n = [], 0, 0
    for kind, body in blocks(data):
        found.append((at, kind, n))
        at += len(body) + 12
        n += kind in EVENT_BLOCKS
    return [*found, (at, 0, n)]


def check_cut(
    data: bytes, cut: int, places: list[tuple[int, int, int]], whole: list[int], path: Path
) -> None:
    path.write_bytes(data[:cut])
    found, error = read(path)
    inside = [(a, b) for a, b in pairwise(places) if a[0] < cut < b[0]]
    if inside:
        (((start, kind, headers), _),) = inside
        assert error is not None, cut
        assert str(path) in str(error), cut
        # Less than the head of a block does not tell its type.
        assert cut - start < 8 or f"{kind:X}h" in str(error), (cut, str(error))
        assert f"byte {start}" in str(error), (cut, str(error))
        assert error.offset == start
        assert "truncated" in str(error)
    else:
        headers = next((n for start, _, n in places if start == cut), 0)
        assert error is None, cut
    assert not found or found[-1] <= headers
    if headers:
        # The last ones before the cut may be enter events, which are no events of their own.
        assert [e for e in whole if e <= headers] == found, cut


def cuts(places: list[tuple[int, int, int]], size: int) -> list[int]:
    """Return the bounds of blocks, the bytes beside them, and any places."""
    chance = random.Random(size)
    starts = [start for start, _, _ in places[1:]]
    first = {kind: start for start, kind, _ in reversed(places)}
    chosen = set(starts if LONG else [*chance.sample(starts, 60), *first.values(), starts[-1]])
    near = {at + by for at in chosen for by in (-1, 0, 1)}
    near |= {chance.randrange(size) for _ in range(2000 if LONG else 80)}
    return sorted(at for at in near if 0 < at < size)


@pytest.mark.parametrize("name", ["tiny-host", "sf_rename2at", "cat_write", "single_ipv6_conn"])
def test_a_file_cut_at_and_beside_the_bounds_of_blocks(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    capture = BUNDLED
    if name != "tiny-host":
        capture = request.getfixturevalue("shared") / f"captures/public/{name}.scap"
    data = plain(capture)
    places = layout(data)
    path = tmp_path / "cut.scap"
    path.write_bytes(data)
    whole, error = read(path)
    assert error is None
    for cut in cuts(places, len(data)):
        check_cut(data, cut, places, whole, path)


def test_a_compressed_file_cut_anywhere_keeps_what_it_holds(tmp_path: Path) -> None:
    data = BUNDLED.read_bytes()
    path = tmp_path / "cut.scap.gz"
    whole, _ = read(BUNDLED)
    chance = random.Random(1)
    before = 0
    for cut in sorted(chance.randrange(20, len(data)) for _ in range(40)):
        path.write_bytes(data[:cut])
        found, error = read(path)
        assert error is not None
        assert str(path) in str(error)
        assert re.search(r"byte \d+", str(error))
        assert found == whole[: len(found)]
        assert len(found) >= before  # more of the file never shows less
        before = len(found)
    assert before > len(whole) // 2


def test_the_command_prints_what_was_before_the_cut(tmp_path: Path) -> None:
    data = plain(BUNDLED)
    places = layout(data)
    start, kind, _ = places[len(places) * 3 // 4]
    path = tmp_path / "cut.scap"

    def events() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rulekit", "events", "-e", str(path)]
        return subprocess.run(command, capture_output=True, text=True)

    path.write_bytes(data)
    whole = events()
    assert whole.returncode == 0
    path.write_bytes(data[: start + 20])
    cut = events()
    assert cut.returncode == 2
    assert whole.stdout.startswith(cut.stdout)
    assert cut.stdout.count("\n") > whole.stdout.count("\n") // 2
    assert f"{path}: byte {start}: " in cut.stderr
    assert f"{kind:X}h" in cut.stderr
    assert "Traceback" not in cut.stderr
