"""The output text of a rule: joined, extended, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rulekit.rules.definitions import RuleDef
from rulekit.rules.falco_config import AppendOutput
from rulekit.rules.findings import Findings
from rulekit.rules.output import parse_output
from rulekit.rules.output_template import OutputTemplate
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


class OutputChecker:
    """Checks outputs; an output that does not change is parsed once.

    Args:
        extras: What to append to the outputs of the rules they match.
    """

    def __init__(self, extras: Sequence[AppendOutput] = ()) -> None:
        self._extras = extras
        self._parsed: dict[tuple[object, ...], OutputTemplate | Diagnostic] = {}

    def check(self, rule: RuleDef, out: Findings) -> Output | None:
        """Return the output of a rule, or None after reporting why there is none."""
        parts = joined(rule.output)
        formats: list[str] = []
        for extra in self._extras:
            if extra.matches(rule.source, rule.name, rule.tags):
                if extra.extra_output:
                    parts += [Part(" "), Part(extra.extra_output)]
                formats += [f"%{key}" if form is None else form for key, form in extra.extra_fields]
        text = pieced(rule.name_span.source.name, parts)
        if _CONTAINER_INFO in text.text:
            text = _without_container_info(rule, text, out)
        key = (*(part.text if part.origin is None else part.origin for part in parts), rule.source)
        template = self._parsed.get(key)
        if template is None:
            template = self._parsed[key] = parse_output(text, rule.source)
        if isinstance(template, Diagnostic):
            _report(rule, text, template, out)
            return None
        for warning in template.warnings:
            out.warn(with_trail(warning), rule.output_context)
        if not all(self._check_format(rule, form, out) for form in formats):
            return None
        return Output(text.text, template)

    def _check_format(self, rule: RuleDef, form: str, out: Findings) -> bool:
        """Check the format of a field that the configuration adds to alerts."""
        found = parse_output(SourceText("append_output", form), rule.source)
        if isinstance(found, Diagnostic):
            out.error(found, rule.output_context)
            return False
        for warning in found.warnings:
            out.warn(warning, rule.output_context)
        return True


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
