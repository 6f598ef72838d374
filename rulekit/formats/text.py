"""Falco's text format: one line per alert."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from rulekit.alert import Alert
from rulekit.formats.base import FormatOptions, Formatter, encode, escape_controls, output_line


class TextOptions(FormatOptions):
    """How the time is written."""

    iso8601: Annotated[bool, Meta(description="with date, in UTC")] = False


class TextFormatter(Formatter):
    """Formats ``<time>: <Priority> <message>``, escaped so that an alert is always one line.

    Args:
        iso8601: Print the date and UTC instead of the local time of day.
    """

    Options = TextOptions
    content_type = "text/plain; charset=utf-8"

    def __init__(self, *, iso8601: bool = False) -> None:
        self._iso8601 = iso8601

    def format(self, alert: Alert) -> bytes:
        """Return the line of an alert; quotes and backslashes are escaped as in JSON."""
        line = output_line(alert, self._iso8601)
        line = line.replace("\\", "\\\\").replace('"', '\\"')
        return encode(escape_controls(line) + "\n")


FORMAT = TextFormatter
