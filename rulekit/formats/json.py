"""Falco's JSON format: one object per line, keys in alphabetical order."""

from __future__ import annotations

import json
from typing import Annotated, Any

from msgspec import Meta

from rulekit.alert import Alert
from rulekit.formats.base import (
    FormatOptions,
    Formatter,
    encode,
    escape_controls,
    output_line,
    time_json,
)


class JsonOptions(FormatOptions):
    """Which of Falco's keys are written."""

    iso8601: Annotated[bool, Meta(description="time inside `output` with date, in UTC")] = False
    message: Annotated[bool, Meta(description="add `message`")] = False
    output: Annotated[bool, Meta(description="keep `output`")] = True
    output_fields: Annotated[bool, Meta(description="keep `output_fields`")] = True
    tags: Annotated[bool, Meta(description="keep `tags`")] = True


class JsonFormatter(Formatter):
    """Formats alerts as JSON lines with the keys that Falco writes.

    Args:
        iso8601: Print the time inside `output` with date and UTC instead of the local time of day.
        message: Add `message`, the output without time and priority.
        output: Keep `output`.
        output_fields: Keep `output_fields`.
        tags: Keep `tags`.
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
    ) -> None:
        self._iso8601 = iso8601
        self._message = message
        self._output = output
        self._output_fields = output_fields
        self._tags = tags
        self._encoder = json.JSONEncoder(
            ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_plain
        )

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
            item["output_fields"] = {**alert.output_fields, when: alert.time_ns}
        if self._tags:
            item["tags"] = list(alert.tags)
        return encode(escape_controls(self._encoder.encode(item)) + "\n")


def _plain(value: Any) -> Any:
    """Return a value that json does not know as one it knows."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


FORMAT = JsonFormatter
