"""Which fields have a value for which events.

Facts of the event table (parameters, descriptor flags) and of the engine's rules for fields;
everything that is not certainly missing counts as there.
"""

from __future__ import annotations

from rulekit.rules.names import NamedField
from rulekit.schema.events import EventType, event_types

_FD_FLAGS = frozenset({"CREATES_FD", "USES_FD", "DESTROYS_FD"})
_ABSPATH = frozenset(
    (
        *("renameat", "renameat2", "linkat", "symlinkat", "openat", "openat2", "unlinkat"),
        *("mkdirat", "fchmodat", "fchownat", "open_by_handle_at"),
    )
)
_PATH = frozenset(
    (
        *("mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "open", "openat", "openat2", "chmod"),
        *("fchmodat", "chown", "lchown", "fchownat", "quotactl", "umount", "umount2", "fchmod"),
        "fchown",
    )
)
_PATH_PAIRS = frozenset(
    ("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "mount")
)
_OPEN = frozenset({"open", "openat", "openat2", "open_by_handle_at"})
_OPEN_FLAGS = {
    "evt.is_open_read": _OPEN,
    "evt.is_open_write": _OPEN,
    "evt.is_open_create": _OPEN | {"creat"},
    "evt.is_open_exec": _OPEN | {"creat"},
}


def missing_reason(named: NamedField, event_id: int) -> str | None:
    """Return why a field has no value for an event, or None when it may have one."""
    event = event_types()[event_id]
    name = named.field.name
    if name.startswith("fd.") and name != "fd.types":
        return None if event.flags & _FD_FLAGS else "has no file descriptor"
    if name in ("evt.arg", "evt.rawarg"):
        return _missing_param(named, event)
    if name.startswith("fdlist."):
        return None if event.name in ("poll", "ppoll") else "has no list of file descriptors"
    if name.startswith("fs.path."):
        pairs = name.startswith(("fs.path.source", "fs.path.target"))
        known = _PATH_PAIRS if pairs else _PATH
        return None if event.name in known else "names no such path"
    if name == "evt.abspath":
        return None if event.name in _ABSPATH else "has no directory descriptor and path"
    if name == "evt.buffer":
        has = any(p.name == "data" for p in event.params)
        return None if has else "carries no data"
    if name.startswith("evt.buflen"):
        return None if event.category.startswith("IO") else "reads and writes nothing"
    if name in ("evt.res", "evt.rawres", "evt.failed"):
        return None if event.is_exit else "returns nothing"
    return None


def _missing_param(named: NamedField, event: EventType) -> str | None:
    if named.key is not None:
        has = any(p.name == named.key for p in event.params)
        return None if has else f"has no parameter `{named.key}`"
    if named.index is not None and named.index >= len(event.params):
        count = len(event.params)
        return f"has {count} parameter{'' if count == 1 else 's'}, counted from 0"
    return None


def events_of_open_flag(name: str) -> frozenset[str] | None:
    """Return the events for which ``evt.is_open_*`` can be true; None for other fields."""
    return _OPEN_FLAGS.get(name)
