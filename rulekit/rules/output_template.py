"""Output texts of rules as they were read: literal pieces and tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias, TypeVar

from rulekit.rules.bound import BoundField, BoundLiteral, BoundTransform, BoundTuple, Operand
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText, Span

_Operand = TypeVar("_Operand", bound="Operand")


@dataclass(frozen=True, slots=True)
class OutputText:
    """A literal piece."""

    text: str


@dataclass(frozen=True, slots=True)
class OutputToken:
    """A value to print.

    Attributes:
        text: The token as written, ``%`` and width included.
        name: Field or call alone, in one spelling: ``proc.aname[2]``, ``toupper(proc.name)``.
        width: Bytes to cut or pad to with blanks, or None.
        fields: Each field that the token names, also inside calls, under the key that it has
            among an alert's fields.
        constants: Likewise the static fields of the configuration, with their values.
    """

    text: str
    name: str
    operand: BoundField | BoundTransform
    width: int | None
    fields: tuple[tuple[str, BoundField], ...]
    span: Span
    constants: tuple[tuple[str, str], ...] = ()


OutputPart: TypeAlias = "OutputText | OutputToken"


class Unplaced:
    """What an output says, wherever it stands; the spans are those of no file.

    Attributes:
        parts: In the order of the text; a leading ``*`` is not among them.
    """

    def __init__(self, parts: tuple[OutputPart, ...]) -> None:
        self.parts = parts

    @cached_property
    def fields(self) -> tuple[tuple[str, BoundField], ...]:
        """Every field once, by its key, in the order of the text."""
        return _fields(self.parts)

    @cached_property
    def constants(self) -> dict[str, str]:
        """Every static field that the text names, with its value."""
        tokens = [part for part in self.parts if isinstance(part, OutputToken)]
        return {key: value for token in tokens for key, value in token.constants}


class OutputTemplate:
    """A parsed output text.

    Attributes:
        unplaced: What it says, shared with all outputs of the same words.
        warnings: Outdated fields; Falco gives the same ones.
    """

    __slots__ = ("_parts", "_text", "unplaced", "warnings")

    def __init__(
        self, text: SourceText, unplaced: Unplaced, warnings: tuple[Diagnostic, ...]
    ) -> None:
        self._text = text
        self._parts: tuple[OutputPart, ...] | None = None
        self.unplaced = unplaced
        self.warnings = warnings

    @property
    def parts(self) -> tuple[OutputPart, ...]:
        """In the order of the text; a leading ``*`` is not among them."""
        if self._parts is None:
            self._parts = tuple(_placed(part, self._text) for part in self.unplaced.parts)
        return self._parts

    @property
    def fields(self) -> tuple[tuple[str, BoundField], ...]:
        """Every field once, by its key, in the order of the text."""
        return _fields(self.parts)

    @property
    def constants(self) -> dict[str, str]:
        """Every static field that the text names, with its value."""
        return self.unplaced.constants


def _fields(parts: tuple[OutputPart, ...]) -> tuple[tuple[str, BoundField], ...]:
    found: dict[str, BoundField] = {}
    for part in parts:
        if isinstance(part, OutputToken):
            for key, field in part.fields:
                found.setdefault(key, field)
    return tuple(found.items())


def _placed(part: OutputPart, text: SourceText) -> OutputPart:
    """Return a part with its places in `text`."""
    if isinstance(part, OutputText):
        return part
    fields = tuple((key, _placed_operand(field, text)) for key, field in part.fields)
    operand = _placed_operand(part.operand, text)
    return replace(part, operand=operand, fields=fields, span=_placed_span(part.span, text))


def _placed_operand(operand: _Operand, text: SourceText) -> _Operand:
    span = _placed_span(operand.span, text)
    if isinstance(operand, BoundTransform):
        return replace(
            operand, args=tuple(_placed_operand(a, text) for a in operand.args), span=span
        )
    if isinstance(operand, BoundTuple):
        items = tuple(_placed_operand(item, text) for item in operand.items)
        return replace(operand, items=items, span=span)
    assert isinstance(operand, (BoundField, BoundLiteral))
    return replace(operand, span=span)


def _placed_span(span: Span, text: SourceText) -> Span:
    return Span(text, span.start, span.end)
