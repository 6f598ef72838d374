"""Mutation: which changes of a rule its cases notice.

All mutants of a rule run as rules beside the original, in one pass over each input; a mutant's
alerts take the place of the rule's own, and the cases are judged again. What survives is compared
with the original by the program, and set aside when it is proved to mean the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rulekit.explain.equivalent import equivalent
from rulekit.rules.ruleset import Rule, Ruleset
from rulekit.testing.case import Case
from rulekit.testing.inline import Scenario, scenario
from rulekit.testing.mutants import Mutant, MutantKey, mutants_of
from rulekit.testing.passes import Loader, PassKey, pass_key, rules_key, source_of, unknown_names
from rulekit.testing.pool import Crashed, Job, TimedOut, run_jobs
from rulekit.testing.trial import Trial

MAX_MUTANTS = 400
LIMIT_S = 120.0


@dataclass(slots=True)
class RuleMutation:
    """What became of the mutants of one rule.

    Attributes:
        noticed: What some case noticed, by `Mutant.key`.
        survivors: Those that no case noticed and that mean something else.
        equivalent: Those that are proved to mean the same; they do not count.
        left_out: Mutants beyond `MAX_MUTANTS`.
        problem: Why the rule could not be tried, or None.
    """

    rule: str
    noticed: set[MutantKey] = field(default_factory=set)
    survivors: list[Mutant] = field(default_factory=list)
    equivalent: int = 0
    left_out: int = 0
    problem: str | None = None

    @property
    def killed(self) -> int:
        """Mutants that some case noticed."""
        return len(self.noticed)

    @property
    def total(self) -> int:
        """Mutants that count."""
        return self.killed + len(self.survivors)


def score(found: Sequence[RuleMutation]) -> float:
    """Return the share of mutants that were noticed; 1 without any."""
    total = sum(rule.total for rule in found)
    return sum(rule.killed for rule in found) / total if total else 1.0


def mutate(
    cases: Sequence[Case],
    jobs: int = 1,
    limit_s: float = LIMIT_S,
    progress: Callable[[int, int], None] | None = None,
) -> list[RuleMutation]:
    """Return the result of each rule of which a case speaks.

    Args:
        jobs: Worker processes.
        limit_s: Time limit for all mutants of one rule.
        progress: Called with the number of rules that are done, and of all.
    """
    todo = _tries(cases)
    # Made once, before there are workers: every rule of a folder runs on all of them.
    made = {
        pass_key(case): None if case.events is None else scenario(case.events)
        for each in todo
        for case in each.cases
    }

    def work(number: int, first: int) -> Iterator[RuleMutation]:
        yield _mutate_rule(todo[number], made)

    results: dict[int, RuleMutation] = {}
    for number, _, found in run_jobs([Job(i, (limit_s,)) for i in range(len(todo))], work, jobs):
        name = todo[number].rule.name
        if isinstance(found, TimedOut):
            found = RuleMutation(name, problem=f"took longer than {limit_s:g} s")
        elif isinstance(found, Crashed):
            found = RuleMutation(name, problem=found.reason)
        results[number] = found
        if progress is not None:
            progress(len(results), len(todo))
    return _joined((todo[number], results[number]) for number in sorted(results))


@dataclass(frozen=True, slots=True)
class _Try:
    """One rule with cases that load the same rules.

    Attributes:
        overridden: The cases override macros or lists.
    """

    ruleset: Ruleset
    rule: Rule
    cases: Sequence[Case]
    overridden: bool


def _tries(cases: Sequence[Case]) -> list[_Try]:
    """Return what is to be tried; the rules as they are before those with overrides."""
    loader = Loader()
    groups: dict[PassKey, list[Case]] = {}
    for case in cases:
        if case.xfail is None:
            groups.setdefault(rules_key(case), []).append(case)
    found = []
    for group in groups.values():
        ruleset, _ = loader.load(group[0])
        if ruleset is None:
            continue
        # What cannot be run notices nothing.
        group = [case for case in group if not unknown_names(case, ruleset)]
        if not group:
            continue
        named = {name for case in group for name in case.named_rules()}
        source = source_of(group[0])
        found += [
            _Try(ruleset, rule, group, bool(group[0].macros or group[0].lists))
            for rule in ruleset
            if rule.name in named and rule.source == source
        ]
    return sorted(found, key=lambda each: each.overridden)


def _joined(found: Iterable[tuple[_Try, RuleMutation]]) -> list[RuleMutation]:
    """Return one result a rule; a mutant that is noticed with one set of rules is noticed."""
    by_rule: dict[str, RuleMutation] = {}
    for tried, each in found:
        known = by_rule.setdefault(each.rule, each)
        if known is each:
            continue
        if not tried.overridden:
            keys = {mutant.key for mutant in known.survivors}
            known.survivors += [mutant for mutant in each.survivors if mutant.key not in keys]
            known.noticed |= each.noticed
        else:
            # An override has mutants of its own, which say nothing about the rule.
            known.noticed |= each.noticed & {mutant.key for mutant in known.survivors}
        known.survivors = [m for m in known.survivors if m.key not in known.noticed]
        known.left_out = max(known.left_out, each.left_out)
        known.problem = known.problem or each.problem
    return list(by_rule.values())


def _mutate_rule(each: _Try, made: Mapping[PassKey, Scenario | None]) -> RuleMutation:
    found = RuleMutation(each.rule.name)
    mutants = list(mutants_of(each.rule, each.ruleset))
    found.left_out = max(0, len(mutants) - MAX_MUTANTS)
    trial = Trial(each.ruleset, each.rule, mutants[:MAX_MUTANTS])
    groups: dict[PassKey, list[Case]] = {}
    for case in each.cases:
        groups.setdefault(pass_key(case), []).append(case)
    # Small inputs first: they notice most, and large ones need not try what is noticed.
    for key, group in sorted(groups.items(), key=lambda item: item[1][0].events is None):
        if not trial.alive:
            break
        trial.run(group, made[key])
    alive = [mutants[i] for i in sorted(trial.alive)]
    same = equivalent(each.rule.bound, [mutant.bound for mutant in alive])
    found.noticed = {m.key for m in mutants[:MAX_MUTANTS]} - {m.key for m in alive}
    found.equivalent = sum(same)
    found.survivors = [m for m, proved in zip(alive, same, strict=True) if not proved]
    return found
