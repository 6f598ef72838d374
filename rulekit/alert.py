"""An alert: what leaves the engine when a rule is true for an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PRIORITIES = (
    "Emergency",
    "Alert",
    "Critical",
    "Error",
    "Warning",
    "Notice",
    "Informational",
    "Debug",
)
"""Most severe first; the index is the number of the priority, and its syslog level."""


def priority_number(name: str) -> int:
    """Return the number of a priority, 0 (Emergency) to 7 (Debug).

    Case does not matter and ``info`` stands for Informational; raises `ValueError` otherwise.
    """
    wanted = name.strip().capitalize()
    if wanted == "Info":
        wanted = "Informational"
    if wanted not in PRIORITIES:
        raise ValueError(f"`{name}` is not a priority; say one of {', '.join(PRIORITIES)}")
    return PRIORITIES.index(wanted)


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that was true for an event, with its output resolved.

    Attributes:
        time_ns: Time of the event, ns since the Unix epoch (UTC).
        rule: Name of the rule.
        priority: One of `PRIORITIES`, in that spelling.
        message: The rule's output with every field resolved, without time and priority.
        output_fields: Value of each field that the output names, typed: int, bool, float, str,
            list or None. The time of the event is not among them: formatters add it in the form
            they print.
        tags: Sorted, without duplicates.
        source: Event source of the rule (``syscall``).
        hostname: Host the events come from.
        event: Position of the event among all event headers of the capture, counted from 1.
    """

    time_ns: int
    rule: str
    priority: str
    message: str
    output_fields: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    source: str = "syscall"
    hostname: str = ""
    event: int = 0
