"""What a summary is: a name, arguments, and a report of columns and rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import compile_output
from rulekit.engine.limits import StateLimits
from rulekit.engine.pipeline import CapturePath
from rulekit.engine.stats import Stats
from rulekit.engine.window import Window
from rulekit.rules.bound import BoundField, BoundTransform
from rulekit.sources.opening import open_reader
from rulekit.state._outputs import OutputProgram
from rulekit.tools.look import matcher_of

Row: TypeAlias = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a report.

    Attributes:
        name: Key in JSON: the field that the values come from, where there is one.
        heading: Above the column in text.
        unit: How numbers print in text: ``count``, ``bytes``, ``time`` (from ns), ``percent``;
            in JSON they are plain numbers.
        width: In characters; longer values are cut, the last column never is.
    """

    name: str
    heading: str
    unit: str = "count"
    width: int = 20


@dataclass(slots=True)
class Report:
    """What a summary found; rows are made while they are read, and can be read once.

    Attributes:
        line: Text of a row in place of columns; None prints a table.
        with_data: Lines hold data of the events, with its line feeds; others are one line each.
        notes: Filled while rows are read: what is missing from them, and why.
    """

    columns: tuple[Column, ...]
    rows: Iterable[Row]
    line: Callable[[Row], str] | None = None
    with_data: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a summary: ``field``, ``number``, ``text`` or ``condition``."""

    name: str
    kind: str
    help: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes:
        condition: Only events for which it holds; None is all.
        window: The part of the capture to look at; None is all of it.
        values: Arguments by name; numbers are int or float.
        containers: Say for each row in which container it was.
        buffers: How byte buffers are printed; None is as the summary likes it best.
        limits: How much to remember of processes and files; None is the defaults.
        stats: Filled when the rows have been read.
    """

    capture: CapturePath
    condition: str | None = None
    window: Window | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    containers: bool = False
    buffers: str | None = None
    limits: StateLimits | None = None
    stats: Stats | None = None

    def open(self, *conditions: str | None) -> EventLoop:
        """Return a loop over the events for which the request's and all these conditions hold."""
        return self.open_any([(self.condition, *conditions)])

    def open_any(self, questions: Sequence[Sequence[str | None]]) -> EventLoop:
        """Return a loop over the events for which all conditions of one of the questions hold."""
        return EventLoop(
            open_reader(self.capture),
            matcher_of(questions),
            window=self.window,
            limits=self.limits,
            stats=self.stats,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """A question about a capture that has a name."""

    name: str
    category: str
    help: str
    run: Callable[[Request], Report]
    arguments: tuple[Argument, ...] = ()


def fields_output(names: Sequence[str], buffers: str = "dots") -> OutputProgram:
    """Return an output whose fields are these, in this order."""
    return compile_output(" ".join(f"%{name}" for name in names), buffers=buffers)


def operand(name: str) -> BoundField | BoundTransform:
    """Return one field, or a transformer of one, as an operand.

    Raises:
        RulekitError: `name` is not the name of a field.
    """
    from rulekit.errors import RulekitError
    from rulekit.rules.output import parse_output
    from rulekit.rules.output_template import OutputTemplate, OutputToken
    from rulekit.text.source import SourceText

    template = parse_output(SourceText("field", f"%{name}"), "syscall")
    if isinstance(template, OutputTemplate) and len(template.parts) == 1:
        (part,) = template.parts
        if isinstance(part, OutputToken) and part.width is None:
            return part.operand
    raise RulekitError(f"`{name}` is no field of system calls; `rulekit fields` lists them")
