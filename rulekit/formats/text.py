"""Falco's text format: one line per alert."""

from __future__ import annotations

from rulekit.alert import Alert
from rulekit.formats.base import encode, escape_controls, output_line

_QUOTING = str.maketrans({"\\": "\\\\", '"': '\\"'})


class TextFormatter:
    """Formats ``<time>: <Priority> <message>``, escaped so that an alert is always one line.

    Args:
        iso8601: Print the date and UTC instead of the local time of day.
    """

    def __init__(self, *, iso8601: bool = False) -> None:
        self._iso8601 = iso8601

    def format(self, alert: Alert) -> bytes:
        """Return the line of an alert; quotes and backslashes are escaped as in JSON."""
        line = output_line(alert, self._iso8601).translate(_QUOTING)
        return encode(escape_controls(line) + "\n")
