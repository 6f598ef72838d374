"""How urgent a rule is."""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """How bad a match is; the smaller number is the worse."""

    EMERGENCY = 0
    ALERT = 1
    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFORMATIONAL = 6
    DEBUG = 7

    @property
    def label(self) -> str:
        """Falco's spelling: ``Warning``, ``Informational``."""
        return self.name.capitalize()

    @classmethod
    def parse(cls, text: str) -> Priority | None:
        """Return the priority that `text` names in any case (also ``info``), or None."""
        return BY_NAME.get(text.upper()) if text.isascii() else None


# In capital letters; what the schema of rules allows, and `parse` in any case.
BY_NAME = {**Priority.__members__, "INFO": Priority.INFORMATIONAL}
