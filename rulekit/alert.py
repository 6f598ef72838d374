"""An alert: what leaves the engine when a rule is true for an event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

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

_NUMBERS = {name: number for number, name in enumerate(PRIORITIES)}


def priority_number(name: str) -> int:
    """Return the number of a priority, 0 (Emergency) to 7 (Debug).

    Case does not matter and ``info`` stands for Informational; raises `ValueError` otherwise.
    """
    number = _NUMBERS.get(name)  # nearly always spelled so
    if number is None:
        wanted = name.strip().capitalize()
        number = _NUMBERS.get("Informational" if wanted == "Info" else wanted)
    if number is None:
        raise ValueError(f"`{name}` is not a priority; say one of {', '.join(PRIORITIES)}")
    return number


CAPTURE = "capture"
"""Key in `Alert.context` of the name of the capture, where there are several."""

INTERNAL = "internal"
"""Event source of what the engine says about itself."""


class Alert(msgspec.Struct, frozen=True):
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
        source: Event source of the rule (``syscall``); ``internal`` for what the engine says about
            itself.
        hostname: Host the events come from.
        event: Position of the event among all event headers of the capture, counted from 1.
        event_id: What names the event wherever it is met: ``auditID/stage`` of an audit event;
            empty where an event has nothing but its position.
        id: Of this alert, 32 hex digits: the same whenever the same rule meets the same event.
        rule_hash: Of the content of the rule, see `rulekit.rules.fingerprint`.
        description: Of the rule.
        context: Further fields of the event that a format asked for, by name, typed as
            `output_fields`.
        drops: Events lost before matching since the alert before this one.
        missing: What could not be found out about the event: ``process``, ``container``; empty when
            it is complete, None when nobody looked.
    """

    time_ns: int
    rule: str
    priority: str
    message: str
    output_fields: Mapping[str, Any] = msgspec.field(default_factory=dict)
    tags: tuple[str, ...] = ()
    source: str = "syscall"
    hostname: str = ""
    event: int = 0
    event_id: str = ""
    id: str = ""
    rule_hash: str = ""
    description: str = ""
    context: Mapping[str, Any] = msgspec.field(default_factory=dict)
    drops: int = 0
    missing: tuple[str, ...] | None = None


def alert_id(rule_hash: str, source: str, host: str, time_ns: int, place: str) -> str:
    """Return the id of an alert, 32 hex digits.

    Args:
        rule_hash: Of the rule's content: an edited rule gives new alerts.
        place: ``auditID/stage`` of an audit event, otherwise its position in the source.
    """
    text = f"{rule_hash}\0{source}\0{host}\0{time_ns}\0{place}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def internal_alert(
    rule: str,
    priority: str,
    text: str,
    fields: Mapping[str, Any],
    *,
    time_ns: int,
    hostname: str,
    event: int = 0,
    occasion: str = "",
) -> Alert:
    """Return what the engine says about itself, in the form that Falco gives it.

    Args:
        fields: Become output fields, and part of the message as ``(key=value key=value)``.
        occasion: Tells apart what would be equal otherwise; part of the id.
    """
    shown = " ".join(f"{key}={json.dumps(value)}" for key, value in fields.items())
    return Alert(
        time_ns=time_ns,
        rule=rule,
        priority=priority,
        message=f"{text} ({shown})" if shown else text,
        output_fields=fields,
        source=INTERNAL,
        hostname=hostname,
        event=event,
        id=alert_id(rule, INTERNAL, hostname, time_ns, occasion or f"{event} {shown}"),
    )
