"""Flag, enum, errno, signal and syscall tables, as declared in ``tables/value_tables.json``."""

from __future__ import annotations

from functools import cache
from typing import Any

from rulekit.schema.events import load_table


@cache
def value_tables() -> dict[str, Any]:
    """Return the raw tables; flag tables keep the order in which rendering walks them."""
    return load_table("value_tables")
