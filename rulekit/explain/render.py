"""Explanations as text for people and as data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from rulekit.explain.condition import Part, event_type_places, outcome_places
from rulekit.explain.event import Explanation
from rulekit.explain.values import shown_value
from rulekit.text.render import printable, render_excerpt
from rulekit.text.source import Span

_MARKS = {True: "✓", False: "✗", None: "·"}
_COLOURS = {True: "\x1b[32m", False: "\x1b[31m", None: "\x1b[2m"}
_JOINED = {"and": "all of", "or": "any of"}
_MAX_TEXT = 90


def place_json(span: Span) -> dict[str, Any]:
    """Return the place in a file; lines and columns count from 1."""
    place = span.outermost()
    line, column = place.source.locate(place.start)
    return {"file": place.source.name, "line": line, "column": column}


def _place(span: Span) -> str:
    place = place_json(span)
    return f"{place['file']}:{place['line']}:{place['column']}"


def _short(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def render_explanation(
    found: Explanation, *, event: str | None = None, colour: bool = False
) -> str:
    """Return an explanation as text, ending with a line break.

    Args:
        event: What to call the event; None: its position, what it is and when it was.
    """
    verdict = "matched" if found.matched else "did not match"
    if event is None:
        when = datetime.fromtimestamp(found.time_ns / 1e9, timezone.utc)
        time = when.isoformat(" ", "milliseconds")
        event = f"event {found.event}: {printable(found.about)}, {time}"
    lines = [
        f"rule `{printable(found.rule)}` {verdict} {event}",
        f"  --> {_place(found.condition.rule.span)}",
        "",
    ]
    rows = list(_rows(found, found.condition.root, 0))
    width = min(max(len(text) for _, text, _ in rows), 60)
    for truth, text, origin in rows:
        mark = _MARKS[truth]
        if colour:
            mark = f"{_COLOURS[truth]}{mark}\x1b[0m"
        lines.append(f"  {mark} {text.ljust(width) if origin else text}  {origin}".rstrip())
    silenced = found.silenced_by()
    if silenced:
        lines += ["", f"silenced by {', '.join(silenced)}"]
    lines += ["", *_advice(found)]
    return "\n".join(lines) + "\n"


def _rows(found: Explanation, part: Part, depth: int) -> Iterator[tuple[bool | None, str, str]]:
    indent = "  " * depth
    truth = found.truth(part)
    opens = f"{part.opens}: " if part.opens else ""
    if part.kind == "comparison":
        value = _value(found, part)
        where = [*(f"list {name}" for name in part.lists), _place(part.span)]
        yield truth, f"{indent}{opens}{_short(part.text)}  [{value}]", ", ".join(where)
        return
    if part.kind == "not":
        (inner,) = part.children
        if inner.kind == "comparison":
            value = _value(found, inner)
            where = [*inner.via[len(part.via) :], *(f"list {n}" for n in inner.lists)]
            origin = ", ".join([*where, _place(inner.span)])
            yield truth, f"{indent}{opens}not {_short(inner.text)}  [{value}]", origin
            return
        if inner.kind == "not":
            yield truth, f"{indent}{opens}not", ""
            yield from _rows(found, inner, depth + 1)
            return
        within = f"{inner.opens}: " if inner.opens else ""
        yield truth, f"{indent}{opens}not {within}{_JOINED[inner.kind]}", ""
        for child in inner.children:
            yield from _rows(found, child, depth + 1)
        return
    yield truth, f"{indent}{opens}{_JOINED[part.kind]}", ""
    for child in part.children:
        yield from _rows(found, child, depth + 1)


def _value(found: Explanation, part: Part) -> str:
    if part.place is None:
        return "no values to compare with"
    if not found.known >> part.place & 1:
        return "not evaluated"
    left = shown_value(found.values[part.place])
    other = found.others[part.place]
    return left if other is None else f"{left}, right side {shown_value(other)}"


def _advice(found: Explanation) -> Iterator[str]:
    flips = found.flips
    if not flips.sets:
        yield (
            "nothing in the comparisons could change that"
            if flips.exact
            else ("no set of comparisons was found that would change that")
        )
        return
    outcome = "would not match" if found.matched else "would match"
    # Of equals, what says more than that the event is of another type, or should have failed.
    types, outcomes = event_type_places(found.condition), outcome_places(found.condition)
    chosen = min(flips.sets, key=lambda s: ((s & types).bit_count(), (s & outcomes).bit_count()))
    n = chosen.bit_count()
    what = "this comparison were" if n == 1 else f"these {n} comparisons were"
    ways = "" if len(flips.sets) == 1 else f", one of {len(flips.sets)} ways"
    inexact = "" if flips.exact else " (approximate: there may be fewer)"
    yield f"it {outcome} if {what} the other way{ways}{inexact}:"
    yield ""
    for part in flipped(found, chosen):
        truth = "holds" if found.truth(part) else "does not hold"
        label = f"{truth}: {_left(part)} = {_value(found, part)}"
        yield render_excerpt(part.span, label)


def _left(part: Part) -> str:
    return part.text.split(" ", 1)[0]


def flipped(found: Explanation, flips: int) -> list[Part]:
    """Return the comparisons of a set, each once."""
    return [found.condition.of_place(p) for p in range(flips.bit_length()) if flips >> p & 1]


def explanation_json(found: Explanation) -> dict[str, Any]:
    """Return an explanation as data; comparisons are numbered as they are written."""
    return {
        "rule": found.rule,
        **place_json(found.condition.rule.span),
        "event": found.event,
        "time_ns": found.time_ns,
        "about": found.about,
        "matched": found.matched,
        "condition": _part_json(found, found.condition.root),
        "silenced_by": list(found.silenced_by()),
        "flips": {
            "exact": found.flips.exact,
            "size": found.flips.size,
            "sets": [
                [part.comparison for part in flipped(found, each)] for each in found.flips.sets
            ],
        },
    }


def _part_json(found: Explanation, part: Part) -> dict[str, Any]:
    data: dict[str, Any] = {"kind": part.kind, "truth": found.truth(part)}
    if part.kind == "comparison":
        data |= {"comparison": part.comparison, "text": part.text}
        if part.place is not None:
            data["value"] = found.values[part.place]
            if found.others[part.place] is not None:
                data["right"] = found.others[part.place]
            data["tried"] = bool(found.tried >> part.place & 1)
    data |= {"via": list(part.via), **place_json(part.span)}
    if part.lists:
        data["lists"] = list(part.lists)
    if part.children:
        data["children"] = [_part_json(found, child) for child in part.children]
    return data
