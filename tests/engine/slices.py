"""Captures compared by the values of their fields."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rulekit.schema.fields import current_fields
from rulekit.tools.lines import LineForm, event_lines

# What counts events, or looks back to the event shown before.
_RELATIVE = ("evt.num", "evt.deltatime", "evt.cnt", "evt.outputtime")
_ARGUMENTS = {
    "proc.env": ["[HOME]", "[PATH]"],
    "proc.aenv": ["[HOME]"],
    "evt.arg": [".name", ".fd", ".path", "[0]", "[1]"],
    "evt.rawarg": [".res", ".fd", ".flags"],
    "evt.abspath": [".src"],
    "proc.aname": ["[1]", "[2]"],
    "proc.apid": ["[1]"],
    "thread.cgroup": [".cpu", ".memory"],
    "container.label": ["[app]"],
    "container.mount": ["[0]"],
    "fd.types": ["[0]"],
}


def all_fields() -> list[str]:
    """Return every field that can be printed, with an argument or two where one is needed."""
    names = []
    for field in current_fields("syscall"):
        if (
            field.name.startswith((*_RELATIVE, "json.", "jevt."))
            or "filter_only" in field.restrictions
        ):
            continue
        if field.arg != "required":
            names.append(field.name)
        if field.arg != "none":
            names += [field.name + argument for argument in _ARGUMENTS.get(field.name, ())]
    return names


def values(capture: Path, condition: str | None = None, fields: Iterable[str] = ()) -> list[bytes]:
    """Return a line per event that is shown and for which the condition holds."""
    template = "*" + "\x1f".join(f"%{name}" for name in fields or all_fields())
    return list(event_lines(capture, LineForm(template), condition))
