"""Writes a raw log in other formats, as the programs do that read audit from the kernel."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rulekit.schema.linux_audit import record_types
from rulekit.schema.values import value_tables

_LINE = re.compile(
    r"(?:node=(?P<node>\S+) )?type=(?P<type>\S+)"
    r" msg=audit\((?P<time>\d+\.\d+):(?P<serial>\d+)\): (?P<body>.*)"
)
_PAIR = re.compile(r'([^ =]+)=("[^"]*"|[^ ]*)')
_TEXTS = frozenset({"comm", "exe", "cwd", "name", "proctitle", "key"})


@dataclass
class Event:
    """The records of one event: types and bodies, in their order."""

    time: str
    serial: int
    records: list[tuple[str, str]]


def events_of(raw: bytes) -> Iterator[Event]:
    """Yield the events of a raw log, in the order in which they are complete."""
    found: dict[tuple[str, str], Event] = {}
    for line in raw.decode("utf-8", "surrogateescape").splitlines():
        match = _LINE.match(line)
        assert match is not None, line
        key = match["time"], match["serial"]
        event = found.pop(key, None) or Event(match["time"], int(match["serial"]), [])
        found[key] = event
        event.records.append((match["type"], match["body"].partition("\x1d")[0]))
    yield from found.values()


def go_audit(raw: bytes) -> bytes:
    """Return a raw log as go-audit writes it."""
    numbers = {name: number for number, name in record_types().items()}
    lines = []
    for event in events_of(raw):
        messages = [
            {"type": numbers[kind], "data": body}
            for kind, body in event.records
            if not kind.startswith("DAEMON")
        ]
        if messages:
            lines.append(
                json.dumps(
                    {
                        "sequence": event.serial,
                        "timestamp": event.time,
                        "messages": messages,
                        "uid_map": {"0": "root"},
                    },
                    separators=(",", ":"),
                )
            )
    return "".join(f"{line}\n" for line in lines).encode()


def _value(kind: str, key: str, text: str) -> bytes:
    is_text = key in _TEXTS or (kind == "EXECVE" and key[1:].isdigit())
    if text.startswith('"'):
        return text.strip('"').encode("utf-8", "surrogateescape")
    if is_text and re.fullmatch(r"([0-9A-F]{2})+", text):
        return bytes.fromhex(text)
    return text.encode()


def _pairs(body: str) -> dict[str, str]:
    return dict(_PAIR.findall(body))


def _decoded(kind: str, body: str) -> dict[str, str]:
    return {
        key: _value(kind, key, text).decode("utf-8", "replace")
        for key, text in _pairs(body).items()
    }


def auditbeat(raw: bytes) -> bytes:
    """Return the system calls of a raw log as auditbeat writes them (the documented ECS fields)."""
    names = {
        int(n): "pread" if c["name"] == "pread64" else c["name"]
        for n, c in value_tables()["syscalls_x86_64"].items()
    }
    errors = {int(n): name for n, name in value_tables()["errno"].items()}
    lines = []
    for event in events_of(raw):
        records: dict[str, list[dict[str, str]]] = {}
        for kind, body in event.records:
            plain = _pairs(body) if kind in ("SOCKADDR", "PROCTITLE") else _decoded(kind, body)
            records.setdefault(kind, []).append(plain)
        if "SYSCALL" not in records:
            continue
        call = records["SYSCALL"][0]
        result = int(call.get("exit", 0))
        data: dict[str, Any] = {key: call[key] for key in ("a0", "a1", "a2", "a3", "tty")}
        data |= {"arch": "x86_64", "syscall": names[int(call["syscall"])]}
        if "exit" in call:
            data["exit"] = errors[-result] if result < 0 else call["exit"]
        if "SOCKADDR" in records:
            data["socket"] = _socket(bytes.fromhex(records["SOCKADDR"][0]["saddr"]))
        if "CAPSET" in records:
            data |= {k: v for k, v in records["CAPSET"][0].items() if k != "pid"}
        process: dict[str, Any] = {
            "executable": call["exe"], "name": call["comm"], "pid": int(call["pid"]),
            "parent": {"pid": int(call["ppid"])},
        }  # fmt: skip
        if "CWD" in records:
            process["working_directory"] = records["CWD"][0]["cwd"]
        if "EXECVE" in records:
            arguments = records["EXECVE"][0]
            data["argc"] = arguments["argc"]
            process["args"] = [arguments[f"a{i}"] for i in range(int(arguments["argc"]))]
        if "PROCTITLE" in records:
            title = records["PROCTITLE"][0]["proctitle"]
            process["title"] = _value("PROCTITLE", "proctitle", title).replace(b"\0", b" ").decode()
        seconds, _, ms = event.time.partition(".")
        document = {
            "@timestamp": _iso(int(seconds), ms),
            "auditd": {
                "data": data,
                "message_type": "syscall",
                **({"paths": records["PATH"]} if "PATH" in records else {}),
                **({"result": "success" if result >= 0 else "fail"} if "exit" in call else {}),
                "sequence": event.serial,
                "session": call["ses"],
                "summary": {"actor": {"primary": call["auid"]}, "how": call["exe"]},
            },
            "event": {"action": "x", "category": ["process"], "module": "auditd"},
            "host": {"name": "vm"},
            "process": process,
            "user": {
                "audit": {"id": call["auid"]},
                "effective": {"group": {"id": call["egid"]}, "id": call["euid"]},
                "group": {"id": call["gid"]},
                "id": call["uid"],
            },
        }
        lines.append(json.dumps(document, separators=(",", ":"), ensure_ascii=False))
    return "".join(f"{line}\n" for line in lines).encode()


def _iso(seconds: int, ms: str) -> str:
    import time

    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{ms}Z", time.gmtime(seconds))


def _socket(raw: bytes) -> dict[str, str]:
    family = int.from_bytes(raw[:2], "little")
    if family == socket.AF_INET:
        return {
            "family": "ipv4",
            "addr": socket.inet_ntop(family, raw[4:8]),
            "port": str(int.from_bytes(raw[2:4], "big")),
        }
    if family == socket.AF_INET6:
        return {
            "family": "ipv6",
            "addr": socket.inet_ntop(family, raw[8:24]),
            "port": str(int.from_bytes(raw[2:4], "big")),
        }
    if family == socket.AF_UNIX:
        return {"family": "unix", "path": raw[2:].partition(b"\0")[0].decode()}
    return {"family": str(family)}
