"""Results as one HTML page, without scripts or anything from elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from typing import TypeAlias

from rulekit.testing.judge import Result
from rulekit.testing.report import failure_text, shown

STYLE = """
:root { color-scheme: light dark; --ok: #1a7f37; --bad: #cf222e; --part: #9a6700;
  --line: #d0d7de; --soft: #f6f8fa; --text: #1f2328; --dim: #59636e; --page: #fff; }
@media (prefers-color-scheme: dark) { :root { --ok: #3fb950; --bad: #f85149; --part: #d29922;
  --line: #3d444d; --soft: #151b23; --text: #f0f6fc; --dim: #9198a1; --page: #0d1117; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.dim { color: var(--dim); } .ok { color: var(--ok); } .bad { color: var(--bad); }
.part { color: var(--part); }
table { border-collapse: collapse; width: 100%; }
table.fixed td { overflow-wrap: anywhere; }
th { text-align: left; font-weight: 600; color: var(--dim); font-size: .85rem; }
td, th { padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .75rem;
  overflow-x: auto; margin: .25rem 0 .5rem; }
table.fixed { table-layout: fixed; } td.why { border: 0; padding-top: 0; }
tr.open > td { border: 0; }
.bar { display: inline-block; width: 8rem; height: .6rem; background: var(--line);
  border-radius: .3rem; overflow: hidden; vertical-align: middle; margin-right: .5rem; }
.bar i { display: block; height: 100%; background: var(--ok); }
.bar.part i { background: var(--part); } .bar.bad i { background: var(--bad); }
.badge { display: inline-block; min-width: 4.5rem; font-weight: 600; }
td.w { white-space: nowrap; } p.change { margin: 1rem 0 .25rem; }
a { color: inherit; } ul.bad { padding-left: 1.2rem; } ul.bad li { margin: .2rem 0; }
details.file { margin: 2rem 0 .5rem; } details.file h2 { display: inline; }
details.file table { margin-top: .5rem; }
details > summary { cursor: pointer; }
@media (max-width: 45rem) { .bar { width: 4rem; } .badge { min-width: 0; }
  /* Hidden cells would leave a column to those that span all. */
  td.wide, th.wide { width: 0 !important; padding: 0; font-size: 0; } }
"""

_ByFile: TypeAlias = "Sequence[tuple[str, Sequence[Result]]]"
# What stands below the text of a file, and what is said there.
_CARETS = re.compile(r"(?<=\| )( *\^+(?: .*)?)$")
_CLASSES = {"passed": "ok", "xfailed": "part", "failed": "bad", "error": "bad", "xpassed": "bad"}


def page(title: str, subtitle: str, body: Iterable[str]) -> str:
    """Return a page; `title` and `subtitle` are plain text, `body` is HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="dim">{escape(subtitle)}</p>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def bar(share: float) -> str:
    """Return a bar that is full at 1."""
    kind = "" if share >= 1 else " part" if share >= 0.75 else " bad"
    return f'<span class="bar{kind}"><i style="width:{share * 100:.0f}%"></i></span>'


def results_page(results: Sequence[Result]) -> str:
    """Return the page of a test run; what failed stands open."""
    counts = Counter(result.outcome for result in results)
    seconds = sum(result.duration_s for result in results)
    parts = [f"{n} {outcome}" for outcome, n in sorted(counts.items(), key=lambda i: -i[1])]
    by_file = [
        (shown(file), list(group))
        for file, group in groupby(
            sorted(results, key=lambda r: (str(r.case.file), r.case.line)), lambda r: r.case.file
        )
    ]
    numbers = {id(result): f"c{i}" for i, result in enumerate(results)}
    body = list(_overview(by_file, numbers))
    for i, (file, cases) in enumerate(by_file):
        good = sum(result.good for result in cases)
        table = [
            '<table class="fixed"><thead><tr><th style="width:6.5rem">Outcome</th><th>Case</th>'
            '<th class="wide" style="width:30%">Rules</th>'
            '<th class="n" style="width:3rem">Line</th>'
            '<th class="n" style="width:5rem">Time</th></tr></thead><tbody>',
            *(_row(result, numbers[id(result)]) for result in cases),
            "</tbody></table>",
        ]
        head = f'<h2 id="f{i}">{escape(file)} <span class="dim">{good} of {len(cases)}</span></h2>'
        if good < len(cases) or len(by_file) == 1:
            body += [head, *table]
        else:
            body += [f'<details class="file"><summary>{head}</summary>', *table, "</details>"]
    summary = f"{', '.join(parts) or 'no cases'} in {seconds:.2f} s"
    return page("Tests of rules", summary, body)


def _overview(by_file: _ByFile, numbers: Mapping[int, str]) -> Iterator[str]:
    """Yield a table of the files when there are several, and what is to be done."""
    if len(by_file) > 1:
        heads = '<th>File</th><th>Good</th><th class="n">Time</th>'
        yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
        for i, (file, cases) in enumerate(by_file):
            good = sum(result.good for result in cases)
            seconds = sum(result.duration_s for result in cases)
            share = f"{bar(good / len(cases))}{good} of {len(cases)}"
            yield (
                f'<tr><td><a href="#f{i}">{escape(file)}</a></td><td class="w">{share}</td>'
                f'<td class="n">{seconds:.2f} s</td></tr>'
            )
        yield "</tbody></table>"
    bad = [result for _, cases in by_file for result in cases if not result.good]
    if len(bad) > 1:
        yield '<h2>To be mended</h2>\n<ul class="bad">'
        for result in bad:
            why = result.failures[0].message if result.failures else result.case.xfail or ""
            yield (
                f'<li><a href="#{numbers[id(result)]}">{escape(result.case.name)}</a>'
                f' <span class="dim">{words(why)}</span></li>'
            )
        yield "</ul>"


def _row(result: Result, anchor: str) -> str:
    name = escape(result.case.name)
    if result.outcome == "xfailed":
        name += f' <span class="dim">({escape(result.case.xfail or "")})</span>'
    rules = "<br>".join(escape(rule) for rule in result.case.named_rules())
    row = (
        f'<td class="{_CLASSES[result.outcome]}"><span class="badge">{result.outcome}</span></td>'
        f'<td>{name}</td><td class="dim wide">{rules}</td><td class="n">{result.case.line}</td>'
        f'<td class="n">{result.duration_s * 1000:.0f} ms</td></tr>'
    )
    if result.good:
        return f'<tr id="{anchor}">{row}'
    text = failure_text(result).partition("\n\n")[2].strip("\n")
    lines = "\n".join(_marked(line) for line in text.split("\n"))
    why = f"<details open><summary>why</summary><pre>{lines}</pre></details>"
    return f'<tr class="open" id="{anchor}">{row}<tr><td colspan="5" class="why">{why}</td></tr>'


def _marked(line: str) -> str:
    """Return a line of a failure: the mark of a tree and carets in colour, the headline bold."""
    kind = {"✓": "ok", "✗": "bad"}.get(line.lstrip()[:1])
    if kind is not None:
        blanks = len(line) - len(line.lstrip())
        mark = f'<span class="{kind}">{escape(line[blanks])}</span>'
        return f"{line[:blanks]}{mark}{escape(line[blanks + 1 :])}"
    text = escape(line)
    if line.startswith("error["):
        return f"<b>{text}</b>"
    return _CARETS.sub(r'<span class="bad">\1</span>', text)


def words(text: str) -> str:
    """Return plain text as HTML, what stands in backquotes as code."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", escape(text))
