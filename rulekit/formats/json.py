"""Falco's JSON format: one object per line, keys in alphabetical order."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from rulekit.alert import INTERNAL, Alert
from rulekit.formats._encode import json_line
from rulekit.formats._subject import facts, output_fields
from rulekit.formats.base import FormatOptions, Formatter, output_line, time_json


class JsonOptions(FormatOptions):
    """Which of Falco's keys are written."""

    iso8601: Annotated[bool, Meta(description="time inside `output` with date, in UTC")] = False
    message: Annotated[bool, Meta(description="add `message`")] = False
    output: Annotated[bool, Meta(description="keep `output`")] = True
    output_fields: Annotated[bool, Meta(description="keep `output_fields`")] = True
    tags: Annotated[bool, Meta(description="keep `tags`")] = True
    extra: Annotated[
        bool, Meta(description="add `rulekit`: id, rule hash, position, drops, completeness")
    ] = False


class JsonFormatter(Formatter):
    """Formats alerts as JSON lines with the keys that Falco writes.

    Args:
        iso8601: Print the time inside `output` with date and UTC instead of the local time of day.
        message: Add `message`, the output without time and priority.
        output: Keep `output`.
        output_fields: Keep `output_fields`.
        tags: Keep `tags`.
        extra: Add `rulekit`: id, hash of the rule, position of the event, what was lost before it.
    """

    Options = JsonOptions

    def __init__(
        self,
        *,
        iso8601: bool = False,
        message: bool = False,
        output: bool = True,
        output_fields: bool = True,
        tags: bool = True,
        extra: bool = False,
    ) -> None:
        self._iso8601 = iso8601
        self._message = message
        self._output = output
        self._output_fields = output_fields
        self._tags = tags
        self._extra = extra
        if extra:
            self.context = ("proc.name", "container.id", "container.name")  # is it complete?

    def format(self, alert: Alert) -> bytes:
        """Return the object of an alert; times in `output_fields` are ns since the epoch."""
        item: dict[str, Any] = {
            "hostname": alert.hostname,
            "priority": alert.priority,
            "rule": alert.rule,
            "source": alert.source,
            "time": time_json(alert.time_ns),
        }
        if self._message:
            item["message"] = alert.message
        if self._output:
            item["output"] = output_line(alert, self._iso8601)
        if self._output_fields:
            when = "evt.time.iso8601" if self._iso8601 else "evt.time"
            item["output_fields"] = {**output_fields(alert), when: alert.time_ns}
        if self._tags and alert.source != INTERNAL:
            item["tags"] = list(alert.tags)
        if self._extra:
            item["rulekit"] = facts(alert)
        return json_line(item, ordered=True)


FORMAT = JsonFormatter
