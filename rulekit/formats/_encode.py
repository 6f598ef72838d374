"""JSON lines, fast: msgspec writes them, the slow way is left for what it refuses."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from rulekit.formats.base import encode, escape_controls

# DEL and C1 controls as UTF-8: JSON lets them stand, terminals obey them.
_CONTROL = re.compile(rb"\x7f|\xc2[\x80-\x9f]").search


def _plain(value: Any) -> Any:
    """Return a value that JSON does not know as one it knows."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"no JSON form for {type(value).__name__}")


_sorted = msgspec.json.Encoder(order="deterministic", enc_hook=_plain).encode
_unsorted = msgspec.json.Encoder(enc_hook=_plain).encode
_slow = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)
_slow_sorted = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), default=_plain, sort_keys=True
)


def json_line(item: dict[str, Any], *, ordered: bool = False) -> bytes:
    """Return an object as one line of JSON with its line feed.

    Control characters are escaped, what is no UTF-8 becomes U+FFFD.

    Args:
        ordered: Keys in alphabetical order, at every depth.
    """
    try:
        data = _sorted(item) if ordered else _unsorted(item)
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError):
        encoder = _slow_sorted if ordered else _slow
        return encode(escape_controls(encoder.encode(item)) + "\n")
    # Two scans of the C library spare nearly every line the expression.
    if not (data.isascii() and b"\x7f" not in data) and _CONTROL(data):
        return encode(escape_controls(data.decode("utf-8")) + "\n")
    return data + b"\n"
