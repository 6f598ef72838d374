"""Syslog messages by RFC 5424, the facts of the alert as structured data."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from rulekit import __version__
from rulekit.alert import Alert, priority_number
from rulekit.formats._subject import enrichment
from rulekit.formats.base import FormatOptions, Formatter, encode, escape_controls
from rulekit.text.syslog import facility_number, syslog_header

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
        self._app_name = app_name
        self._extra = {_key(name): value for name, value in (extra or {}).items()}

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
        header = syslog_header(
            self._facility,
            priority_number(alert.priority),
            alert.time_ns,
            alert.hostname,
            self._app_name,
            "alert",
        )
        return encode(f"{header} {data} \ufeff{escape_controls(alert.message)}\n")


@lru_cache(maxsize=4096)
def _key(name: str) -> str:
    return re.sub(r"[^!#-<>-\\^-~]", "_", name)[:32]


def _element(name: str, params: dict[str, object]) -> str:
    shown = "".join(
        f' {key}="{_param(_shown(value))}"'
        for key, value in params.items()
        if value or (value is not None and value != "")
    )
    return f"[{name}{shown}]"


def _param(text: str) -> str:
    text = escape_controls(text)
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _shown(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


FORMAT = Rfc5424Formatter
