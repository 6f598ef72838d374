"""Running events through rules for cases; those with the same rules and events share one pass."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from rulekit.alert import Alert
from rulekit.errors import RuleError, SourceError
from rulekit.rules.falco_config import AppendOutput
from rulekit.rules.loader import load_files
from rulekit.rules.names import close_to
from rulekit.rules.ruleset import Ruleset
from rulekit.sources.detect import detect_source
from rulekit.sources.opening import event_source_of
from rulekit.testing.case import Case, override_text
from rulekit.testing.inline import Scenario, scenario
from rulekit.testing.inline_audit import is_audit
from rulekit.text.diagnostic import Diagnostic

if TYPE_CHECKING:
    from rulekit.engine.pipeline import Engine

PassKey: TypeAlias = "tuple[object, ...]"


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over events gave.

    Attributes:
        ruleset: The rules that took part, or None.
        alerts: In the order of events; expected fields that the output lacks are among theirs.
        scenario: The inline events, or None for a capture.
        diagnostics: Why the rules cannot be used.
        error: Why the events could not be read, or not all of them, or None.
    """

    ruleset: Ruleset | None
    alerts: tuple[Alert, ...] = ()
    scenario: Scenario | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    error: str | None = None

    def position(self, alert: Alert) -> int:
        """Return where an alert is, as the case counts: an entry, or a raw position."""
        return alert.event if self.scenario is None else self.scenario.entry_of(alert.event)

    def place(self, alert: Alert) -> str:
        """Return the same in words: ``event 12``, ``entry 3``."""
        return f"{'event' if self.scenario is None else 'entry'} {self.position(alert)}"

    def events_of(self, case: Case) -> str | bytes:
        """Return the events of a case that has this pass, for another look."""
        return str(case.capture) if self.scenario is None else self.scenario.data


def source_of(case: Case) -> str:
    """Return the event source that a case has events of."""
    if case.capture is not None:
        return event_source_of(detect_source(case.capture)[0])
    return "k8s_audit" if is_audit(case.events) else "syscall"


def rules_key(case: Case) -> PassKey:
    """Return what decides which rules a case runs."""
    return (
        source_of(case),
        case.rules,
        tuple(sorted(case.macros.items())),
        tuple(sorted(case.lists.items())),
    )


def pass_key(case: Case) -> PassKey:
    """Return what decides what a case's pass gives; cases with equal keys can share it."""
    events = case.capture if case.events is None else repr(case.events)
    return (rules_key(case), events, case.matching, case.all_rules)


@dataclass(slots=True)
class Loader:
    """Loads and compiles the rules of cases, each combination once."""

    known: dict[PassKey, tuple[Ruleset | None, tuple[Diagnostic, ...]]] = field(
        default_factory=dict
    )
    engines: dict[PassKey, Engine] = field(default_factory=dict)

    def load(self, case: Case) -> tuple[Ruleset | None, tuple[Diagnostic, ...]]:
        """Return the rules of a case, or None and why."""
        key = rules_key(case)
        if key not in self.known:
            self.known[key] = self._load(case)
        return self.known[key]

    def engine(self, cases: Sequence[Case], ruleset: Ruleset) -> Engine:
        """Return what runs the rules of cases that share a pass.

        Raises:
            RuleError: A rule cannot be run.
        """
        from rulekit.engine.pipeline import Engine

        case = cases[0]
        # What others expect of unknown names is told when they are judged.
        usable = [each for each in cases if not unknown_names(each, ruleset)]
        wanted = tuple(wanted_fields(usable, ruleset))
        key = (rules_key(case), case.matching, case.all_rules, wanted)
        if key not in self.engines:
            self.engines[key] = Engine(
                ruleset,
                source=source_of(case),
                matching=case.matching,
                all_rules=case.all_rules,
                append_output=wanted,
            )
        return self.engines[key]

    def _load(self, case: Case) -> tuple[Ruleset | None, tuple[Diagnostic, ...]]:
        files: list[Path | object] = list(case.rules)
        sources = {"syscall", source_of(case)}
        override = override_text(case)
        if override is not None:
            plain = load_files(case.rules, sources=sources)
            if plain.ruleset is not None:
                wrong = _unknown_overrides(case, plain.ruleset)
                if wrong:
                    return None, tuple(wrong)
            files.append(override)
        result = load_files(files, sources=sources)  # type: ignore[arg-type]
        if result.ruleset is None or not result.ok:
            errors = [found for found in result.diagnostics if found.severity == "error"]
            return None, tuple(errors or result.fatal)
        return result.ruleset, ()


def _unknown_overrides(case: Case, ruleset: Ruleset) -> Iterable[Diagnostic]:
    kinds: tuple[tuple[str, Iterable[str], Iterable[str]], ...] = (
        ("macro", case.macros, ruleset.macros),
        ("list", case.lists, ruleset.lists),
    )
    return [
        _unknown(f"no {kind} is called `{name}`", name, known, case, name)
        for kind, names, known in kinds
        for name in names
        if name not in known
    ]


def _unknown(message: str, name: str, known: Iterable[str], case: Case, key: str) -> Diagnostic:
    close = close_to(name, known)
    help_ = f"did you mean `{close}`?" if close else None
    return Diagnostic("RK606", "error", message, case.overridden[key], "", help_)


def unknown_names(case: Case, ruleset: Ruleset) -> list[Diagnostic]:
    """Return a diagnostic for each rule and field that a case expects and nobody knows."""
    from rulekit.engine.alerts import compile_output

    names = {rule.name for rule in ruleset}
    found = []
    source = source_of(case)
    for name, span in case.named_rules().items():
        if name not in names:
            close = close_to(name, names)
            help_ = f"did you mean `{close}`?" if close else None
            message = f"no rule is called `{name}`"
            found.append(Diagnostic("RK606", "error", message, span, "", help_))
        elif ruleset.rule(name).source != source:
            message = f"`{name}` is about {ruleset.rule(name).source} events"
            label = f"the case has {source} events"
            found.append(Diagnostic("RK606", "error", message, span, label))
    for expectation in case.expect:
        source = ruleset.rule(expectation.rule).source if expectation.rule in names else "syscall"
        for (name, _), span in zip(expectation.fields, expectation.field_spans, strict=True):
            try:
                compile_output(f"%{name}", source)
            except RuleError as error:
                help_ = error.diagnostics[0].help if error.diagnostics else None
                message = f"no field is called `{name}`"
                found.append(Diagnostic("RK606", "error", message, span, "", help_))
    return found


def run_pass(cases: Sequence[Case], loader: Loader) -> Pass:
    """Make the pass that some cases share; all have the same `pass_key`."""
    case = cases[0]
    ruleset, diagnostics = loader.load(case)
    if ruleset is None:
        return Pass(None, diagnostics=diagnostics)
    made = None if case.events is None else scenario(case.events)
    try:
        engine = loader.engine(cases, ruleset)
    except RuleError as error:
        return Pass(ruleset, scenario=made, error=str(error))
    alerts: list[Alert] = []
    problems: list[str] = []
    source = str(case.capture) if made is None else io.BytesIO(made.data)
    try:
        alerts.extend(engine.run(source, on_problem=problems.append))
    except SourceError as problem:
        return Pass(ruleset, tuple(alerts), made, error=str(problem))
    # A document that is left out could make a case pass that expects silence.
    return Pass(ruleset, tuple(alerts), made, error=problems[0] if problems else None)


def wanted_fields(cases: Sequence[Case], ruleset: Ruleset) -> list[AppendOutput]:
    """Return what to add to alerts so that every expected field is among their fields."""
    wanted: dict[str, dict[str, None]] = {}
    for case in cases:
        for expectation in case.expect:
            known = ruleset.rule(expectation.rule).output_fields
            names = [name for name, _ in expectation.fields if name not in known]
            wanted.setdefault(expectation.rule, {}).update(dict.fromkeys(names))
    return [
        AppendOutput(rule=rule, extra_fields=tuple((name, None) for name in names))
        for rule, names in wanted.items()
        if names
    ]
