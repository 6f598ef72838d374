"""Which events of a source a run looks at: from one to another, by number or by time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rulekit.errors import RulekitError

SECOND_NS = 1_000_000_000
_DAY_NS = 86_400 * SECOND_NS
_LARGEST = (1 << 63) - 1

_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": SECOND_NS, "m": 60 * SECOND_NS,
          "h": 3600 * SECOND_NS}  # fmt: skip
_OFFSET = re.compile(r"\+(\d+)(?:\.(\d{1,9}))?(ns|us|ms|s|m|h)?", re.ASCII)
_EPOCH = re.compile(r"@?(\d+)(?:\.(\d{1,9}))?", re.ASCII)
_CLOCK = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?", re.ASCII)
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
# Below it a whole number is the number of an event, from there on seconds since the epoch.
_FIRST_EPOCH = 1_000_000_000

FORMS = (
    "an event number (1500), seconds since the epoch (1700000000.25, @1700000000), a date"
    " (2026-07-01T12:00:00.5Z), a time of the first event's day as events are printed"
    " (12:00:00.5), or a distance from the first event (+10s, +250ms, +2m)"
)


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a window.

    Attributes:
        kind: ``number``: of the event, as ``evt.num``. ``time``: ns since the epoch. ``offset``:
            ns after the first event. ``clock``: ns after local midnight of the first event's day.
    """

    kind: Literal["number", "time", "offset", "clock"]
    value: int


@dataclass(frozen=True, slots=True)
class Window:
    """The events to look at; both ends belong to it. Events before it still feed the state.

    Reading ends with the last event by number, or ten seconds behind the last by time: events
    come from one queue per CPU and are ordered by time only roughly.
    """

    first: Bound | None = None
    last: Bound | None = None


def window(first: str | None, last: str | None) -> Window | None:
    """Return the window between two texts, each one of `FORMS`; None when both are.

    Raises:
        RulekitError: A text is none of the forms.
    """
    if first is None and last is None:
        return None
    return Window(
        None if first is None else parse_bound(first), None if last is None else parse_bound(last)
    )


def parse_bound(text: str) -> Bound:
    """Return one end of a window; `FORMS` says in words what can be written.

    Raises:
        RulekitError: The text is none of the forms.
    """
    bound = _parse(text.strip())
    if bound is None or bound.value > _LARGEST:
        raise RulekitError(f"{text!r} is no place in a capture: say {FORMS}")
    return bound


def _parse(text: str) -> Bound | None:
    if found := _OFFSET.fullmatch(text):
        unit = _UNITS[found[3] or "s"]
        return Bound("offset", int(found[1]) * unit + _nanoseconds(found[2]) * unit // SECOND_NS)
    if found := _EPOCH.fullmatch(text):
        if text.isdigit() and int(text) < _FIRST_EPOCH:
            return Bound("number", int(text))
        return Bound("time", int(found[1]) * SECOND_NS + _nanoseconds(found[2]))
    if found := _CLOCK.fullmatch(text):
        hours, minutes, seconds = int(found[1]), int(found[2]), int(found[3])
        value = ((hours * 60 + minutes) * 60 + seconds) * SECOND_NS + _nanoseconds(found[4])
        if minutes < 60 and seconds < 60 and value < _DAY_NS:
            return Bound("clock", value)
    if found := _DATE.fullmatch(text):
        zone = (found[4] or "").replace("Z", "+00:00")
        if zone and ":" not in zone:
            zone = f"{zone[:3]}:{zone[3:]}"
        try:
            # Without a zone it is local time, as events are printed.
            when = datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}{zone}")
            return Bound("time", int(when.timestamp()) * SECOND_NS + _nanoseconds(found[3]))
        except (ValueError, OverflowError, OSError):
            return None
    return None


def _nanoseconds(fraction: str | None) -> int:
    return int((fraction or "0").ljust(9, "0"))
