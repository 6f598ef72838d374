"""Mutation for the terminal, as data and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rulekit.explain.render import place_json
from rulekit.testing.html import bar, page, words
from rulekit.testing.mutants import Mutant
from rulekit.testing.mutation import MAX_MUTANTS, RuleMutation, score
from rulekit.testing.report import shown

_WORDS = {
    "operator": "another operator",
    "item": "an item less",
    "prefix": "a wider prefix",
    "negation": "the opposite",
    "operand": "a part less",
    "macro": "another macro",
    "junction": "`and` and `or` exchanged",
}


def described(mutant: Mutant) -> str:
    """Return in words what was changed."""
    if mutant.kind == "macro" and not mutant.after:
        return "a macro less"
    return _WORDS[mutant.kind]


def mutation_text(found: Sequence[RuleMutation]) -> Iterator[str]:
    """Yield lines: a table of rules, each with its survivors: what was changed, as a diff."""
    width = max([len(rule.rule) for rule in found], default=4)
    yield f"{'rule'.ljust(width)}  noticed  equivalent"
    for rule in found:
        noticed = rule.problem or f"{rule.killed}/{rule.total}"
        yield f"{rule.rule.ljust(width)}  {noticed:>7}  {rule.equivalent or '':>10}".rstrip()
        for mutant in rule.survivors:
            place = place_json(mutant.span)
            where = f"{shown(Path(place['file']))}:{place['line']}:{place['column']}"
            yield f"    {where}  survived: {described(mutant)}"
            yield f"      - {_short(mutant.before)}"
            if mutant.after:
                yield f"      + {_short(mutant.after)}"
        if rule.left_out:
            yield f"    {rule.left_out} mutants left out: more than {MAX_MUTANTS}"
    if not found:
        yield "mutation score: no rule could be changed"
        return
    yield f"mutation score: {score(found):.1%} ({_counts(found)})"


def _counts(found: Sequence[RuleMutation]) -> str:
    killed, total = sum(r.killed for r in found), sum(r.total for r in found)
    return f"{killed} of {total} changes noticed"


def _short(text: str) -> str:
    return text if len(text) <= 160 else text[:159] + "…"


def mutation_json(found: Sequence[RuleMutation]) -> dict[str, Any]:
    """Return the result as data."""
    return {
        "score": round(score(found), 6),
        "rules": [
            {
                "rule": rule.rule,
                "noticed": rule.killed,
                "total": rule.total,
                "equivalent": rule.equivalent,
                "left_out": rule.left_out,
                "problem": rule.problem,
                "survivors": [
                    {
                        "kind": mutant.kind,
                        **place_json(mutant.span),
                        "before": mutant.before,
                        "after": mutant.after,
                    }
                    for mutant in rule.survivors
                ],
            }
            for rule in found
        ],
    }


def mutation_page(found: Sequence[RuleMutation]) -> str:
    """Return the HTML page: a table of rules, below the survivors of each."""
    body = [
        "<p>Conditions were changed in small ways, one at a time. A change that no case notices"
        " survives: there a case is missing.</p>",
        '<table><thead><tr><th>Rule</th><th>Noticed</th><th class="n">Survived</th>'
        '<th class="n">Equivalent</th></tr></thead><tbody>',
    ]
    for i, rule in enumerate(found):
        name = escape(rule.rule)
        name = f'<a href="#r{i}">{name}</a>' if rule.survivors else name
        if rule.problem:
            noticed = f'<span class="bad">{escape(rule.problem)}</span>'
        else:
            share = rule.killed / rule.total if rule.total else 1
            noticed = f"{bar(share)}{rule.killed} of {rule.total}"
        body.append(
            f'<tr><td>{name}</td><td class="w">{noticed}</td>'
            f'<td class="n{" bad" if rule.survivors else ""}">{len(rule.survivors)}</td>'
            f'<td class="n dim">{rule.equivalent}</td></tr>'
        )
    body.append("</tbody></table>")
    for i, rule in enumerate(found):
        body += _survivors_html(i, rule)
    return page("Mutation of rules", f"{score(found):.1%}: {_counts(found)}", body)


def _survivors_html(number: int, rule: RuleMutation) -> Iterator[str]:
    if not rule.survivors and not rule.left_out:
        return
    yield f'<h2 id="r{number}">{escape(rule.rule)}</h2>'
    for mutant in rule.survivors:
        place = place_json(mutant.span)
        where = f"{shown(Path(place['file']))}:{place['line']}:{place['column']}"
        yield (
            f'<p class="change">{words(described(mutant))} '
            f'<span class="dim">{escape(where)}</span></p>'
        )
        lines = [f'<span class="bad">- {escape(mutant.before)}</span>']
        lines += [f'<span class="ok">+ {escape(mutant.after)}</span>'] if mutant.after else []
        yield f"<pre>{chr(10).join(lines)}</pre>"
    if rule.left_out:
        yield f'<p class="dim">{rule.left_out} left out: more than {MAX_MUTANTS}</p>'
