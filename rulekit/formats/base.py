"""What all formatters share: the interface, the forms of time, safe text."""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from functools import lru_cache
from typing import ClassVar

import msgspec

from rulekit.alert import Alert

_NS = 1_000_000_000
# C0 controls, DEL and C1 controls: the last two are no control characters for JSON, but a terminal
# obeys them all the same.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SHORT = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


class FormatOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a configuration can say about a format; the constructor gets it as keywords."""


class Formatter(ABC):
    """Turns alerts into bytes; one instance may serve several threads.

    Class attributes:
        Options: What its configuration may say.
        context: Fields that it wants to find in `Alert.context`, whatever the rule's output
            names; instances may differ.
        content_type: For receivers that are told.
    """

    Options: ClassVar[type[FormatOptions]] = FormatOptions
    context: tuple[str, ...] = ()
    content_type: ClassVar[str] = "application/json"

    @abstractmethod
    def format(self, alert: Alert) -> bytes:
        """Return the alert as UTF-8, one line with its line feed."""


def time_of_day(time_ns: int) -> str:
    """Return ``16:17:57.881785348`` in the local time zone (the field ``evt.time``)."""
    seconds, fraction = divmod(time_ns, _NS)
    return f"{_local_second(seconds, time.tzname)}.{fraction:09d}"


def time_iso8601(time_ns: int) -> str:
    """Return ``2016-08-04T16:17:57.881785348+0000``, always UTC (``evt.time.iso8601``)."""
    return f"{_utc(time_ns)}+0000"


def time_json(time_ns: int) -> str:
    """Return ``2016-08-04T16:17:57.881785348Z``, the `time` of an alert in JSON."""
    return f"{_utc(time_ns)}Z"


def _utc(time_ns: int) -> str:
    seconds, fraction = divmod(time_ns, _NS)
    return f"{_utc_second(seconds)}.{fraction:09d}"


# Alerts come in the order of time, one second after the other; the starts of processes do not.
@lru_cache(maxsize=1024)
def _utc_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


@lru_cache(maxsize=8)
def _local_second(seconds: int, zone: tuple[str, str]) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def output_line(alert: Alert, iso8601: bool) -> str:
    """Return ``<time>: <Priority> <message>``, nothing escaped."""
    when = time_iso8601(alert.time_ns) if iso8601 else time_of_day(alert.time_ns)
    return f"{when}: {alert.priority} {alert.message}"


def escape_controls(text: str) -> str:
    """Return text with every control character as its JSON escape (``\\n``, ``\\u001b``)."""
    if text.isprintable():  # one fast pass; almost every alert ends here
        return text
    return _CONTROL.sub(lambda m: _SHORT.get(m[0]) or f"\\u{ord(m[0]):04x}", text)


def encode(text: str) -> bytes:
    """Return text as UTF-8; what stands for invalid bytes becomes U+FFFD."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogateescape" if _escaped(text) else "surrogatepass")
        return raw.decode("utf-8", "replace").encode("utf-8")


def _escaped(text: str) -> bool:
    return all(not "\ud800" <= c <= "\udfff" or "\udc80" <= c <= "\udcff" for c in text)
