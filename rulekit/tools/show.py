"""What rules come down to: conditions with everything put in, and where each part was written.

The parts are those of the written conditions, macros followed by name, so that each comparison
knows the way on which it came into a rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rulekit.rules.ast import AndNode, ComparisonNode, ListNode, MacroNode, Node, NotNode, OrNode
from rulekit.rules.findings import Finding
from rulekit.rules.loader import FileResult, LoadResult
from rulekit.rules.ruleset import Rule, Ruleset
from rulekit.rules.unparse import to_sexpr, unparse
from rulekit.text.pieced import PiecedText
from rulekit.text.source import Span
from rulekit.tools.fmt_condition import NotTokens, layout_condition
from rulekit.tools.lint.check import Element, LintContext

# Contexts that every problem of a file has around it.
_OUTER = frozenset({"rules content", "rules content item"})
_MOST_EVENTS = 12
_WIDTH = 100
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Part:
    """A line of a resolved condition.

    Attributes:
        depth: Levels of parentheses around it.
        text: A comparison with the operator before it, or the line of a parenthesis.
        span: Where it was written, or None for a closing parenthesis.
        via: The way into the rule: ``macro NAME``, ``exception NAME``, outermost first.
        lists: Lists that brought in values.
    """

    depth: int
    text: str
    span: Span | None
    via: tuple[str, ...]
    lists: tuple[str, ...] = ()


def resolved(rule: Rule, ruleset: Ruleset) -> Iterator[Part]:
    """Yield the final condition of a rule in parts; joined with blanks they are its text."""
    node = rule.written
    exceptions = [e.name for e in rule.exceptions if e.values]
    if exceptions and isinstance(node, AndNode) and len(node.children) > len(exceptions):
        # The loader wraps: (CONDITION) and not EXCEPTION and not EXCEPTION.
        first = len(node.children) - len(exceptions)
        for i, child in enumerate(node.children):
            via = (f"exception {exceptions[i - first]}",) if i >= first else ()
            yield from _operand(child, "and " if i else "", 0, via, ruleset)
        return
    yield from _operands(node, 0, (), ruleset)


def _operands(node: Node, depth: int, via: tuple[str, ...], ruleset: Ruleset) -> Iterator[Part]:
    if isinstance(node, (AndNode, OrNode)):
        word = "and " if isinstance(node, AndNode) else "or "
        for i, child in enumerate(node.children):
            yield from _operand(child, word if i else "", depth, via, ruleset)
    elif isinstance(node, MacroNode):
        inner, way = _follow(node, via, ruleset)
        yield from _operands(inner, depth, way, ruleset)
    else:
        yield from _operand(node, "", depth, via, ruleset)


def _operand(
    node: Node, before: str, depth: int, via: tuple[str, ...], ruleset: Ruleset
) -> Iterator[Part]:
    """Yield an operand: a comparison on a line, anything else between parentheses."""
    place = node.span
    while isinstance(node, MacroNode):
        node, via = _follow(node, via, ruleset)
    if isinstance(node, NotNode):
        inner = node.child
        while isinstance(inner, MacroNode):
            inner, via = _follow(inner, via, ruleset)
        node, before = inner, f"{before}not "
        if isinstance(node, NotNode):
            yield Part(depth, f"{before}(", place, via)
            yield from _operand(node, "", depth + 1, via, ruleset)
            yield Part(depth, ")", None, via)
            return
    if isinstance(node, ComparisonNode):
        yield Part(depth, before + unparse(node), node.span, via, _lists(node))
        return
    yield Part(depth, f"{before}(", place, via)
    yield from _operands(node, depth + 1, via, ruleset)
    yield Part(depth, ")", None, via)


def _follow(
    node: MacroNode, via: tuple[str, ...], ruleset: Ruleset
) -> tuple[Node, tuple[str, ...]]:
    return ruleset.macros[node.name].written, (*via, f"macro {node.name}")


def _lists(node: ComparisonNode) -> tuple[str, ...]:
    """Return the lists whose items stand in a comparison, in order."""
    source = node.span.source
    if not isinstance(source, PiecedText) or not isinstance(node.right, ListNode):
        return ()
    found: dict[str, None] = {}
    for item in node.right.items:
        insertion = source.parts[source.part_at(item.span.start)].insertion
        if insertion is not None:
            found[insertion.use.text] = None
    return tuple(found)


def describe(
    result: LoadResult, only: str | None = None, provenance: bool = False
) -> dict[str, Any]:
    """Return what came of loading as data.

    Args:
        only: Name of the one rule to describe; all by default.
        provenance: Say of each part of a condition where it was written.
    """
    found: dict[str, Any] = {
        "ok": result.ok,
        "files": [file.name for file in result.files],
        "results": [_file(file) for file in result.files],
    }
    if result.fatal:
        found["fatal"] = "plugin-requirement"
    ruleset = result.ruleset
    if ruleset is None:
        return found
    context = LintContext(ruleset)
    found["required_engine_version"] = ruleset.required_engine_version
    found["rules"] = [
        _rule(rule, context, provenance) for rule in ruleset.rules if only in (None, rule.name)
    ]
    if only is None:
        found["macros"] = {
            name: {"condition": macro.condition, "ast": to_sexpr(macro.node)}
            for name, macro in ruleset.macros.items()
        }
        found["lists"] = {name: list(entry.items) for name, entry in ruleset.lists.items()}
        found["unused"] = {
            "macros": list(ruleset.unused_macros),
            "lists": list(ruleset.unused_lists),
        }
    return found


def _file(result: FileResult) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ok": result.successful,
        "errors": [{"code": e.diagnostic.falco, "at": _contexts(e)} for e in result.errors],
        "warnings": [{"code": w.diagnostic.falco, "item": _item(w)} for w in result.warnings],
    }
    if result.schema_valid is not None:
        found["schema_valid"] = result.schema_valid
    return found


def _contexts(finding: Finding) -> list[str]:
    links = [link for link in finding.context.chain() if link.item_type not in _OUTER]
    return [link.item_type + (f":{link.item_name}" if link.item_name else "") for link in links]


def _item(finding: Finding) -> str | None:
    named = [link for link in finding.context.chain() if link.item_name]
    return f"{named[-1].item_type}:{named[-1].item_name}" if named else None


def _rule(rule: Rule, context: LintContext, provenance: bool) -> dict[str, Any]:
    many = len(rule.events) > _MOST_EVENTS
    found: dict[str, Any] = {
        "name": rule.name,
        "desc": rule.desc,
        "condition": rule.condition,
        "resolved": " ".join(part.text for part in resolved(rule, context.ruleset)),
        "ast": to_sexpr(rule.node),
        "output": rule.output,
        "output_fields": list(rule.output_fields),
        "priority": rule.priority.label,
        "tags": list(rule.tags),
        "enabled": rule.enabled,
        "source": rule.source,
        "events": len(rule.events) if many else list(rule.events),
        "macros": list(rule.macros),
        "lists": list(rule.lists),
    }
    if rule.exception_fields:
        found["exception_fields"] = list(rule.exception_fields)
    if rule.capture:
        found["capture"] = True
    if rule.capture_duration_ms:
        found["capture_duration"] = rule.capture_duration_ms
    if provenance:
        found["provenance"] = {
            "elements": [place_json(e.name_span) for e in elements_of(rule, context)],
            "condition": [_part(part) for part in resolved(rule, context.ruleset)],
        }
    return found


def _part(part: Part) -> dict[str, Any]:
    found: dict[str, Any] = {"depth": part.depth, "text": part.text, "via": list(part.via)}
    if part.lists:
        found["lists"] = list(part.lists)
    if part.span is not None:
        found.update(place_json(part.span))
    return found


def place_json(span: Span) -> dict[str, Any]:
    """Return the place in a file; lines and columns count from 1."""
    place = span.outermost()
    line, column = place.source.locate(place.start)
    return {"file": place.source.name, "line": line, "column": column}


def elements_of(rule: Rule, context: LintContext) -> Sequence[Element]:
    """Return the elements that made a rule: its last full definition and what changed it."""
    key = "rules by name"
    if key not in context.shared:
        rules: dict[str, list[Element]] = {}
        for element in context.elements:
            if element.kind == "rule":
                rules.setdefault(element.name, []).append(element)
        context.shared[key] = rules
    by_name = context.shared[key]
    assert isinstance(by_name, dict)
    named: list[Element] = by_name.get(rule.name, [])
    full = [i for i, element in enumerate(named) if not element.changes]
    return named[full[-1] :] if full else named


def render_rule(
    rule: Rule, context: LintContext, *, final: bool = True, provenance: bool = False
) -> str:
    """Return a rule as text for people.

    Args:
        final: Show the condition with macros, lists and exceptions put in; else as written.
        provenance: Say of each part where it was written.
    """
    facts = [rule.source, rule.priority.label, "enabled" if rule.enabled else "disabled"]
    lines = [f"rule: {rule.name}", f"  {', '.join(facts)}"]
    if rule.tags:
        lines.append(f"  tags: {', '.join(rule.tags)}")
    shown = ", ".join(rule.events) if len(rule.events) <= _MOST_EVENTS else str(len(rule.events))
    lines.append(f"  events: {shown}")
    if provenance:
        for i, element in enumerate(elements_of(rule, context)):
            what = "defined at" if i == 0 else "changed at"
            lines.append(f"  {what} {_place(element.name_span)}")
    lines.append("  condition:")
    parts = resolved(rule, context.ruleset) if final else _written(rule)
    lines += _lines(parts, provenance)
    lines.append("  output:")
    for i, span in enumerate(rule.output_spans):
        origin = f"{_GAP}# {_place(span)}" if provenance else ""
        lines.append(f"    {span.text.strip()}{origin}")
        if i == len(rule.output_spans) - 1 and rule.output != " ".join(
            s.text for s in rule.output_spans
        ):
            lines.append(f"    as printed: {rule.output}")
    return "\n".join(lines)


def _written(rule: Rule) -> Iterator[Part]:
    """Yield the texts that a condition was joined from, and the names of its exceptions."""
    for span in rule.condition_spans:
        yield Part(0, " ".join(span.text.split()), span, ())
    for exception in rule.exceptions:
        yield Part(0, f"except {exception.name}", exception.span, ())


def _lines(parts: Iterable[Part], provenance: bool) -> Iterator[str]:
    for part in parts:
        indent = 4 + 2 * part.depth
        try:
            laid = layout_condition(part.text, indent, _WIDTH)
        except NotTokens:
            laid = [" " * indent + part.text]
        if part.text.endswith("(") or part.text == ")":
            laid = [" " * indent + part.text]
        if provenance and part.span is not None:
            laid[-1] += f"{_GAP}# {_origin(part)}"
        yield from laid


def _origin(part: Part) -> str:
    assert part.span is not None
    words = [*part.via, *(f"list {name}" for name in part.lists), _place(part.span)]
    return ", ".join(words)


def _place(span: Span) -> str:
    place = place_json(span)
    return f"{place['file']}:{place['line']}:{place['column']}"
