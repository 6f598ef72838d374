"""Which processes are watched, and who they are to the kernel."""

from __future__ import annotations

import os
import select
import struct
from dataclasses import dataclass
from typing import Literal

from rulekit.errors import SourceError, reason

# Values of include/linux/proc_ns.h and of kernfs: the namespace and the control group of everybody.
HOST_PIDNS = 4026531836
ROOT_CGROUP = 1
CGROUP2_MAGIC = 0x63677270

Kind = Literal["tree", "cgroup", "pidns", "host"]

SCOPE_HELP = (
    "tree:PID, a process and all that it starts; pidns:PID, the pid namespace of a process;"
    " cgroup:PID or cgroup:/PATH, the control group (v2) of a process or of a directory"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What the probe may see.

    Attributes:
        kind: ``tree`` a process with all that it starts; ``cgroup`` a control group of version 2
            with those below it; ``pidns`` a pid namespace with those below it; ``host`` everything.
        pid: A process, as the caller's own pid namespace numbers it; 0: none.
        path: Directory of a control group, in the place of a process.
    """

    kind: Kind
    pid: int = 0
    path: str = ""

    def __str__(self) -> str:
        return "whole host" if self.kind == "host" else f"{self.kind}:{self.path or self.pid}"


HOST = Scope("host")


def parse_scope(text: str) -> Scope:
    """Return the scope that ``KIND:PID`` or ``cgroup:/PATH`` names.

    Raises:
        ValueError: It is none.
    """
    kind, colon, rest = text.partition(":")
    if colon and kind == "cgroup" and rest.startswith("/"):
        return Scope("cgroup", path=rest)
    if colon and rest.isascii() and rest.isdigit() and 0 < int(rest) < 1 << 31:
        if kind in ("tree", "pid"):
            return Scope("tree", int(rest))
        if kind == "cgroup":
            return Scope("cgroup", int(rest))
        if kind == "pidns":
            return Scope("pidns", int(rest))
    raise ValueError(f"{text!r} is no scope: say {SCOPE_HELP}")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a process is, in numbers of the kernel that hold in every namespace."""

    cgroup_id: int
    cgroup_level: int
    tgid: int
    pidns: int
    pidns_level: int

    LAYOUT = struct.Struct("<QIIII")


def open_process(scope: Scope) -> int:
    """Return a descriptor of the scope's process (pidfd): numbers are used again, it is not.

    Raises:
        SourceError: There is no such process.
    """
    try:
        return os.pidfd_open(scope.pid)
    except OSError as error:
        raise SourceError(f"process {scope.pid}: {reason(error)}", str(scope)) from error


def is_running(pidfd: int) -> bool:
    """Return whether the process of a descriptor has not ended."""
    return not select.select([pidfd], [], [], 0)[0]


def open_cgroup(scope: Scope) -> tuple[int, int]:
    """Return a descriptor and the id of the control group that a path names.

    Raises:
        SourceError: It is no directory of a control group file system of version 2.
    """
    try:
        fd = os.open(scope.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError(f"{scope.path}: {reason(error)}", str(scope)) from error
    if not _is_cgroup2(fd):
        os.close(fd)
        raise SourceError(
            f"{scope.path} is no control group of version 2 (on hosts with both versions they are"
            " below /sys/fs/cgroup/unified)",
            str(scope),
        )
    return fd, os.fstat(fd).st_ino


def _is_cgroup2(fd: int) -> bool:
    """Return whether a directory is on a cgroup2 file system, by the device of its mounts."""
    number = os.fstat(fd).st_dev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            head, _, tail = line.partition(" - ")
            if head.split()[2] == wanted and tail.startswith("cgroup2 "):
                return True
    return False


def refuse_host(scope: Scope, who: Identity | None, cgroup_id: int) -> None:
    """Raise when a scope is the whole host by another name.

    Raises:
        SourceError: It is.
    """
    what = ""
    if scope.kind == "pidns" and who is not None and who.pidns == HOST_PIDNS:
        what = f"process {scope.pid} is in the pid namespace of the host"
    elif scope.kind == "cgroup" and cgroup_id == ROOT_CGROUP:
        what = "this is the root control group, which holds every process"
    elif scope.kind == "tree" and who is not None and who.tgid == 1:
        what = "everything on the host descends from this process"
    if what:
        raise SourceError(f"{what}: say --whole-host if you mean that", str(scope))
