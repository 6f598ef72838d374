"""The output text of a rule: joined, extended, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rulekit.rules.definitions import RuleDef
from rulekit.rules.falco_config import AppendOutput
from rulekit.rules.findings import Findings
from rulekit.rules.output import OutputTemplate, parse_output
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.pieced import Part, joined, pieced, with_trail
from rulekit.text.source import SourceText

_CONTAINER_INFO = "%container.info"
# What Falco calls an unknown filter: whatever it cannot read after a `%`.
_UNKNOWN = "RK501"


@dataclass(frozen=True, slots=True)
class Output:
    """An output that can be rendered, and its text."""

    text: str
    template: OutputTemplate


def check_output(rule: RuleDef, extras: Sequence[AppendOutput], out: Findings) -> Output | None:
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
    template = parse_output(text, rule.source)
    if isinstance(template, Diagnostic):
        _report(rule, text, template, out)
        return None
    for warning in template.warnings:
        out.warn(with_trail(warning), rule.output_context)
    return Output(text.text, template)


def _without_container_info(rule: RuleDef, text: SourceText, out: Findings) -> SourceText:
    at = text.text.find(_CONTAINER_INFO)
    out.caution(
        "RK502",
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


def _report(rule: RuleDef, text: SourceText, found: Diagnostic, out: Findings) -> None:
    shown = with_trail(found) if text.text else replace(found, span=rule.output[0])
    if rule.skip_if_unknown_filter and found.code == _UNKNOWN:
        message = f"{found.message}: rule `{rule.name}` is skipped"
        skipped = replace(shown, severity="warning", falco="LOAD_UNKNOWN_FILTER", message=message)
        out.warn(skipped, rule.output_context)
    else:
        out.error(shown, rule.output_context)
