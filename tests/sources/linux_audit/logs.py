"""Writes logs of audit for tests, and reads what they become."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from rulekit.capture._reader import iter_events
from rulekit.engine.events import EventSource
from rulekit.schema.events import event_types
from rulekit.sources.linux_audit._stream import AuditDecoder
from rulekit.sources.linux_audit.log import AuditSource

START_MS = 1_700_000_000_000
# Told to the state alone.
HIDDEN = ("task", "procinfo", "useradded", "groupadded")


def text(value: str | bytes) -> str:
    """Return a text as the kernel writes it: in quotes, or as digits."""
    raw = value.encode() if isinstance(value, str) else value
    plain = all(0x21 <= c <= 0x7E and c != 0x22 for c in raw)
    return f'"{raw.decode()}"' if plain else raw.hex().upper()


@dataclass
class Log:
    """Lines of records; the time goes on by a millisecond with each event."""

    lines: list[str] = field(default_factory=list)
    ms: int = START_MS
    serial: int = 0
    node: str = ""

    def next(self, ms: int | None = None) -> str:
        """Return the id of a new event."""
        self.serial += 1
        self.ms = self.ms + 1 if ms is None else ms
        return f"{self.ms // 1000}.{self.ms % 1000:03d}:{self.serial}"

    def record(self, kind: str, event: str, body: str) -> str:
        """Add a record and return its line."""
        node = f"node={self.node} " if self.node else ""
        line = f"{node}type={kind} msg=audit({event}): {body}"
        self.lines.append(line)
        return line

    def call(
        self,
        number: int,
        *,
        pid: int = 100,
        ppid: int = 1,
        args: tuple[int, ...] = (0, 0, 0, 0),
        exit: int | None = 0,
        comm: str = "bash",
        exe: str = "/usr/bin/bash",
        paths: tuple[Any, ...] = (),
        cwd: str | None = None,
        argv: tuple[str | bytes, ...] = (),
        records: tuple[tuple[str, str], ...] = (),
        title: str | bytes | None = "bash",
        uid: int = 0,
        euid: int | None = None,
        gid: int = 0,
        auid: int = 1000,
        tty: str = "pts0",
        arch: str = "c000003e",
        items: int | None = None,
        ms: int | None = None,
    ) -> str:
        """Add the records of a system call; return the id of the event.

        Args:
            paths: Names, or (name, nametype), or (name, nametype, rest of the record).
            title: Of PROCTITLE; None leaves the record out.
            exit: None: neither success nor exit, as of a call that does not return.
        """
        event = self.next(ms)
        result = ""
        if exit is not None:
            result = f"success={'yes' if exit >= 0 else 'no'} exit={exit} "
        numbers = " ".join(f"a{i}={a & 0xFFFFFFFFFFFFFFFF:x}" for i, a in enumerate(args))
        effective = uid if euid is None else euid
        self.record(
            "SYSCALL",
            event,
            f"arch={arch} syscall={number} {result}{numbers}"
            f" items={len(paths) if items is None else items} ppid={ppid} pid={pid} auid={auid}"
            f" uid={uid} gid={gid} euid={effective} suid={uid} fsuid={uid} egid={gid} sgid={gid}"
            f" fsgid={gid} tty={tty} ses=1 comm={text(comm)} exe={text(exe)} key=(null)",
        )
        for kind, body in records:
            self.record(kind, event, body)
        if argv:
            self.record(
                "EXECVE",
                event,
                " ".join([f"argc={len(argv)}", *(f"a{i}={text(a)}" for i, a in enumerate(argv))]),
            )
        if cwd is not None:
            self.record("CWD", event, f"cwd={text(cwd)}")
        for i, path in enumerate(paths):
            name, nametype, rest = (
                (path, "NORMAL", "") if isinstance(path, str) else (*path, "")[:3]
            )
            rest = rest or "inode=77 dev=fe:01 mode=0100644 ouid=0 ogid=0 rdev=00:00"
            self.record("PATH", event, f"item={i} name={text(name)} {rest} nametype={nametype}")
        if title is not None:
            self.record("PROCTITLE", event, f"proctitle={text(title)}")
        return event

    def __bytes__(self) -> bytes:
        return "".join(f"{line}\n" for line in self.lines).encode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Shown:
    """An event as rules see it."""

    type: str
    tid: int
    ts_ns: int
    params: dict[str, bytes]

    def number(self, name: str) -> int:
        """Return a parameter as a number."""
        return int.from_bytes(self.params[name], "little", signed=True)

    def text(self, name: str) -> str:
        """Return a parameter as a text without its final NUL."""
        return self.params[name].rstrip(b"\0").decode()


def decode(data: bytes, step: int = 0) -> tuple[bytes, AuditDecoder]:
    """Return a log as a capture; `step`: bytes that are fed at a time, 0: all."""
    decoder = AuditDecoder()
    step = step or max(len(data), 1)
    made = b"".join(decoder.feed(data[i : i + step]) for i in range(0, len(data), step))
    return made + decoder.finish(), decoder


def shown(log: Log | bytes, step: int = 0) -> list[Shown]:
    """Return the events of a log that rules see."""
    capture, _ = decode(bytes(log), step)
    types = event_types()
    found = []
    for _, _, ts_ns, tid, number, params in iter_events(io.BytesIO(capture)):
        kind = types[number]
        if kind.name in HIDDEN or (kind.name == "clone" and _is_birth(params)):
            continue
        if kind.name == "procexit" and not params[0]:
            continue
        names = [p.name for p in kind.params]
        found.append(Shown(kind.name, tid, ts_ns, dict(zip(names, params, strict=True))))
    return found


def _is_birth(params: tuple[bytes, ...]) -> bool:
    return not any(params[0]) and not params[13]


def counters(log: Log | bytes) -> dict[str, int]:
    """Return what was counted, zeros left out."""
    _, decoder = decode(bytes(log))
    return {name: n for name, n in decoder.stats().items() if n}


def fields(log: Log | bytes, *names: str) -> list[tuple[Any, ...]]:
    """Return fields of each event that rules see."""
    source = EventSource(AuditSource(io.BytesIO(bytes(log))))
    return [tuple(event[name] for name in names) for event in source]
