"""Fields of JSON documents that a user declares: places in a document under names of their own.

A declaration holds for the whole process, like the fields of the tables; rules that were compiled
before a field was declared anew keep what they were compiled with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rulekit.schema.fields import Field, field_table
from rulekit.schema.types import KIND_OF_PARAM_TYPE

TYPES = {
    "text": "PT_CHARBUF",
    "int": "PT_INT64",
    "uint": "PT_UINT64",
    "double": "PT_DOUBLE",
    "bool": "PT_BOOL",
    "address": "PT_IPADDR",
}
"""What values of such a field can be, and the type of the schema that it becomes."""

PROVIDER = "field map"


@dataclass(frozen=True, slots=True)
class MappedField:
    """One declaration.

    Attributes:
        pointer: JSON pointer; in a list ``*`` steps into every item of an array.
        type: One of `TYPES`.
        is_list: Several values; only of text.
    """

    source: str
    name: str
    pointer: str
    type: str = "text"
    is_list: bool = False
    desc: str = ""


_declared: dict[str, MappedField] = {}


def mapped_field(name: str) -> MappedField | None:
    """Return the declaration of a field, None when it is in a table."""
    return _declared.get(name)


def mapped_sources() -> tuple[str, ...]:
    """Return the sources that have declared fields, sorted."""
    return tuple(sorted({field.source for field in _declared.values()}))


def clash(field: MappedField) -> str | None:
    """Return why a field cannot be declared, None when it can."""
    known = field_table().get(field.name)
    if known is None:
        return None
    declared = _declared.get(field.name)
    if declared is None:
        return f"`{field.name}` is a field already"
    if declared.source != field.source:
        return f"`{field.name}` is a field of the source {declared.source} already"
    return None


def declare(fields: Iterable[MappedField]) -> None:
    """Declare fields, or declare them anew.

    Raises:
        ValueError: A name is taken.
    """
    table = field_table()
    for field in fields:
        why = clash(field)
        if why is not None:
            raise ValueError(why)
        known = table.get(field.name)
        _declared[field.name] = field
        type_ = TYPES[field.type]
        table[field.name] = Field(
            id=len(table) if known is None else known.id,
            name=field.name,
            cls=field.name.partition(".")[0],
            provider=PROVIDER,
            source=field.source,
            type=type_,
            kind=KIND_OF_PARAM_TYPE[type_],
            is_list=field.is_list,
            arg="optional" if field.is_list else "none",
            arg_form="index: list position" if field.is_list else "",
            quantifier="list" if field.is_list else "one",
            restrictions=frozenset(),
            deprecated=False,
            removed=False,
            fmt="PF_DEC" if field.type in ("int", "uint") else "PF_NA",
            desc=field.desc or f"What is at {field.pointer}",
        )


def retract() -> None:
    """Forget every declared field; programs that were compiled keep theirs."""
    for name in _declared:
        del field_table()[name]
    _declared.clear()
