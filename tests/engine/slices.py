"""Captures compared by the values of their fields."""

from __future__ import annotations

import hashlib
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rulekit.engine.slice import write_slice
from rulekit.schema.fields import current_fields
from rulekit.tools.lines import LineForm, event_lines

CONDITIONS = (
    "proc.name in (bash, nginx, sh, runc)",
    "evt.type in (read, write) and fd.num > 2",
    "fd.type in (ipv4, ipv6, unix)",
    "evt.num > 500 and evt.num < 900",
    "evt.type in (execve, procinfo, switch, container)",
    "evt.failed = true",
)
# What is asked of sysdig.
FIELDS = [
    "evt.rawtime", "evt.dir", "evt.type", "thread.tid", "proc.name", "proc.exepath",
    "proc.cmdline", "proc.cwd", "proc.pname", "proc.ppid", "proc.aname[2]", "proc.fdopencount",
    "proc.nchilds", "proc.nthreads", "proc.sname", "fd.num", "fd.name", "fd.type", "fd.cip",
    "fd.sip", "fd.sport", "fd.l4proto", "evt.args", "evt.res", "user.name", "container.id",
    "evt.reltime",
]  # fmt: skip
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


def fingerprint(
    capture: Path, condition: str | None = None, fields: Iterable[str] = ()
) -> tuple[int, str]:
    """Return the number of lines that `values` would give, and a digest of them."""
    template = "*" + "\x1f".join(f"%{name}" for name in fields or all_fields())
    digest = hashlib.sha256()
    n = 0
    for line in event_lines(capture, LineForm(template), condition):
        digest.update(line + b"\n")
        n += 1
    return n, digest.hexdigest()


def sysdig(capture: Path, fields: Iterable[str] = FIELDS) -> Counter[bytes]:
    """Return what sysdig prints of a capture; lines are separated by what no field holds."""
    template = "*" + "\x1f".join(f"%{name}" for name in fields) + "\x1e"
    command = ["sysdig", "-r", str(capture), "-p", template]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    lines = (line.lstrip(b"\n") for line in done.stdout.split(b"\x1e"))
    return Counter(line for line in lines if line)


def read_by_sysdig(
    capture: Path,
    target: Path,
    condition: str,
    whole: Counter[bytes],
    fields: Iterable[str] = FIELDS,
) -> int:
    """Check that sysdig shows the events of a slice as it does in the capture; return how many.

    Args:
        whole: What it shows of the capture, the fields beginning as `FIELDS` do.
    """
    write_slice(capture, target, condition)
    lines = values(capture, condition, ["evt.rawtime", "evt.dir", "thread.tid"])
    chosen = Counter(tuple(line.split(b"\x1f")) for line in lines)
    found = sysdig(target, fields)
    other = _told_of_late(found - whole, whole - found, list(fields))
    assert other == [], (capture.name, condition, other)
    # Of several events of a thread at one time, no matter which.
    known = _keys(whole)
    wanted = Counter({key: n for key, n in chosen.items() if key in known})
    assert _keys(found) == wanted, (capture.name, condition)
    return found.total()


def _told_of_late(found: Counter[bytes], lines: Counter[bytes], fields: list[str]) -> list[bytes]:
    """Return what is found without a cause that `compatibility.md` names.

    Of a call whose thread is told of after its first half, sysdig has forgotten that half; in a
    slice it comes with the second. So the fd, which only the first half has, is known there.
    """
    by_key = {_key(line): line for line in lines}
    about_fd = {i for i, name in enumerate(fields) if name.startswith(("fd.", "evt.args"))}
    type_of_fd = fields.index("fd.type")

    def rest(cells: list[bytes]) -> list[bytes]:
        return [cell for i, cell in enumerate(cells) if i not in about_fd]

    wrong = []
    for line in found:
        cells, known = (text.split(b"\x1f") for text in (line, by_key.get(_key(line), b"")))
        if rest(cells) != rest(known) or known[type_of_fd] != b"<NA>":
            wrong.append(line)
    return wrong


def _key(line: bytes) -> tuple[bytes, ...]:
    ts_ns, direction, _, tid, *_ = line.split(b"\x1f")
    return ts_ns, direction, tid


def _keys(lines: Counter[bytes]) -> Counter[tuple[bytes, ...]]:
    keys: Counter[tuple[bytes, ...]] = Counter()
    for line, n in lines.items():
        keys[_key(line)] += n
    return keys
