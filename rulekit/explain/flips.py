"""The smallest sets of comparisons whose truth would have to be another for another outcome.

Comparisons are taken as independent of each other; one that is written twice is one. Up to
`EXACT` distinct ones the answer is exact: the outcome for every combination is one integer with as
many bits as there are combinations. Beyond, a good set is found bottom-up, and may not be smallest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

from rulekit.explain.condition import Part, places_of

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

    @cached_property
    def places(self) -> list[int]:
        """Distinct predicates, in the order of first appearance."""
        return list(places_of(self.root))

    @cached_property
    def table(self) -> bytes:
        """Outcome of every combination: bit k, little-endian, for the combination k of `places`."""
        n = len(self.places)
        whole = (1 << (1 << n)) - 1
        columns = {}
        for i, place in enumerate(self.places):
            # Runs of 2**i zeros and ones, doubled until the table is full.
            length = 2 << i
            column = ((1 << (1 << i)) - 1) << (1 << i)
            while length < 1 << n:
                column |= column << length
                length *= 2
            columns[place] = column
        value = _table(self.root, columns, whole)
        return value.to_bytes(((1 << n) + 7) // 8, "little")

    def flips(self, true: int, *, at_most: int | None = None) -> Flips:
        """Return the smallest changes of a combination after which the outcome is the other one.

        Args:
            true: The predicates that hold, bits by place.
            at_most: Sets larger than this are of no interest.
        """
        if true not in self._known:
            exact = len(self.places) <= EXACT
            found = self._exact(true, at_most) if exact else self._approximate(true)
            if at_most is not None and not found.sets:
                return found
            self._known[true] = found
        return self._known[true]

    def _exact(self, true: int, at_most: int | None) -> Flips:
        places, table = self.places, self.table
        now = sum(1 << i for i, place in enumerate(places) if true >> place & 1)
        outcome = table[now >> 3] >> (now & 7) & 1
        limit = len(places) if at_most is None else min(at_most, len(places))
        for size in range(1, limit + 1):
            found = []
            for chosen in combinations(range(len(places)), size):
                other = now
                for i in chosen:
                    other ^= 1 << i
                if table[other >> 3] >> (other & 7) & 1 != outcome:
                    found.append(_bits(places[i] for i in chosen))
                    if len(found) == MAX_SETS:
                        break
            if found:
                return Flips(tuple(found), True)
        return Flips((), True)

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


def _table(part: Part, columns: dict[int, int], whole: int) -> int:
    if part.kind == "comparison":
        return 0 if part.place is None else columns[part.place]
    values = [_table(child, columns, whole) for child in part.children]
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
