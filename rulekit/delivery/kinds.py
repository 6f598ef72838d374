"""Kinds of sinks and formats by name: those that come with rulekit, and plug-ins.

A built-in kind is a module of `rulekit.sinks` or `rulekit.formats` that names its class ``SINK`` or
``FORMAT``; the kind is called as the module. A plug-in is an entry point of the group
``rulekit.sinks`` or ``rulekit.formats`` that loads such a class.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rulekit.errors import RulekitError, SinkError
from rulekit.formats.base import Formatter
from rulekit.sinks.base import Sink

SINKS = "rulekit.sinks"
FORMATS = "rulekit.formats"
_CONSTANT = {SINKS: "SINK", FORMATS: "FORMAT"}


def kinds(group: str, *, plugins: bool = True) -> list[str]:
    """Return the names of the kinds of a group (`SINKS`, `FORMATS`), sorted."""
    return sorted({*_built_in(group), *(_plugins(group) if plugins else ())})


def sink_kind(name: str) -> type[Sink]:
    """Return the class of a kind of sink.

    Raises:
        KeyError: There is no such kind.
        SinkError: Its plug-in cannot be loaded.
    """
    found: type[Sink] = _load(SINKS, name)
    return found


def format_kind(name: str) -> type[Formatter]:
    """Return the class of a format.

    Raises:
        KeyError: There is no such format.
        SinkError: Its plug-in cannot be loaded.
    """
    found: type[Formatter] = _load(FORMATS, name)
    return found


def plugins() -> Iterator[tuple[str, str, str]]:
    """Yield group, name and target of every plug-in that is installed."""
    for group in (SINKS, FORMATS):
        for name, point in sorted(_plugins(group).items()):
            yield group, name, point.value


@cache
def _built_in(group: str) -> dict[str, str]:
    package = import_module(group)
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        path = f"{group}.{module.name}"
        if not module.name.startswith("_") and hasattr(import_module(path), _CONSTANT[group]):
            found[module.name] = path
    return found


@cache
def _plugins(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=group)}


@cache
def _load(group: str, name: str) -> Any:
    constant = _CONSTANT[group]
    # A plug-in never takes the place of what comes with rulekit.
    if name in _built_in(group):
        return getattr(import_module(_built_in(group)[name]), constant)
    point = _plugins(group)[name]
    try:
        return point.load()
    except RulekitError:
        raise
    except Exception as error:
        raise SinkError(f"plug-in {name} ({point.value}) cannot be loaded: {error}") from error
