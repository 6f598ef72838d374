"""Trees that many conditions share, those of macros, and what is known of each of them.

A macro of thousands of comparisons that stands in hundreds of rules is checked once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rulekit.rules.ast import AndNode, Node, NotNode, OrNode
from rulekit.rules.bound import Bound
from rulekit.text.diagnostic import Diagnostic


@dataclass(frozen=True, slots=True)
class CheckedTree:
    """What checking one tree gave.

    Attributes:
        bound: None when there are errors.
        errors: Class and diagnostic of each.
        remarks: By the identity of a node, for nodes of this tree.
    """

    bound: Bound | None
    errors: tuple[tuple[str, Diagnostic], ...]
    remarks: dict[int, list[Diagnostic]]


@dataclass(slots=True)
class SharedTrees:
    """Results by the identity of a tree; the trees are kept so that identities stay theirs.

    Attributes:
        checked: By tree and event source.
        events: Sets of `event_types`, by tree and whether it is negated.
        plain: Whether a tree uses nothing outdated or unsafe.
        quick: By event source, the `QuickCheck` of these trees.
    """

    nodes: dict[int, Node] = field(default_factory=dict)
    checked: dict[tuple[int, str], CheckedTree] = field(default_factory=dict)
    events: dict[tuple[int, bool], int] = field(default_factory=dict)
    plain: dict[int, bool] = field(default_factory=dict)
    quick: dict[str, Any] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        """Remember what becomes known of `node`; single comparisons are not worth it."""
        if isinstance(node, (AndNode, OrNode, NotNode)):
            self.nodes[id(node)] = node
