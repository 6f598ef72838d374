"""Run the checks over a loaded ruleset, join what they find with what loading found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rulekit.rules.loader import LoadResult
from rulekit.rules.ruleset import Ruleset
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText
from rulekit.tools.lint.check import Check, LintContext
from rulekit.tools.lint.registry import all_checks
from rulekit.tools.lint.selection import Selection, Silenced, silenced_in


def lint(ruleset: Ruleset, checks: Iterable[Check] | None = None) -> list[Diagnostic]:
    """Return what the checks find, sorted by place; each place is reported once per check.

    Args:
        checks: Checks to run; every known one by default but for those that are optional.
    """
    context = LintContext(ruleset)
    found: dict[tuple[str, str, int, int, str], Diagnostic] = {}
    for check in _usual() if checks is None else checks:
        for diagnostic in check.run(context):
            found.setdefault((check.code, *_place(diagnostic), diagnostic.message), diagnostic)
    return in_order(found.values(), ruleset.files)


def _usual() -> list[Check]:
    return [check for check in all_checks() if not check.optional]


def diagnose(
    result: LoadResult,
    selection: Selection | None = None,
    further: Iterable[Diagnostic] = (),
) -> list[Diagnostic]:
    """Return everything that is to be said of loaded files: of loading, then of linting.

    Where a check and the loader saw the same, one of them is kept: the one with a fix, else the
    loader's. Comments in the files silence warnings; errors always stay.

    Args:
        selection: Codes that are wanted; errors are reported in any case.
        further: Findings of others about the same files, to be chosen among and sorted in.
    """
    selection = selection or Selection()
    if result.ruleset is None:
        files: Sequence[SourceText] = ()
        everything = list(result.diagnostics)
    else:
        files = result.ruleset.files
        # What is not selected does not stand in for anything; what is ignored does.
        selected = Selection(selection.select)
        checks = [c for c in _usual() if selected.wants(c.code)]
        checks += [c for c in all_checks() if c.optional and selected.names(c.code, c.name)]
        loading = [d for d in result.diagnostics if selected.wants(d.code) or d.severity == "error"]
        everything = _joined(LintContext(result.ruleset), loading, lint(result.ruleset, checks))
    everything += further
    silenced: dict[int, Silenced] = {}
    kept = []
    for diagnostic in everything:
        if diagnostic.severity != "error":
            file = diagnostic.span.outermost().source
            if id(file) not in silenced:
                silenced[id(file)] = silenced_in(file)
            if not selection.wants(diagnostic.code) or silenced[id(file)].covers(diagnostic):
                continue
        kept.append(diagnostic)
    return in_order(kept, files)


def _joined(
    context: LintContext, loading: Sequence[Diagnostic], linting: list[Diagnostic]
) -> list[Diagnostic]:
    said: dict[tuple[str, int], list[Diagnostic]] = {}
    for diagnostic in loading:
        if diagnostic.falco is not None and diagnostic.severity != "error":
            said.setdefault(_topic(context, diagnostic), []).append(diagnostic)
    kept = list(loading)
    for diagnostic in linting:
        same = said.get(_topic(context, diagnostic), []) if diagnostic.falco else []
        if not same:
            kept.append(diagnostic)
        elif diagnostic.fix is not None:
            near = [s for s in same if s in kept and s.fix is None and _overlap(s, diagnostic)]
            if near:
                kept.remove(near[0])
                kept.append(diagnostic)
    return kept


def _topic(context: LintContext, diagnostic: Diagnostic) -> tuple[str, int]:
    """Return what a diagnostic is about: Falco's code and the element."""
    return diagnostic.falco or "", id(context.element_at(diagnostic.span))


def _overlap(one: Diagnostic, other: Diagnostic) -> bool:
    first, second = one.span.outermost(), other.span.outermost()
    return first.start < second.end and second.start < first.end


def in_order(found: Iterable[Diagnostic], files: Sequence[SourceText]) -> list[Diagnostic]:
    """Return diagnostics by file, in the order given, then by place, then by code."""
    order = {file.name: i for i, file in enumerate(files)}

    def key(diagnostic: Diagnostic) -> tuple[int, int, int, str]:
        place = diagnostic.span.outermost()
        number = order.get(place.source.name, len(order))
        return number, place.start, place.end, diagnostic.code

    return sorted(found, key=key)


def _place(diagnostic: Diagnostic) -> tuple[str, int, int]:
    place = diagnostic.span.outermost()
    return place.source.name, place.start, place.end
