"""Fields of Splunk's Common Information Model: data models Alerts and Endpoint, flat."""

from __future__ import annotations

from typing import Any

from rulekit import __version__
from rulekit.alert import Alert, priority_number
from rulekit.formats._encode import json_line
from rulekit.formats._subject import (
    CONTEXT,
    Subject,
    enrichment,
    number,
    output_fields,
    tactics,
    techniques,
    texts,
)
from rulekit.formats.base import Formatter

# Severity of CIM by number of the priority.
_SEVERITIES = (
    "critical", "critical", "critical", "high", "medium", "low", "informational", "informational",
)  # fmt: skip
_FROM = {
    "process_id": "proc.pid",
    "process_name": "proc.name",
    "process_path": "proc.exepath",
    "process": "proc.cmdline",
    "process_current_directory": "proc.cwd",
    "parent_process_id": "proc.ppid",
    "parent_process_name": "proc.pname",
    "parent_process_path": "proc.pexepath",
    "parent_process": "proc.pcmdline",
    "user_id": "user.uid",
    "user_group": "group.name",
    "container_image": "container.image.repository",
    "container_tag": "container.image.tag",
    "k8s_pod": "k8s.pod.name",
    "http_user_agent": "ka.useragent",
    "object": "ka.target.name",
    "object_category": "ka.target.resource",
    "status": "ka.response.code",
}


class CimFormatter(Formatter):
    """Formats alerts with the fields of Splunk's Common Information Model, one object a line."""

    context = CONTEXT

    def format(self, alert: Alert) -> bytes:
        """Return the flat object of an alert."""
        return json_line(cim_event(alert))


def cim_event(alert: Alert) -> dict[str, Any]:
    """Return an alert as flat CIM fields; output fields keep their names below ``falco``."""
    subject = Subject(alert)
    number_ = priority_number(alert.priority)
    event: dict[str, Any] = {
        "time": alert.time_ns / 1e9,
        "id": alert.id,
        "type": "alert",
        "app": "rulekit",
        "vendor_product": "rulekit",
        "product_version": __version__,
        "signature": alert.rule,
        "signature_id": alert.rule_hash,
        "description": alert.description,
        "body": alert.message,
        "severity": _SEVERITIES[number_],
        "severity_id": number_,
        "priority": alert.priority,
        "category": list(alert.tags),
        "event_source": alert.source,
        "event_position": alert.event,
        "event_id": alert.event_id,
        "drops": alert.drops,
        "enrichment": enrichment(alert),
        "missing": list(alert.missing or ()),
        "mitre_technique_id": techniques(alert.tags),
        "mitre_tactic": [name for _, name in tactics(alert.tags)],
        "mitre_tactic_id": [one for one, _ in tactics(alert.tags)],
        "dvc": alert.hostname,
        "dest": alert.hostname,
        "action": subject.action,
        "result": subject.outcome,
        "user": subject.get("user.name") or subject.get("ka.user.name"),
        "container_id": subject.container_id,
        "container_name": subject.get("container.name") if subject.container_id else None,
        "namespace": subject.get("k8s.ns.name") or subject.get("ka.target.namespace"),
        "file_path": subject.file,
        "file_name": subject.file.rpartition("/")[2] if subject.file else None,
    }
    for name, field in _FROM.items():
        event[name] = subject.get(field)
    event["status"] = number(event["status"])
    if subject.network is not None:
        _, transport, client, client_port, server, server_port = subject.network
        event |= {"transport": transport, "src_ip": client, "src_port": client_port, "src": client}
        event |= {"dest_ip": server, "dest_port": server_port}
    elif addresses := texts(subject.get("ka.sourceips")):
        event |= {"src_ip": addresses[0], "src": addresses[0]}
    event = {
        name: value
        for name, value in event.items()
        if value or (value is not None and value != "" and value != [] and value != ())
    }
    event["falco"] = output_fields(alert)
    return event


FORMAT = CimFormatter
