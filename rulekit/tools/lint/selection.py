"""Which findings are wanted: selections by code, and comments that silence single places.

A comment ``# rulekit: ignore[RK410]`` behind a line silences that line; on lines of its own it
silences the line below, or the whole element when that line begins one. ``# rulekit:
ignore-file[RK410]`` silences a file. Without brackets all codes are meant; what follows after a
blank is the reason. Errors cannot be silenced.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import yaml

from rulekit.errors import RulekitError
from rulekit.text.codes import CODES, LINT_CODES, code_named
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText
from rulekit.tools.fmt_nodes import Map, Seq, Stream, Unsupported
from rulekit.tools.lint.registry import all_checks

_directive = re.compile(r"#+\s*rulekit:\s*(ignore|ignore-file)(?:\[([^\]]*)\])?(?:\s.*)?$").match
_code = re.compile(r"RK[0-9]{0,3}|[a-z][a-z0-9-]*").fullmatch


@dataclass(frozen=True, slots=True)
class Selection:
    """Codes that are wanted.

    Attributes:
        select: Beginnings of codes (``RK4``) or names of checks; empty means all.
        ignore: The same, taken away again; where both fit, the longer one decides, or `ignore`.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def wants(self, code: str) -> bool:
        """Tell whether findings of a code are wanted."""
        wanted = _length(code, self.select) if self.select else 0
        unwanted = _length(code, self.ignore)
        return wanted > unwanted

    def names(self, code: str, name: str) -> bool:
        """Tell whether a check is selected by its whole code or its name, not as one of many."""
        return code in self.select or name in self.select


def parse_codes(text: str) -> tuple[str, ...]:
    """Return codes and names that commas separate.

    Raises:
        RulekitError: One is neither the beginning of a code nor a known name.
    """
    all_checks()  # makes their codes known
    codes = tuple(word.strip() for word in text.split(",") if word.strip())
    for code in codes:
        known = _code(code) and any(_fits(known, code) for known in (*CODES, *LINT_CODES))
        if not known:
            raise RulekitError(f"`{code}` is no code of a diagnostic: they look like RK410")
    return codes


def _fits(code: str, wanted: str) -> bool:
    known = code_named(code)
    return code.startswith(wanted) or (known is not None and known.slug == wanted)


def _length(code: str, wanted: Sequence[str]) -> int:
    """Return the length of the longest entry that fits, -1 when none does."""
    return max((6 if w[0] != "R" else len(w) for w in wanted if _fits(code, w)), default=-1)


@dataclass(slots=True)
class Silenced:
    """Which lines of one file are silent, for which codes; lines count from 1."""

    whole: list[Selection] = field(default_factory=list)
    lines: dict[int, set[Selection]] = field(default_factory=dict)

    def covers(self, found: Diagnostic) -> bool:
        """Tell whether a diagnostic of this file is silenced."""
        place = found.span.outermost()
        line = place.source.locate(place.start)[0]
        here = self.lines.get(line, ())
        return any(selection.wants(found.code) for selection in (*self.whole, *here))


def silenced_in(file: SourceText) -> Silenced:
    """Read the comments of a file."""
    found = Silenced()
    if "rulekit:" not in file.text:
        return found
    try:
        stream = Stream(file.text)
    except (yaml.YAMLError, Unsupported):
        return found
    ends = _last_lines(stream)
    # Below each comment on a line of its own the first line that is none.
    below: dict[int, int] = {}
    for line in sorted((c.line for c in stream.comments if not c.trailing), reverse=True):
        below[line] = below.get(line + 1, line + 1)
    for comment in stream.comments:
        match = _directive(stream.text[comment.start : comment.end])
        if match is None:
            continue
        codes = tuple(word.strip() for word in (match[2] or "").split(",") if word.strip())
        selection = Selection(select=codes)
        if match[1] == "ignore-file":
            found.whole.append(selection)
            continue
        line = below.get(comment.line, comment.line)
        last = ends.get(line, line)
        known = (found.lines.get(line + 1, ()), found.lines.get(last + 1, ()))
        if not all(selection in here for here in known):
            for number in range(line, last + 1):
                found.lines.setdefault(number + 1, set()).add(selection)
    return found


def _last_lines(stream: Stream) -> dict[int, int]:
    """Return for each line the last line of what begins on it, all counted from 0.

    An element goes over all its keys, a value over all its lines.
    """
    ends: dict[int, int] = {}
    for leaf in stream.leaves():
        line = stream.line(leaf.start)
        ends[line] = max(ends.get(line, 0), stream.line(max(leaf.start, leaf.end - 1)))
    for document in stream.documents:
        for item in document.root.items if isinstance(document.root, Seq) else ():
            if isinstance(item, Map):
                ends[stream.line(item.start)] = stream.line(max(item.start, item.end - 1))
    return ends
