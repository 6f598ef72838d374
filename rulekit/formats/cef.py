"""ArcSight's Common Event Format (version 0)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rulekit import __version__
from rulekit.alert import Alert, priority_number
from rulekit.formats._subject import CONTEXT, Subject, enrichment, texts
from rulekit.formats.base import Formatter, encode

# Severity 0 to 10 by number of the priority.
_SEVERITIES = (10, 9, 8, 7, 6, 4, 2, 1)
_HEADER = str.maketrans({"\\": "\\\\", "|": "\\|", "\n": " ", "\r": " "})
# Other control characters have no escape in CEF.
_CONTROLS = dict.fromkeys([*range(9), 11, 12, *range(14, 32), *range(127, 160)], "�")


class CefFormatter(Formatter):
    """Formats alerts in ArcSight's Common Event Format, one line each."""

    context = CONTEXT
    content_type = "text/plain; charset=utf-8"

    def format(self, alert: Alert) -> bytes:
        """Return the line of an alert."""
        severity = _SEVERITIES[priority_number(alert.priority)]
        head = ("CEF:0", "rulekit", "rulekit", __version__, alert.rule_hash or "0", alert.rule)
        header = "|".join(map(_header_part, head))
        body = " ".join(
            f"{key}={_escaped(value)}"
            for key, value in _extension(alert).items()
            if value or (value is not None and value != "")
        )
        line = f"{header}|{severity}|{body}"
        return encode((line if line.isprintable() else line.translate(_CONTROLS)) + "\n")


@lru_cache(maxsize=4096)
def _header_part(text: str) -> str:
    return text.translate(_HEADER)


def _extension(alert: Alert) -> dict[str, Any]:
    """Return the keys of the CEF dictionary that an alert has values for."""
    subject = Subject(alert)
    get = subject.get
    found: dict[str, Any] = {
        "rt": alert.time_ns // 1_000_000,
        "externalId": alert.id,
        "cat": alert.source,
        "msg": alert.message,
        "act": subject.action,
        "outcome": subject.outcome,
        "dvchost": alert.hostname,
        "sproc": get("proc.name"),
        "spid": get("proc.pid"),
        "suser": get("user.name") or get("ka.user.name"),
        "suid": get("user.uid"),
        "filePath": subject.file,
        "fname": subject.file.rpartition("/")[2] if subject.file else None,
        "requestClientApplication": get("ka.useragent"),
        "request": get("ka.uri"),
        "cn1Label": "eventPosition",
        "cn1": alert.event,
        "cn2Label": "drops",
        "cn2": alert.drops,
        "cs1Label": "ruleHash",
        "cs1": alert.rule_hash,
        "cs2Label": "enrichment",
        "cs2": enrichment(alert),
    }
    named = {
        "cs3": ("commandLine", get("proc.cmdline")),
        "cs4": ("containerId", subject.container_id),
        "cs5": ("tags", ",".join(alert.tags)),
        "cs6": ("eventId", alert.event_id),
    }
    for key, (label, value) in named.items():
        if value:
            found |= {f"{key}Label": label, key: value}
    if subject.network is not None:
        _, transport, client, client_port, server, server_port = subject.network
        found |= {"proto": transport, "src": client, "spt": client_port}
        found |= {"dst": server, "dpt": server_port}
    elif addresses := texts(get("ka.sourceips")):
        found["src"] = addresses[0]
    return found


def _escaped(value: Any) -> str:
    text = str(value)
    if text.isprintable() and "=" not in text and "\\" not in text:
        return text
    # Replacing is several times faster than a table.
    text = text.replace("\\", "\\\\").replace("=", "\\=")
    return text.replace("\n", "\\n").replace("\r", "\\r")


FORMAT = CefFormatter
