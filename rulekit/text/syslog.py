"""Headers of syslog messages (RFC 5424): a format writes them, the sink adds them to others."""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache

FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
)  # fmt: skip
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]")


def syslog_header(
    facility: int, level: int, time_ns: int, host: str, app_name: str, kind: str
) -> str:
    """Return the header up to MSGID: ``<132>1 2016-08-04T16:17:57.881785Z host app 12 alert``.

    Args:
        level: Number of the priority.
        host: This machine's name when empty.
        kind: MSGID.
    """
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    # Microseconds are all that the RFC allows.
    when = f"{_second(seconds)}.{fraction // 1000:06d}Z"
    name = syslog_name(host or os.uname().nodename, 255)
    head = f"<{facility * 8 + level}>1 {when} {name}"
    return f"{head} {syslog_name(app_name, 48)} {os.getpid()} {syslog_name(kind, 32)}"


def facility_number(name: str) -> int:
    """Return the number of a syslog facility; raises `ValueError` for a name that is none."""
    if name not in FACILITIES:
        raise ValueError(f"`{name}` is no syslog facility; say one of {', '.join(FACILITIES)}")
    return FACILITIES.index(name)


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


@lru_cache(maxsize=1024)
def syslog_name(text: str, most: int) -> str:
    """Return text as a part of the header: printable ASCII, `most` characters, ``-`` for none."""
    return _UNPRINTABLE.sub("_", text)[:most] or "-"
