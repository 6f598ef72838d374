"""What an alert is about, in words that all formats share: who did what with which file or host.

Formats differ in names and nesting, not in what they need to know. Here the fields of Falco become
those facts once; each format then only arranges them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from rulekit import __version__
from rulekit.alert import CAPTURE, Alert

# What formats want to know of every event, whatever the output of its rule names.
CONTEXT = (
    "evt.type", "evt.res", "proc.pid", "proc.vpid", "proc.name", "proc.exepath", "proc.cmdline",
    "proc.cwd", "proc.pid.ts", "proc.ppid", "proc.pname", "proc.pexepath", "proc.pcmdline",
    "proc.sid", "proc.sname", "thread.tid", "user.uid", "user.name", "user.loginname", "group.gid",
    "group.name", "fd.name", "fd.type", "fd.typechar", "fd.l4proto", "fd.cip", "fd.cport", "fd.sip",
    "fd.sport", "container.id", "container.name", "container.type", "container.image.repository",
    "container.image.tag", "container.image.digest", "k8s.pod.name", "k8s.pod.uid", "k8s.ns.name",
    "ka.verb", "ka.uri", "ka.user.name", "ka.user.groups", "ka.useragent", "ka.sourceips",
    "ka.target.resource", "ka.target.subresource", "ka.target.name", "ka.target.namespace",
    "ka.response.code", "ka.auth.decision", "ka.auditid",
)  # fmt: skip

_TECHNIQUE = re.compile(r"T\d{4}(\.\d{3})?").fullmatch
# ATT&CK's tactics (enterprise, version 15): the tag that Falco's rules give, id, name.
_TACTICS = {
    "reconnaissance": ("TA0043", "Reconnaissance"),
    "resource_development": ("TA0042", "Resource Development"),
    "initial_access": ("TA0001", "Initial Access"),
    "execution": ("TA0002", "Execution"),
    "persistence": ("TA0003", "Persistence"),
    "privilege_escalation": ("TA0004", "Privilege Escalation"),
    "defense_evasion": ("TA0005", "Defense Evasion"),
    "credential_access": ("TA0006", "Credential Access"),
    "discovery": ("TA0007", "Discovery"),
    "lateral_movement": ("TA0008", "Lateral Movement"),
    "collection": ("TA0009", "Collection"),
    "command_and_control": ("TA0011", "Command and Control"),
    "exfiltration": ("TA0010", "Exfiltration"),
    "impact": ("TA0040", "Impact"),
}
_FILES = frozenset({"file", "directory"})
_NETWORKS = frozenset({"ipv4", "ipv6"})


class Subject:
    """The facts of one alert.

    Attributes:
        get: Returns a field by name; None when it is null or nobody knows it.
        action: Event type, or verb of an audit event.
        outcome: ``success``, ``failure`` or None.
        file: Path, or None.
        network: ``(type, transport, client, client port, server, server port)``, or None.
    """

    __slots__ = ("action", "file", "get", "network", "outcome")

    def __init__(self, alert: Alert) -> None:
        known = {
            name: value
            for fields in (alert.output_fields, alert.context)
            for name, value in fields.items()
            if value is not None and value != "" and value != "<NA>"
        }
        self.get = get = known.get
        self.action: str | None = get("evt.type") or get("ka.verb")
        self.outcome = self._outcome()
        kind = get("fd.type")
        self.file: str | None = None
        self.network: tuple[str, Any, Any, Any, Any, Any] | None = None
        if kind in _FILES or (kind is None and _is_path(get("fd.name"))):
            self.file = get("fd.name")
        elif kind in _NETWORKS:
            self.network = (
                kind, get("fd.l4proto"), get("fd.cip"), number(get("fd.cport")), get("fd.sip"),
                number(get("fd.sport")),
            )  # fmt: skip

    @property
    def container_id(self) -> str | None:
        """Id of the container, None on the host."""
        found = self.get("container.id")
        return None if found == "host" else found

    @property
    def has_process(self) -> bool:
        """Whether anything is known of a process."""
        return self.get("proc.pid") is not None or self.get("proc.name") is not None

    def _outcome(self) -> str | None:
        result = self.get("evt.res")
        if result is not None:
            return "success" if result == "SUCCESS" else "failure"
        code = number(self.get("ka.response.code"))
        if code is None:
            return None
        return "success" if code < 400 else "failure"


def facts(alert: Alert) -> dict[str, Any]:
    """Return what every format but Falco's own says of the alert itself.

    Returns:
        ``id``, ``rule_hash``, ``engine`` (version), ``source``, ``position`` of the event and its
        ``event_id`` if it has one, ``drops`` since the alert before, ``enrichment`` (complete,
        partial or unknown) and what is ``missing``; of several captures, which ``capture``.
    """
    found: dict[str, Any] = {
        "id": alert.id,
        "rule_hash": alert.rule_hash,
        "engine": __version__,
        "source": alert.source,
        "position": alert.event,
        "drops": alert.drops,
        "enrichment": enrichment(alert),
    }
    if alert.event_id:
        found["event_id"] = alert.event_id
    if alert.missing:
        found["missing"] = list(alert.missing)
    if CAPTURE in alert.context:
        found["capture"] = alert.context[CAPTURE]
    return found


def enrichment(alert: Alert) -> str:
    """Return whether everything about an event was found out: complete, partial or unknown."""
    if alert.missing is None:
        return "unknown"
    return "partial" if alert.missing else "complete"


# Tags are those of a rule: what follows from them is found out once.
@lru_cache(maxsize=4096)
def tactics(tags: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the ATT&CK tactics of tags (``mitre_execution``, ``execution``) as (id, name)."""
    names = [tag.removeprefix("mitre_").lower() for tag in tags]
    return tuple(dict.fromkeys(_TACTICS[name] for name in names if name in _TACTICS))


@lru_cache(maxsize=4096)
def techniques(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ATT&CK techniques among tags (``T1059``, ``T1059.004``)."""
    return tuple(tag for tag in tags if _TECHNIQUE(tag))


def technique_url(technique: str) -> str:
    """Return where a technique is described."""
    return f"https://attack.mitre.org/techniques/{technique.replace('.', '/')}/"


def output_fields(alert: Alert) -> Mapping[str, Any]:
    """Return the output fields with bytes as text, as everything else is."""
    fields = alert.output_fields
    if bytes not in map(type, fields.values()):
        return fields
    return {
        name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        for name, value in fields.items()
    }


def number(value: Any) -> int | None:
    """Return a number that may have come as text; None when it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def texts(value: Any) -> list[str]:
    """Return a value as a list of texts: a list, one text, or a text that prints a list."""
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    line = str(value)
    if line.startswith("(") and line.endswith(")"):
        return [part for part in line[1:-1].split(",") if part]
    return [line]


def text(value: Any) -> str | None:
    """Return a number as text; None stays."""
    return None if value is None else str(value)


def filled(**values: Any) -> dict[str, Any]:
    """Return those that have a value."""
    return {
        name: value
        for name, value in values.items()
        if value or (value is not None and value != "" and value != {})
    }


def _is_path(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("/")
