"""The Elastic Common Schema (9.4): what Elasticsearch's dashboards and rules know.

What ECS has no field for stands below ``rulekit``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rulekit import __version__
from rulekit.alert import Alert, priority_number
from rulekit.formats._encode import json_line
from rulekit.formats._subject import (
    CONTEXT,
    Subject,
    facts,
    filled,
    number,
    output_fields,
    tactics,
    technique_url,
    techniques,
    text,
    texts,
)
from rulekit.formats.base import Formatter, time_json

ECS_VERSION = "9.4.0"
_OBSERVER = {"product": "rulekit", "vendor": "rulekit", "type": "ids", "version": __version__}


class EcsFormatter(Formatter):
    """Formats alerts as documents of the Elastic Common Schema, one JSON object a line."""

    context = CONTEXT

    def format(self, alert: Alert) -> bytes:
        """Return the document of an alert."""
        return json_line(ecs_document(alert))


def ecs_document(alert: Alert) -> dict[str, Any]:
    """Return an alert as a document of the Elastic Common Schema."""
    subject = Subject(alert)
    categories, types = ["intrusion_detection"], ["info"]
    document: dict[str, Any] = {
        "@timestamp": time_json(alert.time_ns),
        "ecs": {"version": ECS_VERSION},
        "message": alert.message,
        "log": {"level": alert.priority.lower()},
        "observer": _OBSERVER,
        "rule": filled(
            name=alert.rule, uuid=alert.rule_hash, description=alert.description, category="falco"
        ),
    }
    if alert.tags:
        document["tags"] = list(alert.tags)
    if alert.hostname:
        document["host"] = {"name": alert.hostname, "hostname": alert.hostname}
    if subject.has_process:
        document["process"] = _process(subject)
        categories.append("process")
    user = filled(
        id=text(subject.get("user.uid")),
        name=subject.get("user.name") or subject.get("ka.user.name"),
        group=filled(id=text(subject.get("group.gid")), name=subject.get("group.name")),
    )
    if user:
        document["user"] = user
    if subject.file is not None:
        folder, _, name = subject.file.rpartition("/")
        document["file"] = filled(path=subject.file, name=name, directory=folder or None)
        categories.append("file")
    if subject.network is not None:
        kind, transport, client, client_port, server, server_port = subject.network
        document["network"] = filled(type=kind, transport=transport)
        document["source"] = filled(ip=client, address=client, port=client_port)
        document["destination"] = filled(ip=server, address=server, port=server_port)
        categories.append("network")
    if subject.container_id is not None:
        document["container"] = _container(subject)
    document |= _kubernetes(subject)
    threat = _threat(alert.tags)
    if threat:
        document["threat"] = threat
    document["event"] = filled(
        kind="alert",
        category=categories,
        type=types,
        id=alert.id,
        module="rulekit",
        dataset="rulekit.alert",
        provider=alert.source,
        severity=priority_number(alert.priority),
        sequence=alert.event,
        action=subject.action,
        outcome=subject.outcome,
        reason=alert.message,
    )
    document["rulekit"] = facts(alert) | {"fields": output_fields(alert)}
    return document


def _process(subject: Subject) -> dict[str, Any]:
    get = subject.get
    started = number(get("proc.pid.ts"))
    parent = filled(
        pid=get("proc.ppid"),
        name=get("proc.pname"),
        executable=get("proc.pexepath"),
        command_line=get("proc.pcmdline"),
    )
    session = filled(pid=_positive(get("proc.sid")), name=get("proc.sname"))
    return filled(
        pid=get("proc.pid"),
        vpid=get("proc.vpid"),
        name=get("proc.name"),
        executable=get("proc.exepath"),
        command_line=get("proc.cmdline"),
        working_directory=get("proc.cwd"),
        start=time_json(started) if started else None,
        thread=filled(id=get("thread.tid")),
        parent=parent,
        session_leader=session,
    )


def _container(subject: Subject) -> dict[str, Any]:
    get = subject.get
    tag, digest = get("container.image.tag"), get("container.image.digest")
    return filled(
        id=subject.container_id,
        name=get("container.name"),
        runtime=get("container.type"),
        image=filled(
            name=get("container.image.repository"),
            tag=[tag] if tag else None,
            hash={"all": [digest]} if digest else None,
        ),
    )


def _kubernetes(subject: Subject) -> dict[str, Any]:
    get = subject.get
    pod, verb = get("k8s.pod.name"), get("ka.verb")
    if pod is None and verb is None:
        return {}
    kind, part = get("ka.target.resource"), get("ka.target.subresource")
    resource = filled(
        id=get("k8s.pod.uid"),
        name=pod or get("ka.target.name"),
        type="pod" if pod else f"{kind}/{part}" if kind and part else kind,
    )
    found: dict[str, Any] = {
        "orchestrator": filled(
            type="kubernetes",
            namespace=get("k8s.ns.name") or get("ka.target.namespace"),
            resource=resource,
        )
    }
    if get("ka.useragent"):
        found["user_agent"] = {"original": get("ka.useragent")}
    if get("ka.uri"):
        found["url"] = {"original": get("ka.uri"), "path": str(get("ka.uri")).partition("?")[0]}
    code = number(get("ka.response.code"))
    if code is not None:
        found["http"] = {"response": {"status_code": code}}
    addresses = texts(get("ka.sourceips"))
    if addresses:
        found["source"] = {"ip": addresses[0], "address": addresses[0]}
        found["related"] = {"ip": addresses}
    return found


@lru_cache(maxsize=4096)
def _threat(tags: tuple[str, ...]) -> dict[str, Any]:
    """Return ATT&CK's part, which is shared and not to be changed."""
    found: dict[str, Any] = {}
    known = tactics(tags)
    if known:
        ids = [one for one, _ in known]
        found["tactic"] = {
            "id": ids,
            "name": [name for _, name in known],
            "reference": [f"https://attack.mitre.org/tactics/{one}/" for one in ids],
        }
    named = techniques(tags)
    main = sorted({one.partition(".")[0] for one in named})
    parts = [one for one in named if "." in one]
    if main:
        found["technique"] = {"id": main, "reference": [technique_url(one) for one in main]}
        if parts:
            found["technique"]["subtechnique"] = {
                "id": parts,
                "reference": [technique_url(one) for one in parts],
            }
    return {"framework": "MITRE ATT&CK", **found} if found else {}


def _positive(value: Any) -> int | None:
    found = number(value)
    return found if found is not None and found > 0 else None


FORMAT = EcsFormatter
