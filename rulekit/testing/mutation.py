"""Mutation: which changes of a rule its cases notice.

All mutants of a rule run as rules beside the original, in one pass over each input; a mutant's
alerts take the place of the rule's own, and the cases are judged again. What survives is compared
with the original by the program, and set aside when it is proved to mean the same.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rulekit._fastmatch import Matcher
from rulekit.alert import Alert
from rulekit.compiler.program import compile_ruleset
from rulekit.engine.pipeline import Engine, open_loop
from rulekit.errors import SourceError
from rulekit.explain.equivalent import equivalent
from rulekit.rules.ruleset import Rule, Ruleset
from rulekit.testing.case import Case
from rulekit.testing.judge import judge
from rulekit.testing.mutants import Mutant, MutantKey, mutants_of
from rulekit.testing.passes import Loader, Pass, pass_key, rules_key, source_of, wanted_fields
from rulekit.testing.pool import Crashed, Job, TimedOut, run_jobs

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

    def work(number: int, first: int) -> Iterator[RuleMutation]:
        each = todo[number]
        yield _mutate_rule(each.ruleset, each.rule, each.cases)

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
    groups: dict[object, list[Case]] = {}
    for case in cases:
        if case.xfail is None:
            groups.setdefault(rules_key(case), []).append(case)
    found = []
    for group in groups.values():
        ruleset, _ = loader.load(group[0])
        if ruleset is None:
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


def _mutate_rule(ruleset: Ruleset, rule: Rule, cases: Sequence[Case]) -> RuleMutation:
    found = RuleMutation(rule.name)
    mutants = list(mutants_of(rule, ruleset))
    found.left_out = max(0, len(mutants) - MAX_MUTANTS)
    alive = mutants[:MAX_MUTANTS]
    groups: dict[object, list[Case]] = {}
    for case in cases:
        groups.setdefault(pass_key(case), []).append(case)
    # Small inputs first: they notice most, and large ones need not try what is noticed.
    for group in sorted(groups.values(), key=lambda group: group[0].events is None):
        if not alive:
            break
        kept = _survivors(ruleset, rule, group, alive)
        found.noticed |= {m.key for m in alive} - {m.key for m in kept}
        alive = kept
    same = equivalent(rule.bound, [mutant.bound for mutant in alive])
    found.equivalent = sum(same)
    found.survivors = [m for m, proved in zip(alive, same, strict=True) if not proved]
    return found


def _survivors(
    ruleset: Ruleset, rule: Rule, cases: Sequence[Case], mutants: Sequence[Mutant]
) -> list[Mutant]:
    """Return the mutants that none of some cases with one input notices."""
    from rulekit.testing.inline import scenario

    case = cases[0]
    made = None if case.events is None else scenario(case.events)
    engine = Engine(
        ruleset,
        source=rule.source,
        matching=case.matching,
        all_rules=case.all_rules,
        append_output=wanted_fields(cases, ruleset),
    )
    number = next((i for i, each in enumerate(engine.rules) if each.name == rule.name), None)
    if number is None:
        return list(mutants)
    n_rules = len(engine.rules)
    program = compile_ruleset(
        [(each.name, each.bound, None) for each in engine.rules]
        + [(f"mutant {i}", mutant.bound, None) for i, mutant in enumerate(mutants)]
    )
    events = str(case.capture) if made is None else io.BytesIO(made.data)
    loop = open_loop(events, Matcher(program), rule.source)
    # Per event of interest: the rules that match, and what the rule's own alert would be.
    seen: list[tuple[int, list[int], set[int], dict[int, Alert]]] = []
    try:
        while (hit := loop.next()) is not None:
            if not hit:
                continue
            matched = loop.matched()
            own = [i for i in matched if i < n_rules]
            changed = {i - n_rules for i in matched if i >= n_rules}
            wanted = {*own, number} if changed else set(own)
            seen.append(
                (loop.raw, own, changed, {i: engine.builder.build(loop, i) for i in wanted})
            )
    except SourceError:
        pass
    finally:
        loop.close()
    if not all(judge(c, _pass(ruleset, made, seen, number, None, case)).good for c in cases):
        return list(mutants)  # a case that fails anyway notices nothing
    verdicts: dict[tuple[int, ...], bool] = {}
    kept = []
    for i, mutant in enumerate(mutants):
        hits = tuple(k for k, (_, _, changed, _) in enumerate(seen) if i in changed)
        if hits not in verdicts:
            found = _pass(ruleset, made, seen, number, set(hits), case)
            verdicts[hits] = all(not judge(c, found).failures for c in cases)
        if verdicts[hits]:
            kept.append(mutant)
    return kept


def _pass(
    ruleset: Ruleset,
    made: object,
    seen: Sequence[tuple[int, list[int], set[int], dict[int, Alert]]],
    number: int,
    hits: set[int] | None,
    case: Case,
) -> Pass:
    """Return the pass in which the rule matches on `hits`; None: where it does anyway."""
    alerts: list[Alert] = []
    for k, (_, own, _, known) in enumerate(seen):
        rules = own
        if hits is not None:
            rules = sorted({*(i for i in own if i != number), *([number] if k in hits else [])})
        alerts += [known[i] for i in (rules[:1] if case.matching == "first" else rules)]
    return Pass(ruleset, tuple(alerts), made)  # type: ignore[arg-type]
