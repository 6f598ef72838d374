"""Fields that conditions and outputs can name, as declared in ``tables/fields*.json``.

One declaration serves the checker, the matcher, the listings and the documentation. Names,
types and meanings of ``fields.json`` are facts of libs commit 48dfd53 and plugins commit 0b3cbd8;
``fields_own.json`` adds what Falco does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from rulekit.schema.events import load_table
from rulekit.schema.types import KIND_OF_PARAM_TYPE, Kind

Quantifier = Literal["one", "list", "ancestors", "ends"]

# Compared against both ends of a socket; printed as null.
BOTH_ENDS = frozenset({"fd.ip", "fd.port", "fd.net", "fd.proto"})
# Without an index these look at every ancestor, the process itself left out. `proc.aargs` is not
# among them: without an index it is one text, joined of the arguments of all ancestors.
ANCESTORS = frozenset(
    {
        "proc.aname",
        "proc.apid",
        "proc.aexe",
        "proc.aexepath",
        "proc.acmdline",
        "proc.aenv",
    }
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        id: Position in `field_table()`; not stable across versions.
        provider: ``core``, the plugin of Falco that supplies it, or ``rulekit``: Falco has none.
        type: ``PT_*`` name; `kind` what comparisons make of it.
        arg: ``none``, ``optional`` or ``required``; `arg_form` says in words what it means.
        quantifier: How a comparison treats several values: ``one`` value, ``list`` (``in`` wants
            all), ``ancestors`` (any, when named without index), ``ends`` (either end of a socket;
            ``!=`` wants both).
        restrictions: Of ``filter_only print_only table_only no_rhs no_transformer hidden``.
        fmt: ``PF_*`` print format.
    """

    id: int
    name: str
    cls: str
    provider: str
    source: str
    type: str
    kind: Kind
    is_list: bool
    arg: str
    arg_form: str
    quantifier: Quantifier
    restrictions: frozenset[str]
    deprecated: bool
    removed: bool
    fmt: str
    desc: str


@cache
def field_table() -> dict[str, Field]:
    """Return every field, also removed ones, by name."""
    table: dict[str, Field] = {}
    declared = (*load_table("fields")["fields"], *load_table("fields_own")["fields"])
    for i, f in enumerate(declared):
        name = f["name"]
        quantifier: Quantifier = "one"
        if f["is_list"]:
            quantifier = "list"
        elif name in BOTH_ENDS:
            quantifier = "ends"
        elif name in ANCESTORS:
            quantifier = "ancestors"
        table.setdefault(
            name,
            Field(
                id=i,
                name=name,
                cls=f["class"],
                provider=f["provider"],
                source=f["source"],
                type=f["type"],
                kind=KIND_OF_PARAM_TYPE.get(f["type"], Kind.TEXT),
                is_list=f["is_list"],
                arg=f["arg"],
                arg_form=f.get("arg_form", ""),
                quantifier=quantifier,
                restrictions=frozenset(f.get("restrictions", ())),
                deprecated=f["deprecated"],
                removed=f["status"] == "removed",
                fmt=f.get("fmt", "PF_NA"),
                desc=f["desc"],
            ),
        )
    return table


def current_fields(source: str | None = None) -> Iterator[Field]:
    """Yield fields that may be used today, for one source (``syscall``, ``k8s_audit``) or all."""
    for field in field_table().values():
        if not field.removed and (source is None or field.source in (source, "any")):
            yield field
