"""As much of JSON Schema draft 4 as the schema of SARIF uses."""

from __future__ import annotations

import re
from typing import Any

_TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
_KNOWN = {
    *("$schema", "id", "origin", "$ref", "type", "properties", "required", "items", "enum"),
    *("additionalProperties", "anyOf", "oneOf", "minimum", "maximum", "minItems", "uniqueItems"),
    *("pattern", "format", "default", "definitions"),
}


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def violations(
    value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "$"
) -> list[str]:
    """Return what a value breaks, empty when it is valid."""
    assert set(schema) <= _KNOWN, f"unknown keywords {set(schema) - _KNOWN}"
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return violations(value, target, root, at)
    found: list[str] = []
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return [f"{at}: {value!r} is not of type {' or '.join(kinds)}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is none of {schema['enum']}")
    for key, fits in (("anyOf", lambda n: n >= 1), ("oneOf", lambda n: n == 1)):
        if key in schema and not fits(
            sum(not violations(value, one, root, at) for one in schema[key])
        ):
            found.append(f"{at}: fits the wrong number of {key}")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        found += [f"{at}: lacks {key}" for key in schema.get("required", ()) if key not in value]
        for key, inner in value.items():
            if key in properties:
                found += violations(inner, properties[key], root, f"{at}.{key}")
            elif schema.get("additionalProperties") is False:
                found.append(f"{at}: unknown property {key}")
            elif isinstance(schema.get("additionalProperties"), dict):
                found += violations(inner, schema["additionalProperties"], root, f"{at}.{key}")
    elif isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            found.append(f"{at}: too few items")
        if schema.get("uniqueItems") and any(v in value[:i] for i, v in enumerate(value)):
            found.append(f"{at}: items repeat")
        for i, inner in enumerate(value):
            found += violations(inner, schema.get("items", {}), root, f"{at}[{i}]")
    elif isinstance(value, str):
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{at}: {value!r} does not match {schema['pattern']}")
    elif isinstance(value, (int, float)) and not (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    ):
        found.append(f"{at}: {value!r} is out of range")
    return found
