"""Writes captures: section header, snapshot of the system, events."""

from __future__ import annotations

import gzip
import io
import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import BinaryIO, Literal

from rulekit.schema.events import event_types
from rulekit.schema.values import value_tables

MAX_LIST = 4096
MAX_SMALL_PARAM = 65535
NONE_ID = 0xFFFFFFFF

_BLOCK_SECTION = 0x0A0D0D0A
_BLOCK_MACHINE = 0x201
BLOCK_THREADS = 0x215
BLOCK_FDS = 0x218
_BLOCK_INTERFACES = 0x219
_BLOCK_ACCOUNTS = 0x220
_BLOCK_EVENT, _BLOCK_EVENT_FLAGS = 0x216, 0x217
_BLOCK_LARGE, _BLOCK_LARGE_FLAGS = 0x221, 0x222

FdKind = Literal[
    "file", "directory", "ipv4", "ipv6", "ipv4_server", "ipv6_server", "fifo", "unix", "event",
    "signalfd", "eventpoll", "inotify", "timerfd", "netlink", "bpf", "userfaultfd", "iouring",
    "memfd", "pidfd",
]  # fmt: skip
_FD_IDS: dict[FdKind, int] = {
    "file": 16, "directory": 2, "ipv4": 3, "ipv6": 4, "ipv4_server": 5, "ipv6_server": 6, "fifo": 7,
    "unix": 8, "event": 9, "signalfd": 11, "eventpoll": 12, "inotify": 13, "timerfd": 14,
    "netlink": 15, "bpf": 17, "userfaultfd": 18, "iouring": 19, "memfd": 20, "pidfd": 21,
}  # fmt: skip
L4 = Literal["tcp", "udp", "icmp", "raw", "unknown"]


@dataclass(slots=True)
class Machine:
    """The recording machine; times in ns since the epoch."""

    hostname: str = "localhost"
    n_cpus: int = 1
    memory_bytes: int = 0
    max_pid: int = 4194304
    boot_ns: int = 0


@dataclass(slots=True)
class Process:
    """A thread at the start of the capture; the main thread of its group unless `pid` differs.

    Attributes:
        args: Without the program's own name, which is `exe`.
        cgroups: ``subsystem=path`` texts.
        flags: Clone flags of the format.
    """

    tid: int
    comm: str
    pid: int = -1
    ptid: int = 0
    exe: str = ""
    exepath: str = ""
    args: Sequence[str] = ()
    env: Sequence[str] = ()
    cwd: str = "/"
    root: str = "/"
    cgroups: Sequence[str] = ()
    uid: int = 0
    gid: int = 0
    loginuid: int = NONE_ID
    sid: int = 0
    vpgid: int = 0
    pgid: int = 0
    vtid: int = -1
    vpid: int = -1
    flags: int = 0
    fdlimit: int = 1024
    vm_size_kb: int = 0
    vm_rss_kb: int = 0
    vm_swap_kb: int = 0
    pf_major: int = 0
    pf_minor: int = 0
    pidns_init_start_ns: int = 0
    tty: int = 0
    exe_writable: bool = False
    exe_upper_layer: bool = False
    exe_lower_layer: bool = False
    exe_from_memfd: bool = False
    cap_inheritable: int = 0
    cap_permitted: int = 0
    cap_effective: int = 0
    exe_ino: int = 0
    exe_ino_ctime_ns: int = 0
    exe_ino_mtime_ns: int = 0
    fds: list[FdEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.pid == -1:
            self.pid = self.tid
        if self.vtid == -1:
            self.vtid = self.tid
        if self.vpid == -1:
            self.vpid = self.pid


@dataclass(slots=True)
class FdEntry:
    """An open fd at the start of the capture.

    Attributes:
        local, peer: (ip, port) of sockets; a server socket has only `local`.
        open_flags: Of files, in the format's own numbering.
    """

    num: int
    kind: FdKind
    name: str = ""
    ino: int = 0
    open_flags: int = 0
    dev: int = 0
    local: tuple[str, int] = ("0.0.0.0", 0)
    peer: tuple[str, int] = ("0.0.0.0", 0)
    l4: L4 = "tcp"
    unix_source: int = 0
    unix_destination: int = 0


@dataclass(slots=True)
class Interface:
    """A network interface; IPv4 or IPv6 by its address."""

    name: str
    address: str
    netmask: str
    broadcast: str
    link_speed: int = 0


@dataclass(slots=True)
class User:
    """An account of the recording host."""

    uid: int
    name: str
    gid: int = 0
    home: str = ""
    shell: str = ""


@dataclass(slots=True)
class Group:
    """A group of the recording host."""

    gid: int
    name: str


def _str(text: str, longest: int) -> bytes:
    raw = os.fsencode(text)
    if len(raw) > longest:
        raise ValueError(f"text of {len(raw)} bytes is longer than the format's {longest}")
    return struct.pack("<H", len(raw)) + raw


def _list(items: Iterable[str]) -> bytes:
    raw = b"".join(os.fsencode(i) + b"\0" for i in items)[:MAX_LIST]
    return struct.pack("<H", len(raw)) + raw


def _sized(entry: bytes, *, counts_itself: bool = True) -> bytes:
    return struct.pack("<I", len(entry) + (4 if counts_itself else 0)) + entry


def encode_block(block_type: int, body: bytes) -> bytes:
    """Return a block: header, body padded to four bytes, trailer."""
    body += bytes(-len(body) % 4)
    total = len(body) + 12
    return struct.pack("<II", block_type, total) + body + struct.pack("<I", total)


def encode_section() -> bytes:
    """Return a section header block."""
    return encode_block(_BLOCK_SECTION, struct.pack("<IHHQ", 0x1A2B3C4D, 1, 2, (1 << 64) - 1))


def encode_machine(m: Machine) -> bytes:
    """Return a machine info block."""
    hostname = os.fsencode(m.hostname)[:127].ljust(128, b"\0")
    body = struct.pack("<IQQ", m.n_cpus, m.memory_bytes, m.max_pid) + hostname
    return encode_block(_BLOCK_MACHINE, body + struct.pack("<QQQQ", m.boot_ns, 0, 0, 0))


def encode_interfaces(interfaces: Iterable[Interface]) -> bytes:
    """Return an interface list block."""
    body = b""
    for i in interfaces:
        v6 = ":" in i.address
        ip = IPv6Address if v6 else IPv4Address
        name = os.fsencode(i.name)
        entry = struct.pack("<HH", 2 if v6 else 1, len(name))
        entry += b"".join(ip(a).packed for a in (i.address, i.netmask, i.broadcast))
        entry += struct.pack("<Q", i.link_speed) + name
        body += _sized(entry, counts_itself=False)
    return encode_block(_BLOCK_INTERFACES, body)


def encode_accounts(users: Iterable[User], groups: Iterable[Group]) -> bytes:
    """Return a user list block."""
    body = b""
    for u in users:
        texts = _str(u.name, 255) + _str(u.home, 255) + _str(u.shell, 255)
        body += _sized(struct.pack("<BII", 0, u.uid, u.gid) + texts)
    for g in groups:
        body += _sized(struct.pack("<BI", 1, g.gid) + _str(g.name, 255))
    return encode_block(_BLOCK_ACCOUNTS, body)


def _encode_process(p: Process) -> bytes:
    parts = [
        struct.pack("<qqqqq", p.tid, p.pid, p.ptid, p.sid, p.vpgid),
        _str(p.comm, 1024),
        _str(p.exe or p.comm, 1024),
        _str(p.exepath, 1024),
        _list(p.args),
        _str(p.cwd, 1024),
        struct.pack("<qIII", p.fdlimit, p.flags, p.uid, p.gid),
        struct.pack("<III", p.vm_size_kb, p.vm_rss_kb, p.vm_swap_kb),
        struct.pack("<QQ", p.pf_major, p.pf_minor),
        _list(p.env),
        struct.pack("<qq", p.vtid, p.vpid),
        _list(p.cgroups),
        _str(p.root, 1024),
        struct.pack("<QIIB", p.pidns_init_start_ns, p.tty, p.loginuid, p.exe_writable),
        struct.pack("<QQQ", p.cap_inheritable, p.cap_permitted, p.cap_effective),
        struct.pack("<B", p.exe_upper_layer),
        struct.pack("<QQQ", p.exe_ino, p.exe_ino_ctime_ns, p.exe_ino_mtime_ns),
        struct.pack("<BBq", p.exe_from_memfd, p.exe_lower_layer, p.pgid),
    ]
    return _sized(b"".join(parts))


def encode_processes(processes: Iterable[Process]) -> bytes:
    """Return a process list block."""
    return encode_block(BLOCK_THREADS, b"".join(_encode_process(p) for p in processes))


def _l4(name: L4) -> int:
    number: int = value_tables()["l4_protocols"][f"SCAP_L4_{name.upper()}"]
    return number


def _encode_fd(fd: FdEntry) -> bytes:
    entry = struct.pack("<qQB", fd.num, fd.ino, _FD_IDS[fd.kind])
    if fd.kind in ("ipv4", "ipv6", "ipv4_server", "ipv6_server"):
        ip = IPv4Address if fd.kind.startswith("ipv4") else IPv6Address
        local, peer = ip(fd.local[0]).packed, b""
        ports = struct.pack("<H", fd.local[1])
        if not fd.kind.endswith("server"):
            peer = ip(fd.peer[0]).packed
            ports += struct.pack("<H", fd.peer[1])
        return _sized(entry + local + peer + ports + bytes([_l4(fd.l4)]))
    if fd.kind == "unix":
        entry += struct.pack("<QQ", fd.unix_source, fd.unix_destination)
    elif fd.kind == "file":
        entry += struct.pack("<I", fd.open_flags)
    entry += _str(fd.name, 1023)
    if fd.kind == "file":
        entry += struct.pack("<I", fd.dev)
    return _sized(entry)


def encode_fds(tid: int, fds: Iterable[FdEntry]) -> bytes:
    """Return the fd list block of a thread."""
    return encode_block(BLOCK_FDS, struct.pack("<q", tid) + b"".join(_encode_fd(f) for f in fds))


def encode_event(
    type_id: int,
    params: Sequence[bytes],
    *,
    ts_ns: int,
    tid: int,
    cpu: int = 0,
    flags: int = 0,
) -> bytes:
    """Return an event block.

    Args:
        flags: 1 = update state only; written when not 0.

    Raises:
        ValueError: A parameter is too long for its length field, or the event for its block.
    """
    large = "LARGE_PAYLOAD" in event_types()[type_id].flags
    longest = 0xFFFFFFFF if large else MAX_SMALL_PARAM
    for i, param in enumerate(params):
        if len(param) > longest:
            raise ValueError(f"parameter {i} has {len(param)} bytes, more than {longest}")
    lengths = struct.pack(f"<{len(params)}{'I' if large else 'H'}", *map(len, params))
    payload = lengths + b"".join(params)
    header = struct.pack("<QqIHI", ts_ns, tid, 26 + len(payload), type_id, len(params))
    body = struct.pack("<H", cpu) + (struct.pack("<I", flags) if flags else b"") + header + payload
    if large:
        block = _BLOCK_LARGE_FLAGS if flags else _BLOCK_LARGE
    else:
        block = _BLOCK_EVENT_FLAGS if flags else _BLOCK_EVENT
        if len(body) > 65532:  # 64 KiB less the trailer
            raise ValueError(f"event of {len(body)} bytes does not fit into its block")
    return encode_block(block, body)


class CaptureWriter:
    """Write one capture to a path or an open binary file, block by block.

    Args:
        target: A path, or an open binary file, which is left open.
        compress: Write gzip; by default when a path ends in ``.gz``.
    """

    def __init__(
        self, target: str | os.PathLike[str] | BinaryIO, *, compress: bool | None = None
    ) -> None:
        self._owned: list[io.IOBase | gzip.GzipFile] = []
        if isinstance(target, (str, os.PathLike)):
            if compress is None:
                compress = os.fspath(target).endswith(".gz")
            plain: BinaryIO = open(target, "wb")  # noqa: SIM115 - closed by close()
            self._owned.append(plain)  # type: ignore[arg-type]
        else:
            plain = target
        self._file: BinaryIO | gzip.GzipFile = plain
        if compress:
            self._file = gzip.GzipFile(fileobj=plain, mode="wb", mtime=0)
            self._owned.insert(0, self._file)

    def write_snapshot(
        self,
        machine: Machine,
        processes: Sequence[Process] = (),
        interfaces: Iterable[Interface] = (),
        users: Iterable[User] = (),
        groups: Iterable[Group] = (),
    ) -> None:
        """Begin a section: its header and everything that is known before the first event."""
        self._file.write(encode_section() + encode_machine(machine))
        self._file.write(encode_interfaces(interfaces) + encode_accounts(users, groups))
        self._file.write(encode_processes(processes))
        for process in processes:
            self._file.write(encode_fds(process.tid, process.fds))

    def write_block(self, block: bytes) -> None:
        """Append a block; see `encode_event`."""
        self._file.write(block)

    def close(self) -> None:
        """Finish the capture. Idempotent."""
        while self._owned:
            self._owned.pop(0).close()

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
