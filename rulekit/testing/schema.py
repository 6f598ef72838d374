"""The JSON Schema of test files, for editors; made from the tables that the reader uses."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from rulekit.alert import PRIORITIES
from rulekit.schema.kubernetes import KINDS
from rulekit.schema.values import value_tables
from rulekit.testing.inline import BESIDE
from rulekit.testing.inline_accounts import CONTAINER_KEYS, POD_KEYS
from rulekit.testing.inline_audit import AUDIT_KEYS, STAGES, VERBS
from rulekit.testing.inline_events import GENERIC, names_of_events
from rulekit.testing.inline_forms import FORMS, SPECIAL, Form
from rulekit.testing.inline_world import PROCESS_KEYS, PROGRAM_KEYS
from rulekit.testing.pattern import FORMS as PATTERNS
from rulekit.testing.read_case import CASE_KEYS, EXPECTATION_KEYS

SCHEMA_ID = "https://rulekit.readthedocs.io/en/latest/schemas/tests.schema.json"

_TEXT = {"type": "string"}
_NAMES = {"oneOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_NUMBER = {"type": "integer", "minimum": 0}
_WHOLE = ("pid", "vpid", "gid", "sid", "pgid", "vpgid", "exe_ino")
# ${name} may stand for anything in a case with `each`.
_VARIABLE = {"type": "string", "pattern": r"\$\{\w+\}"}
_MAP = {"type": ["object", "string"]}
_WORDS = {"type": ["string", "number", "array"], "items": {"type": ["string", "number"]}}

_ABOUT_CASE: dict[str, tuple[str, Any]] = {
    "case": ("Name of the case, unique in its file", _TEXT),
    "rules": ("Rule file, or several in the order of loading, relative to this file", _NAMES),
    "capture": ("Recorded events (.scap, .scap.gz), relative to this file", _TEXT),
    "events": (
        "Inline events; `proc` says whose they are",
        {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/event"}},
    ),
    "fires": (
        "Rules that must alert; in a rule's own case also true, or how often",
        {"oneOf": [*_NAMES["oneOf"], {"type": ["boolean", "integer"]}]},
    ),
    "expect": (
        "Alerts that must come",
        {
            "oneOf": [
                {"$ref": "#/$defs/expectation"},
                {
                    "type": "array",
                    "items": {"oneOf": [_TEXT, {"$ref": "#/$defs/expectation"}]},
                },
            ]
        },
    ),
    "silent": (
        "Rules that must not alert; in a rule's own case also true",
        {"oneOf": [*_NAMES["oneOf"], {"const": True}]},
    ),
    "only": ("No rule but those that are expected may alert", {"type": "boolean"}),
    "matching": (
        "all rules that match an event alert, or the first only",
        {"enum": ["all", "first"]},
    ),
    "all_rules": ("Also run rules marked `enabled: false`", {"type": "boolean"}),
    "tags": ("Words that -k finds", _NAMES),
    "xfail": ("Why the case is expected to fail", {"type": ["string", "boolean"]}),
    "macros": (
        "Conditions that take the place of macros",
        {"type": "object", "additionalProperties": _TEXT},
    ),
    "lists": (
        "Items that take the place of those of lists",
        {"type": "object", "additionalProperties": _WORDS},
    ),
    "each": (
        "Values for ${name}: a list of maps, or a map of lists for all combinations",
        {"type": ["array", "object"]},
    ),
    "timeout": ("Time limit, in seconds or as 5s, 2m", {"type": ["number", "string"]}),
}
_ABOUT_REQUEST: dict[str, tuple[str, Any]] = {
    "user": ("Who asks; alice unless said", _TEXT),
    "groups": ("Groups of the user", _NAMES),
    "impersonate": ("As whom", _TEXT),
    "verb": (
        "What is done; follows from the rest unless said",
        {"anyOf": [{"enum": list(VERBS)}, _VARIABLE]},
    ),
    "resource": (
        "Of what kind of object: pods, pods/exec, roles.rbac.authorization.k8s.io",
        {"type": "string", "examples": sorted({each for each, _ in KINDS.values()})},
    ),
    "namespace": ("Namespace of the object", _TEXT),
    "name": ("Name of the object", _TEXT),
    "object": ("The object that is sent, as in a manifest", _MAP),
    "response": ("The object that comes back", {"type": ["object", "null", "string"]}),
    "code": ("Status of the answer", {"type": ["integer", "string"]}),
    "reason": ("Why it was allowed or forbidden", _TEXT),
    "stage": (
        "Stage of the request, or several; ResponseComplete unless said",
        {
            "anyOf": [
                {"enum": list(STAGES)},
                {"type": "array", "items": {"enum": list(STAGES)}, "minItems": 1},
                _VARIABLE,
            ]
        },
    ),
    "uri": ("Path of the request, for those that lead to no object", _TEXT),
    "params": ("Parameters in the URI", _MAP),
    "decision": ("Of the authorisation", {"anyOf": [{"enum": ["allow", "forbid"]}, _VARIABLE]}),
    "source": ("Address of the client", _NAMES),
    "agent": ("User agent of the client", _TEXT),
    "annotations": ("Further annotations", _MAP),
}
_ABOUT_EXPECTATION: dict[str, tuple[str, Any]] = {
    "rule": ("The rule that must alert", _TEXT),
    "count": ("Exact number of alerts that fit", {"anyOf": [_NUMBER, _VARIABLE]}),
    "min": ("Least number of alerts that fit; 1 unless said", {"anyOf": [_NUMBER, _VARIABLE]}),
    "max": ("Greatest number of alerts that fit", {"anyOf": [_NUMBER, _VARIABLE]}),
    "at": (
        "Where: numbers (from 1) or ids of inline events, raw positions in a capture",
        {
            "oneOf": [
                {"type": ["integer", "string"]},
                {"type": "array", "items": {"type": ["integer", "string"]}},
            ]
        },
    ),
    "priority": (
        "Priority of the alerts",
        {"type": "string", "examples": list(PRIORITIES)},
    ),
    "fields": (
        "Fields and what their values must be",
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/pattern"}},
    ),
    "output": ("Part of the message, or a pattern for it", {"$ref": "#/$defs/pattern"}),
}


def _object(about: dict[str, tuple[str, Any]], required: list[str]) -> dict[str, Any]:
    properties = {key: {"description": text, **form} for key, (text, form) in about.items()}
    found: dict[str, Any] = {"type": "object", "properties": properties}
    return {**found, "additionalProperties": False, "required": required}


def _process(keys: tuple[str, ...]) -> dict[str, Any]:
    special: dict[str, Any] = {
        "cmdline": _WORDS,
        "args": _WORDS,
        "env": {"type": ["string", "array", "object"]},
        "container": {
            "oneOf": [
                {"type": ["string", "null"]},
                {
                    "type": "object",
                    "properties": dict.fromkeys(CONTAINER_KEYS, True)
                    | {"pod": {"oneOf": [_TEXT, _any_of(POD_KEYS)]}},
                    "additionalProperties": False,
                },
            ]
        },
        "parent": {
            "oneOf": [
                {"type": ["string", "integer", "null"]},
                {"type": "array", "items": _TEXT, "minItems": 1},
                {"$ref": "#/$defs/process"},
            ]
        },
        "user": {"type": ["string", "integer", "object"]},
        "login": {"type": ["string", "integer", "object"]},
        "tty": {"type": ["boolean", "integer", "string"]},
        "caps": _NAMES,
        "fds": {"type": "object"},
        **dict.fromkeys(("name", "exe", "exepath", "cwd", "root", "as"), _SCALAR),
        **{key: {"type": "integer"} for key in _WHOLE},
        **{key: {"type": "boolean"} for key in keys if key.startswith("exe_") and key != "exe_ino"},
    }  # fmt: skip
    return {
        "type": "object",
        "properties": {key: special[key] for key in keys},
        "additionalProperties": False,
    }


def _any_of(keys: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict.fromkeys(keys, True),
        "additionalProperties": False,
    }


def _event(name: str) -> dict[str, Any]:
    """Return what may stand behind the name of an event."""
    if name in ("proc", "spawn"):
        return {"oneOf": [{"type": "string"}, {"type": "array"}, {"$ref": "#/$defs/process"}]}
    if name in ("execve", "execveat"):
        return {"oneOf": [{"type": "string"}, {"type": "array"}, {"$ref": "#/$defs/program"}]}
    if name == "k8s_audit":
        return {"$ref": "#/$defs/request"}
    if name in SPECIAL:
        if name == "exit":
            return {"type": ["integer", "null"]}
        return {"oneOf": [{"type": "null"}, _any_of(("as", "pid", "flags"))]}
    kind = names_of_events()[name]
    if kind.enum == GENERIC:
        return {"$ref": "#/$defs/bare"}
    form = FORMS.get(name, Form())
    params: dict[str, Any] = {}
    tables = value_tables()["flag_tables"]
    for param in kind.params:
        about: dict[str, Any] = {"description": param.type.removeprefix("PT_").lower()}
        if param.values is not None:
            names = [each for each, _ in tables[param.values]]
            about["examples"] = names[:20]
        params[param.name] = about
    params |= {key: {"description": f"`{param}`"} for key, param in form.names.items()}
    if any(param.type == "PT_SOCKTUPLE" for param in kind.params):
        params |= {"to": _TEXT, "from": _TEXT, "l4": {"enum": ["tcp", "udp"]}}
    whole = {"type": "object", "properties": params, "additionalProperties": False}
    shown = " and ".join(form.main)
    lone: dict[str, Any] = {"type": ["string", "number", "array", "null"]}
    if shown:
        lone["description"] = shown
    return {"oneOf": [lone, whole]}


def make_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of test files."""
    assert set(_ABOUT_CASE) == set(CASE_KEYS)
    assert set(_ABOUT_EXPECTATION) == set(EXPECTATION_KEYS)
    assert set(_ABOUT_REQUEST) == set(AUDIT_KEYS)
    beside = {
        "by": {"description": "The process, for this event only", "type": ["string", "integer"]},
        "fails": {
            "description": "The call fails with this error",
            "type": ["string", "integer", "boolean"],
            "examples": list(value_tables()["errno"].values())[:20],
        },
        "after": {"description": "Time since the event before: 5s", "type": ["string", "number"]},
        "id": {"description": "A name that `at` can use", "type": ["string", "integer"]},
    }
    assert set(beside) == set(BESIDE)
    names = sorted({*SPECIAL, *names_of_events(), "k8s_audit"})
    case = _object(_ABOUT_CASE, ["case"])
    case["oneOf"] = [{"required": ["capture"]}, {"required": ["events"]}]
    case["anyOf"] = [{"required": [key]} for key in ("fires", "expect", "silent", "only")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Tests of rules",
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/case"},
        "$defs": {
            "case": case,
            "expectation": _object(_ABOUT_EXPECTATION, []),
            "pattern": {
                "oneOf": [
                    _SCALAR,
                    {"type": "array"},
                    {
                        "type": "object",
                        "properties": dict.fromkeys(PATTERNS, True),
                        "additionalProperties": False,
                        "minProperties": 1,
                        "maxProperties": 1,
                    },
                ]
            },
            "process": _process(PROCESS_KEYS),
            "program": _process(PROGRAM_KEYS),
            "request": {
                "oneOf": [
                    _object(_ABOUT_REQUEST, []),
                    {
                        "type": "object",
                        "description": "A whole audit event",
                        "properties": {"kind": {"const": "Event"}},
                        "required": ["kind"],
                    },
                ]
            },
            "bare": {"oneOf": [{"type": "null"}, _any_of(("ID", "nativeID"))]},
            "event": {
                "type": "object",
                "properties": {**beside, **{name: _event(name) for name in names}},
                # A variant may choose the event.
                "patternProperties": {_VARIABLE["pattern"]: True},
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1 + len(beside),
            },
        },
    }


def schema_text() -> str:
    """Return the schema as it is published."""
    return json.dumps(make_schema(), indent=1, ensure_ascii=False) + "\n"


def published() -> str:
    """Return the schema that comes with the package."""
    return (files("rulekit.testing") / "tests.schema.json").read_text("utf-8")
