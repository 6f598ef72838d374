"""Definitions as the files give them, before lists, macros and exceptions are put together.

`items` reads them, `merge` collects them (append, override, replace), `assemble` compiles them.
Texts are kept as spans of the scalars they were written in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rulekit.rules.findings import Context
from rulekit.rules.item_texts import ItemTexts
from rulekit.rules.priority import Priority as Priority
from rulekit.text.source import Span


@dataclass(slots=True)
class Entry:
    """A field, operator or value of an exception: one text or a sequence of entries."""

    span: Span
    is_list: bool = False
    text: str = ""
    text_span: Span | None = None
    items: list[Entry] = field(default_factory=list)

    @property
    def given(self) -> bool:
        """Whether there is anything in it."""
        return bool(self.items) if self.is_list else bool(self.text)


@dataclass(slots=True)
class ExceptionDef:
    """One element of a rule's ``exceptions``."""

    name: str
    span: Span
    context: Context
    fields: Entry | None = None
    comps: Entry | None = None
    values: list[Entry] = field(default_factory=list)


@dataclass(slots=True)
class ListDef:
    """A list; `index` counts its first definition, `visibility` its last change."""

    name: str
    name_span: Span
    context: Context
    items: ItemTexts
    index: int = 0
    visibility: int = 0
    broken: bool = False


@dataclass(slots=True)
class MacroDef:
    """A macro; `condition` holds the texts that are joined with a blank."""

    name: str
    name_span: Span
    context: Context
    condition: list[Span]
    condition_context: Context
    index: int = 0
    visibility: int = 0
    broken: bool = False


@dataclass(slots=True)
class RuleDef:
    """A rule; texts that several elements contribute to are lists, joined with a blank.

    Attributes:
        unknown_source: Nobody provides the source: the rule is kept but never compiled.
        broken: An element about this rule had an error: it is never compiled, and nothing is
            reported that follows from the error.
    """

    name: str
    name_span: Span
    context: Context
    condition: list[Span]
    output: list[Span]
    desc: list[Span]
    priority: Priority
    source: str
    condition_context: Context
    output_context: Context
    tags: set[str] = field(default_factory=set)
    exceptions: list[ExceptionDef] = field(default_factory=list)
    enabled: bool = True
    capture: bool = False
    capture_duration_ms: int = 0
    warn_evttypes: bool = True
    skip_if_unknown_filter: bool = False
    unknown_source: bool = False
    source_span: Span | None = None
    index: int = 0
    visibility: int = 0
    broken: bool = False


@dataclass(slots=True)
class RuleUpdate:
    """What an ``append`` or ``override`` element changes; None means untouched."""

    name: str
    name_span: Span
    context: Context
    source: str = ""
    condition: Span | None = None
    output: Span | None = None
    desc: Span | None = None
    tags: set[str] | None = None
    exceptions: list[ExceptionDef] | None = None
    priority: Priority | None = None
    capture: bool | None = None
    capture_duration_ms: int | None = None
    enabled: bool | None = None
    warn_evttypes: bool | None = None
    skip_if_unknown_filter: bool | None = None

    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return all(
            value is None
            for value in (
                self.condition,
                self.output,
                self.desc,
                self.tags,
                self.exceptions,
                self.priority,
                self.capture,
                self.capture_duration_ms,
                self.enabled,
                self.warn_evttypes,
                self.skip_if_unknown_filter,
            )
        )


@dataclass(frozen=True, slots=True)
class PluginNeed:
    """One entry of ``required_plugin_versions``: any of `alternatives` will do."""

    alternatives: tuple[tuple[str, str], ...]
    span: Span
    context: Context
