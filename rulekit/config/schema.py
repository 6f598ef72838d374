"""The JSON Schema of `rulekit.yaml`, for editors; made from the types that the reader uses."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect as types

from rulekit.config.options import ConfigOptions, SinkOptions
from rulekit.delivery.kinds import FORMATS, SINKS, format_kind, kinds, sink_kind
from rulekit.sinks.values import Condition, Duration, MaybeSecret, Rate, Secret, Size

SCHEMA_ID = "https://rulekit.readthedocs.io/en/latest/schemas/rulekit.schema.json"

_SECRET = {
    "type": "object",
    "properties": {"file": {"type": "string"}, "env": {"type": "string"}},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
_CUSTOM: dict[type, dict[str, Any]] = {
    Size: {"type": ["string", "integer"], "examples": ["64MiB"]},
    Duration: {"type": ["string", "number"], "examples": ["10s"]},
    Rate: {"type": "string", "examples": ["10/m"]},
    Condition: {"type": ["string", "number", "boolean"], "examples": ["alert.priority <= 3"]},
    Secret: _SECRET,
    MaybeSecret: {"anyOf": [{"type": ["string", "number"]}, _SECRET]},
    Path: {"type": ["string", "number", "boolean"]},
}
_PLAIN: dict[type[types.Type], dict[str, Any]] = {
    types.AnyType: {},
    types.BoolType: {"type": "boolean"},
    types.NoneType: {"type": "null"},
}


def make_schema(*, plugins: bool = True) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `rulekit.yaml`.

    Args:
        plugins: With the sinks and formats of plug-ins that are installed.
    """
    sinks = kinds(SINKS, plugins=plugins)
    formats = kinds(FORMATS, plugins=plugins)
    root = struct_schema(ConfigOptions)
    common = struct_schema(SinkOptions)
    defs: dict[str, Any] = {}
    for name in sinks:
        own = struct_schema(sink_kind(name).Options)
        own["properties"] = {
            **common["properties"],
            **own["properties"],
            "type": {"const": name},
            "format": {"$ref": "#/$defs/format"},
        }
        own["required"] = sorted({"type", *own["required"]})
        defs[f"sink.{name}"] = own
    forms: list[dict[str, Any]] = [{"enum": formats}]
    for name in formats:
        form = struct_schema(format_kind(name).Options)
        form["properties"] = {"type": {"const": name}, **form["properties"]}
        form["required"] = ["type"]
        forms.append(form)
    defs["format"] = {"oneOf": forms}
    root["properties"]["sinks"] = {
        "type": "object",
        "description": "sinks by name",
        "additionalProperties": {"oneOf": [{"$ref": f"#/$defs/sink.{name}"} for name in sinks]},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **root,
        "$defs": defs,
    }


def struct_schema(cls: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the schema of a map whose keys a Struct declares."""
    info = types.type_info(cls)
    assert isinstance(info, types.StructType)
    properties = {}
    for field in info.fields:
        schema = _schema(field.type)
        if field.default is not msgspec.NODEFAULT and field.default is not None:
            schema["default"] = _default(field.default)
        properties[field.encode_name] = schema
    return {
        "type": "object",
        "description": " ".join((cls.__doc__ or "").split()),
        "properties": properties,
        "required": [field.encode_name for field in info.fields if field.required],
        "additionalProperties": False,
    }


def schema_text(*, plugins: bool = True) -> str:
    """Return the schema as text; without plug-ins, as it is published."""
    return json.dumps(make_schema(plugins=plugins), indent=1, ensure_ascii=False) + "\n"


def published() -> str:
    """Return the schema that comes with the package."""
    return (files("rulekit.config") / "rulekit.schema.json").read_text("utf-8")


def _schema(type: types.Type) -> dict[str, Any]:
    if isinstance(type, types.Metadata):
        return {**(type.extra_json_schema or {}), **_schema(type.type)}
    if isinstance(type, types.UnionType):
        options = [_schema(each) for each in type.types]
        return {"anyOf": options}
    if isinstance(type, types.StructType):
        return struct_schema(type.cls)
    if isinstance(type, types.ListType):
        return {"type": "array", "items": _schema(type.item_type)}
    if isinstance(type, types.DictType):
        return {"type": "object", "additionalProperties": _schema(type.value_type)}
    if isinstance(type, types.LiteralType):
        return {"enum": list(type.values)}
    if isinstance(type, types.CustomType):
        return dict(_CUSTOM[type.cls])
    if isinstance(type, (types.IntType, types.FloatType)):
        schema: dict[str, Any] = {
            "type": "integer" if isinstance(type, types.IntType) else "number"
        }
        bounds = {"minimum": type.ge, "maximum": type.le}
        return schema | {key: value for key, value in bounds.items() if value is not None}
    if isinstance(type, types.StrType):
        # Numbers and words like `true` are text where text is wanted.
        limits = {"minLength": type.min_length, "pattern": type.pattern}
        found = {key: value for key, value in limits.items() if value is not None}
        return {"type": "string" if found else ["string", "number", "boolean"], **found}
    return dict(_PLAIN[type.__class__])


def _default(value: Any) -> Any:
    if isinstance(value, Duration):
        return f"{value:g}s"
    return int(value) if isinstance(value, Size) else value
