"""Detection Findings of the Open Cybersecurity Schema Framework (class 2004, 1.4 to 1.8)."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Literal

from msgspec import Meta

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
from rulekit.formats.base import FormatOptions, Formatter

OCSF_VERSIONS = ("1.4.0", "1.5.0", "1.6.0", "1.7.0", "1.8.0")
# Severity of OCSF by number of the priority: Emergency is Fatal, Notice is Low.
_SEVERITIES = (
    (6, "Fatal"),
    (5, "Critical"),
    (5, "Critical"),
    (4, "High"),
    (3, "Medium"),
    (2, "Low"),
    (1, "Informational"),
    (1, "Informational"),
)
_PRODUCT = {"name": "rulekit", "vendor_name": "rulekit", "version": __version__}
_REGULAR_FILE, _FOLDER = 1, 2
_RULE = 1


class OcsfOptions(FormatOptions):
    """Which version of the schema is named."""

    version: Annotated[
        Literal["1.4.0", "1.5.0", "1.6.0", "1.7.0", "1.8.0"],
        Meta(description="`metadata.version`; the events fit all of these"),
    ] = "1.5.0"


class OcsfFormatter(Formatter):
    """Formats alerts as OCSF Detection Findings, one JSON object a line.

    Args:
        version: What `metadata.version` says.
    """

    Options = OcsfOptions
    context = CONTEXT

    def __init__(self, *, version: str = "1.5.0") -> None:
        self._version = version

    def format(self, alert: Alert) -> bytes:
        """Return the finding of an alert."""
        return json_line(ocsf_finding(alert, self._version))


def ocsf_finding(alert: Alert, version: str = "1.5.0") -> dict[str, Any]:
    """Return an alert as a Detection Finding; times in it are milliseconds since the epoch."""
    subject = Subject(alert)
    time_ms = alert.time_ns // 1_000_000
    severity_id, severity = _SEVERITIES[priority_number(alert.priority)]
    finding: dict[str, Any] = {
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200401,
        "type_name": "Detection Finding: Create",
        "time": time_ms,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "is_alert": True,
        "message": alert.message,
        "metadata": {
            "version": version,
            "product": _PRODUCT,
            "uid": alert.id,
            "sequence": alert.event,
            "log_provider": "rulekit",
            "log_name": alert.source,
        },
        "finding_info": _finding_info(alert, time_ms),
        "unmapped": {"rulekit": facts(alert) | {"fields": output_fields(alert)}},
    }
    evidence = _evidence(subject)
    if evidence:
        finding["evidences"] = [evidence]
    if alert.hostname:
        finding["device"] = {"hostname": alert.hostname, "type_id": 0, "type": "Unknown"}
    return finding


@lru_cache(maxsize=4096)
def _attacks(tags: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return ATT&CK's part, which is shared and not to be changed."""
    attacks: list[dict[str, Any]] = [
        {"tactic": {"uid": uid, "name": name}} for uid, name in tactics(tags)
    ]
    for one in techniques(tags):
        main = one.partition(".")[0]
        attack: dict[str, Any] = {"technique": {"uid": main, "src_url": technique_url(main)}}
        if one != main:
            attack["sub_technique"] = {"uid": one, "src_url": technique_url(one)}
        attacks.append(attack)
    return attacks


def _finding_info(alert: Alert, time_ms: int) -> dict[str, Any]:
    found = filled(
        title=alert.rule,
        desc=alert.description,
        created_time=time_ms,
        first_seen_time=time_ms,
        types=list(alert.tags) or None,
        data_sources=[alert.source],
        analytic={"type_id": _RULE, "type": "Rule", "name": alert.rule, "uid": alert.rule_hash},
        attacks=_attacks(alert.tags) or None,
    )
    return {"uid": alert.id, **found}


def _evidence(subject: Subject) -> dict[str, Any]:
    get = subject.get
    process = _process(subject) if subject.has_process else None
    user = filled(name=get("user.name") or get("ka.user.name"), uid=text(get("user.uid")))
    groups = [{"name": name} for name in texts(get("ka.user.groups"))]
    if user and groups:
        user["groups"] = groups
    evidence = filled(process=process, actor=filled(process=process, user=user))
    if subject.file is not None:
        is_folder = get("fd.type") == "directory"
        evidence["file"] = _file(subject.file, _FOLDER if is_folder else _REGULAR_FILE)
    if subject.network is not None:
        _, transport, client, client_port, server, server_port = subject.network
        evidence["src_endpoint"] = filled(ip=client, port=client_port)
        evidence["dst_endpoint"] = filled(ip=server, port=server_port)
        if transport:
            evidence["connection_info"] = {"protocol_name": transport, "direction_id": 0}
    if subject.container_id is not None:
        evidence["container"] = _container(subject)
    if get("ka.verb") is not None:
        evidence |= _api(subject)
    return {name: value for name, value in evidence.items() if value}


def _process(subject: Subject) -> dict[str, Any]:
    get = subject.get
    started = number(get("proc.pid.ts"))
    path, parent_path = get("proc.exepath"), get("proc.pexepath")
    parent = filled(
        pid=get("proc.ppid"),
        name=get("proc.pname"),
        cmd_line=get("proc.pcmdline"),
        file=_file(parent_path, _REGULAR_FILE) if parent_path else None,
    )
    return filled(
        pid=get("proc.pid"),
        tid=get("thread.tid"),
        name=get("proc.name"),
        cmd_line=get("proc.cmdline"),
        working_directory=get("proc.cwd"),
        created_time=started // 1_000_000 if started else None,
        file=_file(path, _REGULAR_FILE) if path else None,
        user=filled(name=get("user.name"), uid=text(get("user.uid"))),
        parent_process=parent,
    )


def _file(path: str, type_id: int) -> dict[str, Any]:
    name = path.rstrip("/").rpartition("/")[2] or path
    kind = "Folder" if type_id == _FOLDER else "Regular File"
    return {"name": name, "path": path, "type_id": type_id, "type": kind}


def _container(subject: Subject) -> dict[str, Any]:
    get = subject.get
    repository, tag = get("container.image.repository"), get("container.image.tag")
    image = filled(name=repository, tag=tag, uid=get("container.image.digest") or repository)
    return filled(
        uid=subject.container_id,
        name=get("container.name"),
        runtime=get("container.type"),
        image=image,
        orchestrator="Kubernetes" if get("k8s.pod.name") else None,
        pod_uuid=get("k8s.pod.uid"),
    )


def _api(subject: Subject) -> dict[str, Any]:
    get = subject.get
    code = number(get("ka.response.code"))
    found: dict[str, Any] = {
        "api": filled(
            operation=get("ka.verb"),
            service={"name": "kubernetes"},
            request=filled(uid=get("ka.auditid")),
            response={"code": code} if code is not None else None,
        )
    }
    addresses = texts(get("ka.sourceips"))
    if addresses:
        found["src_endpoint"] = {"ip": addresses[0]}
    if get("ka.useragent"):
        found["http_request"] = {"user_agent": get("ka.useragent")}
    return found


FORMAT = OcsfFormatter
