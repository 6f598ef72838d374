"""Static fields: constant texts of a configuration, named ``static.NAME`` in rules.

They are known while rules are loaded and put in there as constants; the matcher has no such field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache

from rulekit.schema.fields import Field
from rulekit.schema.types import Kind

PREFIX = "static."

_in_force: ContextVar[Mapping[str, str] | None] = ContextVar("static_fields", default=None)


@contextmanager
def static_fields(fields: Mapping[str, str]) -> Iterator[None]:
    """Make the fields known to whatever this thread reads meanwhile."""
    token = _in_force.set(fields)
    try:
        yield
    finally:
        _in_force.reset(token)


def static_value(text: str) -> str | None:
    """Return the value of the static field that `text` names, or None."""
    known = _in_force.get()
    if not known or not text.startswith(PREFIX):
        return None
    return known.get(text[len(PREFIX) :])


@cache
def static_field(name: str) -> Field:
    """Return the field ``static.NAME`` as the tables would declare it."""
    return Field(
        id=-1,
        name=name,
        cls="static",
        provider="configuration",
        source="any",
        type="PT_CHARBUF",
        kind=Kind.TEXT,
        is_list=False,
        arg="none",
        arg_form="",
        quantifier="one",
        restrictions=frozenset(),
        deprecated=False,
        removed=False,
        fmt="PF_NA",
        desc="A constant of the configuration",
    )
