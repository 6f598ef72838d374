"""Records to send."""

from __future__ import annotations

import json

from rulekit.alert import PRIORITIES, Alert
from rulekit.formats.base import Formatter
from rulekit.sinks.base import Record


def alert(number: int, size: int = 0) -> Alert:
    """Return an alert whose id is its number."""
    return Alert(
        time_ns=1_700_000_000_000_000_000 + number,
        rule=f"rule {number % 7}",
        priority=PRIORITIES[number % 8],
        message=f"alert {number} {'x' * size}",
        output_fields={"n": number},
        hostname="host",
        event=number,
        id=f"{number:032x}",
        rule_hash="0" * 32,
    )


def records(
    n: int, start: int = 0, size: int = 0, formatter: Formatter | None = None
) -> list[Record]:
    """Return records; without a formatter the body is the JSON object ``{"id": ...}``."""
    made = []
    for i in range(start, start + n):
        one = alert(i, size)
        body = json.dumps({"id": one.id, "pad": "x" * size}).encode() + b"\n"
        if formatter is not None:
            body = formatter.format(one)
        made.append(Record(one.id, one.time_ns, i % 8, one.rule, "syscall", "host", body))
    return made


def ids(n: int, start: int = 0) -> list[str]:
    """Return the ids of `records`."""
    return [f"{i:032x}" for i in range(start, start + n)]
