"""The verdict of Falco's JSON schema on a document; it never makes a file invalid.

The facts are those of the schema of engine 0.63.0 as its validator applies it: every value passes
as text, ``"true"`` passes as a boolean, and a key given twice counts as an unknown one.
"""

from __future__ import annotations

import re

from rulekit.rules._plain import is_plain
from rulekit.rules.priority import BY_NAME
from rulekit.rules.yaml import Mapping, Scalar, Sequence, YamlNode

_INTEGER = re.compile(r"[ \t\n\v\f\r]*[+-]?\d+")
_OPERATIONS = frozenset({"append", "replace"})
_OVERRIDABLE = frozenset(
    (
        *("items", "desc", "condition", "output", "priority", "enabled", "exceptions", "capture"),
        *("capture_duration", "tags", "warn_evttypes", "skip-if-unknown-filter"),
    )
)
_TEXTS = frozenset(
    ["required_engine_version", "macro", "condition", "list", "rule", "desc", "output", "source"]
)
_BOOLEANS = ("append", "capture", "enabled", "skip-if-unknown-filter", "warn_evttypes")
_KEYS = (
    _TEXTS
    | set(_BOOLEANS)
    | {"required_plugin_versions", "items", "priority", "capture_duration", "exceptions"}
    | {"override", "tags"}
)


def check_shape(root: YamlNode) -> list[str]:
    """Return what the schema objects to in a document, empty when it is valid."""
    found: list[str] = []
    if not isinstance(root, Sequence):
        return ["<root>: must be a sequence"]
    for i, element in enumerate(root.items):
        if not is_plain(element):
            _element(element, f"<root>[{i}]", found)
    return found


def _keys(node: Mapping, known: frozenset[str], place: str, found: list[str]) -> None:
    present = node.index()
    if present.keys() <= known and len(present) == len(node.pairs):
        return
    seen: set[str] = set()
    for key, _ in node.pairs:
        name = key.value if isinstance(key, Scalar) and not key.null else None
        if name is None or name not in known:
            found.append(f"{place}: unknown key `{'?' if name is None else name}`")
            return
        if name in seen:
            found.append(f"{place}: key `{name}` is given twice")
            return
        seen.add(name)


def _element(node: YamlNode, place: str, found: list[str]) -> None:
    if not isinstance(node, Mapping):
        found.append(f"{place}: must be a map")
        return
    present = node.index()
    for key in _BOOLEANS:
        value = present.get(key)
        if value is not None and not (
            isinstance(value, Scalar) and value.value in ("true", "false") and not value.null
        ):
            found.append(f"{place}.{key}: must be true or false")
    for key in ("items", "tags"):
        value = present.get(key)
        if value is not None and not isinstance(value, Sequence):
            found.append(f"{place}.{key}: must be a sequence")
    priority = node.get("priority")
    if priority is not None and not (isinstance(priority, Scalar) and priority.value in BY_NAME):
        found.append(f"{place}.priority: must be one of {', '.join(sorted(BY_NAME))}")
    duration = node.get("capture_duration")
    if duration is not None and not (
        isinstance(duration, Scalar) and _INTEGER.fullmatch(duration.value)
    ):
        found.append(f"{place}.capture_duration: must be an integer")
    if (exceptions := node.get("exceptions")) is not None:
        _maps(exceptions, ("name",), ("fields", "comps", "values"), f"{place}.exceptions", found)
    if (plugins := node.get("required_plugin_versions")) is not None:
        _plugins(plugins, f"{place}.required_plugin_versions", found)
    if (override := node.get("override")) is not None:
        _override(override, f"{place}.override", found)
    _keys(node, _KEYS, place, found)


def _maps(
    node: YamlNode,
    required: tuple[str, ...],
    optional: tuple[str, ...],
    place: str,
    found: list[str],
) -> list[Mapping]:
    """Check a sequence of maps with these keys; return the maps."""
    if not isinstance(node, Sequence):
        found.append(f"{place}: must be a sequence")
        return []
    maps = []
    for i, item in enumerate(node.items):
        if not isinstance(item, Mapping):
            found.append(f"{place}[{i}]: must be a map")
            continue
        maps.append(item)
        for key in required:
            if item.get(key) is None:
                found.append(f"{place}[{i}]: `{key}` is missing")
        _keys(item, frozenset((*required, *optional)), f"{place}[{i}]", found)
    return maps


def _plugins(node: YamlNode, place: str, found: list[str]) -> None:
    for plugin in _maps(node, ("name", "version"), ("alternatives",), place, found):
        if (others := plugin.get("alternatives")) is not None:
            _maps(others, ("name", "version"), (), f"{place}.alternatives", found)


def _override(node: YamlNode, place: str, found: list[str]) -> None:
    if not isinstance(node, Mapping):
        found.append(f"{place}: must be a map")
        return
    if not node.pairs:
        found.append(f"{place}: must name at least one key")
    for key, value in node.pairs:
        if not (isinstance(value, Scalar) and value.value in _OPERATIONS):
            name = key.value if isinstance(key, Scalar) else "?"
            found.append(f"{place}.{name}: must be `append` or `replace`")
    _keys(node, _OVERRIDABLE, place, found)
