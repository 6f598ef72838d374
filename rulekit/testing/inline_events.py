"""What an inline event says → parameters of its event type."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from rulekit.capture.encode import AT_FDCWD, encode_param, find_type
from rulekit.schema.events import EventType, Param, event_table, event_types
from rulekit.schema.values import value_tables
from rulekit.testing.inline_forms import FORMS, Form
from rulekit.testing.inline_values import (
    InlineError,
    Path,
    endpoint,
    is_path,
    keys_of,
    number,
    octal,
    text,
    unknown,
)

if TYPE_CHECKING:
    from rulekit.testing.inline_world import Actor, World

GENERIC = "PPME_GENERIC_X"
_DIRECTORIES = frozenset({"dirfd", "olddirfd", "newdirfd", "linkdirfd", "olddir", "newdir"})
_RESULTS = frozenset({"res", "fd"})
_TUPLES = ("to", "from", "l4")
_MAX_ERRNO = 4095
_PIPES = ("pipe", "pipe2", "socketpair")


@cache
def names_of_events() -> dict[str, EventType]:
    """Return every event that can be written, system calls without a type of their own included."""
    outdated = {"OLD_VERSION", "UNUSED"}
    known: dict[str, EventType] = {}
    for event in event_types():
        if outdated & event.flags or event.source not in ("SYSCALL", "TRACEPOINT", None):
            continue
        if event.source == "SYSCALL" and event.enum != GENERIC:
            known[event.name] = find_type(event.name)
    for meta in ("procexit", "signaldeliver", "page_fault"):
        known[meta] = find_type(meta)
    generic = find_type(GENERIC)
    for name in value_tables()["ppm_sc"].values():
        known.setdefault(name, generic)
    return known


def add(world: World, name: str, given: Any, fails: int, path: Path) -> None:
    """Add one event of the world's current process.

    Args:
        given: What stands behind the name.
        fails: Error number, 0 when the call succeeds.

    Raises:
        InlineError: Something of it cannot be written.
    """
    actor = world.current
    assert actor is not None
    kind = names_of_events()[name]
    if kind.enum == GENERIC:
        keys_of({} if given is None else given, ("ID", "nativeID"), path, f"`{name}`")
        world.builder.add_event(GENERIC, {"ID": name, **(given or {})}, tid=actor.process.tid)
        return
    _Call(world, actor, kind, fails, path).add(given)


class _Call:
    """One event on its way to parameters."""

    def __init__(self, world: World, actor: Actor, kind: EventType, fails: int, path: Path) -> None:
        self.world = world
        self.actor = actor
        self.kind = kind
        self.fails = fails
        self.path = path
        self.form = FORMS.get(kind.name, Form())
        self.params = {param.name: param for param in kind.params}

    def add(self, given: Any) -> None:
        keys = self.keys(given)
        values: dict[str, Any] = {}
        self.defaults(values)
        ends = {key: keys[key] for key in _TUPLES if key in keys and key not in self.form.names}
        for key, value in keys.items():
            if key in ends:
                continue
            name = self.form.names.get(key, key)
            values[name] = self.value(self.params[name], value, (*self.path, key))
        if ends:
            self.ends(values, ends, keys)
        elif self.kind.name == "bind" and "fd" not in keys:
            self.server(values, keys)
        self.results(values, keys)
        self.encode(values)

    # ---- what is given ----

    def keys(self, given: Any) -> Mapping[str, Any]:
        """Return what is given by name; lone values and lists take the form's order."""
        if isinstance(given, Mapping):
            known = [*self.params, *self.form.names]
            if any(param.type == "PT_SOCKTUPLE" for param in self.kind.params):
                known += _TUPLES
            return keys_of(given, known, self.path, f"`{self.kind.name}`")
        if given is None:
            return {}
        main = self.form.main
        if not main:
            others = [p.name for p in self.kind.params if p.name not in _RESULTS]
            main = tuple(others) if len(others) == 1 else ()
        values = list(given) if isinstance(given, (list, tuple)) else [given]
        if len(values) > len(main):
            raise InlineError(
                self.path,
                f"`{self.kind.name}` takes {' and '.join(main)} only"
                if main
                else f"say which parameter of `{self.kind.name}` is meant",
                f"as a map it takes {', '.join(self.params)}",
            )
        return dict(zip(main, values, strict=False))

    def value(self, param: Param, value: Any, path: Path) -> Any:
        """Return what `encode_param` wants for what a person writes."""
        kind = param.type.removeprefix("PT_")
        if value is None:
            return None
        if param.name == "mode" and kind in ("MODE", "UINT32"):
            mode = octal(value, path)
            if isinstance(mode, str) and param.values is None:
                raise InlineError(path, "write the mode in octal digits")
            return mode
        if kind in ("UID", "GID") or (param.name in ("uid", "gid") and kind == "UINT32"):
            return value if isinstance(value, int) else self.world.belongings.user(value, path).uid
        if kind == "FD" and value != "AT_FDCWD":
            if isinstance(value, str):
                return self.open_fd(value, path)
            return number(value, path, f"`{param.name}`")
        if kind == "PID" and isinstance(value, str):
            return self.world.actor(value, path).process.pid
        if kind == "SOCKADDR":
            return value if is_path(value) else endpoint(value, path)
        if kind == "SOCKTUPLE":
            parts = text(value, path, "a connection").split("->")
            if len(parts) != 2:
                raise InlineError(
                    path, f"`{value}` is no connection", "write 10.0.0.2:5->10.0.0.1:80"
                )
            return tuple(endpoint(part.strip(), path) for part in parts)
        if kind in ("CHARBUF", "FSPATH", "FSRELPATH") and isinstance(value, (int, float)):
            return text(value, path, f"`{param.name}`")
        if kind == "DYN":
            return value if isinstance(value, bytes) else self.dynamic(param, value, path)
        return value

    def dynamic(self, param: Param, value: Any, path: Path) -> Any:
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise InlineError(path, f"`{param.name}` is a list of the variant's number and a value")
        rows = event_table()["dynamic_params"][param.dyn]
        if value[0] not in [row["index"] for row in rows]:
            raise InlineError(path, f"`{param.name}` has the variants {[r['index'] for r in rows]}")
        return tuple(value)

    def open_fd(self, name: str, path: Path) -> int:
        known = {"stdin": 0, "stdout": 1, "stderr": 2}
        known |= {target: n for n, target in self.actor.fds.items()}
        if name not in known:
            raise unknown(name, known, path, f"`{self.actor.label}` has not opened")
        return known[name]

    # ---- what is not given ----

    def defaults(self, values: dict[str, Any]) -> None:
        values.update(self.form.defaults)
        for param in self.kind.params:
            if param.name in _DIRECTORIES and param.type == "PT_FD":
                values[param.name] = AT_FDCWD

    def results(self, values: dict[str, Any], keys: Mapping[str, Any]) -> None:
        """Fill in what the call returns, and what its effect on the fds is."""
        name, actor = self.kind.name, self.actor
        first = self.kind.params[0] if self.kind.params else None
        creates = "CREATES_FD" in self.kind.flags and not name.startswith("connect")
        if "fd" in self.params and self.params["fd"] is not first:
            values.setdefault("fd", actor.last_fd)
        if name == "dup":
            values.setdefault("oldfd", actor.last_fd)
        if name in ("dup2", "dup3"):
            values.setdefault("oldfd", actor.last_fd)
            values.setdefault("newfd", 0)
        if first is None or first.name in keys:
            if first is not None and creates and isinstance(values[first.name], int):
                self.opened(values[first.name], values)
            return
        if self.fails and first.name in ("res", "fd"):
            values[first.name] = -self.fails
        elif name in ("dup2", "dup3"):
            values["res"] = values["newfd"]
            actor.fds[values["newfd"]] = actor.fds.get(values["oldfd"], "")
        elif name in _PIPES:
            values["res"] = 0
            for end in ("fd1", "fd2"):
                if values.get(end) is None:
                    values[end] = actor.free_fd()
                actor.fds[values[end]] = end
            values.setdefault("ino", 1)
        elif name == "setsid":
            values["res"] = actor.process.vpid
        elif creates:
            values[first.name] = n = actor.free_fd()
            self.opened(n, values)
        elif first.name == "res":
            data = values.get("data")
            values["res"] = len(data) if isinstance(data, str) else values.get("size", 0)
            if "size" in values:
                values["size"] = values["size"] or values["res"]
        elif first.type in ("PT_UID", "PT_GID"):
            values[first.name] = actor.process.uid if first.type == "PT_UID" else actor.process.gid
        if name == "close" and not self.fails:
            actor.fds.pop(values["fd"], None)

    def opened(self, n: int, values: dict[str, Any]) -> None:
        if n >= 0:
            target = values.get("name", values.get("path", values.get("addr", "")))
            if "tuple" in values and isinstance(values["tuple"], tuple):
                target = values["tuple"][0]
            self.actor.fds[n] = shown(target)
            self.actor.last_fd = n

    # ---- sockets ----

    def ends(self, values: dict[str, Any], ends: dict[str, Any], keys: Mapping[str, Any]) -> None:
        """Work out the two ends of a connection, and make the socket when there is none."""
        from rulekit.testing.inline_world import HOST_ADDRESS

        outward = self.kind.name in ("connect", "send", "sendto", "sendmsg", "sendmmsg")
        peer_key, own_key = ("to", "from") if outward else ("from", "to")
        peer: Any = ends.get(peer_key)
        if peer is None:
            raise InlineError(self.path, f"say `{peer_key}`: the address of the other end")
        here: Path = (*self.path, peer_key) if peer_key in keys else self.path
        l4 = ends.get("l4", "tcp" if self.kind.name in ("connect", "accept", "accept4") else "udp")
        if l4 not in ("tcp", "udp"):
            raise InlineError((*self.path, "l4"), "`l4` is tcp or udp")
        if is_path(peer):
            domain = "AF_UNIX"
            values["tuple"] = (0x1000, 0x2000, peer)
            values.setdefault("addr", peer)
        else:
            other = endpoint(peer, here)
            six = ":" in other[0]
            domain = "AF_INET6" if six else "AF_INET"
            own = ("fd00::2" if six else HOST_ADDRESS, 40000 if outward else 80)
            if own_key in ends:
                own = endpoint(ends[own_key], (*self.path, own_key))
            values["tuple"] = (own, other) if outward else (other, own)
            values.setdefault("addr", other)
        if "addr" not in self.params:
            values.pop("addr")
        if outward and "fd" not in keys and not self.reusable(peer):
            values["fd"] = self.socket(domain, l4, peer)

    def reusable(self, peer: str) -> bool:
        last = self.actor.last_fd
        return self.kind.name != "connect" and self.actor.fds.get(last) == peer

    def server(self, values: dict[str, Any], keys: Mapping[str, Any]) -> None:
        address = values.get("addr")
        domain = "AF_UNIX"
        if isinstance(address, tuple):
            domain = "AF_INET6" if ":" in address[0] else "AF_INET"
        values["fd"] = self.socket(domain, "tcp", shown(address))

    def socket(self, domain: str, l4: str, name: str) -> int:
        """Add a socket event; its time is that of the event it prepares."""
        n = self.actor.free_fd()
        stream = {"tcp": 1, "udp": 2}[l4]
        self.world.builder.add_event(
            "socket",
            {"fd": n, "domain": domain, "type": stream, "proto": 0, "flags": 0},
            tid=self.actor.process.tid,
        )
        self.actor.fds[n] = name
        self.actor.last_fd = n
        return n

    # ---- bytes ----

    def encode(self, values: dict[str, Any]) -> None:
        params = []
        for param in self.kind.params:
            try:
                params.append(encode_param(param, values.get(param.name)))
            except ValueError:
                raise InlineError(
                    self.where(param.name), _why(param, values.get(param.name)), _hint(param)
                ) from None
        self.world.builder.add_raw(self.kind.id, params, tid=self.actor.process.tid)

    def where(self, name: str) -> Path:
        return (*self.path, name)


def shown(address: Any) -> str:
    """Return an address as fd tables and people write it; nothing for none."""
    if not isinstance(address, tuple):
        return address or ""
    ip, port = address
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _why(param: Param, value: Any) -> str:
    return f"`{value}` is no value for `{param.name}`"


def _hint(param: Param) -> str | None:
    if param.values is not None:
        names = [name for name, _ in value_tables()["flag_tables"][param.values]]
        shown = ", ".join(names[:12])
        return f"names joined with |: {shown}{', ...' if len(names) > 12 else ''}"
    return f"it is a {param.type.removeprefix('PT_').lower()}"


def error_number(name: Any, path: Path) -> int:
    """Return the number of an error such as ``EACCES``."""
    errors = {text_: int(number_) for number_, text_ in value_tables()["errno"].items()}
    if name is True:
        return errors["EPERM"]
    if isinstance(name, int) and not isinstance(name, bool):
        if not 0 < name <= _MAX_ERRNO:
            raise InlineError(path, f"the number of an error is 1 to {_MAX_ERRNO}")
        return name
    if not isinstance(name, str) or name not in errors:
        raise unknown(name, errors, path, "there is no error")
    return errors[name]
