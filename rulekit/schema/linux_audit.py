"""What Linux audit knows of an event, as declared in ``tables/linux_audit.json``."""

from __future__ import annotations

from functools import cache
from typing import Any

from rulekit.schema.events import event_types, load_table
from rulekit.schema.fields import current_fields


@cache
def audit_table() -> dict[str, Any]:
    """Return the raw table: sources of parameters, kernel constants, record types."""
    return load_table("linux_audit")


@cache
def record_types() -> dict[int, str]:
    """Return the names of record types by number."""
    return {int(number): name for number, name in audit_table()["types"].items()}


@cache
def known_params() -> dict[int, frozenset[str]]:
    """Return the event types that audit can report, each with the parameters that it knows."""
    sources = audit_table()["events"]
    return {
        event.id: frozenset(sources[event.name])
        for event in event_types()
        if event.name in sources
        and not event.flags & {"OLD_VERSION", "UNUSED"}
        and (event.is_exit or event.source != "SYSCALL")
    }


@cache
def unknown_fields() -> dict[str, str]:
    """Return the fields that audit cannot know, each with the reason."""
    return _reasons("unknown")


@cache
def partly_known_fields() -> dict[str, str]:
    """Return the fields that audit knows at times, each with what that depends on."""
    return _reasons("sometimes")


@cache
def is_unknown(name: str) -> bool:
    """Whether audit cannot know a field of the table, without a look at all others."""
    return any(
        _means(pattern, name) for entry in audit_table()["unknown"] for pattern in entry["fields"]
    )


def _means(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _reasons(group: str) -> dict[str, str]:
    found = {}
    names = [field.name for field in current_fields("syscall")]
    for entry in audit_table()[group]:
        for pattern in entry["fields"]:
            for name in names:
                if _means(pattern, name):
                    found[name] = entry["why"]
    return found
