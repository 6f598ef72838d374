"""Loaded rules: immutable, resolved and checked.

Safe to share between threads. `assemble` makes them; compilers, listings and tools read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rulekit.rules.ast import Node
from rulekit.rules.bound import (
    Bound,
    BoundField,
    BoundLiteral,
    BoundTransform,
    BoundTuple,
    Operand,
)
from rulekit.rules.definitions import Priority
from rulekit.rules.event_types import EventTypes
from rulekit.rules.output_template import OutputTemplate, OutputToken
from rulekit.text.source import SourceText, Span


class _Named:
    """Prints as its name: a rule's trees take thousands of lines."""

    __slots__ = ()
    name: str

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NamedList(_Named):
    """A list.

    Attributes:
        items: Texts as conditions see them, items of lists named in it included.
        written: Texts as they were written.
        span: Where its name is defined.
    """

    name: str
    items: tuple[str, ...]
    written: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Macro(_Named):
    """A macro.

    Attributes:
        condition: Text as written, appended parts joined with a blank.
        text: The text that was parsed, lists put in; spans of `node` that are not from other
            macros point into it.
        written: Tree before other macros were put in.
        node: Tree with other macros put in.
    """

    name: str
    condition: str
    text: SourceText
    written: Node
    node: Node
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ExceptionBlock(_Named):
    """An exception of a rule, as written.

    Attributes:
        fields, comps: One text, or one per field.
        values: Texts, or tuples with a text or tuple of texts per field.
    """

    name: str
    fields: str | tuple[str, ...]
    comps: str | tuple[str, ...]
    values: tuple[Any, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rule(_Named):
    """A rule that can be run.

    Attributes:
        condition: Text as written, appended parts joined with a blank; no exceptions.
        text: The text that was parsed, exceptions and lists put in.
        written: Tree with the names of macros still in it.
        node: Tree with macros put in.
        bound: The same, every name and literal resolved.
        events: Names of the event types that can match, sorted.
        event_types: The same by id, with the system calls; meant for source ``syscall``.
        macros, lists: Names that the condition uses directly.
        span: Where its name is first defined.
        condition_spans, output_spans: What `condition` and `output` were joined from.
    """

    name: str
    condition: str
    source: str
    output: str
    template: OutputTemplate
    desc: str
    priority: Priority
    tags: tuple[str, ...]
    enabled: bool
    exceptions: tuple[ExceptionBlock, ...]
    text: SourceText
    written: Node
    node: Node
    bound: Bound
    events: tuple[str, ...]
    event_types: EventTypes
    macros: tuple[str, ...]
    lists: tuple[str, ...]
    span: Span
    condition_spans: tuple[Span, ...]
    output_spans: tuple[Span, ...]
    capture: bool = False
    capture_duration_ms: int = 0
    warn_evttypes: bool = True
    skip_if_unknown_filter: bool = False

    @property
    def output_fields(self) -> tuple[str, ...]:
        """Fields and calls of the output, sorted, as Falco's description of a rule lists them."""
        names: list[str] = []
        for part in self.template.parts:
            if isinstance(part, OutputToken):
                names += (key for key, _ in part.fields)
                names += (key for key, _ in part.constants)
                if part.constants:
                    names += [part.name] * part.name.endswith((")", "]"))
                elif isinstance(part.operand, BoundTransform):
                    names.append(_described(part.operand, iter(part.fields)))
        return tuple(sorted(names))

    @property
    def exception_fields(self) -> tuple[str, ...]:
        """Fields of exceptions that have values, sorted."""
        names: set[str] = set()
        for exception in self.exceptions:
            if exception.values:
                fields = exception.fields
                names.update([fields] if isinstance(fields, str) else fields)
        return tuple(sorted(names))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ruleset:
    """Rules in the order of their first definitions, with everything they were made from.

    Attributes:
        required_plugins: One entry per requirement: alternatives as (name, version).
        unused_macros, unused_lists: Names that nothing refers to.
        files: The rule files, in the order they were read.
        static_fields: Constants that conditions and outputs name ``static.NAME``.
        warnings: How many warnings loading them gave.
    """

    rules: tuple[Rule, ...]
    macros: Mapping[str, Macro]
    lists: Mapping[str, NamedList]
    required_engine_version: str
    required_plugins: tuple[tuple[tuple[str, str], ...], ...]
    unused_macros: tuple[str, ...]
    unused_lists: tuple[str, ...]
    files: tuple[SourceText, ...] = ()
    static_fields: Mapping[str, str] = field(default_factory=dict)
    warnings: int = 0
    _by_name: dict[str, Rule] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        counts = f"{len(self.rules)} rules, {len(self.macros)} macros, {len(self.lists)} lists"
        return f"<{type(self).__name__}: {counts}>"

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def rule(self, name: str) -> Rule:
        """Return the rule of this name.

        Raises:
            KeyError: There is none.
        """
        if not self._by_name:
            self._by_name.update((rule.name, rule) for rule in self.rules)
        return self._by_name[name]


def _described(operand: Operand, fields: Iterator[tuple[str, BoundField]]) -> str:
    """Return a call as text, literals without quotes; `fields` gives the fields in order."""
    if isinstance(operand, BoundField):
        return next(fields)[0]
    if isinstance(operand, BoundLiteral):
        return operand.value.decode("utf-8", "replace")
    if isinstance(operand, BoundTuple):
        return f"({','.join(_described(item, fields) for item in operand.items)})"
    inner = ",".join(_described(arg, fields) for arg in operand.args)
    bracket = "" if operand.key is None else f"[{operand.key}]"
    return f"{operand.name}({inner}){bracket}"
