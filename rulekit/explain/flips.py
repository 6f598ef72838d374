"""The smallest sets of comparisons whose truth would have to be another for another outcome.

Comparisons are taken as independent of each other; one that is written twice is one. Up to
`EXACT` distinct ones the answer is exact: sets of combinations are integers
(`rulekit.explain.outcomes`), and what is one flip further away is found for all of them at once.
Beyond, a good set is found bottom-up, and may not be smallest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rulekit.explain.condition import Part, places_of
from rulekit.explain.outcomes import as_bytes, columns, everything, lowest, mirrored, widened

EXACT = 20
MAX_SETS = 8


@dataclass(frozen=True, slots=True)
class Flips:
    """What would have to change.

    Attributes:
        sets: Smallest sets, each as bits by place, at most `MAX_SETS`; empty: nothing would help.
        exact: Whether no smaller set exists; else the first one found is given.
    """

    sets: tuple[int, ...]
    exact: bool

    @property
    def size(self) -> int | None:
        """Number of comparisons to flip, or None when nothing would help."""
        return self.sets[0].bit_count() if self.sets else None


@dataclass
class Flipper:
    """Answers for one condition, event after event."""

    root: Part
    _known: dict[int, Flips] = field(default_factory=dict)
    _reaches: dict[int, list[bytes]] = field(default_factory=dict)

    @cached_property
    def places(self) -> list[int]:
        """Distinct predicates, in the order of first appearance."""
        return list(places_of(self.root))

    @cached_property
    def columns(self) -> list[int]:
        """Combinations in which each of `places` holds; shape ``(n_places,)``."""
        return columns(len(self.places))

    @cached_property
    def outcomes(self) -> int:
        """The combinations of `places` for which the condition is true."""
        by_place = dict(zip(self.places, self.columns, strict=True))
        return _outcomes(self.root, by_place, everything(len(self.places)))

    def flips(self, true: int) -> Flips:
        """Return the smallest changes of a combination after which the outcome is the other one.

        Args:
            true: The predicates that hold, bits by place.
        """
        if true not in self._known:
            exact = len(self.places) <= EXACT
            self._known[true] = self._exact(true) if exact else self._approximate(true)
        return self._known[true]

    def distance(self, true: int, dear: int = 0) -> int | None:
        """Return how far a combination without a match is from a match.

        That is the size of its smallest sets, and one more when none does without what is dear.

        Args:
            true: The predicates that hold, bits by place.
            dear: Predicates, bits by place.

        Returns:
            None when nothing would help.
        """
        if len(self.places) > EXACT:
            sets = self.flips(true).sets
            return min((each.bit_count() + bool(each & dear) for each in sets), default=None)
        now = self._combination(true)
        size = _first_with(now, self._reach(0))
        # With nothing that is dear it may take more flips; then one more is as far.
        cheap = _first_with(now, self._reach(dear)) if dear and size is not None else size
        return size if size is None or size == cheap else size + 1

    def _combination(self, true: int) -> int:
        return sum(1 << i for i, place in enumerate(self.places) if true >> place & 1)

    def _reach(self, without: int) -> Sequence[bytes]:
        """Return the combinations with at most k flips to a match, for each k that adds some."""
        if without not in self._reaches:
            n = len(self.places)
            truths = [i for i, place in enumerate(self.places) if not without >> place & 1]
            layers = [self.outcomes]
            while (wider := widened(layers[-1], truths, self.columns)) != layers[-1]:
                layers.append(wider)
            self._reaches[without] = [as_bytes(layer, n) for layer in layers]
        return self._reaches[without]

    def _exact(self, true: int) -> Flips:
        n, now = len(self.places), self._combination(true)
        # Seen from here: the combination k is what is there after the flips k.
        other = self.outcomes
        for i in range(n):
            if now >> i & 1:
                other = mirrored(other, i, self.columns[i])
        if other & 1:
            other ^= everything(n)
        near = 1
        for _ in range(n):
            near = widened(near, range(n), self.columns)
            if other & near:
                sets = lowest(other & near, MAX_SETS)
                return Flips(tuple(self._spread(each) for each in sets), True)
        return Flips((), True)

    def _spread(self, combination: int) -> int:
        return _bits(place for i, place in enumerate(self.places) if combination >> i & 1)

    def _approximate(self, true: int) -> Flips:
        outcome = self.root.holds(true)
        found = _cheapest(self.root, true, not outcome)
        if found is None or self.root.holds(true ^ found) == outcome:
            return Flips((), False)
        # What the set does not need is taken out again.
        for place in self.places:
            smaller = found & ~(1 << place)
            if smaller != found and self.root.holds(true ^ smaller) != outcome:
                found = smaller
        return Flips((found,), False)


def _bits(places: Iterable[int]) -> int:
    bits = 0
    for place in places:
        bits |= 1 << place
    return bits


def _first_with(combination: int, layers: Sequence[bytes]) -> int | None:
    """Return the position of the first set that has a combination."""
    at, bit = combination >> 3, combination & 7
    return next((k for k, layer in enumerate(layers) if layer[at] >> bit & 1), None)


def _outcomes(part: Part, by_place: dict[int, int], whole: int) -> int:
    if part.kind == "comparison":
        return 0 if part.place is None else by_place[part.place]
    values = [_outcomes(child, by_place, whole) for child in part.children]
    if part.kind == "not":
        return whole ^ values[0]
    value = values[0]
    for other in values[1:]:
        value = value & other if part.kind == "and" else value | other
    return value


def _cheapest(part: Part, true: int, wanted: bool) -> int | None:
    """Return a set of flips after which a part has the wanted outcome; None: there is none.

    A comparison below several parts may be wanted true by one and false by another; the caller
    checks the result.
    """
    if part.kind == "comparison":
        if part.place is None:
            return None if wanted else 0
        return 0 if bool(true >> part.place & 1) == wanted else 1 << part.place
    if part.kind == "not":
        return _cheapest(part.children[0], true, not wanted)
    sets = [_cheapest(child, true, wanted) for child in part.children]
    if (part.kind == "and") == wanted:
        found = 0
        for each in sets:
            if each is None:
                return None
            found |= each
        return found
    return min((each for each in sets if each is not None), key=int.bit_count, default=None)
