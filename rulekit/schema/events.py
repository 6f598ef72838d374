"""Event types and their parameters, as declared in ``tables/event_table.json``.

The table's origin is the libs tree at commit 48dfd53 (2026-07, schema 4.5.1); ids are stable
across releases, so one table serves captures of every age.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an event type.

    Attributes:
        type: ``PT_*`` name; `fmt` the ``PF_*`` print format.
        values: Name of a flag table in `rulekit.schema.values`, or None.
        dyn: Name of a table in `dynamic_params` (first payload byte selects the type), or None.
        dirfd_param: Index of the parameter holding the directory fd, or None.
    """

    name: str
    type: str
    fmt: str
    values: str | None
    dyn: str | None
    dirfd_param: int | None


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of event; even ids are enter or meta events, odd ids exits."""

    id: int
    enum: str
    name: str
    is_exit: bool
    category: str
    source: str | None
    flags: frozenset[str]
    params: tuple[Param, ...]
    fd_param: int
    syscalls: tuple[str, ...]


def load_table(name: str) -> dict[str, Any]:
    """Return the parsed JSON table ``tables/<name>.json``."""
    # Not by importlib.resources: it takes longer to import than a table to read.
    with open(os.path.join(os.path.dirname(__file__), "tables", f"{name}.json"), "rb") as file:
        table: dict[str, Any] = json.load(file)
    return table


@cache
def event_table() -> dict[str, Any]:
    """Return the raw event table (types, print formats, categories, flags, dynamic params)."""
    return load_table("event_table")


@cache
def event_types() -> tuple[EventType, ...]:
    """Return all event types; the index is the id."""
    return tuple(
        EventType(
            id=e["id"],
            enum=e["enum"],
            name=e["name"],
            is_exit=e["dir"] == "<",
            category=e["category"],
            source=e["source"],
            flags=frozenset(e["flags"]),
            params=tuple(
                Param(
                    p["name"],
                    p["type"],
                    p["fmt"],
                    p.get("values"),
                    p.get("dyn"),
                    p.get("dirfd_param"),
                )
                for p in e["params"]
            ),
            fd_param=e.get("fd_param", -1),
            syscalls=tuple(e.get("syscalls", ())),
        )
        for e in event_table()["events"]
    )
