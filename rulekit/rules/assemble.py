"""Collected definitions → rules: lists, macros and exceptions put together, then checked.

Runs after every file over everything read so far, in Falco's order: lists, macro conditions,
references of macros, then rule by rule: exceptions, output, condition, references, fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from rulekit.rules._read import measured
from rulekit.rules.ast import ReadItems
from rulekit.rules.check import CheckResult, check_condition
from rulekit.rules.definitions import Entry, ExceptionDef, MacroDef, RuleDef
from rulekit.rules.event_types import EventTypes, event_names
from rulekit.rules.exceptions import exception_parts
from rulekit.rules.expand import (
    Condition,
    Known,
    MacroError,
    resolve,
)
from rulekit.rules.falco_config import AppendOutput
from rulekit.rules.findings import Context, Findings
from rulekit.rules.lists import (
    ExpandedList,
    ExpansionTooLarge,
    ListTable,
    TextCache,
    expand_lists,
)
from rulekit.rules.merge import Collector
from rulekit.rules.outputs import OutputChecker
from rulekit.rules.parser import ConditionSyntaxError, parse_condition
from rulekit.rules.references import explain_macro, with_macros
from rulekit.rules.ruleset import ExceptionBlock, Rule
from rulekit.rules.shared import SharedTrees
from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.text.pieced import Part, joined, with_trail
from rulekit.text.source import SourceText, Span

_SKIPPABLE = frozenset({"unknown-field", "event-type"})


@dataclass(slots=True)
class Assembled:
    """What one run over the definitions gives."""

    lists: dict[str, ExpandedList] = field(default_factory=dict)
    written: dict[str, Condition] = field(default_factory=dict)
    macros: dict[str, Condition] = field(default_factory=dict)
    used_macros: set[str] = field(default_factory=set)
    rules: list[Rule] = field(default_factory=list)


class Assembler:
    """Puts definitions together; keeps what does not change from one file to the next.

    Args:
        extras: Texts to append to the outputs of rules.
    """

    def __init__(self, extras: Sequence[AppendOutput] = ()) -> None:
        self.outputs = OutputChecker(extras)
        self.texts: TextCache = {}
        self._parsed: dict[tuple[object, ...], Condition] = {}
        self._lists: dict[str, ReadItems] = {}
        self.known = Known()
        self.shared = SharedTrees()
        self._checked: dict[tuple[object, str], CheckResult] = {}
        self._events: dict[tuple[int, str], tuple[str, ...]] = {}

    def assemble(self, collector: Collector, out: Findings) -> Assembled:
        """Return everything that could be put together.

        Raises:
            LoadStop: At the first error, when `out` is strict.
        """
        return _Run(self, collector, out).run()

    def parse(self, text: SourceText, key: tuple[object, ...]) -> Condition:
        """Parse a condition, or take it from an earlier run under the key of its text."""
        found = self._parsed.get(key)
        if found is None:
            node = parse_condition(text, lists=self._lists)
            meaning = self.known.meaning(text.text)
            found = self._parsed[key] = Condition(text, node, *measured(node), meaning)
        return found

    def check(self, condition: Condition, source: str) -> CheckResult:
        """Check a resolved condition, or take the result from an earlier run.

        Files often repeat the macros of others word by word. Where there is nothing to show,
        the result for the same words written elsewhere will do.
        """
        found = self._checked.get((condition.meaning, source))
        if found is None:
            found = self._checked.get((condition, source))
        if found is None:
            found = check_condition(condition.node, source, shared=self.shared)
            key = condition if found.diagnostics else condition.meaning
            self._checked[key, source] = found
        return found

    def events(self, condition: Condition, types: EventTypes, source: str) -> tuple[str, ...]:
        """Return the names of event types, or take them from an earlier run."""
        key = (condition.meaning, source)
        if key not in self._events:
            self._events[key] = event_names(types, source)
        return self._events[key]


class _Run:
    def __init__(self, owner: Assembler, collector: Collector, out: Findings) -> None:
        self.owner = owner
        self.collector = collector
        self.out = out
        self.made = Assembled()
        self.table = ListTable({}, owner.texts)

    def run(self) -> Assembled:
        try:
            self.made.lists = expand_lists(self.collector.lists.values())
        except ExpansionTooLarge as error:
            self._too_large(error, self.collector.lists[error.name].context)
            return self.made
        self.table = ListTable(self.made.lists, self.owner.texts)
        self._macros()
        for rule in self.collector.rules.values():
            if not rule.unknown_source and not (rule.broken and self.out.strict):
                self._rule(rule)
        self._unused()
        return self.made

    def _too_large(self, error: ExpansionTooLarge, context: Context) -> None:
        self.out.fail(
            "RK334",
            "LOAD_ERR_VALIDATE",
            f"putting in list `{error.name}` makes too much text",
            error.span or self.collector.lists[error.name].name_span,
            context,
            label="this list, or lists named in it, stands for too many items",
        )

    # --- macros

    def _macros(self) -> None:
        written, macros = self.made.written, self.made.macros
        for macro in self.collector.macros.values():
            if macro.broken:
                continue
            found = self._parse(_whole(macro.condition), macro, macro.condition_context)
            if found is not None:
                written[macro.name] = macros[macro.name] = found[0]
        for name, condition in written.items():
            if condition.macros:
                macro = self.collector.macros[name]
                resolved = self._resolve(condition, macro, macro.visibility, macro.context)
                if resolved is None:
                    del macros[name]
                    continue
                condition = macros[name] = resolved
            self.owner.shared.add(condition.node)

    def _parse(
        self, whole: Span | list[Part], owner: MacroDef | RuleDef, context: Context
    ) -> tuple[Condition, frozenset[str]] | None:
        """Parse a condition; returns it with the names of the lists that were put in."""
        try:
            text, key, lists = self.table.condition(owner.name_span.source.name, whole)
        except ExpansionTooLarge as error:
            self._too_large(error, context)
            return None
        try:
            return self.owner.parse(text, key), lists
        except ConditionSyntaxError as error:
            for found in error.diagnostics:
                place = context.expression(found.span.source.text, found.span.start)
                self.out.error(with_trail(found), place)
            return None

    def _resolve(
        self, condition: Condition, owner: MacroDef | RuleDef, before: int | None, context: Context
    ) -> Condition | None:
        """Put macros in; `before` limits them to those defined earlier."""
        defined = self.collector.macros

        def visible(name: str) -> bool:
            return before is None or defined[name].index < before

        try:
            return resolve(
                condition, self.made.macros, visible, self.owner.known, self.made.used_macros
            )
        except MacroError as error:
            for found in (error, *error.others):
                self._bad_macro(found, condition, context)
            return None

    def _bad_macro(
        self,
        error: MacroError,
        condition: Condition,
        context: Context,
    ) -> None:
        name, node = error.node.name, error.node
        known = self.collector.macros.get(name)
        if self.collector.incomplete and error.kind == "undefined":
            return
        if ("macro", name) in self.collector.broken or (
            known is not None and name not in self.made.macros
        ):
            # What is wrong with that macro was said before.
            return
        found = explain_macro(error, known, self.collector)
        place = context.expression(condition.text.text, node.span.start)
        self.out.error(with_macros(found, condition, self.made.written), place)

    # --- rules

    def _rule(self, rule: RuleDef) -> None:
        """Compile a rule; of a broken one look only for what else is wrong."""
        parts = self._condition_parts(rule)
        if parts is None:
            return
        errors = len(self.out.errors)
        output = self.owner.outputs.check(rule, self.out)
        if output is None and len(self.out.errors) == errors:
            # Skipped on purpose: the condition is not even read.
            return
        parsed = self._parse(parts, rule, rule.condition_context)
        if parsed is None:
            return
        written, lists = parsed
        condition: Condition | None = written
        if written.macros:
            condition = self._resolve(written, rule, None, rule.context)
        if condition is None:
            # What the macros stand for is not known; what stands beside them is.
            self._check(rule, written, written)
            return
        result = self._check(rule, written, condition)
        if result is None or output is None or rule.broken:
            return
        bound, events = result.bound, result.events
        assert bound is not None
        assert events is not None
        self.made.rules.append(
            Rule(
                rule.name,
                text_of(rule.condition),
                rule.source,
                output.text,
                output.template,
                text_of(rule.desc),
                rule.priority,
                tuple(sorted(rule.tags)),
                rule.enabled,
                tuple(_block(exception) for exception in rule.exceptions),
                written.text,
                written.node,
                condition.node,
                bound,
                self.owner.events(condition, events, rule.source),
                events,
                tuple(written.macros),
                tuple(sorted(lists)),
                rule.name_span,
                tuple(rule.condition),
                tuple(rule.output),
                rule.capture,
                rule.capture_duration_ms,
                rule.warn_evttypes,
                rule.skip_if_unknown_filter,
            )
        )

    def _condition_parts(self, rule: RuleDef) -> Span | list[Part] | None:
        if not rule.exceptions or rule.broken:
            return _whole(rule.condition)
        parts = [Part("("), *joined(rule.condition), Part(")")]
        for exception in rule.exceptions:
            text = exception_parts(exception, self.out)
            if text is None:
                return None
            if text:
                parts += [Part(" and not "), *text]
        return parts

    def _check(self, rule: RuleDef, written: Condition, condition: Condition) -> CheckResult | None:
        result = self.owner.check(condition, rule.source)
        failed = result.bound is None
        skipped = failed and rule.skip_if_unknown_filter and result.error_class in _SKIPPABLE
        for found in result.diagnostics:
            if failed and found.falco == "LOAD_COMPILE_CONDITION":
                continue
            if condition.macros and found.code == "RK208":
                # Said of the rule before.
                continue
            if found.falco == "LOAD_NO_EVTTYPE":
                if rule.warn_evttypes:
                    self._many_events(rule, found)
                continue
            if found.severity != "error" and self.out.full:
                continue
            shown = with_macros(found, written, self.made.written)
            place = rule.condition_context.expression(written.text.text, found.span.start)
            if found.severity != "error":
                if found.falco is None:
                    self.out.note(shown)
                else:
                    self.out.warn(shown, place)
            elif skipped:
                self.out.warn(
                    replace(
                        shown,
                        severity="warning",
                        falco="LOAD_UNKNOWN_FILTER",
                        message=f"{found.message}: rule `{rule.name}` is skipped",
                    ),
                    place,
                )
                break
            else:
                self.out.error(replace(shown, falco="LOAD_ERR_COMPILE_CONDITION"), place)
        return None if failed else result

    def _many_events(self, rule: RuleDef, found: Diagnostic) -> None:
        help_ = f"{found.help}; or `warn_evttypes: false` when it is meant" if found.help else None
        label = Label(rule.name_span, f"rule `{rule.name}`")
        shown = replace(with_trail(found), help=help_, labels=(label,))
        self.out.warn(shown, rule.context)

    # --- what nothing refers to

    def _unused(self) -> None:
        if not self.out.strict and self.out.errors:
            # A rule that failed may be what uses them.
            return
        for macro in self.collector.macros.values():
            if macro.name not in self.made.used_macros and not macro.broken:
                self.out.caution(
                    "RK330",
                    "LOAD_UNUSED_MACRO",
                    f"macro `{macro.name}` is never used",
                    macro.name_span,
                    macro.context,
                )
        for entry in self.made.lists.values():
            definition = entry.definition
            if not entry.used and not definition.broken:
                self.out.caution(
                    "RK331",
                    "LOAD_UNUSED_LIST",
                    f"list `{definition.name}` is never used",
                    definition.name_span,
                    definition.context,
                )


def _whole(spans: list[Span]) -> Span | list[Part]:
    return spans[0] if len(spans) == 1 else joined(spans)


def text_of(spans: list[Span]) -> str:
    """Return the texts that several elements gave, joined with a blank."""
    return spans[0].text if len(spans) == 1 else " ".join([span.text for span in spans])


def _block(exception: ExceptionDef) -> ExceptionBlock:
    fields, comps = exception.fields, exception.comps
    assert fields is not None
    assert comps is not None
    values = tuple(_plain(value) for value in exception.values)
    return ExceptionBlock(exception.name, _plain(fields), _plain(comps), values, exception.span)


def _plain(entry: Entry):  # type: ignore[no-untyped-def]
    return tuple(_plain(item) for item in entry.items) if entry.is_list else entry.text
