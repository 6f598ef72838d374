"""The output text of a rule: joined, extended, checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rulekit.errors import RuleError
from rulekit.rules.definitions import RuleDef
from rulekit.rules.falco_config import AppendOutput
from rulekit.rules.findings import Findings
from rulekit.rules.output import OutputTemplate, parse_output
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.pieced import Part, joined, pieced, with_trail
from rulekit.text.source import SourceText

# Falco looks for these as plain text, so `%evt.latency.ns` names two of them.
_DEPRECATED = (
    "evt.dir",
    "evt.latency",
    "evt.latency.s",
    "evt.latency.ns",
    "evt.latency.human",
    "evt.wait_latency",
)
_CONTAINER_INFO = "%container.info"
# What keeps a text from being an output although every field in it may be known.
_broken_end = re.compile(r"%[0-9]*\Z").search


@dataclass(frozen=True, slots=True)
class Output:
    """An output that can be rendered, and its text."""

    text: str
    template: OutputTemplate


def check_output(
    rule: RuleDef, extras: Sequence[AppendOutput], out: Findings
) -> Output | None:
    """Return the output of a rule, or None after reporting why there is none.

    Args:
        extras: Texts to append to the outputs of the rules they match.
    """
    parts = joined(rule.output)
    for extra in extras:
        if extra.extra_output and extra.matches(rule.source, rule.name, rule.tags):
            parts += [Part(" "), Part(extra.extra_output)]
    text = pieced(rule.name_span.source.name, parts)
    if _CONTAINER_INFO in text.text:
        text = _without_container_info(rule, text, out)
    try:
        template = parse_output(text, rule.source)
    except RuleError as error:
        _report(rule, text, error, out)
        return None
    for name in _DEPRECATED:
        at = text.text.find(name)
        if at >= 0:
            out.caution(
                "RK510",
                "LOAD_DEPRECATED_ITEM",
                f"field `{name}` in the output is deprecated",
                text.span(at, at + len(name)),
                rule.output_context,
                label="always the same since enter events are no longer delivered",
            )
    return Output(text.text, template)


def _without_container_info(rule: RuleDef, text: SourceText, out: Findings) -> SourceText:
    at = text.text.find(_CONTAINER_INFO)
    out.caution(
        "RK511",
        "LOAD_DEPRECATED_ITEM",
        "`%container.info` is deprecated and stands for nothing",
        text.span(at, at + len(_CONTAINER_INFO)),
        rule.context,
        help="name the fields: `%container.id %container.name`",
    )
    parts: list[Part] = []
    start = 0
    while at >= 0:
        parts.append(Part(text.text[start:at], text.span(start, at)))
        start = at + len(_CONTAINER_INFO)
        at = text.text.find(_CONTAINER_INFO, start)
    parts.append(Part(text.text[start:], text.span(start, len(text.text))))
    return pieced(text.name, parts)


def _report(rule: RuleDef, text: SourceText, error: RuleError, out: Findings) -> None:
    # Falco calls whatever it cannot read after a `%` an unknown filter.
    skipped = rule.skip_if_unknown_filter and text.text and not _broken_end(text.text)
    for found in error.diagnostics:
        shown = with_trail(found)
        if not shown.span.source.text:
            shown = replace(shown, span=rule.output[0])
        if skipped:
            out.warn(_as_skipped(shown, rule.name), rule.output_context)
            return
        out.error(replace(shown, falco="LOAD_ERR_COMPILE_OUTPUT"), rule.output_context)


def _as_skipped(found: Diagnostic, name: str) -> Diagnostic:
    message = f"{found.message}: rule `{name}` is skipped"
    return replace(found, severity="warning", falco="LOAD_UNKNOWN_FILTER", message=message)
