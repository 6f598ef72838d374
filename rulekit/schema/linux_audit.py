"""What Linux audit knows of an event, as declared in ``tables/linux_audit.json``."""

from __future__ import annotations

from functools import cache
from typing import Any

from rulekit.schema.events import load_table
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
def unknown_fields() -> dict[str, str]:
    """Return the fields that audit cannot know, each with the reason."""
    found = {}
    for group in audit_table()["unknown"]:
        for pattern in group["fields"]:
            start = pattern.removesuffix("*")
            for field in current_fields("syscall"):
                if field.name == pattern or (start != pattern and field.name.startswith(start)):
                    found[field.name] = group["why"]
    return found
