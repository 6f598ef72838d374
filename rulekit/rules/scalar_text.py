"""Values of YAML scalars as texts that know their place in the file."""

from __future__ import annotations

from dataclasses import dataclass, field

from rulekit.rules.scalar_map import scalar_offsets
from rulekit.text.source import SourceText, Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScalarText(SourceText):
    """The value of a scalar; the map to characters of the file is made when first asked for."""

    start: int = 0
    end: int = 0
    style: str = ""
    _map: list[tuple[int, ...]] = field(default_factory=list, repr=False)

    def place(self, start: int, end: int) -> Span | None:
        """Return where ``[start, end)`` stands in the file."""
        assert self.outer is not None
        if not self._map:
            self._map.append(
                scalar_offsets(self.outer.text, self.start, self.end, self.style, self.text)
            )
        offsets = self._map[0]
        last = len(offsets) - 1
        first = offsets[min(start, last)]
        final = offsets[min(end - 1, last)] + 1 if end > start else first
        return Span(self.outer, first, max(first, final))
