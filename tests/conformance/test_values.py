"""Field values and output texts are the peer's, but for what is listed here with its reason."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from rulekit.capture._reader import CaptureReader
from rulekit.engine._loop import EventLoop
from tests.conformance.test_alerts import find_capture
from tests.state.rendered import program

TABLES = (
    *("tiny-host", "attack-host-falcoset", "attack-docker-falcoset"),
    "attack-docker-2025-falcoset",
)
# The peer numbers what it delivers, and takes its own host's name.
NOT_COMPARED = {"evt.num", "evt.hostname"}

OUTPUTS_OFF = {
    "%evt.deltatime.ns": "the peer also looked at events that are not among the cases",
    "%evt.buffer": "the peer prints what its buffer held before",
}
MAX_OUTPUTS_OFF = 6


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    os.environ.pop("TZ", None)
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def _explained(field: str, mine: str, theirs: str) -> bool:
    # The peer prints what its buffer held before.
    return field == "evt.buffer" and mine == "" and theirs.startswith("NULL")


@pytest.mark.parametrize("name", TABLES)
def test_every_value_of_every_event(shared: Path, name: str) -> None:
    table = shared / "reference" / "conformance" / "values" / f"{name}.tsv.gz"
    with gzip.open(table, "rt", encoding="ascii") as f:
        f.readline()
        names = f.readline().rstrip("\n").split("\t")
        rows = [line.rstrip("\n").split("\t") for line in f]
    fields = [n for n in names if n not in NOT_COMPARED]
    output = program("*" + "\x1f".join(f"%{n}" for n in fields))
    mine: defaultdict[tuple[str, str], list[list[bytes]]] = defaultdict(list)
    when, who = fields.index("evt.rawtime"), fields.index("thread.tid")
    loop = EventLoop(CaptureReader(find_capture(shared, name)))
    while (step := loop.next()) is not None:
        if step:
            line = loop.render_line(output, True)
            assert line is not None
            cells = line.split(b"\x1f")
            mine[cells[when].decode(), cells[who].decode()].append(cells)
    wrong: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        theirs = dict(zip(names, row, strict=True))
        found = mine[theirs["evt.rawtime"], theirs["thread.tid"]].pop(0)
        for field, cell in zip(fields, found, strict=True):
            text = cell.decode("latin-1").encode("unicode_escape").decode("ascii")
            if text != theirs[field] and not _explained(field, text, theirs[field]):
                wrong[field, text[:80], theirs[field][:80]] += 1
    assert wrong.most_common(10) == []


def test_output_texts(shared: Path) -> None:
    cases: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    path = shared / "reference" / "conformance" / "outputs.jsonl"
    for line in path.read_text("utf-8").splitlines():
        case = json.loads(line)
        if "capture" in case:
            cases[case["capture"]].append(case)
    off: Counter[str] = Counter()
    wrong = []
    for capture, of_capture in cases.items():
        outputs = {str(c["format"]): program(str(c["format"])) for c in of_capture}
        by_event = defaultdict(list)
        for c in of_capture:
            by_event[c["event"]].append(c)
        loop = EventLoop(CaptureReader(find_capture(shared, capture.removesuffix(".scap"))))
        while (step := loop.next()) is not None:
            for c in by_event.pop(loop.raw, ()) if step else ():
                text, fields = loop.render(outputs[str(c["format"])])
                if text == c["text"] and (c["fields"] is None or fields == c["fields"]):
                    continue
                off[str(c["format"])] += 1
                if c["format"] not in OUTPUTS_OFF:
                    wrong.append((capture, c["event"], c["format"], text, c["text"], fields))
        assert not by_event
    assert wrong == []
    assert off.total() <= MAX_OUTPUTS_OFF
