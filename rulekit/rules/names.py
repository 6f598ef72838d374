"""Field names with their arguments → fields of the schema, as one text, the way Falco reads them.

A text names a field only when all of it does: the longest known name (with its argument) must
be the whole text. So a bad index mostly makes an unknown field, not a bad argument.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache

from rulekit.rules.literals import known_event_types, read_number
from rulekit.rules.static import PREFIX, static_field, static_value
from rulekit.schema.events import Param, event_types
from rulekit.schema.fields import ANCESTORS, Field, current_fields, field_table

DEPRECATED_FIELDS = (
    *("evt.dir", "evt.latency", "evt.latency.s", "evt.latency.ns", "evt.latency.human"),
    "evt.wait_latency",
)
# With an index or alone; anything else in the brackets leaves a name that nobody knows.
_INDEXED = (ANCESTORS - {"proc.aenv"}) | {"proc.args", "proc.aargs"}
_KEYED = frozenset({"proc.env", "proc.aenv"})
_cgroup = re.compile(r"thread\.cgroup\.([A-Za-z_]*)").match
_plugin_index = re.compile(r"0|[1-9][0-9]{0,18}").fullmatch


@dataclass(frozen=True, slots=True)
class NamedField:
    """A field with its argument understood; `type` is the ``PT_*`` name of its values."""

    field: Field
    index: int | None
    key: str | None
    type: str


class UnknownField(ValueError):
    """A text that names no field of this source."""


class UnknownParam(UnknownField):
    """``evt.arg.NAME`` with a name that begins like no parameter of any event."""


class BadArgument(ValueError):
    """A known field whose argument is missing or unreadable; the text says which."""


@cache
def fields_of(source: str) -> dict[str, Field]:
    """Return the fields that rules of `source` can name."""
    # Fields of the JSON plugin read whole events, which system calls do not carry.
    return {
        f.name: f
        for f in current_fields(source)
        if source != "syscall" or f.provider != "json plugin"
    }


def find_field(text: str, source: str) -> NamedField:
    """Return the field that `text` names, argument in brackets included.

    Raises:
        UnknownField: No such field for this source.
        BadArgument: The argument is missing or of the wrong form.
    """
    if static_value(text) is not None:
        field = static_field(text)
        return NamedField(field, None, None, field.type)
    # Long texts are not worth their place in the cache.
    return _cached(text, source) if len(text) < 200 else _find(text, source)


def is_field(name: str, arg: str | None, source: str) -> bool:
    """Tell whether a name, with an argument in brackets or without, is a field."""
    try:
        find_field(name if arg is None else f"{name}[{arg}]", source)
    except (UnknownField, BadArgument):
        return False
    return True


def _find(text: str, source: str) -> NamedField:
    fields = fields_of(source)
    field = fields.get(text)
    if field is not None and field.arg != "required":
        return NamedField(field, None, None, field.type)
    name, bracket, rest = text.partition("[")
    if "evt.arg" in fields:
        found = _find_special(text, fields)
        if found is not None:
            return found
    field = fields.get(name)
    if field is not None and field.provider != "core":
        return _with_argument(field, rest if bracket else None)
    for label in _dotted_labels(source):
        if name.startswith(label) and not bracket:
            return NamedField(fields[label[:-1]], None, name[len(label) :], fields[label[:-1]].type)
    raise UnknownField(text)


_cached = lru_cache(maxsize=4096)(_find)


# What else is kept that depends on the tables of fields.
FORGET: list[Callable[[], None]] = []


def forget_fields() -> None:
    """Look at the tables of fields anew: some were declared."""
    for forget in FORGET:
        forget()
    fields_of.cache_clear()
    _cached.cache_clear()
    _dotted_labels.cache_clear()


@cache
def _dotted_labels(source: str) -> tuple[str, ...]:
    """Return the fields whose key may also follow a dot, with that dot."""
    return tuple(f"{f.name}." for f in fields_of(source).values() if "NAME.key" in f.arg_form)


def _find_special(text: str, fields: dict[str, Field]) -> NamedField | None:
    """Read the core fields with arguments; None for names that are none of them."""
    if text.startswith("evt.arg") and not text.startswith("evt.args"):
        return _event_argument(text, fields["evt.arg"])
    if text.startswith("evt.rawarg"):
        return _raw_argument(text, fields["evt.rawarg"])
    if text.startswith("evt.around"):
        index, end = _number_in_brackets(text, "evt.around", 64, False)
        return _whole(text, end, fields["evt.around"], index)
    if text.startswith("evt.type.is"):
        if not text.startswith("evt.type.is."):
            raise BadArgument("an event name is needed: `evt.type.is.open`")
        name = text[len("evt.type.is.") :]
        if name not in _event_names():
            raise UnknownField(text)
        return _whole(text, len(text), fields["evt.type.is"], None, name)
    if text.startswith("thread.cgroup") and not text.startswith("thread.cgroups"):
        found = _cgroup(text)
        if found is None:
            raise BadArgument("a subsystem is needed: `thread.cgroup.cpuacct`")
        return _whole(text, found.end(), fields["thread.cgroup"], None, found[1])
    if text in ("evt.abspath.src", "evt.abspath.dst"):
        return _whole(text, len(text), fields["evt.abspath"], None, text[-3:])
    name, bracket, rest = text.partition("[")
    if not bracket or "]" not in rest:
        return None
    if name == "fd.types":
        index, end = _number_in_brackets(text, name, 64, True)
        return _whole(text, end, fields[name], index)
    inside = rest[: rest.index("]")]
    end = len(name) + len(inside) + 2
    if name in _INDEXED:
        number = read_number(inside, 32, True)
        if number is None:
            raise UnknownField(text)
        # -1 is how "no index" is written inside; it then means any ancestor, as without one.
        return _whole(text, end, fields[name], None if number == -1 else number)
    if name in _KEYED:
        if inside.isascii() and inside.isdigit():
            return _whole(text, end, fields[name], read_number(inside, 32, True))
        return _whole(text, end, fields[name], None, inside)
    return None


def _whole(
    text: str, end: int, field: Field, index: int | None, key: str | None = None
) -> NamedField:
    if end != len(text):
        raise UnknownField(text)
    return NamedField(field, index, key, field.type)


def _number_in_brackets(text: str, name: str, bits: int, signed: bool) -> tuple[int, int]:
    """Return the number that follows `name` in brackets, and where the brackets end."""
    end = text.find("]")
    number = read_number(text[len(name) + 1 : end], bits, signed) if end >= 0 else None
    if not text.startswith("[", len(name)) or number is None:
        raise BadArgument(f"a number in brackets is needed: `{name}[1]`")
    return number, end + 1


def _event_argument(text: str, field: Field) -> NamedField:
    if text.startswith("evt.arg["):
        index, end = _number_in_brackets(text, "evt.arg", 32, True)
        return _whole(text, end, field, index)
    if not text.startswith("evt.arg."):
        raise BadArgument("a parameter is needed: `evt.arg.NAME` or `evt.arg[0]`")
    param = _longest_param(text[len("evt.arg.") :])
    if param is None:
        raise UnknownParam(text)
    return _whole(text, len("evt.arg.") + len(param.name), field, None, param.name)


def _raw_argument(text: str, field: Field) -> NamedField:
    if not text.startswith("evt.rawarg."):
        raise BadArgument("a parameter name is needed: `evt.rawarg.NAME`")
    param = _longest_param(text[len("evt.rawarg.") :])
    if param is None:
        raise UnknownParam(text)
    if len("evt.rawarg.") + len(param.name) != len(text):
        raise UnknownField(text)
    return NamedField(field, None, param.name, param.type)


@cache
def event_params() -> dict[str, Param]:
    """Return the first declared parameter of each name; its type is that of ``evt.rawarg``."""
    params: dict[str, Param] = {}
    for event in event_types():
        for param in event.params:
            params.setdefault(param.name, param)
    return params


@cache
def _event_names() -> frozenset[str]:
    return frozenset(e.name for e in event_types())


def _longest_param(text: str) -> Param | None:
    params = event_params()
    for end in range(min(len(text), _longest_param_name()), 0, -1):
        if text[:end] in params:
            return params[text[:end]]
    return None


@cache
def _longest_param_name() -> int:
    return max(map(len, event_params()))


def _with_argument(field: Field, rest: str | None) -> NamedField:
    """Read the argument of a field that a plugin supplies; `rest` begins after the bracket."""
    # These fields were part of the core, where they are simply unknown without argument.
    missing = UnknownField if field.provider == "container plugin" else BadArgument
    if rest is None:
        if field.arg == "required":
            raise missing(f"an argument is needed: `{field.name}[...]`")
        return NamedField(field, None, None, field.type)
    if field.arg == "none":
        raise missing("no argument is taken")
    inside, bracket, after = rest.partition("]")
    if not bracket or " " in inside:
        raise BadArgument("arguments hold no blanks and no `]`")
    if after:
        raise UnknownField(field.name)
    if "index" in field.arg_form and _plugin_index(inside):
        return NamedField(field, int(inside), None, field.type)
    if "key" not in field.arg_form and "name" not in field.arg_form:
        raise BadArgument("an index is needed")
    return NamedField(field, None, inside, field.type)


def close_to(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was probably meant to be, or None."""
    if len(name) > 100:
        return None
    close = get_close_matches(name, known, n=1, cutoff=0.75)
    return close[0] if close else None


def explain_unknown(text: str, source: str) -> tuple[str, str | None]:
    """Return a label and a help text for a field that is not known to `source`."""
    name = text.partition("[")[0]
    elsewhere = field_table().get(name)
    if name.startswith(("evt.arg.", "evt.rawarg.")):
        family, _, param = name.partition("arg.")
        close = close_to(param, event_params())
        label = "no event has a parameter of this name"
        return label, close and f"did you mean `{family}arg.{close}`?"
    if name.startswith("evt.type.is."):
        close = close_to(name[len("evt.type.is.") :], known_event_types())
        return "no event has this name", close and f"did you mean `evt.type.is.{close}`?"
    if name.startswith(PREFIX):
        help = "it comes from `static_fields` of a configuration: `--falco-config falco.yaml`"
        return "no static field of this name is configured", help
    if name in fields_of(source):
        return "the argument does not fit this field", None
    if elsewhere is not None and elsewhere.removed:
        return "this field was removed from Falco", None
    if elsewhere is not None:
        return f"only rules of source `{elsewhere.source}` know this field", None
    close = close_to(name, fields_of(source))
    if close is None and name.lower() in fields_of(source):
        close = name.lower()
    return f"source `{source}` has no such field", close and f"did you mean `{close}`?"
