"""Apply the fixes of diagnostics to the files they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike

from rulekit.errors import RulekitError
from rulekit.rules.loader import LoadResult, load_files
from rulekit.text.diagnostic import Diagnostic, Fix
from rulekit.text.source import SourceText
from rulekit.tools.lint.engine import diagnose
from rulekit.tools.lint.selection import Selection

# One fix can make room for another; this many times is enough for any file that ends.
_MOST_ROUNDS = 10


def apply_fixes(text: str, fixes: Iterable[Fix]) -> tuple[str, int]:
    """Return a text with fixes applied, and how many were.

    Fixes that overlap one already taken are left out; a further round finds them again.
    """
    taken: list[Fix] = []
    end = -1
    for fix in sorted(set(fixes), key=lambda f: (f.span.start, f.span.end)):
        if fix.span.start >= end and fix.span.end <= len(text):
            taken.append(fix)
            end = max(fix.span.end, fix.span.start + 1)
    pieces: list[str] = []
    at = 0
    for fix in taken:
        pieces += (text[at : fix.span.start], fix.replacement)
        at = fix.span.end
    return "".join([*pieces, text[at:]]), len(taken)


def fix_files(
    paths: Sequence[str | PathLike[str]], selection: Selection
) -> tuple[LoadResult, dict[str, str], int]:
    """Load files and apply fixes until there are none left; nothing is written.

    Returns:
        What came of loading the changed texts, these texts by the name of their file, and how
        many fixes were applied.

    Raises:
        RulekitError: The fixes would break rules that load.
    """
    before = result = load_files(paths)
    changed: dict[str, str] = {}
    count = 0
    for _ in range(_MOST_ROUNDS):
        found = fixes_by_file(diagnose(result, selection))
        if not found:
            break
        for name, fixes in found.items():
            text, applied = apply_fixes(fixes[0].span.source.text, fixes)
            changed[name] = text
            count += applied
        texts = [
            SourceText(file.name, changed[file.name]) if file.name in changed else file.name
            for file in before.files
        ]
        result = load_files(texts)
        if before.ok and not result.ok:
            raise RulekitError("the fixes would break the rules; nothing was changed")
    return result, changed, count


def fixes_by_file(found: Iterable[Diagnostic]) -> dict[str, list[Fix]]:
    """Return the fixes of diagnostics with places in files, by the name of the file."""
    fixes: dict[str, list[Fix]] = {}
    for diagnostic in found:
        if diagnostic.fix is not None:
            span = diagnostic.fix.span.outermost()
            fix = Fix(span, diagnostic.fix.replacement, diagnostic.fix.title)
            fixes.setdefault(span.source.name, []).append(fix)
    return fixes
