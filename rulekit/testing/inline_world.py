"""The little world in which inline events happen: processes, containers, accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from rulekit.capture.builder import Builder
from rulekit.capture.writer import FdEntry, Interface, Process, encode_fds, encode_processes
from rulekit.schema.values import value_tables
from rulekit.testing.inline_accounts import Belongings
from rulekit.testing.inline_values import (
    InlineError,
    Path,
    boolean,
    endpoint,
    fitting,
    is_path,
    keys_of,
    number,
    text,
    unknown,
    variables,
    words,
)

FIRST_PID = 1000
MAX_ANCESTORS = 100
HOST_ADDRESS = "10.0.0.2"
_PTS_MAJOR = 136 << 8
_STANDARD = {"stdin": "0", "stdout": "1", "stderr": "2"}

# Facts of `Process` that may be given under their own names.
_PLAIN = {
    "pid": int, "vpid": int, "gid": int, "sid": int, "pgid": int, "vpgid": int, "exe_ino": int,
    "exe_writable": bool, "exe_upper_layer": bool, "exe_lower_layer": bool, "exe_from_memfd": bool,
    "exe": str, "exepath": str, "cwd": str, "root": str,
}  # fmt: skip
PROGRAM_KEYS = (
    "name", "cmdline", "args", "env", "user", "tty", "caps", "exe", "exepath", "cwd", "exe_ino",
    "exe_writable", "exe_upper_layer", "exe_lower_layer", "exe_from_memfd",
)  # fmt: skip
PROCESS_KEYS = (*dict.fromkeys((
    *PROGRAM_KEYS, "as", "parent", "container", "login", "fds", *_PLAIN,
)),)  # fmt: skip


@dataclass(slots=True)
class Actor:
    """A process as the list of events knows it.

    Attributes:
        label: What other entries call it.
        fds: Names of the open fds that the events made, by number.
        running: False for a process that ended.
    """

    label: str
    process: Process
    container: str | None
    fds: dict[int, str] = field(default_factory=dict)
    last_fd: int = -1
    running: bool = True
    spawned: bool = False

    def free_fd(self) -> int:
        """Return the lowest number from 3 that is not in use."""
        return next(n for n in range(3, 1 << 16) if n not in self.fds)


class World:
    """Makes processes, containers and accounts when they are first named.

    Attributes:
        current: The process to which the next event belongs.
    """

    def __init__(self) -> None:
        self.builder = Builder(
            interfaces=[Interface("eth0", HOST_ADDRESS, "255.255.255.0", "10.0.0.255")]
        )
        self.current: Actor | None = None
        self.actors: list[Actor] = []
        self.belongings = Belongings(self.builder)
        self._pids = FIRST_PID
        self._vpids: dict[str, int] = {}
        init = Process(1, "systemd", exe="/sbin/init", exepath="/usr/lib/systemd/systemd")
        self._init = self._add(init, "systemd", None)

    def actor(self, label: Any, path: Path) -> Actor:
        """Return the process of this label or name, the one named last if there are several.

        Raises:
            InlineError: There is none.
        """
        for actor in reversed(self.actors):
            if actor.label == label or actor.process.comm == label or actor.process.pid == label:
                return actor
        names = [actor.label for actor in self.actors]
        raise unknown(label, names, path, "no process before this is called")

    # ---- processes ----

    def introduce(self, spec: Any, path: Path) -> Actor:
        """Add a process that runs when everything begins, and its ancestors."""
        spec = self._spec(spec, path)
        given = self._facts(spec, path, PROCESS_KEYS, "a process")
        container = self.belongings.container_of(spec, path)
        parent = self._parent(spec, path, given, container)
        inherited = {
            f.name: getattr(parent.process, f.name)
            for f in fields(Process)
            if f.name in ("uid", "gid", "loginuid", "tty", "cwd", "env", "cgroups")
        }
        if parent is self._init or "container" in spec:
            inherited.pop("cgroups")
        if container is None and "container" not in spec:
            container = parent.container
        facts = {
            **inherited,
            **self.belongings.cgroups_of(container),
            **self._program(spec, path),
            **given,
        }
        tid = self._tid(facts.pop("pid", None), path)
        self._namespace(facts, container)
        process = Process(tid, **{"ptid": parent.process.pid, **facts})
        actor = self._add(process, self._label(spec, process), container)
        for n, target in self._fds(spec, path):
            process.fds.append(target)
            actor.fds[n] = target.name or f"{target.peer[0]}:{target.peer[1]}"
        with fitting(path):
            encode_processes([process])
            encode_fds(tid, process.fds)
        return actor

    def spawn(self, spec: Any, path: Path) -> Actor:
        """Let the current process start a program: the child's clone, then its execve."""
        spec = self._spec(spec, path)
        parent = self.current or self._init
        if "parent" in spec:
            parent = self.actor(spec["parent"], (*path, "parent"))
        if "fds" in spec:
            raise InlineError((*path, "fds"), "a spawned process has the fds of its parent")
        facts = self._facts(spec, path, PROCESS_KEYS, "a process")
        container = self.belongings.container_of(spec, path) or parent.container
        if container != parent.container:
            facts.update(self.belongings.cgroups_of(container))
        program = self._program(spec, path)
        tid = self._tid(facts.pop("pid", None), path)
        self._namespace(facts, container)
        comm = program.pop("comm")
        merged = {**program, **facts}
        process = self.builder.spawn(tid, comm, parent=parent.process.tid, **merged)
        actor = Actor(self._label(spec, process), process, container, dict(parent.fds))
        actor.last_fd, actor.spawned = parent.last_fd, True
        self.actors.append(actor)
        return actor

    def execute(self, actor: Actor, call: str, spec: Any, path: Path, res: int) -> None:
        """Let a process replace its program."""
        if not isinstance(spec, Mapping):
            spec = {"cmdline": spec}
        facts = self._facts(spec, path, PROGRAM_KEYS, "a program")
        program = self._program(spec, path)
        comm = program.pop("comm")
        merged = {**program, **facts}
        process = self.builder.execute(actor.process.tid, comm, res=res, call=call, **merged)
        if res >= 0:
            actor.process = process
            actor.label = process.comm

    def fork(self, actor: Actor, call: str, spec: Any, path: Path) -> Actor:
        """Let a process make a copy of itself: the caller's event, then the child's."""
        keys = keys_of({} if spec is None else spec, ("as", "pid", "flags"), path, f"`{call}`")
        old = actor.process
        tid = self._tid(keys.get("pid"), path)
        new = replace(old, tid=tid, pid=tid, ptid=old.pid, fds=[], vtid=tid, vpid=tid)
        facts: dict[str, Any] = {}
        self._namespace(facts, actor.container)
        new = replace(new, **facts)
        shared = {
            "exe": old.exe or old.comm, "args": old.args, "cwd": "", "fdlimit": old.fdlimit,
            "pgft_maj": 0, "pgft_min": 0, "vm_size": 0, "vm_rss": 0, "vm_swap": 0,
            "comm": old.comm, "cgroups": old.cgroups, "flags": keys.get("flags", 0),
            "uid": old.uid, "gid": old.gid, "pidns_init_start_ts": 0,
        }  # fmt: skip
        for res, who in ((tid, old), (0, new)):
            ids = {"tid": who.tid, "pid": who.pid, "ptid": who.ptid, "vtid": who.vtid}
            params = {**shared, **ids, "vpid": who.vpid, "res": res}
            self.builder.add_event(call, params, tid=who.tid)
        self.builder.adopt(new)
        child = Actor(str(keys.get("as", old.comm)), new, actor.container, dict(actor.fds))
        child.last_fd, child.spawned = actor.last_fd, True
        self.actors.append(child)
        return child

    def _spec(self, spec: Any, path: Path) -> Mapping[str, Any]:
        if not isinstance(spec, Mapping):
            spec = {"cmdline": spec}
        return keys_of(spec, PROCESS_KEYS, path, "a process")

    def _add(self, process: Process, label: str, container: str | None) -> Actor:
        self.builder.add(process)
        actor = Actor(label, process, container)
        self.actors.append(actor)
        return actor

    def _label(self, spec: Mapping[str, Any], process: Process) -> str:
        return str(spec.get("as", process.comm))

    def _tid(self, given: Any, path: Path) -> int:
        """Return the pid that is given, or one that nobody had."""
        if given is None:
            self._pids += 1
            while any(actor.process.tid == self._pids for actor in self.actors):
                self._pids += 1
            return self._pids
        pid = number(given, (*path, "pid"), "`pid`")
        for actor in self.actors:
            if actor.process.tid == pid and actor.running:
                raise InlineError((*path, "pid"), f"`{actor.label}` has the pid {pid} already")
        return pid

    def _namespace(self, facts: dict[str, Any], container: str | None) -> None:
        """Give a process of a container a pid of its namespace."""
        if container is None or "vpid" in facts:
            if "vpid" in facts:
                facts["vtid"] = facts["vpid"]
            return
        self._vpids[container] = self._vpids.get(container, 0) + 1
        facts["vpid"] = facts["vtid"] = self._vpids[container]

    def _parent(
        self, spec: Mapping[str, Any], path: Path, given: dict[str, Any], container: str | None
    ) -> Actor:
        """Return the parent: a process that is known, or one made for the purpose."""
        parent = spec.get("parent")
        if parent is None:
            return self._init
        here: Path = (*path, "parent")
        if isinstance(parent, (list, tuple)):
            if not parent:
                raise InlineError(here, "the list of ancestors is empty")
            names = [text(item, (*here, i), "an ancestor") for i, item in enumerate(parent)]
            parent = {"name": names.pop()}
            while names:
                parent = {"name": names.pop(), "parent": parent}
        if len(here) > MAX_ANCESTORS:
            raise InlineError(here[:3], f"there are more than {MAX_ANCESTORS} ancestors")
        if isinstance(parent, Mapping):
            made = dict(parent)
            made.setdefault("container", container)
            return self.introduce(made, here)
        for actor in reversed(self.actors):
            if parent in (actor.label, actor.process.comm, actor.process.pid):
                if actor.spawned:
                    raise InlineError(
                        here,
                        f"`{parent}` starts with an event, so its child cannot run before it",
                        "write `spawn` instead of `proc`",
                    )
                return actor
        made = {"name": text(parent, here, "a parent")}
        actor = self.introduce({**made, "container": container}, here)
        for key in ("uid", "gid", "loginuid", "tty"):
            if key in given:
                setattr(actor.process, key, given[key])
        return actor

    def _program(self, spec: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """Return what follows from name and command line: comm, exe, exepath, args."""
        command: list[str] = []
        if "cmdline" in spec:
            command = words(spec["cmdline"], (*path, "cmdline"), "the command line")
            if not command:
                raise InlineError((*path, "cmdline"), "the command line is empty")
        if "name" in spec:
            name = text(spec["name"], (*path, "name"), "a name")
        elif command:
            name = command[0].rpartition("/")[2]
        else:
            raise InlineError(path, "say `name` or `cmdline`")
        exe = command[0] if command else name
        args = command[1:]
        if "args" in spec:
            if args:
                raise InlineError((*path, "args"), "the command line has arguments already")
            args = words(spec["args"], (*path, "args"), "the arguments")
        exepath = exe if exe.startswith("/") else f"/usr/bin/{name}"
        return {"comm": name[:15], "exe": exe, "exepath": exepath, "args": args}

    def _facts(
        self, spec: Mapping[str, Any], path: Path, known: tuple[str, ...], what: str
    ) -> dict[str, Any]:
        """Return the fields of `Process` that an entry gives, the program left out."""
        keys_of(spec, known, path, what)
        facts: dict[str, Any] = {}
        readers = {int: number, str: text, bool: boolean}
        for key, kind in _PLAIN.items():
            if key in spec:
                facts[key] = readers[kind](spec[key], (*path, key), f"`{key}`")
        if "user" in spec:
            user = self.belongings.user(spec["user"], (*path, "user"))
            facts["uid"], facts["gid"] = user.uid, facts.get("gid", user.gid)
        if "login" in spec:
            facts["loginuid"] = self.belongings.user(spec["login"], (*path, "login")).uid
        if "env" in spec:
            facts["env"] = variables(spec["env"], (*path, "env"))
        if "tty" in spec:
            facts["tty"] = _terminal(spec["tty"], (*path, "tty"))
        if "caps" in spec:
            bits = _capabilities(spec["caps"], (*path, "caps"))
            facts |= {f"cap_{which}": bits for which in ("effective", "permitted")}
        return facts

    def _fds(self, spec: Mapping[str, Any], path: Path) -> Iterator[tuple[int, FdEntry]]:
        here: Path = (*path, "fds")
        fds = spec.get("fds", {})
        if not isinstance(fds, Mapping):
            raise InlineError(here, "`fds` is a map of numbers and what they lead to")
        for key, target in fds.items():
            digits = _STANDARD.get(str(key), str(key))
            if not re.fullmatch("[0-9]{1,9}", digits):
                raise InlineError((*here, key), "an fd is a number, stdin, stdout or stderr")
            n = int(digits)
            if is_path(target):
                yield n, FdEntry(n, "file", str(target))
                continue
            peer = endpoint(target, (*here, key))
            kind: Any = "ipv6" if ":" in peer[0] else "ipv4"
            local = ("fd00::2", 40000) if kind == "ipv6" else (HOST_ADDRESS, 40000)
            yield n, FdEntry(n, kind, local=local, peer=peer)


def _terminal(value: Any, path: Path) -> int:
    """Return the number of a terminal: true, a device number, or ``pts/N``."""
    if isinstance(value, bool):
        return _PTS_MAJOR if value else 0
    if isinstance(value, int):
        return value
    found = re.fullmatch(r"(?:/dev/)?pts/(\d+)", text(value, path, "a terminal"))
    if found is None:
        raise InlineError(path, "a terminal is true, false, a number or pts/N")
    return _PTS_MAJOR | int(found[1])


def _capabilities(value: Any, path: Path) -> int:
    numbers = {name: int(bit) for bit, name in value_tables()["capabilities"].items()}
    if value == "all":
        return sum(1 << bit for bit in numbers.values())
    bits = 0
    for i, item in enumerate(value if isinstance(value, list) else [value]):
        if not isinstance(item, str) or item not in numbers:
            raise unknown(item, numbers, (*path, i), "no such capability")
        bits |= 1 << numbers[item]
    return bits
