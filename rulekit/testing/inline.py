"""Inline events: a few lines of what happens → a recording, with the state that belongs to it.

    scenario([
        {"proc": {"cmdline": "nc -e /bin/sh", "parent": "nginx", "container": "web"}},
        {"connect": "203.0.113.9:4444"},
        {"dup2": [3, 0]},
        {"execve": "/bin/sh -i"},
    ]).data

An entry is one event of the process named last. ``proc`` names a process that runs already, and
those above it; ``spawn`` starts one, and both make it the process of what follows. Beside the event
may stand ``by`` (another process, for this event only), ``fails`` (an error), ``after`` (time since
the event before) and ``id`` (a name that expectations use).

Requests to a Kubernetes API server, ``k8s_audit``, become an audit log (`inline_audit`).
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rulekit.capture.builder import START_NS, STEP_NS
from rulekit.testing.inline_audit import audit_events, encode, is_audit
from rulekit.testing.inline_events import add, error_number, names_of_events
from rulekit.testing.inline_forms import SPECIAL
from rulekit.testing.inline_values import InlineError, fitting, later, text, unknown
from rulekit.testing.inline_world import World

BESIDE = ("by", "fails", "after", "id")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Inline events as a capture, or as an audit log.

    Attributes:
        data: The bytes of the capture; lines of JSON when `source` is ``k8s_audit``.
        ends: Per entry, raw position (from 1) of its last event; shape ``(n_entries,)``. What
            comes before the first event, such as containers, belongs to the first entry.
        names: Entries with an ``id``: number of the entry, from 1.
        source: Event source: ``syscall`` or ``k8s_audit``.
    """

    data: bytes
    ends: tuple[int, ...]
    names: Mapping[str, int]
    source: str = "syscall"

    @property
    def suffix(self) -> str:
        """How the name of a file with these events ends."""
        return ".scap.gz" if self.source == "syscall" else ".jsonl"

    def entry_of(self, raw: int) -> int:
        """Return the entry, from 1, that an event belongs to."""
        return bisect.bisect_left(self.ends, raw) + 1

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the capture to a file; compressed when its name ends in ``.gz``."""
        import gzip
        from pathlib import Path

        data = self.data
        if os.fspath(path).endswith(".gz"):
            data = gzip.compress(data, mtime=0)
        Path(path).write_bytes(data)


def scenario(events: Sequence[Any]) -> Scenario:
    """Make a capture, or an audit log, of inline events.

    Args:
        events: Entries, each a map.

    Raises:
        InlineError: An entry that means nothing; says where and what would.
    """
    if isinstance(events, (str, bytes)) or not isinstance(events, Sequence):
        raise InlineError((), "the events are a list")
    if not events:
        raise InlineError((), "the list of events is empty")
    if is_audit(events):
        return _audit_log(events)
    world = World()
    ends: list[int] = []
    names: dict[str, int] = {}
    for i, entry in enumerate(events):
        with fitting((i,)):
            _entry(world, entry, i)
        ends.append(world.builder.n_events)
        _note_name(names, entry, i)
    if all("proc" in entry for entry in events):
        help_ = "add an event, as in `- open: /etc/shadow`"
        raise InlineError((), "nothing happens: `proc` is a process, no event", help_)
    return Scenario(world.builder.build(), tuple(ends), names)


def _audit_log(entries: Sequence[Any]) -> Scenario:
    log = bytearray()
    ends: list[int] = []
    names: dict[str, int] = {}
    now_ns = START_NS
    for i, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or "k8s_audit" not in entry:
            raise InlineError(
                (i,), "requests to an API server and events of system calls are two cases"
            )
        for key in entry:
            if key not in ("k8s_audit", "after", "id"):
                raise unknown(
                    key, ("after", "id"), (i, key), "beside a request stands no", is_key=True
                )
        if "after" in entry:
            now_ns = later(now_ns, entry["after"], (i, "after"))
        else:
            now_ns += STEP_NS
        path = (i, "k8s_audit")
        try:
            made = audit_events(entry["k8s_audit"], path, now_ns, i)
            log += encode(made)
        except (TypeError, ValueError, RecursionError) as error:
            raise InlineError(path, f"this is no JSON: {error}") from error
        ends.append(len(made) + (ends[-1] if ends else 0))
        _note_name(names, entry, i)
    return Scenario(bytes(log), tuple(ends), names, "k8s_audit")


def _note_name(names: dict[str, int], entry: Mapping[str, Any], i: int) -> None:
    if "id" not in entry:
        return
    name = text(entry["id"], (i, "id"), "`id`")
    if name in names:
        raise InlineError((i, "id"), f"entry {names[name]} is called `{name}` already")
    names[name] = i + 1


def _entry(world: World, entry: Any, i: int) -> None:
    if not isinstance(entry, Mapping):
        raise InlineError((i,), "an event is a map: `- open: /etc/shadow`")
    if "k8s_audit" in entry:
        raise InlineError(
            (i,), "events of system calls and requests to an API server are two cases"
        )
    found = [key for key in entry if key not in BESIDE]
    if len(found) != 1:
        for key in found:
            if key not in SPECIAL and key not in names_of_events():
                raise _unknown_event(key, i)
        what = "has no event" if not found else f"has {len(found)} events"
        raise InlineError(
            (i,), f"the entry {what}", "one event an entry, as in `- open: /etc/shadow`"
        )
    (name,) = found
    if name not in SPECIAL and name not in names_of_events():
        raise _unknown_event(name, i)
    if "after" in entry:
        before_ns = world.builder.now_ns - STEP_NS
        world.builder.now_ns = later(before_ns, entry["after"], (i, "after"))
    fails = error_number(entry["fails"], (i, "fails")) if entry.get("fails") else 0
    given = entry[name]
    if name == "proc":
        _without(entry, ("by", "fails"), name, i)
        world.current = world.introduce(given, (i, name))
        return
    before = world.current
    if "by" in entry:
        world.current = world.actor(entry["by"], (i, "by"))
    if world.current is None:
        if name != "spawn":
            raise InlineError((i,), f"whose `{name}` is this?", "begin with `- proc: {name: bash}`")
    elif not world.current.running:
        raise InlineError((i,), f"`{world.current.label}` has ended")
    _event(world, name, given, fails, i)
    if "by" in entry:
        world.current = before


def _event(world: World, name: str, given: Any, fails: int, i: int) -> None:
    path = (i, name)
    actor = world.current
    if name == "spawn":
        if fails:
            raise InlineError((i, "fails"), "a `spawn` succeeds; write a failing `execve` instead")
        world.current = world.spawn(given, path)
        return
    assert actor is not None
    if name in ("execve", "execveat"):
        world.execute(actor, name, given, path, -fails)
    elif name in ("clone", "clone3", "fork", "vfork"):
        if fails:
            params = {"res": -fails, "flags": 0}
            world.builder.add_event(name, params, tid=actor.process.tid)
        else:
            world.current = world.fork(actor, name, given, path)
    elif name == "exit":
        status = 0 if given is None else given
        if isinstance(status, bool) or not isinstance(status, int):
            raise InlineError(path, "the status is a number")
        world.builder.exit(actor.process.tid, status=status)
        actor.running = False
    else:
        add(world, name, given, fails, path)
        if name in ("setuid", "setgid") and not fails:
            _follow(world, name, given)


def _follow(world: World, name: str, given: Any) -> None:
    """Remember what children inherit; the engine works it out by itself."""
    actor = world.current
    assert actor is not None
    key = name.removeprefix("set")
    value = given.get(key) if isinstance(given, Mapping) else given
    if isinstance(value, str):
        value = world.belongings.user(value, ()).uid
    if isinstance(value, int) and value >= 0:  # -1 changes nothing
        setattr(actor.process, key, value)


def _without(entry: Mapping[str, Any], keys: tuple[str, ...], name: str, i: int) -> None:
    for key in keys:
        if key in entry:
            raise InlineError((i, key), f"`{name}` is no event, so it has no `{key}`")


def _unknown_event(name: Any, i: int) -> InlineError:
    error = unknown(
        name, [*SPECIAL, *names_of_events(), *BESIDE], (i, name), "no event is called", is_key=True
    )
    if error.help is None:
        error.help = "`rulekit fields --events` lists the events"
    return error
