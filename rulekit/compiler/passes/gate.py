"""Find what several rules of a class demand of the event: one evaluation settles all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rulekit.compiler.passes.order import Costs
from rulekit.compiler.passes.split import EVENT, NEAR_PATH, Splitter

# Looking up the path costs about as much; dearer gates come after the keys.
EARLY_COST = 16
MAX_GATES = 64


@dataclass(frozen=True, slots=True)
class Gate:
    """A node that the rules at `positions` of a class demand.

    Attributes:
        early: It is tried before keys other than the path are looked at.
    """

    node: int
    positions: tuple[int, ...]
    early: bool


def gates(splitter: Splitter, costs: Costs, roots: Sequence[int]) -> list[Gate]:
    """Return the gates of a class whose rules have these roots, in the order of trying."""
    users = splitter.demanded(roots, EVENT | NEAR_PATH)
    shared = [node for node, positions in users.items() if len(positions) > 1]
    # What decides most rules per nanosecond comes first.
    shared.sort(key=lambda node: costs.cost(node) / len(users[node]))
    del shared[MAX_GATES:]
    found = [Gate(node, tuple(users[node]), costs.cost(node) <= EARLY_COST) for node in shared]
    return sorted(found, key=lambda gate: not gate.early)
