"""The form of events: numbers, lengths and ends of parameters, as the table of events has them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from rulekit.capture._reader import iter_events
from rulekit.capture.encode import _FORMATS
from rulekit.schema.events import event_types


def lengths(kind: str) -> Sequence[int] | None:
    """Return the lengths that a parameter type may have, or None for any."""
    name = kind.removeprefix("PT_")
    return (struct.calcsize(_FORMATS[name]),) if name in _FORMATS else None


def check_forms(capture: Path) -> set[str]:
    """Assert that every event has the form of its type; return the names of the types."""
    seen = set()
    for raw, _num, _ts, _tid, type, params in iter_events(str(capture)):
        event = event_types()[type]
        seen.add(event.name)
        assert len(params) == len(event.params), (raw, event.name)
        for param, data in zip(event.params, params, strict=True):
            allowed = lengths(param.type)
            where = (raw, event.name, param.name, data)
            assert allowed is None or len(data) in allowed, where
            if param.type in ("PT_CHARBUF", "PT_FSPATH", "PT_FSRELPATH") and data:
                assert data.index(b"\0") == len(data) - 1, where
            if param.type == "PT_SOCKADDR" and data:
                assert len(data) == {2: 7, 10: 19}.get(data[0], len(data)), where
            if param.type == "PT_SOCKTUPLE" and data:
                assert len(data) == {2: 13, 10: 37}.get(data[0], len(data)), where
    return seen
