"""Records to send."""

from __future__ import annotations

import json

from rulekit.sinks.base import Record


def records(n: int, start: int = 0, size: int = 0) -> list[Record]:
    """Return records whose body is the JSON object ``{"id": ...}``."""
    made = []
    for i in range(start, start + n):
        body = json.dumps({"id": f"{i:032x}", "pad": "x" * size}).encode() + b"\n"
        time_ns = 1_700_000_000_000_000_000 + i
        made.append(Record(f"{i:032x}", time_ns, i % 8, f"rule {i}", "syscall", "host", body))
    return made
