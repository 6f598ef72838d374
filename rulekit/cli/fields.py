"""``rulekit fields``: what conditions and outputs can name."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from rulekit.cli.arguments import add_field_map, use_field_map

if TYPE_CHECKING:
    from rulekit.schema.fields import Field

HELP = "list the fields that conditions and outputs can name"
DESCRIPTION = "Lists every field with type, argument and meaning."
EXAMPLES = (
    ("rulekit fields", "every field"),
    ("rulekit fields --source syscall proc.a", "fields of system calls that begin with proc.a"),
    (
        "rulekit fields --field-map examples/agent/fields.yaml --source agent agent.",
        "fields that a field map declares",
    ),
    ("rulekit fields --format json", "the same for programs, in the shape that Falco prints"),
)

CLASSES = {
    "evt": "the event itself: type, time, cpu, arguments, result",
    "process": "the thread and process that caused the event, and their ancestors",
    "user": "the user that the process runs as",
    "group": "the group that the process runs as",
    "fd": "the file descriptor that the event is about",
    "fs.path": "paths that the event names, also without a descriptor",
    "fdlist": "the descriptors of a poll event",
    "container": "the container of the process",
    "k8s": "the Kubernetes objects that the container belongs to",
    "k8smeta": "Kubernetes objects as the cluster reports them",
    "ka": "a request in the audit log of a Kubernetes API server",
    "pod": "the pod that a request creates or changes; rulekit only, `unset` where nothing is said",
    "json": "values inside a JSON event",
    "jevt": "values inside a JSON event",
    "util": "counters",
}

_FLAGS = {
    "filter_only": "conditions only",
    "print_only": "outputs only",
    "table_only": "outputs only",
    "no_rhs": "not on the right of a comparison",
    "no_transformer": "not inside transformers",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("prefix", nargs="?", default="", help="only names that begin with this")
    add_field_map(parser)
    parser.add_argument("--source", metavar="S", help="only fields of this source: syscall, ...")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="text (default) or json"
    )


def run(args: argparse.Namespace) -> int:
    """Print the fields."""
    from rulekit.errors import RulekitError
    from rulekit.schema.fields import current_fields

    use_field_map(args)
    sources = {field.source for field in current_fields()} - {"any"}
    if args.source is not None and args.source not in sources:
        known = ", ".join(sorted(sources))
        raise RulekitError(f"`{args.source}` is no source; say one of {known}")
    fields = [
        field
        for field in current_fields(args.source)
        if field.name.startswith(args.prefix)
        and "hidden" not in field.restrictions
        # System calls carry no JSON, so rules for them cannot name what is inside it.
        and not (args.source == "syscall" and field.cls in ("json", "jevt"))
    ]
    if not fields:
        raise RulekitError(f"no field begins with `{args.prefix}`")
    if args.format == "json":
        print(json.dumps(as_json(fields), indent=2))
    else:
        sys.stdout.write(as_text(fields))
    return 0


def as_json(fields: list[Field]) -> dict[str, Any]:
    """Return the listing in the shape that Falco lists in; deprecated fields are left out."""
    classes: dict[tuple[str, str], list[Field]] = {}
    for field in fields:
        if not field.deprecated:
            classes.setdefault((field.cls, field.source), []).append(field)
    return {
        "fieldclasses": [
            {
                "name": name,
                "desc": CLASSES.get(name, name),
                "event_sources": [source],
                "fields": [
                    {
                        "name": field.name,
                        "type": field.type.removeprefix("PT_"),
                        "desc": field.desc,
                        "is_list": field.is_list,
                        "argument": None
                        if field.arg == "none"
                        else {"required": field.arg == "required", "type": _argument_types(field)},
                    }
                    for field in members
                ],
            }
            for (name, source), members in classes.items()
        ]
    }


def _argument_types(field: Field) -> list[str]:
    form = field.arg_form.lower()
    types = []
    if "index" in form or "[n]" in form:
        types.append("INDEX")
    if not types or any(word in form for word in ("name", "key", "path", "pointer")):
        types.append("KEY")
    return types


def as_text(fields: list[Field]) -> str:
    """Return the listing for people: one class after the other, one paragraph a field."""
    out: list[str] = []
    last = None
    for field in fields:
        if field.cls != last:
            last = field.cls
            source = "every source" if field.source == "any" else f"source {field.source}"
            out.append(f"\n{field.cls} ({source}): {CLASSES.get(field.cls, '')}\n")
        kind = ("list of " if field.is_list else "") + field.kind.value
        notes = [kind]
        if field.arg != "none":
            notes.append(f"argument {field.arg}: {field.arg_form}")
        notes += sorted({_FLAGS[r] for r in field.restrictions if r in _FLAGS})
        if field.deprecated:
            notes.append("deprecated")
        out.append(f"  {field.name}  ({'; '.join(notes)})")
        out.append(textwrap.indent(textwrap.fill(field.desc, 90), "      "))
    return "\n".join(out).lstrip("\n") + "\n"
