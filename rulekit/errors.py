"""Exceptions of rulekit.

RulekitError
├── RuleError      rules that cannot be used; carries `diagnostics`
├── SourceError    events that cannot be read; carries `path` and `offset`
└── SinkError      alerts that cannot be delivered
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rulekit.text.diagnostic import Diagnostic


class RulekitError(Exception):
    """Base of everything that rulekit raises on purpose."""


class RuleError(RulekitError):
    """Rules that cannot be used.

    Attributes:
        diagnostics: Every problem found, sorted by place; never empty.
    """

    def __init__(self, message: str, diagnostics: Sequence[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.diagnostics = tuple(diagnostics)


class SourceError(RulekitError):
    """Events that cannot be read; whatever was read before it stays valid.

    Attributes:
        path: The file or stream as the user named it.
        offset: Byte offset of the damage in the (inflated) stream, or None.
    """

    def __init__(self, message: str, path: str, offset: int | None = None) -> None:
        where = path if offset is None else f"{path}: byte {offset}"
        super().__init__(f"{where}: {message}")
        self.path = path
        self.offset = offset


class SinkError(RulekitError):
    """Alerts that cannot be delivered.

    Attributes:
        pause_s: The receiver asked to be left alone for so many seconds.
    """

    def __init__(self, message: str, *, pause_s: float = 0.0) -> None:
        super().__init__(message)
        self.pause_s = pause_s


def reason(error: OSError) -> str:
    """Return why the system refused something, as part of a sentence: ``no such file ...``."""
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]
