"""A match becomes an alert: output rendered, identity fixed, what was lost before it counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rulekit.alert import Alert, alert_id, internal_alert
from rulekit.compiler.tables import WITH_MEMORY
from rulekit.engine._documents import DocumentLoop
from rulekit.engine._loop import EventLoop
from rulekit.engine.compiled import CompiledRule
from rulekit.errors import RuleError
from rulekit.state._outputs import OutputProgram

if TYPE_CHECKING:
    from rulekit.rules.falco_config import AppendOutput
    from rulekit.rules.output_template import OutputTemplate
    from rulekit.rules.ruleset import Rule
    from rulekit.text.diagnostic import Diagnostic

Loop = EventLoop | DocumentLoop

# Falco's name for it, so that what looks for it finds ours as well.
DROPS_RULE = "Falco internal: syscall event drop"
_AUDIT = "k8s_audit"


class AlertBuilder:
    """Makes the alerts of one engine; for one thread.

    Args:
        rules: In the order of the program.
        append_output: Adds fields to the alerts of the rules it matches.
        hostname: What alerts call the host.
        context: Fields for `Alert.context`; those that the source does not have are left out.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        source: str,
        append_output: Sequence[AppendOutput],
        hostname: str,
        context: Sequence[str] = (),
    ) -> None:
        self._rules = rules
        self._hostname = hostname
        self._outputs = _output_programs(rules)
        self._extras = [_extra_fields(rule, append_output) for rule in rules]
        # Worked out at a rule's first alert: most rules never have one.
        self._hashes: list[str] = [""] * len(rules)
        self._context = _context(context, source)
        self._event_id = (
            compile_output("%ka.auditid/%ka.stage", source) if source == _AUDIT else None
        )
        self._drops_seen = 0
        self._drops_told = 0
        self._losses_told: dict[str, int] = {}

    def begin(self) -> None:
        """Start with another source: nothing is lost yet."""
        self._drops_seen = self._drops_told = 0
        self._losses_told = {}

    def resume(self, other: AlertBuilder) -> None:
        """Go on with a source where another builder was."""
        self._drops_seen, self._drops_told = other._drops_seen, other._drops_told

    def build(self, loop: Loop, index: int) -> Alert:
        """Return the alert of a rule for the current event of a loop."""
        rule = self._rules[index]
        message, fields = loop.render(self._outputs[index])
        for key, output, is_raw in self._extras[index]:
            text, values = loop.render(output)
            fields[key] = values[key] if is_raw else text
        rule_hash = self._hashes[index]
        if not rule_hash:
            rule_hash = self._hashes[index] = _hash_of(rule)
        event_id = ""
        if self._event_id is not None and isinstance(loop, DocumentLoop):
            event_id = loop.message(self._event_id)
        context: Mapping[str, Any] = {}
        missing = None
        if self._context is not None:
            context = loop.render(self._context)[1]
            missing = _missing(context)
        time_ns, position, drops = loop.ts_ns, loop.raw, loop.n_drops
        lost, self._drops_seen = drops - self._drops_seen, drops
        return Alert(
            time_ns=time_ns,
            rule=rule.name,
            priority=rule.priority.label,
            message=message,
            output_fields=fields,
            tags=rule.tags,
            source=rule.source,
            hostname=self._hostname,
            event=position,
            event_id=event_id,
            id=alert_id(rule_hash, rule.source, self._hostname, time_ns, event_id or str(position)),
            rule_hash=rule_hash,
            description=rule.desc,
            context=context,
            drops=lost,
            missing=missing,
        )

    def drops(self, loop: Loop) -> Alert | None:
        """Return an alert about events lost since the last call, or None."""
        total, position = loop.n_drops, loop.n_events
        lost = total - self._drops_told
        if not lost:
            return None
        self._drops_told = total
        told, self._losses_told = self._losses_told, dict(loop.losses)
        reasons = {
            f"n_drops_{name}": n - told.get(name, 0)
            for name, n in self._losses_told.items()
            if n != told.get(name, 0)
        }
        noun = "system call" if lost == 1 else "system calls"
        return internal_alert(
            DROPS_RULE,
            "Warning",
            f"{DROPS_RULE}: {lost} {noun} lost before the rules saw them",
            {"n_drops": lost, **reasons, "n_evts": position},
            time_ns=loop.ts_ns,
            hostname=self._hostname,
            event=position,
        )


def compile_output(text: str, source: str = "syscall", *, buffers: str = "dots") -> OutputProgram:
    """Return a format text over the fields of a source, ready to render.

    Args:
        text: Text with fields.
        buffers: How byte buffers are printed, see `OutputProgram`.

    Raises:
        RuleError: It names an unknown field.
    """
    template = _parsed(text, source)
    if not hasattr(template, "parts"):
        raise RuleError(template.message, (template,))
    return OutputProgram(template, buffers=buffers)


def _parsed(text: str, source: str) -> OutputTemplate | Diagnostic:
    # Not at the top: rules that were compiled before need nothing of this.
    from rulekit.rules.output import parse_output
    from rulekit.text.source import SourceText

    return parse_output(SourceText("format", text), source)


def _hash_of(rule: Rule | CompiledRule) -> str:
    if isinstance(rule, CompiledRule):
        return rule.rule_hash
    from rulekit.rules.fingerprint import fingerprint

    return fingerprint(rule)


def _output_programs(rules: Sequence[Rule]) -> list[OutputProgram]:
    """Return what renders the output of each rule; one for all outputs of the same words."""
    made: dict[int, OutputProgram] = {}
    programs = []
    for rule in rules:
        # Templates that were compiled before have no places.
        template = getattr(rule.template, "unplaced", rule.template)
        program = made.get(id(template))
        if program is None:
            program = OutputProgram(template)
            names = {bound.field.name for _, bound in template.fields}
            if names.isdisjoint(WITH_MEMORY):
                made[id(template)] = program
        programs.append(program)
    return programs


def _extra_fields(
    rule: Rule, append_output: Sequence[AppendOutput]
) -> list[tuple[str, OutputProgram, bool]]:
    """Return what is added to the fields of alerts: key, output, whether it is one field."""
    return [
        (key, compile_output(f"%{key}" if form is None else form, rule.source), form is None)
        for extra in append_output
        if extra.matches(rule.source, rule.name, rule.tags)
        for key, form in extra.extra_fields
    ]


def _context(fields: Sequence[str], source: str) -> OutputProgram | None:
    """Return one output of all the fields that a source has, or None."""
    known = []
    for name in fields:
        if hasattr(_parsed(f"%{name}", source), "parts"):
            known.append(name)
    return compile_output(" ".join(f"%{name}" for name in known), source) if known else None


def _missing(context: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what of the surroundings of an event is not known."""
    missing = []
    if "proc.name" in context and not context["proc.name"]:
        missing.append("process")
    if context.get("container.id") not in (None, "", "host") and not context.get("container.name"):
        missing.append("container")
    return tuple(missing)
