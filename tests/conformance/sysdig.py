"""Values of the same fields, event by event: Debian's sysdig beside rulekit.

python -m tests.conformance.sysdig CAPTURE... prints a summary; the exit code is 1 when something
differs that sysdig_differences.py does not allow.

Sysdig 0.29 speaks the older semantics (enter and exit events). Its lines are joined with ours by
the raw position of the event among all event headers of the capture. Events that came into the
format after it are taken out for both: it passes over them, so that all it shows of a process that
calls dup2 is another story, and it dies of system calls that its table has no room for.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rulekit.capture._reader import CaptureReader
from rulekit.engine._loop import EventLoop
from rulekit.schema.fields import current_fields
from tests.capture.walk import EVENT_BLOCKS, blocks
from tests.conformance.sysdig_differences import Shown, explain
from tests.state.rendered import program

# Joined on, or read to explain a difference.
KEYS = ("evt.num", "evt.rawtime", "thread.tid", "evt.cpu", "evt.type", "evt.dir")
# Fields that cannot be compared, each with its reason.
NOT_COMPARED = {
    "evt.num": "numbering differs: conversion drops enter events",
    "evt.latency": "since the enter event, which conversion drops; constant 0 since 0.42",
    "evt.latency.s": "as evt.latency",
    "evt.latency.ns": "as evt.latency",
    "evt.latency.human": "as evt.latency",
    "evt.type.is": "prints nothing, in a filter only",
    "thread.totexectime": "sysdig gives up: `invalid thread state ID0`",
    "proc.is_exe_writable": "sysdig shows memory that nobody has written to",
    "evt.wait_latency": "as evt.latency",
    "evt.deltatime": "since the event before, which is another one without enter events",
    "evt.deltatime.s": "as evt.deltatime",
    "evt.deltatime.ns": "as evt.deltatime",
    "fd.cip.name": "asks name servers",
    "fd.sip.name": "asks name servers",
    "fd.lip.name": "asks name servers",
    "fd.rip.name": "asks name servers",
}
# The last type of event, and the last system call of the generic events, that sysdig 0.29 knows.
LAST_TYPE = 337  # exit of open_by_handle_at
LAST_CALL = 341  # mount_setattr
# What stands for fields that want an argument.
ARGUMENTS = {
    "evt.arg": tuple(f"evt.arg[{i}]" for i in range(6)),
    "evt.rawarg": ("evt.rawarg.res",),
    "proc.args": ("proc.args",),
    "proc.env": ("proc.env",),
    "proc.apid": ("proc.apid[1]", "proc.apid[2]", "proc.apid[3]"),
    "proc.aname": ("proc.aname[0]", "proc.aname[1]", "proc.aname[2]", "proc.aname[4]"),
    "thread.cgroup": ("thread.cgroup.cpuset", "thread.cgroup.memory"),
    "evt.abspath": ("evt.abspath", "evt.abspath.src", "evt.abspath.dst"),
}


def common_fields() -> list[str]:
    """Return the fields that both know and that can be compared."""
    known = subprocess.run(["sysdig", "-l"], capture_output=True, text=True).stdout
    theirs = re.findall(r"^([a-z0-9]+\.[a-z0-9_.]+)\s", known, re.M)
    mine = {f.name: f for f in current_fields("syscall")}
    chosen: list[str] = []
    for name in theirs:
        known_field = mine.get(name)
        if known_field is None or name in NOT_COMPARED:
            continue
        if "filter_only" in known_field.restrictions:
            continue
        if name in ARGUMENTS:
            chosen += ARGUMENTS[name]
        elif name.startswith("container.mount."):
            chosen.append(f"{name}[0]")
        elif known_field.arg == "required":
            chosen.append(f"{name}[0]" if name == "container.mount" else f"{name}.app")
        else:
            chosen.append(name)
    # Once it has been asked for evt.abspath, sysdig shows the fd of the directory as the event's.
    chosen.sort(key=lambda name: name.startswith("evt.abspath"))
    return [name for name in chosen if _renderable(name)]


def _renderable(name: str) -> bool:
    try:
        program(f"%{name}")
    except AssertionError:  # sysdig lists forms that the current engine refuses
        return False
    return True


@dataclass(slots=True)
class Pair:
    """One event: its raw position and both sets of cells, in the order of the fields."""

    position: int
    type: str
    direction: str
    tid: str
    theirs: list[str]
    mine: list[str]


def pairs(capture: Path, fields: list[str]) -> Iterator[Pair]:
    """Yield the events that both show.

    Raises:
        RuntimeError: Sysdig cannot read the capture, or its lines are not in the order of the file.
    """
    with known_part(capture) as (part, places):
        for pair in _pairs(part, [*KEYS, *fields]):
            pair.position = places[pair.position - 1] if places else pair.position
            yield pair


@contextmanager
def known_part(capture: Path) -> Iterator[tuple[Path, list[int]]]:
    """Yield a capture without the events that sysdig does not know, and the places of the others.

    The list is empty, and the capture the given one, where nothing had to be taken out.
    """
    kept: list[int] = []
    position = 0
    with tempfile.NamedTemporaryFile(suffix=".scap") as file:
        for kind, body in blocks(capture.read_bytes()):
            if kind in EVENT_BLOCKS:
                position += 1
                if not _known(kind, body):
                    continue
                kept.append(position)
            size = struct.pack("<I", len(body) + 12)
            file.write(struct.pack("<I", kind) + size + body + size)
        file.flush()
        whole = len(kept) == position
        yield (capture, []) if whole else (Path(file.name), kept)


def _known(kind: int, body: bytes) -> bool:
    at = EVENT_BLOCKS[kind]
    (type_id,) = struct.unpack_from("<H", body, at + 20)
    if type_id > 1:
        return bool(type_id <= LAST_TYPE)
    # A generic event: its first parameter is the system call, of two bytes.
    if kind in (0x204, 0x208):
        count = 2 - type_id  # enter has the native number, too
        at += 22
    else:
        (count,) = struct.unpack_from("<I", body, at + 22)
        at += 26
    (call,) = struct.unpack_from("<H", body, at + 2 * count)
    return bool(call <= LAST_CALL)


def _pairs(capture: Path, names: list[str]) -> Iterator[Pair]:
    theirs = _their_rows(capture, names)
    keys = _positions(capture)
    output = program("*" + "\x1f".join(f"%{n}" for n in names))
    loop = EventLoop(CaptureReader(capture))
    position, row = _place(next(theirs, None), keys, 0)
    while (step := loop.next()) is not None:
        if not step:
            continue
        while row is not None and position < loop.raw:
            position, row = _place(next(theirs, None), keys, position)
        if row is None or position > loop.raw:
            continue
        line = loop.render_line(output, True)
        assert line is not None
        mine = line.decode("latin-1").split("\x1f")
        n = len(KEYS)
        yield Pair(position, mine[4], row[5], mine[2], row[n:], mine[n:])
    while row is not None:
        position, row = _place(next(theirs, None), keys, position)


def _place(
    row: list[str] | None, keys: Iterator[tuple[int, tuple[str, ...]]], position: int
) -> tuple[int, list[str] | None]:
    """Return the position of a line: that of the next header with its time, thread and cpu."""
    if row is None:
        return position, None
    wanted = tuple(row[1:4])
    for position, key in keys:
        if key == wanted:
            return position, row
    raise RuntimeError(f"no event for the line {row[:6]}")


def _positions(capture: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    position = 0
    for kind, body in blocks(capture.read_bytes()):
        if kind in EVENT_BLOCKS:
            position += 1
            ts_ns, tid = struct.unpack_from("<Qq", body, EVENT_BLOCKS[kind])
            yield position, (str(ts_ns), str(tid), str(struct.unpack_from("<H", body)[0]))


def _their_rows(capture: Path, names: list[str]) -> Iterator[list[str]]:
    """Yield the lines of sysdig as cells."""
    template = "*\x1e" + "\x1f".join(f"%{n}" for n in names) + "\x1f"
    command = ["sysdig", "-r", str(capture), "-p", template]
    environment = {**os.environ, "TZ": "UTC"}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env=environment
        ) as process,
    ):
        assert process.stdout is not None
        rest = b""
        while chunk := process.stdout.read(1 << 20):
            *lines, rest = (rest + chunk).split(b"\x1e")
            for line in lines:
                if line:
                    cells = line.decode("latin-1").split("\x1f")
                    yield cells[:-1]
        if rest:
            yield rest.decode("latin-1").split("\x1f")[:-1]
        process.wait()
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip()
        if process.returncode or said:
            raise RuntimeError(f"{capture.name}: sysdig says {said[:300]}")


@dataclass(slots=True)
class Result:
    """What came of comparing captures.

    Attributes:
        causes: Values that differ, by the name of the rule that allows it.
        wrong: Values that differ and no rule allows, by (field, theirs, ours).
    """

    events: int = 0
    values: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    wrong: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    where: dict[tuple[str, str, str], str] = field(default_factory=dict)


def compare(capture: Path, fields: Sequence[str], result: Result) -> None:
    """Add the events of a capture to a result.

    Raises:
        RuntimeError: As `pairs`.
    """
    once: dict[str, int | str] = {}
    for pair in pairs(capture, list(fields)):
        result.events += 1
        result.values += len(fields)
        if pair.theirs == pair.mine:
            continue
        theirs = dict(zip(fields, pair.theirs, strict=True))
        mine = dict(zip(fields, pair.mine, strict=True))
        for name, value in mine.items():
            if value == theirs[name]:
                continue
            event = Shown(pair.type, pair.direction, pair.tid, theirs, mine, name, once)
            rule = explain(name, event, theirs[name], value)
            if rule is not None:
                result.causes[rule.name] += 1
                continue
            key = (name, theirs[name][:200], value[:200])
            result.wrong[key] += 1
            result.where.setdefault(key, f"{capture.name}, event {pair.position}")


def main() -> int:
    """Compare the captures named on the command line."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    fields = common_fields()
    total = Result()
    for name in sys.argv[1:]:
        before = (total.events, total.causes.total(), total.wrong.total())
        compare(Path(name), fields, total)
        after = (total.events, total.causes.total(), total.wrong.total())
        print(f"{Path(name).name}:", *(b - a for a, b in zip(before, after, strict=True)))
    print(f"{len(fields)} fields, {total.events} events, {total.values} values")
    print(f"{total.causes.total()} values differ for a known cause, {total.wrong.total()} for none")
    for cause, n in total.causes.most_common():
        print(f"  {cause}: {n}")
    for key, n in total.wrong.most_common(20):
        print(f"  {n} times {key}, first in {total.where[key]}")
    return 1 if total.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
