"""Inline events that may make a rule alert, read off its condition: a start for its author."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rulekit.rules.ast import (
    AndNode,
    ComparisonNode,
    FieldNode,
    ListNode,
    LiteralNode,
    Node,
    OrNode,
)
from rulekit.rules.ruleset import Rule
from rulekit.rules.unparse import unparse
from rulekit.testing.inline_events import names_of_events

OPEN = "CHANGE-ME"
"""Stands where the condition does not say what is needed."""

_STARTS = frozenset({"execve", "execveat"})
_USUAL = ("open", "openat", "execve", "connect", "unlink", "chmod", "close")
_SOCKETS = frozenset({"connect", "sendto", "sendmsg", "accept", "accept4", "recvfrom", "recvmsg"})
_ADDRESSES = ("fd.sip", "fd.rip", "fd.cip", "fd.lip", "fd.ip")
_PORTS = ("fd.sport", "fd.rport", "fd.cport", "fd.lport", "fd.port")
_PATHS = ("fd.name", "fd.nameraw", "fs.path.name", "fs.path.nameraw", "evt.arg.path")


def guess(rule: Rule) -> list[dict[str, Any]]:
    """Return inline events; whether they make the rule alert has to be tried."""
    pairs = list(_wanted(rule.node))
    wanted = dict(pairs)
    if "evt.is_open_write" in unparse(rule.node) and "evt.is_open_read" not in wanted:
        wanted["evt.is_open_write"] = "true"  # also where creat is the other choice
    if rule.source == "k8s_audit":
        return [{"k8s_audit": _request(wanted)}]
    event = next((name for name in _USUAL if name in rule.events), None)
    event = event or next((name for name in rule.events if name in names_of_events()), "open")
    said = [text for field, text in reversed(pairs) if field in ("proc.args", "proc.cmdline")]
    process = _process(wanted, said)
    if event in _STARTS:
        parent = {key: process.pop(key) for key in ("container",) if key in process}
        shell = {"name": process.pop("parent", "bash"), **parent}
        return [{"proc": _short(shell)}, {"spawn": _short(process)}]
    return [{"proc": _short(process)}, {event: _parameters(event, wanted)}]


def _short(process: dict[str, Any]) -> Any:
    return process["name"] if list(process) == ["name"] else process


def _wanted(node: Node) -> Iterator[tuple[str, str]]:
    """Yield fields with a text that they may have, of the comparisons that a match needs."""
    if isinstance(node, AndNode):
        for child in reversed(node.children):  # of two for one field, the first one stays
            yield from _wanted(child)
    elif isinstance(node, OrNode):
        yield from _wanted(node.children[0])
    elif isinstance(node, ComparisonNode) and isinstance(node.left, FieldNode):
        right = node.right
        first = next(iter(right.items), None) if isinstance(right, ListNode) else right
        text = first.text if isinstance(first, LiteralNode) else ""
        made = _fitting(node.op, text)
        if made is not None:
            yield node.left.name, made


def _fitting(op: str, text: str) -> str | None:
    """Return a text for which a comparison holds."""
    if op in ("=", "==", "in", "intersects", "startswith", "contains", "icontains", "pmatch", ">="):
        return text
    if op == "endswith":
        return f"/x{text}" if text.startswith((".", "_")) else text
    if op in ("glob", "iglob"):
        return text.replace("*", "x").replace("?", "x")
    if op == "!=":
        return f"not {text}"
    return None


def _process(wanted: dict[str, str], said: list[str]) -> dict[str, Any]:
    """Return the process; `said` are pieces of its command line."""
    path = wanted.get("proc.exepath", "")
    name = wanted.get("proc.name") or path.rpartition("/")[2] or OPEN
    process: dict[str, Any] = {"name": name}
    if path:
        process["exepath"] = path if path.rpartition("/")[2] else f"{path}{OPEN.lower()}"
    arguments = [word for text in said for word in _words(text.removeprefix(f"{name} "))]
    if arguments:
        process["args"] = arguments
    process["parent"] = wanted.get("proc.pname") or wanted.get("proc.aname") or "bash"
    if "user.name" in wanted:
        process["user"] = wanted["user.name"]
    if wanted.get("proc.tty") == "not 0":
        process["tty"] = True
    if wanted.get("container.id") == "not host":
        process["container"] = "web"
    for key in ("exe_from_memfd", "exe_upper_layer", "exe_writable"):
        if wanted.get(f"proc.is_{key}") == "true":
            process[key] = True
    return process


def _words(text: str) -> list[str]:
    """Return words that contain a text when they are joined; at its ends may stand blanks."""
    words = text.split()
    return [*["x"] * text.startswith(" "), *words, *["x"] * text.endswith(" ")] if words else []


def _parameters(event: str, wanted: dict[str, str]) -> Any:
    """Return what stands behind the name of an event."""
    if event in _SOCKETS:
        address = next((wanted[key] for key in _ADDRESSES if key in wanted), "203.0.113.9")
        port = next((wanted[key] for key in _PORTS if key in wanted), "443")
        return f"{address}:{port}"
    names = {param.name for param in names_of_events()[event].params}
    given: dict[str, Any] = {
        key.removeprefix("evt.arg."): value
        for key, value in wanted.items()
        if key.startswith("evt.arg.") and key.removeprefix("evt.arg.") in names - {"res", "fd"}
    }
    path = next((wanted[key] for key in _PATHS if wanted.get(key, "").startswith("/")), "")
    if not path and ("fd.directory" in wanted or "fd.filename" in wanted):
        folder = wanted.get("fd.directory", "/tmp")
        path = f"{folder if folder.startswith('/') else '/' + folder}/" + wanted.get(
            "fd.filename", "x"
        )
    path += "x" * path.endswith("/")
    for name in ("name", "path", "filename", "pathname"):
        if name in names and name not in given:
            given[name] = path or "/change/me"
            break
    if wanted.get("evt.is_open_write") == "true" and "flags" in names:
        given["flags"] = "O_WRONLY"
    lone = next(iter(given.values())) if len(given) == 1 else None
    return lone if lone is not None and not {"mode"} & set(given) else given or None


def _request(wanted: dict[str, str]) -> dict[str, Any]:
    request: dict[str, Any] = {"user": wanted.get("ka.user.name", "alice")}
    for key, field in (
        ("verb", "ka.verb"),
        ("namespace", "ka.target.namespace"),
        ("name", "ka.target.name"),
    ):
        if field in wanted:
            request[key] = wanted[field]
    resource, below = wanted.get("ka.target.resource"), wanted.get("ka.target.subresource")
    if resource or below:
        resource = resource or "pods"
        request["resource"] = f"{resource}/{below}" if below else resource
    else:
        request["uri"] = wanted.get("ka.uri", "/change/me")
    if "ka.stage" in wanted:
        request["stage"] = wanted["ka.stage"]
    return request
