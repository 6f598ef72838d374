"""What the events of cases show of rules: truths seen, comparisons that decided, list items hit.

Truth is that of the program (`rulekit.engine._explain`), on the condition as written. A comparison
decides where the outcome would be the other one if it alone had been. That has to be seen both
when it holds and when it does not, with different outcomes (masking MC/DC). What the program proves
infeasible does not count.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from rulekit.compiler.written import WrittenProgram, compile_written_conditions
from rulekit.engine._explain import Explainer
from rulekit.engine.pipeline import open_loop
from rulekit.errors import SourceError
from rulekit.explain.condition import Condition, Part, condition_of
from rulekit.explain.feasible import Feasibility, comparisons_by_place
from rulekit.explain.flips import EXACT, Flipper
from rulekit.explain.outcomes import everything, mirrored
from rulekit.rules.bound import Bound, BoundComparison, TypedValue
from rulekit.rules.ruleset import Rule, Ruleset
from rulekit.rules.unparse import unparse
from rulekit.testing.case import Case
from rulekit.testing.inline import scenario
from rulekit.testing.passes import Loader, rules_key, source_of

_LISTED = frozenset({"in", "intersects", "pmatch"})


@dataclass(slots=True)
class Seen:
    """What was seen of one distinct comparison of a rule.

    Attributes:
        part: Where it stands (the first place when it is written twice).
        n_true, n_false: Events.
        decided_true, decided_false: Whether it decided when it held, when it did not.
        impossible: Of ``true false decided_true decided_false`` those proved infeasible.
        items: Values of its list and whether each was hit.
    """

    part: Part
    n_true: int = 0
    n_false: int = 0
    decided_true: bool = False
    decided_false: bool = False
    impossible: frozenset[str] = frozenset()
    items: dict[str, bool] = field(default_factory=dict)

    @property
    def goals(self) -> dict[str, bool]:
        """What counts, and whether it was reached."""
        reached = {
            "true": self.n_true > 0,
            "false": self.n_false > 0,
            "decided_true": self.decided_true,
            "decided_false": self.decided_false,
        }
        return {k: v for k, v in reached.items() if v or k not in self.impossible}


@dataclass(slots=True)
class RuleCoverage:
    """What was seen of one rule.

    Attributes:
        n_matched: Events that matched.
        n_unkept: Events left out because there were too many different ones.
    """

    rule: Rule
    comparisons: list[Seen]
    n_matched: int = 0
    n_unkept: int = 0

    def count(self, *names: str) -> tuple[int, int]:
        """Return how many goals were reached, and how many there are."""
        goals = [v for seen in self.comparisons for k, v in seen.goals.items() if k in names]
        return sum(goals), len(goals)

    @property
    def outcomes(self) -> tuple[int, int]:
        """Truths seen, of those that are feasible."""
        return self.count("true", "false")

    @property
    def decisions(self) -> tuple[int, int]:
        """Decisions seen, of those that are feasible."""
        return self.count("decided_true", "decided_false")


@dataclass(slots=True)
class Coverage:
    """Coverage of all rules of some cases.

    Attributes:
        left_out: Cases that override macros or lists: their conditions are not those of the rules.
    """

    rules: list[RuleCoverage]
    left_out: int = 0

    @property
    def share(self) -> float:
        """Goals reached, truths and decisions together, from 0 to 1; 1 without any."""
        done = total = 0
        for rule in self.rules:
            for part in (rule.outcomes, rule.decisions):
                done, total = done + part[0], total + part[1]
        return done / total if total else 1.0


def measure(cases: Sequence[Case], loader: Loader | None = None) -> Coverage:
    """Run the events of cases and return what they show of the rules.

    Raises:
        SourceError: A capture is damaged.
    """
    loader = loader or Loader()
    groups: dict[object, list[Case]] = {}
    for case in cases:
        if _counts(case):
            groups.setdefault(rules_key(case), []).append(case)
    # Cases may load one rule together with different others: what they show of it is added up.
    found: dict[tuple[str, int, str], _Observed] = {}
    for group in groups.values():
        ruleset, _ = loader.load(group[0])
        if ruleset is not None:
            for observed in _Measure(ruleset, source_of(group[0])).run(group):
                found.setdefault(observed.key, observed).add(observed)
    return Coverage(
        [observed.coverage() for observed in found.values()],
        sum(not _counts(case) for case in cases),
    )


def _counts(case: Case) -> bool:
    return not case.macros and not case.lists


@dataclass(slots=True)
class _Observed:
    """Combinations of truths that some events showed of one rule.

    Attributes:
        combinations: Of what matched, the predicates that hold, those that are known: how often.
        items: Items of lists by predicate, and whether each was hit.
    """

    condition: Condition
    combinations: dict[tuple[bool, int, int], int]
    items: dict[tuple[int, str], bool]
    n_unkept: int

    @property
    def key(self) -> tuple[str, int, str]:
        """What tells one rule from another: its place, and what it has come to mean."""
        place = self.condition.rule.span.outermost()
        return place.source.name, place.start, unparse(self.condition.rule.node)

    def add(self, other: _Observed) -> None:
        """Add what other events showed of the same rule."""
        if other is self:
            return
        for combination, n_events in other.combinations.items():
            self.combinations[combination] = self.combinations.get(combination, 0) + n_events
        for item, hit in other.items.items():
            self.items[item] |= hit
        self.n_unkept += other.n_unkept

    def coverage(self) -> RuleCoverage:
        """Return what all of it comes to."""
        condition = self.condition
        seen = [Seen(condition.of_place(place)) for place in range(condition.n_predicates)]
        found = RuleCoverage(condition.rule, seen, n_unkept=self.n_unkept)
        deciding: list[set[tuple[bool, bool]]] = [set() for _ in seen]
        for (matched, true, known), n_events in self.combinations.items():
            found.n_matched += matched * n_events
            for place, each in enumerate(seen):
                if not known >> place & 1:
                    continue
                truth = bool(true >> place & 1)
                each.n_true += truth * n_events
                each.n_false += (not truth) * n_events
                if condition.root.holds(true ^ 1 << place) != condition.root.holds(true):
                    deciding[place].add((truth, matched))
        for each, ways in zip(seen, deciding, strict=True):
            pairs = [(a, b) for t, a in ways if t for f, b in ways if not f and a != b]
            each.decided_true = any(t for t, _ in ways)
            each.decided_false = any(not t for t, _ in ways)
            if each.decided_true and each.decided_false and not pairs:
                each.decided_false = False  # both, but never with different outcomes
        _prove(condition, seen)
        for (place, text), hit in self.items.items():
            seen[place].items[text] = hit
        return found


class _Measure:
    """Gathers what events show of the rules of one ruleset for one event source."""

    def __init__(self, ruleset: Ruleset, source: str) -> None:
        self.source = source
        self.rules = [rule for rule in ruleset if rule.source == source]
        conditions: list[tuple[str, Bound, None]] = [(r.name, r.bound, None) for r in self.rules]
        # Items of lists are conditions of their own behind those of the rules.
        plain = compile_written_conditions(list(conditions))
        self.conditions = [
            condition_of(rule, ruleset, written)
            for rule, written in zip(self.rules, plain.rules, strict=True)
        ]
        self.items: list[tuple[int, int, str]] = []
        for number, condition in enumerate(self.conditions):
            for place, text, bound in _list_items(condition):
                self.items.append((number, place, text))
                conditions.append((f"{number}.{place}.{text}", bound, None))
        self.program: WrittenProgram = compile_written_conditions(list(conditions))
        self.explainer = Explainer(self.program)

    def run(self, cases: Sequence[Case]) -> list[_Observed]:
        for events in dict.fromkeys(
            str(c.capture) if c.events is None else scenario(c.events).data for c in cases
        ):
            stream = io.BytesIO(events) if isinstance(events, bytes) else events
            loop = open_loop(stream, None, self.source)
            try:
                while not self.explainer.gather(loop)[0]:
                    pass
            except SourceError:
                pass  # the case itself fails over it
            finally:
                loop.close()
        found = []
        for number, condition in enumerate(self.conditions):
            combinations, n_unkept = self.explainer.combinations(number)
            known = {(each[0], each[1], each[2]): each[3] for each in combinations}
            found.append(_Observed(condition, known, {}, n_unkept))
        for k, (number, place, text) in enumerate(self.items, len(self.rules)):
            hits = self.explainer.combinations(k)[0]
            found[number].items[place, text] = any(true for _, true, *_ in hits)
        return found


def _list_items(condition: Condition) -> Iterator[tuple[int, str, BoundComparison]]:
    done = set()
    for part, bound in zip(condition.comparisons, condition.bound, strict=True):
        listed = bound.op in _LISTED or bound.modifier == "anyof"
        if part.place is None or part.place in done or not listed or len(bound.values) < 2:
            continue
        done.add(part.place)
        for value in bound.values:
            yield part.place, _text(value), replace(bound, values=(value,))


def _text(value: TypedValue) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, tuple):
        return f"{value[0].hex()}/{value[1]}"
    return str(value)


def _prove(condition: Condition, seen: list[Seen]) -> None:
    """Mark the goals that no event can reach."""
    if len(seen) > EXACT or all(all(each.goals.values()) for each in seen):
        return
    flipper = Flipper(condition.root)
    places, outcomes = flipper.places, flipper.outcomes
    by_place = dict(zip(places, flipper.columns, strict=True))
    feasible = Feasibility(comparisons_by_place(condition))
    possible = feasible.combinations(by_place, everything(len(places)))
    for i, (place, column) in enumerate(by_place.items()):
        deciding = possible & (outcomes ^ mirrored(outcomes, i, column))
        reachable = {
            "true": possible & column,
            "false": possible & ~column,
            "decided_true": deciding & column,
            "decided_false": deciding & ~column,
        }
        goals = seen[place].goals
        seen[place].impossible = frozenset(
            name for name, combinations in reachable.items() if not combinations and not goals[name]
        )
