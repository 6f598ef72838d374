"""The rules that an engine runs at a time, compiled: what a reload exchanges as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from rulekit._fastmatch import Matcher
from rulekit.alert import priority_number
from rulekit.compiler import compile
from rulekit.compiler.tables import Program
from rulekit.engine.alerts import AlertBuilder
from rulekit.engine.compiled import CompiledRules, compiled_rules
from rulekit.engine.evaluate import Evaluators
from rulekit.engine.judge import Judge
from rulekit.engine.verdict import VerdictPolicy
from rulekit.errors import RuleError
from rulekit.native.garbage import without_collecting
from rulekit.rules.priority import Priority
from rulekit.rules.selection import select_rules
from rulekit.rules.static import static_fields

if TYPE_CHECKING:
    from rulekit.rules.falco_config import AppendOutput, Selector
    from rulekit.rules.ruleset import Rule, Ruleset


@dataclass(frozen=True, slots=True)
class Choice:
    """How an engine makes what it runs of a ruleset; see the arguments of `Engine`."""

    source: str
    first_only: bool
    caches: bool
    min_priority: str | None
    all_rules: bool
    selectors: Sequence[Selector]
    append_output: Sequence[AppendOutput]
    hostname: str
    context: Sequence[str]
    verdicts: VerdictPolicy

    def of(self, ruleset: Ruleset | CompiledRules) -> InForce:
        """Return the rules that take part, compiled.

        Raises:
            RuleError: A rule cannot be run; compiled rules are for another source.
        """
        if isinstance(ruleset, CompiledRules):
            if ruleset.source != self.source:
                raise RuleError(
                    f"the rules were compiled for the source {ruleset.source}, not {self.source}"
                )
            # They have what an engine reads of rules; what they were made from is gone.
            rules = cast("list[Rule]", list(ruleset.rules))
            return self._made(rules, ruleset.program, ruleset.static_fields, ruleset.warnings)
        # One search for garbage among the rules of a large ruleset takes as long as compiling them.
        with without_collecting():
            chosen = select_rules(
                ruleset,
                selectors=self.selectors,
                min_priority=Priority(priority_number(self.min_priority or "debug")),
                all_rules=self.all_rules,
            )
            rules = [rule for rule in chosen if rule.source == self.source]
            program = compile(rules)
        return self._made(rules, program, ruleset.static_fields, ruleset.warnings)

    def again(self, current: InForce) -> InForce:
        """Return the same rules, compiled before, for another engine."""
        return self._made(current.rules, current.program, current.constants, current.warnings)

    def _made(
        self, rules: list[Rule], program: Program, constants: Mapping[str, str], warnings: int
    ) -> InForce:
        with static_fields(constants), without_collecting():
            builder = AlertBuilder(
                rules, self.source, self.append_output, self.hostname, self.context
            )
        return InForce(
            rules,
            program,
            builder,
            Evaluators(program, self.source, first_match=self.first_only),
            Judge(program, rules, self.source, self.verdicts, builder.build),
            self,
            constants,
            warnings,
        )


@dataclass(slots=True, eq=False)
class InForce:
    """Rules that an engine runs, with everything that is made of them."""

    rules: list[Rule]
    program: Program
    builder: AlertBuilder
    evaluators: Evaluators
    judge: Judge
    choice: Choice
    constants: Mapping[str, str]
    warnings: int
    _ready: list[Matcher] = field(default_factory=list)

    def compiled(self) -> CompiledRules:
        """Return what can be written to a file and run again without the text of the rules."""
        return compiled_rules(
            self.rules, self.program, self.choice.source, self.constants, self.warnings
        )

    def prepare(self) -> None:
        """Make a matcher now, so that the loop that takes it need not wait."""
        self._ready.append(self._matcher())

    def matcher(self) -> Matcher:
        """Return a matcher that nobody else uses."""
        try:
            return self._ready.pop()
        except IndexError:
            return self._matcher()

    def _matcher(self) -> Matcher:
        choice = self.choice
        return Matcher(self.program, first_match=choice.first_only, caches=choice.caches)
