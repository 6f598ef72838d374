"""The part of a capture that is looked at: by number, by time, from a pipe."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from rulekit.capture import Builder
from rulekit.capture.builder import START_NS
from rulekit.engine.window import Bound, parse_bound, window
from rulekit.errors import RulekitError
from rulekit.tools.lines import LineForm, event_lines

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("1500", Bound("number", 1500)),
        ("999999999", Bound("number", 999_999_999)),
        ("1000000000", Bound("time", 10**18)),
        ("@5", Bound("time", 5 * SECOND)),
        ("1700000000.25", Bound("time", 1_700_000_000_250_000_000)),
        ("1700000000.123456789", Bound("time", 1_700_000_000_123_456_789)),
        ("2023-11-14T22:13:20Z", Bound("time", START_NS)),
        ("2023-11-14 22:13:20.5Z", Bound("time", START_NS + SECOND // 2)),
        ("2023-11-15T00:13:20.000000001+02:00", Bound("time", START_NS + 1)),
        ("2023-11-14T20:13:20-0200", Bound("time", START_NS)),
        ("2023-11-14T22:13Z", Bound("time", START_NS - 20 * SECOND)),
        ("2023-11-14Z", Bound("time", 1_699_920_000 * SECOND)),
        ("00:00:01.5", Bound("clock", 1_500_000_000)),
        ("23:59:59.999999999", Bound("clock", 86_400 * SECOND - 1)),
        ("+10", Bound("offset", 10 * SECOND)),
        ("+1.5m", Bound("offset", 90 * SECOND)),
        ("+250ms", Bound("offset", SECOND // 4)),
        ("+0.000000001s", Bound("offset", 1)),
        ("+2h", Bound("offset", 7200 * SECOND)),
        (" +7us ", Bound("offset", 7000)),
    ],
)
def test_a_place_can_be_said_in_these_forms(text: str, bound: Bound) -> None:
    assert parse_bound(text) == bound


@pytest.mark.parametrize(
    "text",
    ["", "x", "-5", "+", "+5x", "1.5.2", "24:00:00", "12:61:00", "2023-13-01", "2023-02-30T00:00Z",
     "1700000000.1234567891", "99999999999999999999", "+99999999999h", "٣"],
)  # fmt: skip
def test_what_is_no_place_is_refused_with_help(text: str) -> None:
    with pytest.raises(RulekitError, match=r"is no place in a capture: say an event number"):
        parse_bound(text)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Ten events, a second apart; the first opens the file that all others read."""
    b = Builder()
    b.add_process(7, "cat")
    b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": "/etc/passwd"}, tid=7)
    for i in range(1, 10):
        b.add_event("read", {"res": i, "fd": 3}, tid=7, ts_ns=START_NS + i * SECOND)
    path = tmp_path / "ten.scap"
    b.save(path)
    return path


def shown(path: Path, first: str | None, last: str | None) -> list[int]:
    lines = event_lines(path, LineForm("%evt.num %fd.name"), window=window(first, last))
    pairs = [line.split() for line in lines]
    assert all(name == b"/etc/passwd" for _, name in pairs)
    return [int(number) for number, _ in pairs]


@pytest.mark.parametrize(
    ("first", "last", "numbers"),
    [
        ("3", "5", [3, 4, 5]),
        (None, "2", [1, 2]),
        ("9", None, [9, 10]),
        ("+2s", "+4s", [3, 4, 5]),
        ("+1999ms", "+2001ms", [3]),
        ("1700000008", None, [9, 10]),
        ("@1700000000", "@1700000001", [1, 2]),
        ("22:13:22", "22:13:23.5", [3, 4]),
        ("2023-11-14T22:13:28Z", None, [9, 10]),
        ("9", "+8.5s", [9]),
        ("5", "4", []),
        ("11", None, []),
        ("0", "+1000h", list(range(1, 11))),
    ],
)
def test_only_events_of_the_window_are_shown(
    capture: Path,
    first: str | None,
    last: str | None,
    numbers: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert shown(capture, first, last) == numbers


def test_an_event_a_little_out_of_order_is_not_missed(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "cat")
    for at in (0, 3, 1, 12, 1):
        b.add_event("read", {"res": 1, "fd": 3}, tid=7, ts_ns=START_NS + at * SECOND)
    b.save(tmp_path / "a.scap")
    lines = event_lines(tmp_path / "a.scap", LineForm("%evt.num"), window=window(None, "+1s"))
    # The last is behind an event more than ten seconds later than the end: nobody waits for it.
    assert list(lines) == [b"1", b"3"]
