"""Coverage for the terminal, as a page and as LCOV."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from rulekit.explain.render import place_json
from rulekit.testing.coverage import Coverage, RuleCoverage, Seen
from rulekit.testing.html import bar, page
from rulekit.testing.report import shown

_WORDS = {
    "true": "never true",
    "false": "never false",
    "decided_true": "never decided when true",
    "decided_false": "never decided when false",
}


def missing(seen: Seen) -> list[str]:
    """Return in words which goals of a comparison were not reached."""
    gaps = [name for name, reached in seen.goals.items() if not reached]
    # What was never true cannot have decided.
    gaps = [
        name
        for name in gaps
        if name.removeprefix("decided_") not in gaps or name in ("true", "false")
    ]
    return [_WORDS[name] for name in gaps]


def unhit(seen: Seen) -> list[str]:
    """Return the list items that no event hit."""
    return [text for text, hit in seen.items.items() if not hit]


def _percent(done: int, total: int) -> str:
    return "  -  " if not total else f"{done}/{total}"


def coverage_text(coverage: Coverage) -> Iterator[str]:
    """Yield lines: a table of rules, then what is missing."""
    width = max([len(rule.rule.name) for rule in coverage.rules], default=4)
    yield f"{'rule'.ljust(width)}  matches   truths  decided"
    for rule in coverage.rules:
        yield (
            f"{rule.rule.name.ljust(width)}  {rule.n_matched:7d} {_percent(*rule.outcomes):>8}"
            f" {_percent(*rule.decisions):>8}"
        )
        for seen in rule.comparisons:
            gaps = missing(seen)
            place = place_json(seen.part.span)
            where = f"{shown(Path(place['file']))}:{place['line']}"
            if gaps:
                yield f"    {where}  {_short(seen.part.text)}: {', '.join(gaps)}"
            if seen.impossible:
                names = ", ".join(
                    _WORDS[name].removeprefix("never ") for name in sorted(seen.impossible)
                )
                yield f"    {where}  {_short(seen.part.text)}: infeasible: {names}"
            items = unhit(seen)
            if items:
                listed = ", ".join(items[:8]) + (
                    f" and {len(items) - 8} more" if len(items) > 8 else ""
                )
                yield f"    {where}  {_short(seen.part.text)}: items never hit: {listed}"
    silent = [rule.rule.name for rule in coverage.rules if not rule.n_matched]
    if silent:
        yield f"rules that never matched: {', '.join(silent)}"
    if coverage.left_out:
        yield f"left out: {coverage.left_out} cases that override macros or lists"
    if not coverage.rules:
        yield "coverage: no rule could be measured"
        return
    yield f"coverage: {coverage.share:.1%} of feasible truths and decisions"


def _short(text: str) -> str:
    return text if len(text) <= 70 else text[:69] + "…"


def coverage_json(coverage: Coverage) -> dict[str, Any]:
    """Return coverage as data."""
    return {
        "share": round(coverage.share, 6),
        "left_out": coverage.left_out,
        "rules": [
            {
                "rule": rule.rule.name,
                **place_json(rule.rule.span),
                "matches": rule.n_matched,
                "outcomes": list(rule.outcomes),
                "decisions": list(rule.decisions),
                "comparisons": [
                    {
                        "text": seen.part.text,
                        **place_json(seen.part.span),
                        "true": seen.n_true,
                        "false": seen.n_false,
                        "decided_true": seen.decided_true,
                        "decided_false": seen.decided_false,
                        "infeasible": sorted(seen.impossible),
                        "items_never_hit": unhit(seen),
                    }
                    for seen in rule.comparisons
                ],
            }
            for rule in coverage.rules
        ],
    }


def lcov(coverage: Coverage) -> str:
    """Return an LCOV trace: lines are those with comparisons, branches their two truths.

    A comparison of a macro counts the events of all rules that use it.
    """
    files: dict[str, dict[tuple[int, int], list[int]]] = {}
    for rule in coverage.rules:
        for seen in rule.comparisons:
            place = place_json(seen.part.span)
            counts = files.setdefault(place["file"], {}).setdefault(
                (place["line"], place["column"]), [0, 0]
            )
            counts[0] = max(counts[0], seen.n_true)
            counts[1] = max(counts[1], seen.n_false)
    lines = []
    for name, places in sorted(files.items()):
        lines += ["TN:", f"SF:{name}"]
        branches = 0
        for line, group in groupby(sorted(places.items()), lambda item: item[0][0]):
            for block, (_, (true, false)) in enumerate(group):
                lines += [f"BRDA:{line},{block},0,{true}", f"BRDA:{line},{block},1,{false}"]
                branches += 2
        hit = sum(bool(count) for counts in places.values() for count in counts)
        lines += [f"BRF:{branches}", f"BRH:{hit}"]
        by_line: dict[int, int] = {}
        for (line, _), counts in places.items():
            by_line[line] = max(by_line.get(line, 0), sum(counts))
        lines += [f"DA:{line},{count}" for line, count in sorted(by_line.items())]
        lines += [f"LF:{len(by_line)}", f"LH:{sum(map(bool, by_line.values()))}", "end_of_record"]
    return "\n".join(lines) + "\n"


def coverage_page(coverage: Coverage) -> str:
    """Return the HTML page: a table of rules, below each its comparisons."""
    body = [
        '<table><thead><tr><th>Rule</th><th class="n">Matches</th><th>Truths seen</th>'
        "<th>Decided</th></tr></thead><tbody>"
    ]
    for i, rule in enumerate(coverage.rules):
        body.append(
            f'<tr><td><a href="#r{i}">{escape(rule.rule.name)}</a></td>'
            f'<td class="n{"" if rule.n_matched else " bad"}">{rule.n_matched}</td>'
            f"<td>{_bar(rule.outcomes)}</td><td>{_bar(rule.decisions)}</td></tr>"
        )
    body.append("</tbody></table>")
    for i, rule in enumerate(coverage.rules):
        body += _rule_html(i, rule)
    subtitle = f"{coverage.share:.1%} of feasible truths and decisions"
    if coverage.left_out:
        subtitle += f"; left out: {coverage.left_out} cases that override macros or lists"
    return page("Coverage of rules", subtitle, body)


def _bar(part: tuple[int, int]) -> str:
    done, total = part
    return f"{bar(done / total if total else 1)}{done} of {total}"


def _rule_html(number: int, rule: RuleCoverage) -> Iterator[str]:
    place = place_json(rule.rule.span)
    yield (
        f'<h2 id="r{number}">{escape(rule.rule.name)} <span class="dim">'
        f"{escape(shown(Path(place['file'])))}:{place['line']}</span></h2>"
    )
    yield (
        '<table class="fixed"><thead><tr><th class="n wide" style="width:3rem">Line</th>'
        '<th>Comparison</th><th class="n" style="width:4rem">True</th>'
        '<th class="n" style="width:4rem">False</th><th style="width:30%">Missing</th></tr></thead>'
        "<tbody>"
    )
    for seen in rule.comparisons:
        notes = [f'<span class="bad">{escape(gap)}</span>' for gap in missing(seen)]
        notes += [
            f'<span class="dim">infeasible: {escape(_WORDS[name].removeprefix("never "))}</span>'
            for name in sorted(seen.impossible)
        ]
        items = unhit(seen)
        if items:
            listed = escape(", ".join(items))
            notes.append(
                f'<details><summary class="part">{len(items)} of {len(seen.items)} items never hit'
                f"</summary>{listed}</details>"
            )
        via = escape(" › ".join(seen.part.via))
        way = f'<br><span class="dim">{via}</span>' if via else ""
        yield (
            f'<tr><td class="n wide">{place_json(seen.part.span)["line"]}</td>'
            f"<td><code>{escape(seen.part.text)}</code>{way}</td>"
            f'<td class="n {"ok" if seen.n_true else "bad"}">{seen.n_true}</td>'
            f'<td class="n {"ok" if seen.n_false else "bad"}">{seen.n_false}</td>'
            f"<td>{'<br>'.join(notes)}</td></tr>"
        )
    yield "</tbody></table>"
