"""All mutants of one rule, run beside the rules of its cases in one pass over each input."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field

from rulekit._fastmatch import Matcher
from rulekit.alert import Alert
from rulekit.compiler.program import Program, compile_ruleset
from rulekit.engine.alerts import AlertBuilder
from rulekit.engine.pipeline import open_loop
from rulekit.errors import SourceError
from rulekit.rules.falco_config import AppendOutput
from rulekit.rules.ruleset import Rule, Ruleset
from rulekit.rules.selection import select_rules
from rulekit.testing.case import Case
from rulekit.testing.inline import Scenario
from rulekit.testing.judge import judge
from rulekit.testing.mutants import Mutant
from rulekit.testing.passes import Pass, wanted_fields


@dataclass(slots=True)
class _Company:
    """The rules that run beside the mutants.

    Attributes:
        number: Position of the rule that the mutants are of.
        program: The rules, then the mutants.
        builders: By what is added to alerts.
    """

    rules: list[Rule]
    number: int
    program: Program
    builders: dict[tuple[AppendOutput, ...], AlertBuilder] = field(default_factory=dict)


@dataclass(slots=True)
class _Seen:
    """One event on which a rule or a mutant matched.

    Attributes:
        own: Rules that match, in their order.
        mutants: Those that match and are alive.
        alerts: By rule, of those that match; if a mutant does, also of the rule that it is of.
    """

    own: list[int]
    mutants: set[int]
    alerts: dict[int, Alert]


class Trial:
    """Tries the mutants of a rule on one input after the other.

    Attributes:
        alive: Positions of the mutants that no case has noticed yet.
    """

    def __init__(self, ruleset: Ruleset, rule: Rule, mutants: Sequence[Mutant]) -> None:
        self.ruleset = ruleset
        self.rule = rule
        self.mutants = mutants
        self.alive = set(range(len(mutants)))
        self._companies: dict[bool, _Company | None] = {}

    def run(self, cases: Sequence[Case], made: Scenario | None) -> None:
        """Take from the living what cases with one input notice.

        Args:
            made: Their inline events, or None: they have a capture.
        """
        case = cases[0]
        company = self._company(case.all_rules)
        if company is None:
            return
        seen = self._look(case, made, company, self._builder(company, cases))

        def passed(hits: tuple[int, ...] | None) -> Pass:
            alerts: list[Alert] = []
            for k, each in enumerate(seen):
                rules = each.own
                if hits is not None:
                    others = {i for i in rules if i != company.number}
                    rules = sorted(others | {company.number} if k in hits else others)
                alerts += [
                    each.alerts[i] for i in (rules[:1] if case.matching == "first" else rules)
                ]
            return Pass(self.ruleset, tuple(alerts), made)

        # A case that fails anyway notices nothing.
        cases = [each for each in cases if judge(each, passed(None)).good]
        if not cases:
            return
        verdicts: dict[tuple[int, ...], bool] = {}
        for i in list(self.alive):
            hits = tuple(k for k, each in enumerate(seen) if i in each.mutants)
            if hits not in verdicts:
                found = passed(hits)
                verdicts[hits] = all(not judge(each, found).failures for each in cases)
            if not verdicts[hits]:
                self.alive.discard(i)

    def _look(
        self, case: Case, made: Scenario | None, company: _Company, builder: AlertBuilder
    ) -> list[_Seen]:
        events = str(case.capture) if made is None else io.BytesIO(made.data)
        loop = open_loop(events, Matcher(company.program), self.rule.source)
        builder.begin()
        n_rules = len(company.rules)
        seen = []
        try:
            while (hit := loop.next()) is not None:
                if not hit:
                    continue
                matched = loop.matched()
                own = [i for i in matched if i < n_rules]
                mutants = {i - n_rules for i in matched if i >= n_rules} & self.alive
                if not own and not mutants:
                    continue
                wanted = {*own, company.number} if mutants else set(own)
                seen.append(_Seen(own, mutants, {i: builder.build(loop, i) for i in wanted}))
        except SourceError:
            pass  # the case itself fails over it
        finally:
            loop.close()
        return seen

    def _company(self, all_rules: bool) -> _Company | None:
        """Return the rules that a case runs, None when the rule is not among them."""
        if all_rules not in self._companies:
            chosen = select_rules(self.ruleset, all_rules=all_rules)
            rules = [rule for rule in chosen if rule.source == self.rule.source]
            number = next((i for i, each in enumerate(rules) if each.name == self.rule.name), None)
            found = None
            if number is not None:
                program = compile_ruleset(
                    [(each.name, each.bound, None) for each in rules]
                    + [(f"mutant {i}", each.bound, None) for i, each in enumerate(self.mutants)]
                )
                found = _Company(rules, number, program)
            self._companies[all_rules] = found
        return self._companies[all_rules]

    def _builder(self, company: _Company, cases: Sequence[Case]) -> AlertBuilder:
        wanted = tuple(wanted_fields(cases, self.ruleset))
        if wanted not in company.builders:
            builder = AlertBuilder(company.rules, self.rule.source, wanted, "")
            company.builders[wanted] = builder
        return company.builders[wanted]
