"""Events that lie about who is whose parent, thread, leader: a few numbers, so that all clash.

`capture` gives the same bytes for the same seed. Every number is one of a dozen, every text one of
a few: what a process shows changes with nearly every event, and what it showed before comes back.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from rulekit.capture.builder import Builder
from tests.state.state_events import (
    CHILD_IN_PIDNS,
    CLONE_FILES,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    CLONE_THREAD,
    CLONE_VFORK,
    addr4,
    clone_params,
    execve_params,
    i64,
    parts,
    text,
    tuple4,
    u8,
    u32,
    u64,
)

TIDS = [-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
CLOSED, IS_MAIN, INVERTED, CLONE_PARENT = 1 << 18, 1 << 30, 1 << 16, 256
FLAGS = [0, 0, 0, CLONE_THREAD, CLONE_THREAD, CLONE_FILES, CLONE_VFORK, CHILD_IN_PIDNS,
         CLONE_NEWPID, CLONE_PARENT, IS_MAIN, CLONE_THREAD | IS_MAIN, CLOSED, INVERTED]  # fmt: skip
WORDS = [b"a", b"bash", b"zsh"]
LISTS = [b"", parts(b"/x"), parts(b"-l", b"/etc/y"), parts(b"HOME=/a"), parts(b"HOME=/b", b"T=1")]
PATHS = [b"/", b"/a", b"/b/c", b"d"]
CONTAINERS = ["aaaaaaaaaaaa", "bbbbbbbbbbbb"]
CGROUPS = [b"", *(parts(f"cpu=/docker/{c}{'0' * 52}".encode()) for c in CONTAINERS)]


def _start(chance: random.Random, b: Builder) -> None:
    for tid in chance.sample(TIDS[1:], chance.randrange(2, 8)):
        main = chance.choice(TIDS)
        b.add_process(
            tid,
            chance.choice(WORDS).decode(),
            pid=tid if chance.random() < 0.7 else max(main, 0),
            ptid=max(chance.choice(TIDS), 0),
            args=chance.choice([(), ("-x",)]),
            cwd=chance.choice(PATHS).decode(),
            uid=chance.choice([0, 5]),
        )


def _clone(chance: random.Random) -> tuple[int, list[bytes]]:
    tid, pid, ptid = (chance.choice(TIDS) for _ in range(3))
    facts: dict[str, Any] = {
        "flags": chance.choice(FLAGS),
        "comm": chance.choice(WORDS),
        "exe": chance.choice(PATHS),
        "args": chance.choice(LISTS),
        "cgroups": chance.choice(CGROUPS),
        "uid": chance.choice([0, 5]),
        "gid": chance.choice([0, 5]),
        "vtid": chance.choice([None, None, *TIDS]),
        "vpid": chance.choice([None, None, *TIDS]),
        "pidns_ts": chance.choice([0, 7]),
    }
    res = 0 if chance.random() < 0.6 else chance.choice(TIDS[3:])
    params = clone_params(res, tid, pid, ptid, **facts)
    return chance.choice([223, 223, 335, 227]), params


def _execve(chance: random.Random) -> tuple[int, list[bytes]]:
    params = execve_params(
        chance.choice([*TIDS, -5]),
        chance.choice([*TIDS, -5]),
        comm=chance.choice(WORDS),
        exe=chance.choice(PATHS),
        args=chance.choice(LISTS),
        exepath=chance.choice([None, *PATHS]),
        uid=chance.choice([0, 5]),
        flags=chance.randrange(16),
        cgroups=chance.choice(CGROUPS),
        env=chance.choice(LISTS),
    )
    return (293, params) if chance.random() < 0.7 else (331, params[:30])


def _task(chance: random.Random) -> tuple[int, list[bytes]]:
    params = [
        *(i64(chance.choice(TIDS)) for _ in range(4)),
        text(chance.choice(WORDS)),
        chance.choice(WORDS) + b"\0" + chance.choice(LISTS),
        text(chance.choice(PATHS)),
        u32(chance.randrange(16)),
        chance.choice(LISTS),
        text(chance.choice(PATHS)),
        u64(64),
        u32(chance.choice([0, 5])),
        u32(chance.choice([0, 5])),
        *(u64(chance.randrange(8)) for _ in range(6)),
        *(u32(9) for _ in range(3)),
        *(u64(9) for _ in range(2)),
        i64(chance.choice(TIDS)),
        i64(chance.choice(TIDS)),
        u64(chance.choice([0, 9])),
        chance.choice(CGROUPS),
        text(chance.choice(PATHS)),
        u64(chance.choice([0, 9])),
        u32(chance.choice([0, 34816])),
        u32(chance.choice([0, 5])),
    ]
    return 430, [each if chance.random() < 0.7 else b"" for each in params]


def _container(chance: random.Random) -> tuple[int, list[bytes]]:
    facts: dict[str, Any] = {
        "id": chance.choice(CONTAINERS),
        "type": chance.choice([0, 7]),
        "name": chance.choice(["x", "y"]),
        "image": chance.choice(["i:1", "j:2"]),
        "privileged": chance.random() < 0.5,
        "labels": {
            f"io.kubernetes.pod.{key}": chance.choice(["p", "q"])
            for key in ("name", "namespace", "uid")
        },
        "pod_sandbox_labels": {"app": chance.choice(["p", "q"])},
        "Mounts": [
            {"Source": each, "Destination": each, "Mode": mode, "RW": mode == "rw",
             "Propagation": mode}
            for each, mode in (("/a", chance.choice(["ro", "rw"])), ("/b", "rw"))
        ][: chance.randrange(3)],
    }  # fmt: skip
    document = text(json.dumps({"container": facts}).encode())
    name = chance.choice([b"container", b"container", b"container_removed"])
    return 402, [u32(0), text(name), document]


def _account(chance: random.Random) -> tuple[int, list[bytes]]:
    id_, container = u32(chance.choice([0, 5])), text(chance.choice([b"", *_ids()]))
    name = text(chance.choice(WORDS))
    if chance.random() < 0.5:
        home = text(chance.choice(PATHS))
        return chance.choice([354, 356]), [id_, u32(0), name, home, text(b"/sh"), container]
    return chance.choice([358, 360]), [id_, name, container]


def _ids() -> list[bytes]:
    return [each.encode() for each in CONTAINERS]


def _fd(chance: random.Random) -> tuple[int, list[bytes]]:
    fd, other, path = i64(chance.randrange(4)), i64(chance.randrange(4)), chance.choice(PATHS)
    ends = chance.choice([tuple4("10.0.0.1", 1, "1.2.3.4", 2), tuple4("0.0.0.0", 0, "8.8.8.8", 53)])
    kind = chance.randrange(10)
    if kind < 3:
        return 3, [fd, text(path), u32(chance.choice([1, 1024, 4097])), u32(0), u32(8), u64(9)]
    if kind == 3:
        return 5, [i64(0), fd]
    if kind == 4:
        return 363, [fd, other, fd]
    if kind == 5:
        return 19, [fd, u32(2), u32(chance.choice([1, 2])), u32(0), u32(0)]
    if kind == 6:
        return 23, [i64(0), ends, fd, addr4("1.2.3.4", 2)]
    if kind == 7:
        return 31, [i64(1), b"d", fd, u32(1), ends]
    if kind == 8:
        return 21, [i64(0), addr4("10.0.0.1", 9), fd]
    return 7, [i64(1), b"x", fd, u32(1)]


def _own(chance: random.Random) -> tuple[int, list[bytes]]:
    """Return an event by which a process changes something of its own."""
    zero, number, id_ = i64(0), i64(chance.choice(TIDS)), u32(chance.choice([0, 5, 0xFFFFFFFF]))
    choices: list[tuple[int, list[bytes]]] = [
        (199, [zero, id_]), (201, [zero, id_]), (193, [zero, u32(1), id_, u32(1)]),
        (427, [zero, u32(1), id_]), (429, [zero, u32(1), id_]), (275, [number]),
        (353, [zero, *(u64(chance.randrange(8)) for _ in range(3))]),
        (285, [zero, u32(CLONE_NEWUSER)]), (241, [zero, i64(0), u32(CLONE_NEWUSER)]),
        (95, [zero, text(chance.choice(PATHS))]), (93, [zero, text(chance.choice(PATHS))]),
        (97, [zero, i64(chance.randrange(4))]), (267, [zero, text(chance.choice(PATHS))]),
        (143, [zero, i64(chance.choice([64, 99])), i64(99), u8(7)]),
        (401, [zero, u32(36), text(b""), i64(chance.randrange(2))]),
    ]  # fmt: skip
    return chance.choice(choices)


def _exit(chance: random.Random) -> tuple[int, list[bytes]]:
    return 186, [i64(0), i64(0), u8(0), u8(0), i64(chance.choice(TIDS))]


def _nothing(chance: random.Random) -> tuple[int, list[bytes]]:
    return 65, [i64(0), u64(0), u32(0), u64(0)]


KINDS: list[tuple[Callable[[random.Random], tuple[int, list[bytes]]], int]] = [
    (_nothing, 60), (_clone, 16), (_execve, 8), (_task, 6), (_own, 10), (_exit, 8), (_fd, 10),
    (_account, 3), (_container, 3),
]  # fmt: skip


def capture(seed: int, n_events: int) -> bytes:
    """Return a capture of `n_events` events."""
    chance = random.Random(seed)
    b = Builder()
    _start(chance, b)
    makers, weights = zip(*KINDS, strict=True)
    for _ in range(n_events):
        kind, params = chance.choices(makers, weights)[0](chance)
        b.now_ns += chance.choice([0, 0, 0, 3_000_000_000])  # a child seen long ago is another one
        tid = chance.choice(TIDS)
        if kind == 223 and chance.random() < 0.5 and params[0] == i64(0):
            tid = int.from_bytes(params[3], "little", signed=True)
        b.add_raw(kind, params, tid=tid)
    return b.build()
