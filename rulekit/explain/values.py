"""Values of fields as people read them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from rulekit.rules.bound import BoundField, BoundTransform, Operand
from rulekit.schema.types import Kind

_LONGEST = 120


def python_value(operand: Operand, value: Any) -> Any:
    """Return a value for JSON: texts decoded, addresses as text, the rest as it is."""
    if isinstance(value, list):
        return [python_value(operand, item) for item in value]
    if not isinstance(value, bytes):
        return value
    kind = operand.kind if isinstance(operand, (BoundField, BoundTransform)) else Kind.TEXT
    if kind in (Kind.ADDRESS, Kind.NETWORK) and len(value) in (4, 16):
        return str(ip_address(value))
    return value.decode("utf-8", "backslashreplace")


def shown_value(value: Any) -> str:
    """Return a value for people, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        text = f"[{', '.join(shown_value(item) for item in value)}]"
    elif isinstance(value, str):
        text = '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
