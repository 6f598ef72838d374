"""The running whole: rules over one source, alerts out. The path of an event starts in `run`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, BinaryIO

from rulekit._fastmatch import Matcher
from rulekit.alert import Alert
from rulekit.compiler.tables import Program
from rulekit.engine._documents import DocumentLoop
from rulekit.engine._loop import EventLoop
from rulekit.engine.alerts import Loop, compile_output  # noqa: F401 - many import it from here
from rulekit.engine.evaluate import Evaluation
from rulekit.engine.in_force import Choice, InForce
from rulekit.engine.limits import StateLimits
from rulekit.engine.stats import Stats
from rulekit.engine.verdict import Verdict, VerdictPolicy
from rulekit.engine.window import Window
from rulekit.errors import RuleError
from rulekit.sources.base import Source
from rulekit.sources.documents import DocumentFiles
from rulekit.sources.lines import LineReader
from rulekit.sources.opening import open_reader

if TYPE_CHECKING:
    from rulekit.engine.compiled import CompiledRules
    from rulekit.rules.bound import Bound
    from rulekit.rules.falco_config import AppendOutput, Selector
    from rulekit.rules.ruleset import Rule, Ruleset

Progress = Callable[[Loop], None]
Tell = Callable[[str], None]
CapturePath = str | PathLike[str]


class Engine:
    """Runs a ruleset over sources; one engine may be used for many sources, one at a time.

    Args:
        ruleset: Rules to run; only the enabled ones of `source` take part. Of rules compiled before
            (`rulekit.engine.compiled`) all do: which ones, was chosen when they were compiled.
        source: Event source: ``syscall`` for captures; ``k8s_audit`` for audit events of
            Kubernetes and every other name for JSON documents of any kind.
        matching: ``first`` reports the first rule, in the order of definition, that matches an
            event, as Falco does unless told otherwise; ``all`` reports every one.
        min_priority: Rules less urgent than this are left out; None keeps all.
        all_rules: Take rules as enabled that their file disables.
        selectors: Enable or disable rules by name or tag; the last that means a rule decides.
        append_output: Adds fields to the alerts of the rules it matches; texts that it adds to
            outputs are put in when rules are loaded (`rulekit.rules.loader.load_files`).
        hostname: What alerts call the host; None leaves it out for captures, which tell of another
            machine, and is this machine for documents.
        context: Fields that alerts carry besides those of their outputs (`Alert.context`); names
            that the source does not have are left out.
        announce_drops: Yield an alert of the source ``internal`` when events were lost.
        verdicts: What the matches of rules lead to when `decide` is asked.
        limits: How much a run over system calls may remember; None is the defaults.
        caches: False evaluates every condition anew for every event: slow, the same answers.

    Raises:
        RuleError: A rule cannot be run, for example a regular expression without its library.
    """

    def __init__(
        self,
        ruleset: Ruleset | CompiledRules,
        *,
        source: str = "syscall",
        matching: str = "first",
        min_priority: str | None = None,
        all_rules: bool = False,
        selectors: Sequence[Selector] = (),
        append_output: Sequence[AppendOutput] = (),
        hostname: str | None = None,
        context: Sequence[str] = (),
        announce_drops: bool = False,
        verdicts: VerdictPolicy | None = None,
        limits: StateLimits | None = None,
        caches: bool = True,
    ) -> None:
        if matching not in ("all", "first"):
            raise ValueError(f"matching is {matching!r}: say all or first")
        if hostname is None:
            hostname = "" if source == "syscall" else host_name()
        self._choice = Choice(
            source=source,
            first_only=matching == "first",
            caches=caches,
            min_priority=min_priority,
            all_rules=all_rules,
            selectors=selectors,
            append_output=append_output,
            hostname=hostname,
            context=context,
            verdicts=verdicts or VerdictPolicy(),
        )
        self._start(self._choice.of(ruleset), announce_drops, limits)

    def _start(self, in_force: InForce, announce_drops: bool, limits: StateLimits | None) -> None:
        self._in_force = in_force
        self._limits = limits
        self._loop: Loop | None = None
        self.announce_drops = announce_drops
        self.stats = Stats()

    def another(self) -> Engine:
        """Return an engine with the same rules, for another source at the same time."""
        twin = Engine.__new__(Engine)
        twin._choice = self._choice
        twin._start(self._choice.again(self._in_force), self.announce_drops, self._limits)
        return twin

    @property
    def source(self) -> str:
        """Event source of the rules."""
        return self._choice.source

    @property
    def rules(self) -> list[Rule]:
        """The rules that run, in the order of the program; another list after `reload`."""
        return self._in_force.rules

    @property
    def program(self) -> Program:
        """The rules, compiled; another program after `reload`."""
        return self._in_force.program

    @property
    def first_only(self) -> bool:
        """Whether the first rule that matches an event is the only one reported."""
        return self._choice.first_only

    @property
    def hostname(self) -> str:
        """What alerts call the host."""
        return self._choice.hostname

    @property
    def verdicts(self) -> VerdictPolicy:
        """What the matches of rules lead to when `decide` is asked."""
        return self._choice.verdicts

    def compiled(self) -> CompiledRules:
        """Return the rules as they can be written to a file and run without their text."""
        return self._in_force.compiled()

    @property
    def choice(self) -> Choice:
        """What was chosen when the engine was made, or with the last `reload`."""
        return self._choice

    def look(self) -> Stats:
        """Return the figures of the run that is under way, or of the last one; by any thread."""
        stats, loop = self.stats, self._loop
        seen = replace(stats, alerts=dict(stats.alerts), counters=dict(stats.counters))
        if loop is not None:
            loop.fill(seen)
        return seen

    def losses(self) -> dict[str, int]:
        """Return events lost by reason in the run that is under way; by any thread."""
        loop = self._loop
        return dict(loop.losses) if loop is not None else {}

    def tables(self) -> dict[str, int]:
        """Return how many entries the tables of the run that is under way have; by any thread."""
        loop = self._loop
        return loop.tables() if isinstance(loop, EventLoop) else {}

    def reload(
        self,
        ruleset: Ruleset | CompiledRules,
        choice: Choice | None = None,
        *,
        before: Callable[[Program], None] = lambda program: None,
    ) -> None:
        """Exchange the rules; a run that is under way goes on with the new ones at its next event.

        Nothing else changes: processes, descriptors, containers and counters are kept, no event is
        lost or seen twice, and what was chosen when the engine was made (priority, selectors, ...)
        is applied to the new rules. The alerts of an event all come from the same rules. Rules are
        compiled in the calling thread, which may be any one, also the one that runs (in
        `progress`); when it returns, they are in force for every event looked at from then on.

        Args:
            choice: Another one, made from `choice`: same source, same host.
            before: Called with the new program before it comes into force. A live source may have
                been opened for the events of the old rules only: see `Source.prepare`.

        Raises:
            RuleError: A rule cannot be run; the old rules stay in force.
        """
        chosen = choice or self._choice
        ready = chosen.of(ruleset)
        ready.prepare()
        before(ready.program)
        self._choice = chosen
        self._in_force = ready
        loop = self._loop
        if loop is not None:
            loop.interrupt()

    def decide(self, document: bytes | str | object, *, alerts: bool = False) -> Verdict:
        """Return whether something may happen: what all rules together say about a document.

        May be called by any number of threads at once; never raises because of a document.

        Args:
            document: JSON as bytes or text, or what becomes JSON: a dict, a list. For rules of
                ``k8s_audit`` an audit event or a list of them (their time may be missing), an
                AdmissionReview, or an object of Kubernetes that is to be created.
            alerts: Also render the alerts of the rules that matched.

        Raises:
            RulekitError: The rules of this engine are about system calls.
        """
        return self._in_force.judge.decide(document, alerts)

    def evaluate(self, text: bytes) -> Evaluation:
        """Return the alerts of documents in memory, as `run` would yield them.

        May be called by any number of threads at once. A document that cannot be evaluated does no
        harm to the others; an audit event without a time is of now. `stats` is left alone.

        Args:
            text: JSON: documents one after the other, in arrays, or an EventList.
        """
        rules = self._in_force
        found, events, left_out, problem, _ = rules.evaluators.evaluate(text, rules.builder.build)
        return Evaluation(tuple(found), events, left_out, problem or "")

    def run(
        self,
        source: CapturePath | LineReader | BinaryIO | Source,
        *,
        progress: Progress | None = None,
        window: Window | None = None,
        on_problem: Tell | None = None,
    ) -> Generator[Alert, None, None]:
        """Yield the alerts of a source in the order of its events.

        Args:
            source: A capture, a log of Linux audit, or documents: a file, a folder, ``-``, an open
                binary file; a `Source`; a reader of documents.
            window: Only the events in it can match; those before it still feed the state.
            on_problem: Called with a message for the first documents that are left out because they
                are malformed; all of them are counted in `stats`.

        Raises:
            SourceError: The source cannot be read, or breaks off; alerts of everything before the
                damage were yielded, and `stats` is valid.
        """
        rules = self._in_force
        loop = open_loop(
            source,
            rules.matcher(),
            self.source,
            window=window,
            on_problem=on_problem,
            limits=self._limits,
        )
        rules.builder.begin()
        self.stats = stats = Stats()
        started, cpu = time.perf_counter(), time.process_time()
        self._loop = loop
        try:
            while True:
                # Before the first event too: until now nobody could interrupt the loop.
                if self._in_force is not rules:
                    rules = self._exchange(rules, loop)
                found = loop.next()
                if found is None:
                    break
                if self.announce_drops and (told := rules.builder.drops(loop)) is not None:
                    yield told
                if found:
                    for index in loop.matched():
                        alert = rules.builder.build(loop, index)
                        stats.alerts[alert.rule] = stats.alerts.get(alert.rule, 0) + 1
                        yield alert
                elif progress is not None:
                    progress(loop)
            if self.announce_drops and (told := rules.builder.drops(loop)) is not None:
                yield told
            stats.complete = True
        finally:
            self._loop = None
            stats.elapsed_s = time.perf_counter() - started
            stats.cpu_s = time.process_time() - cpu
            loop.fill(stats)
            loop.close()

    def _exchange(self, old: InForce, loop: Loop) -> InForce:
        """Let a loop that stands between two events go on with the rules that are in force now."""
        new = self._in_force
        new.builder.resume(old.builder)
        loop.exchange(new.matcher())
        self.stats.reloads += 1
        return new


def open_loop(
    source: CapturePath | LineReader | BinaryIO | Source,
    matcher: Matcher | None,
    event_source: str = "syscall",
    *,
    window: Window | None = None,
    on_problem: Tell | None = None,
    limits: StateLimits | None = None,
) -> Loop:
    """Return the loop that runs a matcher over a source; without a matcher it stops at every event.

    Args:
        event_source: What the rules are about: ``syscall`` reads a capture or a log of Linux audit,
            all others documents.

    Raises:
        SourceError: The source cannot be opened.
    """
    if not isinstance(source, LineReader):
        if event_source == "syscall":
            return EventLoop(open_reader(source), matcher, window=window, limits=limits)
        if isinstance(source, Source):
            raise ValueError(f"{source.path} has no documents")
        source = DocumentFiles(source)
    return DocumentLoop(source, matcher, source=event_source, window=window, on_problem=on_problem)


def host_name() -> str:
    """Return what alerts call this machine."""
    # As `platform.node` does, which takes longer to import.
    return os.environ.get("FALCO_HOSTNAME") or os.uname().nodename


def bind(condition: str, source: str = "syscall") -> Bound:
    """Return one stand-alone condition over the fields of a source, checked.

    Raises:
        RuleError: It cannot be parsed, or does not fit the fields.
    """
    # Not at the top: rules that were compiled before need nothing of this.
    from rulekit.rules.check import check_condition
    from rulekit.rules.parser import parse_condition
    from rulekit.text.source import SourceText

    node = parse_condition(SourceText("condition", condition), max_depth=100)
    result = check_condition(node, source, stand_alone=True)
    if result.bound is None:
        raise RuleError(result.diagnostics[0].message, result.diagnostics)
    return result.bound
