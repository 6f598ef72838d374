"""Cases: events, the rules to run over them, and the alerts that must come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rulekit.alert import Alert
from rulekit.errors import RuleError
from rulekit.explain.values import shown_value
from rulekit.testing.pattern import Pattern
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText, Span

DEFAULT_TIMEOUT_S = 60.0


class CaseError(RuleError):
    """Test files that cannot be used; carries `diagnostics`."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        first = diagnostics[0]
        place = first.span.outermost()
        line, column = place.source.locate(place.start)
        super().__init__(f"{place.source.name}:{line}:{column}: {first.message}", diagnostics)


@dataclass(frozen=True, slots=True)
class Expectation:
    """Alerts that a case must yield.

    Attributes:
        least, most: How many alerts must fit all of the rest; `most` None: any number.
        fields: Fields with what their values must be; any field, not only those of the output.
        field_spans: Where each of them stands.
        output: What the message must be or contain.
        at: Where the alerts must be: entries of inline events (from 1), or raw positions in a
            capture; exactly these. Empty: anywhere.
    """

    rule: str
    span: Span
    least: int = 1
    most: int | None = None
    priority: str | None = None
    fields: tuple[tuple[str, Pattern], ...] = ()
    field_spans: tuple[Span, ...] = ()
    output: Pattern | None = None
    at: tuple[int, ...] = ()

    @property
    def asks_more(self) -> bool:
        """Whether the alerts must be more than of the rule."""
        return bool(self.priority or self.fields or self.output)

    def fits(self, alert: Alert) -> bool:
        """Tell whether an alert is one of those that are expected, its place left aside."""
        return alert.rule == self.rule and all(fits for fits, _ in self.checks(alert))

    def checks(self, alert: Alert) -> Iterator[tuple[bool, str]]:
        """Yield, for all that is asked beside the rule, whether an alert has it, and in words."""
        if self.priority is not None:
            yield (
                alert.priority == self.priority,
                _compared("priority", alert.priority, self.priority),
            )
        for name, pattern in self.fields:
            found = alert.output_fields.get(name)
            fits = name in alert.output_fields and pattern.matches(found)
            yield fits, _compared(name, shown_value(found), pattern)
        if self.output is not None:
            # The message itself stands above.
            yield self.output.matches(alert.message), f"output {self.output}"


def _compared(name: str, found: str, wanted: object) -> str:
    return f"{name} is {found}, expected {wanted}"


@dataclass(frozen=True, slots=True)
class Named:
    """A name and where it stands in the test file."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a test file.

    Attributes:
        file: The test file, or the rule file whose rule holds the case.
        span: Where the case begins.
        rules: Rule files in the order in which they are loaded.
        capture: Recorded events, or None.
        events: Inline events as plain data, or None.
        places: Where each inline event stands.
        within: Name of the rule that holds the case, or None.
        xfail: Why the case is expected to fail, or None.
        macros, lists: Definitions that take the place of those in the rules.
        overridden: Where the name of each of them stands.
        definitions: Where each of them stands; a condition that stands there word for word, itself.
    """

    name: str
    file: Path
    span: Span
    rules: tuple[Path, ...]
    capture: Path | None = None
    events: tuple[Any, ...] | None = None
    places: tuple[Span, ...] = ()
    within: str | None = None
    matching: str = "all"
    all_rules: bool = False
    expect: tuple[Expectation, ...] = ()
    silent: tuple[Named, ...] = ()
    only: bool = False
    tags: tuple[str, ...] = ()
    xfail: str | None = None
    macros: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    overridden: Mapping[str, Span] = field(default_factory=dict)
    definitions: Mapping[str, Span] = field(default_factory=dict)
    timeout_s: float = DEFAULT_TIMEOUT_S

    @property
    def id(self) -> str:
        """File and name, as ``--lf`` remembers a case."""
        return f"{self.file}::{self.name}"

    @property
    def line(self) -> int:
        """Line in the file, counted from 1."""
        return self.span.source.locate(self.span.start)[0]

    def named_rules(self) -> dict[str, Span]:
        """Return the rules that the case speaks of, with the first place of each."""
        found: dict[str, Span] = {}
        for expectation in self.expect:
            found.setdefault(expectation.rule, expectation.span)
        for named in self.silent:
            found.setdefault(named.name, named.span)
        return found


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OverrideText(SourceText):
    """A case's own macros and lists as a rule file; places in it are places of the test file.

    Attributes:
        pieces: Where a definition begins and ends here, and where it stands in the test file.
    """

    pieces: tuple[tuple[int, int, Span], ...] = ()

    def place(self, start: int, end: int) -> Span | None:
        """Return where ``[start, end)`` stands in the test file."""
        for first, last, span in self.pieces:
            if start < last:
                offset = start - first - 1  # behind the quote
                if offset >= 0 and span.text == self.text[first + 1 : last - 1]:
                    length = min(end, last - 1) - start
                    begin = span.start + offset
                    return Span(span.source, begin, begin + max(length, 0))
                return span
        return self.pieces[-1][2] if self.pieces else None


def override_text(case: Case) -> OverrideText | None:
    """Return the case's own macros and lists as a rule file, or None."""
    import json

    if not case.macros and not case.lists:
        return None
    text, pieces = "[", []
    definitions: list[tuple[str, str, str, object]] = [
        *(("list", name, "items", list(texts)) for name, texts in case.lists.items()),
        *(("macro", name, "condition", condition) for name, condition in case.macros.items()),
    ]
    for kind, name, key, value in definitions:
        text += f'{{"{kind}": {json.dumps(name)}, "{key}": '
        start = len(text)
        text += json.dumps(value)
        if name in case.definitions:
            pieces.append((start, len(text), case.definitions[name]))
        text += "},\n"
    text = text.removesuffix(",\n") + "]"
    return OverrideText(f"{case.file} ({case.name})", text, pieces=tuple(pieces))
