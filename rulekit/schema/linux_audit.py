"""What Linux audit knows of an event, as declared in ``tables/linux_audit.json``."""

from __future__ import annotations

from functools import cache
from typing import Any

from rulekit.schema.events import load_table


@cache
def audit_table() -> dict[str, Any]:
    """Return the raw table: sources of parameters, kernel constants, record types."""
    return load_table("linux_audit")


@cache
def record_types() -> dict[int, str]:
    """Return the names of record types by number."""
    return {int(number): name for number, name in audit_table()["types"].items()}
