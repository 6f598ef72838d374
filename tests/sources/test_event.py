"""Captures as event objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from rulekit.errors import SourceError
from rulekit.sources.event import Event, read_events
from tests.fuzz.mutate import block_starts, plain

ROOT = Path(__file__).resolve().parent.parent.parent
TINY = ROOT / "rulesets" / "captures" / "tiny-host.scap.gz"


def test_events_come_with_their_declaration() -> None:
    events = list(read_events(TINY))
    assert all(isinstance(event, Event) for event in events)
    assert [e.number for e in events] == list(range(1, len(events) + 1))
    assert [e.position for e in events] == sorted({e.position for e in events})
    started = [e for e in events if e.type.name == "execve"]
    assert b"cat\0" in {e.params["comm"] for e in started}
    assert all(e.time_ns > 10**18 and e.tid > 0 for e in started)


def test_a_capture_that_breaks_off_yields_what_was_before(tmp_path: Path) -> None:
    data = plain(TINY)
    path = tmp_path / "cut.scap"
    path.write_bytes(data[: block_starts(data)[-20] + 13])
    seen = []
    with pytest.raises(SourceError, match=r"cut\.scap: byte \d+: "):
        seen.extend(read_events(path))
    assert len(seen) > 100


def test_what_is_no_capture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("hello")
    with pytest.raises(SourceError, match="text"):
        list(read_events(path))
