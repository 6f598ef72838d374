"""Syslog messages by RFC 5424, the facts of the alert as structured data."""

from __future__ import annotations

import os
import re
from typing import Annotated

import msgspec
from msgspec import Meta

from rulekit import __version__
from rulekit.alert import Alert, priority_number
from rulekit.formats._subject import enrichment
from rulekit.formats.base import FormatOptions, Formatter, encode, escape_controls, time_json

FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
)  # fmt: skip
_PRINTABLE = re.compile(r"[^\x21-\x7e]")
_PARAM = str.maketrans({"\\": "\\\\", '"': '\\"', "]": "\\]"})
_SD_ID = r"^[!#-<>-\\^-~]{1,32}$"


class Rfc5424Options(FormatOptions):
    """Names in the header."""

    facility: Annotated[str, Meta(description="kern, user, ..., local7")] = "local0"
    sd_id: Annotated[str, Meta(pattern=_SD_ID, description="name of the structured data")] = (
        "rulekit@32473"
    )
    fields: Annotated[bool, Meta(description="output fields as a second element")] = True
    app_name: Annotated[str, Meta(description="APP-NAME")] = "rulekit"
    extra: Annotated[
        dict[str, str], Meta(description="further parameters, the same for every alert")
    ] = msgspec.field(default_factory=dict)


class Rfc5424Formatter(Formatter):
    """Formats alerts as whole syslog messages of RFC 5424, facts in structured data.

    Args:
        facility: Name of the syslog facility.
        sd_id: Name of the structured data; the output fields are in ``fields@...``.
        fields: Write the output fields.
        app_name: For the header.
        extra: Further parameters.

    Raises:
        ValueError: There is no such facility.
    """

    Options = Rfc5424Options
    context = ("proc.name", "container.id", "container.name")
    content_type = "text/plain; charset=utf-8"

    def __init__(
        self,
        *,
        facility: str = "local0",
        sd_id: str = "rulekit@32473",
        fields: bool = True,
        app_name: str = "rulekit",
        extra: dict[str, str] | None = None,
    ) -> None:
        self._facility = facility_number(facility)
        self._sd_id = sd_id
        self._fields_id = f"fields@{sd_id.partition('@')[2]}" if "@" in sd_id else "fields"
        self._fields = fields
        self._app_name = _name(app_name, 48)
        self._extra = extra or {}

    def format(self, alert: Alert) -> bytes:
        """Return the message of an alert, header included, with a line feed."""
        params = {
            "id": alert.id,
            "rule": alert.rule,
            "priority": alert.priority,
            "ruleHash": alert.rule_hash,
            "engine": __version__,
            "source": alert.source,
            "position": alert.event,
            "eventId": alert.event_id,
            "drops": alert.drops,
            "enrichment": enrichment(alert),
            "missing": ",".join(alert.missing or ()),
            "tags": ",".join(alert.tags),
            **self._extra,
        }
        data = _element(self._sd_id, params)
        if self._fields and alert.output_fields:
            data += _element(self._fields_id, {_key(k): v for k, v in alert.output_fields.items()})
        header = rfc5424_header(
            self._facility, alert.priority, alert.time_ns, alert.hostname, self._app_name, "alert"
        )
        return encode(f"{header} {data} \ufeff{escape_controls(alert.message)}\n")


def rfc5424_header(
    facility: int, priority: str, time_ns: int, host: str, app_name: str, kind: str
) -> str:
    """Return the header up to MSGID: ``<132>1 2016-08-04T16:17:57.881785Z host app 12 alert``."""
    level = facility * 8 + priority_number(priority)
    # Microseconds are all that the RFC allows.
    when = time_json(time_ns)[:-4] + "Z"
    name = _name(host or os.uname().nodename, 255)
    return f"<{level}>1 {when} {name} {app_name} {os.getpid()} {_name(kind, 32)}"


def facility_number(name: str) -> int:
    """Return the number of a syslog facility; raises `ValueError` for a name that is none."""
    if name not in FACILITIES:
        raise ValueError(f"`{name}` is no syslog facility; say one of {', '.join(FACILITIES)}")
    return FACILITIES.index(name)


def _name(text: str, most: int) -> str:
    return _PRINTABLE.sub("_", text)[:most] or "-"


def _key(name: str) -> str:
    return re.sub(r"[^!#-<>-\\^-~]", "_", name)[:32]


def _element(name: str, params: dict[str, object]) -> str:
    shown = "".join(
        f' {key}="{escape_controls(_shown(value)).translate(_PARAM)}"'
        for key, value in params.items()
        if value not in (None, "")
    )
    return f"[{name}{shown}]"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


FORMAT = Rfc5424Formatter
