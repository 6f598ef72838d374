"""Engine and plugin versions that rule files ask for, and what we claim to be.

The engine version is that of Falco's engine whose rules mean the same here; the plugins are those
whose fields and sources are built in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

Version: TypeAlias = "tuple[int, int, int]"

ENGINE_VERSION: Version = (0, 63, 0)

_VERSION = re.compile(r"\s*(\d+)\.\s*(\d+)\.\s*(\d+)")
_UNSIGNED = re.compile(r"\+?(?:0[xX][0-9a-fA-F]+|\d+)")
_LONGEST = 20
_UINT32_MAX = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin of Falco whose part is built in."""

    name: str
    version: Version
    source: str | None = None


# Versions of the plugins repository in the summer of 2026, all at least what the upstream
# rules ask for; `source` is the event source that the plugin provides.
PLUGINS = {
    plugin.name: plugin
    for plugin in (
        Plugin("container", (0, 7, 0)),
        Plugin("k8smeta", (0, 4, 1)),
        Plugin("json", (0, 7, 4)),
        Plugin("k8saudit", (0, 18, 0), "k8s_audit"),
        Plugin("k8saudit-gke", (0, 9, 0), "k8s_audit"),
    )
}


def parse_version(text: str) -> Version | None:
    """Return the three leading numbers of ``x.y.z...``, or None."""
    match = _VERSION.match(text)
    if match is None or max(map(len, match.groups())) > _LONGEST:
        return None
    return int(match[1]), int(match[2]), int(match[3])


def parse_unsigned(text: str) -> int | None:
    """Return an unsigned 32-bit number written in decimal, octal (``010``) or hex, or None."""
    digits = text.rstrip(" \t\n\r\v\f")
    if len(digits) > _LONGEST or not _UNSIGNED.fullmatch(digits):
        return None
    digits = digits.lstrip("+")
    try:
        number = int(digits, 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10)
    except ValueError:
        return None
    return number if number <= _UINT32_MAX else None


def parse_engine_version(text: str) -> Version | None:
    """Return the version of ``required_engine_version``: a number N means 0.N.0."""
    number = parse_unsigned(text)
    return parse_version(text) if number is None else (ENGINE_VERSION[0], number, 0)


def satisfies(have: Version, wanted: Version) -> bool:
    """Whether `have` has the same major number as `wanted` and is at least as new."""
    return have[0] == wanted[0] and have >= wanted


def format_version(version: Version) -> str:
    """Return ``x.y.z``."""
    return ".".join(map(str, version))


def providers(alternatives: tuple[tuple[str, str], ...]) -> list[Plugin]:
    """Return the claimed plugins that meet a requirement."""
    found = []
    for name, wanted_text in alternatives:
        plugin, wanted = PLUGINS.get(name), parse_version(wanted_text)
        if plugin and wanted and satisfies(plugin.version, wanted):
            found.append(plugin)
    return found
