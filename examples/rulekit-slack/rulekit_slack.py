"""A sink and a format for Slack, as a plug-in of rulekit.

Slack's incoming webhooks take a JSON object with `blocks` and answer 200; 429 asks to wait, 400 and
413 blame the message, everything else is set right by whoever owns the channel.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated

import urllib3
from msgspec import Meta

from rulekit.alert import Alert
from rulekit.errors import SinkError
from rulekit.formats.base import FormatOptions, Formatter
from rulekit.sinks.base import Options, Receipt, Record, Sink, SinkRefused
from rulekit.sinks.values import Duration, Secret

_MAX_TEXT = 3000  # characters of a section
_SIGNS = {"Emergency": ":rotating_light:", "Alert": ":rotating_light:", "Critical": ":red_circle:"}
_SIGNS |= {"Error": ":red_circle:", "Warning": ":large_yellow_circle:"}
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class SlackFormatOptions(FormatOptions):
    """What is shown of an alert."""

    tags: Annotated[bool, Meta(description="show the tags of the rule")] = True


class SlackFormatter(Formatter):
    """Formats alerts as sections of a Slack message, one JSON object a line.

    Args:
        tags: Show the tags of the rule.
    """

    Options = SlackFormatOptions

    def __init__(self, *, tags: bool = True) -> None:
        self._tags = tags

    def format(self, alert: Alert) -> bytes:
        """Return the section of an alert."""
        sign = _SIGNS.get(alert.priority, ":white_circle:")
        lines = [f"{sign} *{alert.priority}*: {_safe(alert.rule)}", _safe(alert.message)]
        small = [alert.hostname, *(alert.tags if self._tags else ()), alert.id]
        lines.append(f"_{_safe(', '.join(filter(None, small)))}_")
        text = "\n".join(lines)
        if len(text) > _MAX_TEXT:
            text = text[: _MAX_TEXT - 1] + "…"
        section = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
        return json.dumps(section).encode() + b"\n"


class SlackOptions(Options, kw_only=True):
    """Which channel."""

    webhook: Annotated[Secret, Meta(description="address of an incoming webhook")]
    timeout: Annotated[Duration, Meta(description="longest wait for an answer")] = Duration(10)


class SlackSink(Sink):
    """Posts alerts to a Slack channel, a message for up to twenty of them."""

    Options = SlackOptions
    default_format = "slack"
    max_records = 20

    def __init__(self, options: SlackOptions) -> None:
        self._options = options
        self._pool = urllib3.PoolManager(retries=False, timeout=options.timeout)

    def send(self, batch: Sequence[Record]) -> Receipt | None:
        """Post a message; any answer but 200 is an error."""
        blocks = [json.loads(record.line) for record in batch]
        summary = f"{batch[0].rule}" + (f" and {len(batch) - 1} more" if len(batch) > 1 else "")
        body = {"text": summary.translate(_ESCAPES), "blocks": blocks}
        try:
            answer = self._pool.request("POST", self._options.webhook.reveal(), json=body)
        except urllib3.exceptions.HTTPError as error:
            # Its text names the address, which is secret.
            raise SinkError(f"Slack: {type(error).__name__}") from None
        if answer.status == 200:
            return None
        text = f"Slack: HTTP {answer.status}: {answer.data[:100].decode('utf-8', 'replace')}"
        if answer.status in (400, 413):
            raise SinkRefused(text)
        wait_s = answer.headers.get("retry-after", "0")
        raise SinkError(text, pause_s=float(wait_s) if wait_s.isdigit() else 0.0)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def _safe(text: str) -> str:
    """Return text that Slack shows as it is."""
    return text.translate(_ESCAPES)
