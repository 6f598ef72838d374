"""Synthetic captures for tests: a little world of processes, and what happens in it.

b = Builder()
b.add_process(100, "bash", exepath="/bin/bash", cwd="/root")
b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": "/etc/shadow", "flags": "O_RDONLY"},
            tid=100)
path.write_bytes(b.build())
"""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rulekit.capture.encode import ParamValue, encode_params, find_type
from rulekit.capture.writer import (
    CaptureWriter,
    FdEntry,
    Group,
    Interface,
    Machine,
    Process,
    User,
    encode_event,
)

START_NS = 1_700_000_000_000_000_000
STEP_NS = 1_000_000
CONTAINER_ID_CHARS = 12


@dataclass
class Builder:
    """Collect processes and events, then `build` the capture.

    Every event comes `STEP_NS` after the one before unless it says otherwise. What events do to
    processes is not simulated: only `spawn` remembers the process it made, so that it can be the
    parent of others.

    Attributes:
        now_ns: Time of the next event.
    """

    machine: Machine = field(default_factory=lambda: Machine(boot_ns=START_NS - 3600 * 10**9))
    now_ns: int = START_NS
    users: list[User] = field(default_factory=lambda: [User(0, "root", 0, "/root", "/bin/bash")])
    groups: list[Group] = field(default_factory=lambda: [Group(0, "root")])
    interfaces: list[Interface] = field(default_factory=list)
    _initial: list[Process] = field(default_factory=list)
    _known: dict[int, Process] = field(default_factory=dict)
    _events: list[bytes] = field(default_factory=list)

    def add_process(self, tid: int, comm: str, **facts: Any) -> Process:
        """Add a process (or thread, with `pid=`) that runs when the capture begins.

        Args:
            facts: Fields of `Process`.
        """
        return self.add(Process(tid, comm, **facts))

    def add(self, process: Process) -> Process:
        """Add a process that runs when the capture begins."""
        self._initial.append(process)
        return self.adopt(process)

    def adopt(self, process: Process) -> Process:
        """Remember a process that events make, so that it can be the parent of others."""
        self._known[process.tid] = process
        return process

    def add_fd(self, tid: int, fd: FdEntry) -> None:
        """Add an fd that a process of the beginning has open.

        Raises:
            ValueError: There is no such process.
        """
        if tid not in self._known:
            raise ValueError(f"no process has the tid {tid}")
        self._known[tid].fds.append(fd)

    def add_event(
        self,
        event: str,
        params: Mapping[str, ParamValue] | None = None,
        *,
        tid: int,
        ts_ns: int | None = None,
        cpu: int = 0,
        flags: int = 0,
        enter: bool = False,
    ) -> int:
        """Add an event; parameters that are not named have no value.

        Args:
            event: Name as in `evt.type`, or of the table (``PPME_...``) for outdated forms.
            params: By name; see `encode_param` for what they can be made of. Bytes are taken as
                they are, however wrong.
            flags: 1 = update state only.
            enter: Take the enter event where there are both.

        Returns:
            The 1-based raw position of the event.

        Raises:
            ValueError: An unknown event or parameter, or a value that does not fit.
        """
        kind = find_type(event, enter=enter)
        return self.add_raw(
            kind.id, encode_params(kind, params or {}), tid=tid, ts_ns=ts_ns, cpu=cpu, flags=flags
        )

    def add_raw(
        self,
        type_id: int,
        params: Sequence[bytes],
        *,
        tid: int,
        ts_ns: int | None = None,
        cpu: int = 0,
        flags: int = 0,
    ) -> int:
        """Add an event of any type id with any number of parameters, as older recorders wrote.

        Returns:
            The 1-based raw position of the event.

        Raises:
            ValueError: A parameter, or all of them, are too long.
        """
        if ts_ns is not None:
            self.now_ns = ts_ns
        self._events.append(
            encode_event(type_id, params, ts_ns=self.now_ns, tid=tid, cpu=cpu, flags=flags)
        )
        self.now_ns += STEP_NS
        return len(self._events)

    @property
    def n_events(self) -> int:
        """Number of events so far; the raw position of the last one."""
        return len(self._events)

    def spawn(
        self,
        tid: int,
        comm: str,
        *,
        parent: int,
        exepath: str | None = None,
        args: Sequence[str] = (),
        **facts: Any,
    ) -> Process:
        """Start a program: the child's end of a clone, then its execve.

        Args:
            parent: A process that was added or spawned; the child inherits what is not given.
            exepath: By default ``/usr/bin/<comm>``.
            facts: Further fields of `Process`.

        Raises:
            ValueError: The parent is unknown.
        """
        if parent not in self._known:
            raise ValueError(f"no process has the tid {parent}")
        old = self._known[parent]
        inherited: dict[str, Any] = {"pid": tid, "ptid": old.pid, "vtid": tid, "vpid": tid}
        new = replace(old, **{"tid": tid, "fds": [], "flags": 0, **inherited, **facts})
        clone: dict[str, ParamValue] = {
            "exe": old.exe or old.comm, "args": old.args, "comm": old.comm, "flags": 0,
            "vtid": new.vtid, "vpid": new.vpid, "pidns_init_start_ts": 0,
        }  # fmt: skip
        self.add_event("clone", {**_shared(new), **clone}, tid=tid)
        if new.cwd != old.cwd:
            self.add_event("chdir", {"res": 0, "path": new.cwd}, tid=tid)
        self._known[tid] = new
        return self.execute(tid, comm, exepath=exepath, args=args, exe=facts.get("exe", comm))

    def execute(
        self,
        tid: int,
        comm: str,
        *,
        exepath: str | None = None,
        args: Sequence[str] = (),
        res: int = 0,
        call: str = "execve",
        **facts: Any,
    ) -> Process:
        """Replace the program of a process: an execve, or an execveat.

        Args:
            exepath: By default ``/usr/bin/<comm>``.
            call: Which of the two.
            res: Negative when the call fails; the process stays what it was.
            facts: Further fields of `Process` that change with the program.

        Raises:
            ValueError: The process is unknown.
        """
        if tid not in self._known:
            raise ValueError(f"no process has the tid {tid}")
        facts.setdefault("exe", comm)
        path = f"/usr/bin/{comm}" if exepath is None else exepath
        new = replace(self._known[tid], comm=comm[:15], exepath=path, args=args, **facts)
        execve: dict[str, ParamValue] = {
            "res": res, "exe": new.exe, "args": new.args, "comm": new.comm, "env": new.env,
            "tty": new.tty, "vpgid": new.vpgid, "loginuid": new.loginuid, "pgid": new.pgid,
            "flags": new.exe_writable | new.exe_upper_layer << 1 | new.exe_from_memfd << 2
            | new.exe_lower_layer << 3,
            "cap_inheritable": new.cap_inheritable, "cap_permitted": new.cap_permitted,
            "cap_effective": new.cap_effective, "exe_ino": new.exe_ino,
            "exe_ino_ctime": new.exe_ino_ctime_ns, "exe_ino_mtime": new.exe_ino_mtime_ns,
            "trusted_exepath": new.exepath,
        }  # fmt: skip
        if call == "execve":
            execve["filename"] = new.exepath
        self.add_event(call, {**_shared(new), **execve}, tid=tid)
        if res >= 0:
            self._known[tid] = new
        return new

    def exit(self, tid: int, *, status: int = 0, reaper_tid: int = 0) -> None:
        """End a process or thread."""
        params: dict[str, ParamValue] = {
            "status": status << 8, "ret": status, "sig": 0, "core": 0, "reaper_tid": reaper_tid,
        }  # fmt: skip
        self.add_event("procexit", params, tid=tid)
        self._known.pop(tid, None)

    def add_container(self, container_id: str, name: str, **metadata: Any) -> None:
        """Announce a container, as the recorder's container plugin does.

        Args:
            container_id: The long id, as in `container_cgroup`.
            metadata: Further members of its JSON object: image, imagerepo, labels, privileged, ...
        """
        container = {
            "id": container_id[:CONTAINER_ID_CHARS], "full_id": container_id, "type": 0,
            "name": name, **metadata,
        }  # fmt: skip
        text = json.dumps({"container": container}) + "\0"
        params: dict[str, ParamValue] = {"plugin_id": 0, "name": "container", "data": text}
        self.add_event("asyncevent", params, tid=-1)

    def write(self, writer: CaptureWriter) -> None:
        """Write everything as one section."""
        writer.write_snapshot(self.machine, self._initial, self.interfaces, self.users, self.groups)
        for block in self._events:
            writer.write_block(block)

    def build(self, *, compress: bool = False) -> bytes:
        """Return the bytes of the capture."""
        out = io.BytesIO()
        with CaptureWriter(out) as writer:
            self.write(writer)
        return gzip.compress(out.getvalue(), mtime=0) if compress else out.getvalue()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the capture to a file; compressed when its name ends in ``.gz``."""
        with CaptureWriter(path) as writer:
            self.write(writer)


def container_cgroup(container_id: str) -> list[str]:
    """Return the cgroups of a process in a Docker container with that 64-digit id."""
    return [f"{s}=/docker/{container_id}" for s in ("cpuset", "cpu", "cpuacct", "memory")]


def _shared(process: Process) -> dict[str, ParamValue]:
    """Return the parameters that the ends of a clone and an execve have in common."""
    return {
        "res": 0, "tid": process.tid, "pid": process.pid, "ptid": process.ptid,
        "fdlimit": process.fdlimit, "cgroups": process.cgroups, "uid": process.uid,
        "gid": process.gid, "pgft_maj": 0, "pgft_min": 0, "vm_size": process.vm_size_kb,
        "vm_rss": process.vm_rss_kb, "vm_swap": process.vm_swap_kb, "cwd": "",
    }  # fmt: skip
