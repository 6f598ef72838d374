"""Every code of a diagnostic: what it means, with a rule that has the problem and one without."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of problem.

    Attributes:
        slug: A readable name, as stable as the code.
        summary: One sentence.
        bad: A rule file that has the problem, or None when no text of one can show it.
        good: The same file mended.
    """

    code: str
    slug: str
    summary: str
    bad: str | None = None
    good: str | None = None


CODES: dict[str, Code] = {}
