"""Explains references to macros: why one cannot be resolved, which ones lead to a problem."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from itertools import islice

from rulekit.rules.definitions import MacroDef
from rulekit.rules.expand import MAX_COMPARISONS, MAX_DEPTH, Condition, MacroError
from rulekit.rules.merge import Collector
from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.text.pieced import with_trail
from rulekit.text.source import SourceText, Span

_LONGEST_TRAIL = 5
MAX_COMPARED = 300


def explain_macro(error: MacroError, known: MacroDef | None, collector: Collector) -> Diagnostic:
    """Return the diagnostic for a reference that cannot be resolved."""
    name, node = error.node.name, error.node
    labels: list[Label] = []
    help_ = None
    if error.kind == "undefined":
        code, message, label = "RK301", f"undefined macro `{name}`", "no macro of this name"
        if known is not None:
            label = "defined only after this macro"
            labels.append(Label(known.name_span, "defined here"))
            help_ = "a macro sees only macros that are defined before it"
        elif name in collector.rules:
            help_ = f"`{name}` is a rule; a condition can only name macros"
        elif name in collector.lists:
            help_ = f"`{name}` is a list; compare a field with it: `FIELD in ({name})`"
        else:
            # Many unknown names among many known ones: not each is compared with all.
            like = (other for other in collector.macros if abs(len(other) - len(name)) <= 3)
            close = get_close_matches(name, list(islice(like, MAX_COMPARED)), n=1)
            help_ = f"did you mean `{close[0]}`?" if close else None
    elif error.kind == "loop":
        code, message, label = "RK302", f"macro `{name}` contains itself", "here it comes back"
        if known is not None:
            labels.append(Label(known.name_span, f"`{name}` is defined here"))
    elif error.kind == "depth":
        code, label = "RK335", "macros within macros are nested too deeply here"
        message = f"condition is more than {MAX_DEPTH} levels deep"
    else:
        code, label = "RK335", "the limit is passed with this macro"
        message = f"condition grows to more than {MAX_COMPARISONS} comparisons"
    falco = "LOAD_ERR_VALIDATE"
    return Diagnostic(code, "error", message, node.span, label, help_, falco, tuple(labels))


def with_macros(
    found: Diagnostic, condition: Condition, macros: dict[str, Condition]
) -> Diagnostic:
    """Say through which list and macros a diagnostic belongs to `condition`.

    Args:
        macros: Conditions with the names of other macros still in them.
    """
    found = with_trail(found)
    source = found.span.source
    if source is condition.text:
        return found
    uses = _path(condition, source, macros)[::-1][:_LONGEST_TRAIL]
    labels = [Label(span, f"macro `{name}` is used here") for name, span in uses]
    return replace(found, labels=(*found.labels, *labels))


def _path(
    condition: Condition, source: SourceText, macros: dict[str, Condition]
) -> list[tuple[str, Span]]:
    """Return the uses of macros that lead from a condition to the macro written in `source`."""
    stack: list[tuple[Condition, list[tuple[str, Span]]]] = [(condition, [])]
    seen: set[int] = set()
    while stack:
        current, path = stack.pop()
        if current.text is source:
            return path
        if id(current) in seen:
            continue
        seen.add(id(current))
        for name, node in current.macros.items():
            if name in macros:
                stack.append((macros[name], [*path, (name, node.span)]))
    return []
