"""Events as the tests of the state write them."""

from __future__ import annotations

import struct

from rulekit.state._probe import StateProbe

S = 1_000_000_000
CLONE_FILES, CLONE_NEWPID, CLONE_THREAD = 1, 64, 8192
CLONE_VFORK, CHILD_IN_PIDNS, CLONE_NEWUSER = 1 << 27, 1 << 29, 1 << 20
O_RDONLY, O_WRONLY, O_DIRECTORY, O_CLOEXEC = 1, 2, 1024, 4096
AT_FDCWD = -100
ALL_ONES = 0xFFFFFFFF


def i64(value: int) -> bytes:
    return struct.pack("<q", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u8(value: int) -> bytes:
    return bytes((value,))


def text(value: bytes) -> bytes:
    return value + b"\0"


def parts(*values: bytes) -> bytes:
    return b"".join(v + b"\0" for v in values)


def tuple4(sip: str, sport: int, dip: str, dport: int) -> bytes:
    return b"\2" + ip4(sip) + struct.pack("<H", sport) + ip4(dip) + struct.pack("<H", dport)


def tuple6(sip: bytes, sport: int, dip: bytes, dport: int) -> bytes:
    return b"\x0a" + sip + struct.pack("<H", sport) + dip + struct.pack("<H", dport)


def tuple_unix(source: int, dest: int, path: bytes) -> bytes:
    return b"\1" + struct.pack("<QQ", source, dest) + path + b"\0"


def addr4(ip: str, port: int) -> bytes:
    return b"\2" + ip4(ip) + struct.pack("<H", port)


def addr6(ip: bytes, port: int) -> bytes:
    return b"\x0a" + ip + struct.pack("<H", port)


def ip4(value: str) -> bytes:
    return bytes(int(part) for part in value.split("."))


def mapped(value: str) -> bytes:
    return bytes(10) + b"\xff\xff" + ip4(value)


def clone_params(
    res: int,
    tid: int,
    pid: int,
    ptid: int,
    *,
    flags: int = 0,
    comm: bytes = b"child",
    exe: bytes = b"/bin/child",
    args: bytes = b"",
    cgroups: bytes = b"",
    uid: int = 1000,
    gid: int = 1000,
    vtid: int | None = None,
    vpid: int | None = None,
    pidns_ts: int = 0,
) -> list[bytes]:
    return [
        i64(res),
        text(exe),
        args,
        i64(tid),
        i64(pid),
        i64(ptid),
        text(b"/ignored"),
        i64(1024),
        u64(1),
        u64(2),
        u32(300),
        u32(200),
        u32(0),
        text(comm),
        cgroups,
        u32(flags),
        u32(uid),
        u32(gid),
        i64(tid if vtid is None else vtid),
        i64(pid if vpid is None else vpid),
        u64(pidns_ts),
    ]


def execve_params(
    pid: int,
    ptid: int = 1,
    *,
    res: int = 0,
    comm: bytes = b"ls",
    exe: bytes = b"ls",
    args: bytes = b"-l\0",
    exepath: bytes | None = b"/usr/bin/ls",
    uid: int = 1000,
    flags: int = 0,
    cgroups: bytes = b"",
    env: bytes = b"A=1\0",
    short: int | None = None,
) -> list[bytes]:
    params = [
        i64(res),
        text(exe),
        args,
        i64(pid),
        i64(pid),
        i64(ptid),
        text(b""),
        u64(1024),
        u64(5),
        u64(6),
        u32(100),
        u32(50),
        u32(0),
        text(comm),
        cgroups,
        env,
        u32(34816),
        i64(77),
        u32(1000),
        u32(flags),
        u64(1),
        u64(2),
        u64(3),
        u64(4242),
        u64(50 * S),
        u64(49 * S),
        u32(uid),
        b"" if exepath is None else text(exepath),
        i64(78),
        u32(100),
        text(b"/usr/bin/ls"),
    ]
    return params if short is None else params[:short]


class Machine(StateProbe):
    """A probe with a shell (100, child of 1), and short names for the events tests use most."""

    def __init__(self, **limits: int) -> None:
        self.now = 1000 * S
        self.add_thread(1, 1, 0, comm=b"init", cwd=b"/", exe=b"/sbin/init")
        self.add_thread(100, 100, 1, comm=b"sh", exe=b"sh", cwd=b"/home/me", env=b"HOME=/home/me\0")
        self.add_fd(100, 0, 16, b"/dev/tty", open_flags=3)
        self.import_done()

    def at(self, seconds: float) -> None:
        self.now += int(seconds * S)

    def put(self, type: int, tid: int, *params: bytes | None) -> dict[str, object]:
        self.now += 1000
        return self.feed(type, tid, self.now, params)

    def fork(self, parent: int, child: int, *, in_child: bool = True, **facts: object) -> None:
        """Caller event, then child event."""
        self.put(223, parent, *clone_params(child, parent, parent, 1, **facts))
        if in_child:
            self.put(223, child, *clone_params(0, child, child, parent, **facts))

    def start_thread(self, process: int, tid: int, **facts: object) -> None:
        facts.setdefault("flags", CLONE_THREAD)
        self.put(223, process, *clone_params(tid, process, process, 1, **facts))

    def exec(self, tid: int, **facts: object) -> dict[str, object]:
        return self.put(293, tid, *execve_params(tid, **facts))

    def exit(self, tid: int, reaper: int = 0) -> dict[str, object]:
        return self.put(186, tid, i64(0), i64(0), u8(0), u8(0), i64(reaper))

    def open(self, tid: int, path: bytes, fd: int = 3, flags: int = O_RDONLY) -> dict[str, object]:
        return self.put(3, tid, i64(fd), text(path), u32(flags), u32(0), u32(8), u64(99))

    def openat(
        self, tid: int, dirfd: int, path: bytes, fd: int = 3, flags: int = O_RDONLY
    ) -> dict[str, object]:
        return self.put(
            307, tid, i64(fd), i64(dirfd), text(path), u32(flags), u32(0), u32(8), u64(9)
        )

    def close(self, tid: int, fd: int) -> dict[str, object]:
        return self.put(5, tid, i64(0), i64(fd))

    def nothing(self, tid: int = 1) -> dict[str, object]:
        """An event that changes nothing but carries out removals."""
        return self.put(65, tid, i64(0), u64(0), u32(0), u64(0))

    def socket(
        self, tid: int, fd: int, domain: int = 2, kind: int = 1, protocol: int = 0
    ) -> dict[str, object]:
        return self.put(19, tid, i64(fd), u32(domain), u32(kind), u32(protocol), u32(0))

    def connect(
        self, tid: int, fd: int, tuple_: bytes | None, res: int = 0, addr: bytes | None = None
    ) -> dict[str, object]:
        return self.put(23, tid, i64(res), tuple_, i64(fd), addr)

    def sendto(self, tid: int, fd: int, tuple_: bytes | None, res: int = 8) -> dict[str, object]:
        return self.put(31, tid, i64(res), b"data", i64(fd), u32(8), tuple_)

    def recvfrom(self, tid: int, fd: int, tuple_: bytes | None, res: int = 8) -> dict[str, object]:
        return self.put(35, tid, i64(res), b"data", tuple_, i64(fd), u32(8))
