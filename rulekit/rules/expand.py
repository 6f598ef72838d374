"""Macros put into conditions as trees.

A macro's tree takes the place of its name and is shared between all uses. The order matters as in
Falco: a macro sees the macros whose first definition comes before its own last change, and the
macros are resolved one after the other in the order of their first definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rulekit.rules._plain import with_macros_put_in
from rulekit.rules.ast import MacroNode, Node
from rulekit.text.source import SourceText

# Comparisons of one condition, shared ones counted as often as they are used: every later stage
# walks the tree as if it were not shared.
MAX_COMPARISONS = 100_000
# Levels of a condition after macros were put in.
MAX_DEPTH = 250
# Macros within macros that are resolved in one go; in the usual order there is only one.
MAX_CHAIN = 100


@dataclass(slots=True, eq=False)
class Condition:
    """A parsed condition and what is left to do with it.

    Attributes:
        macros: Names not yet resolved, each with its first node, in the order of reading.
        counts: How often each of these names occurs.
        levels: How deep below the root each of these names occurs at most.
        size: Comparisons, without what unresolved names stand for.
        depth: Levels of the tree.
        meaning: Equal for conditions whose texts, and whose macros' texts, are equal.
    """

    text: SourceText
    node: Node
    macros: dict[str, MacroNode]
    counts: dict[str, int]
    levels: dict[str, int]
    size: int
    depth: int
    meaning: int


@dataclass(slots=True)
class Known:
    """What is kept between runs over the definitions: equal inputs give the same objects."""

    resolved: dict[tuple[Condition, ...], Condition] = field(default_factory=dict)
    meanings: dict[object, int] = field(default_factory=dict)

    def meaning(self, key: object) -> int:
        """Return the number that stands for a text, or for a text with macros put in."""
        return self.meanings.setdefault(key, len(self.meanings))


class MacroError(Exception):
    """A reference that cannot be resolved; `node` is where it stands."""

    def __init__(self, node: MacroNode, kind: str) -> None:
        super().__init__(node.name)
        self.node = node
        # One of: undefined, loop, size, depth.
        self.kind = kind
        # Further names of the same condition that are unknown.
        self.others: list[MacroError] = []


def resolve(
    condition: Condition,
    macros: Mapping[str, Condition],
    visible: Callable[[str], bool],
    known: Known,
    used: set[str],
) -> Condition:
    """Return the condition with every macro put in.

    Args:
        macros: Current conditions of macros, resolved or not.
        visible: Whether a name may be used from here.
        known: Kept between calls.
        used: Receives the name of every macro that was put in.

    Raises:
        MacroError: A name that is unknown or loops, or a result that is too large. A loop is
            reported before unknown names, as Falco does.
    """
    if not condition.macros:
        return condition
    inner: dict[str, Condition] = {}
    for name in condition.macros:
        found = macros.get(name)
        if found is None or found.macros or not visible(name):
            break
        inner[name] = found
    else:
        # The usual order: the macros that are named were resolved before.
        used.update(inner)
        return _with_macros(condition, inner, known)
    walk = _Resolver(macros, visible, known, used)
    result = walk.resolve(condition, ())
    if walk.loop is not None:
        raise walk.loop
    if walk.unknown:
        first, *first.others = walk.unknown
        raise first
    assert result is not None
    return result


class _Resolver:
    def __init__(
        self,
        macros: Mapping[str, Condition],
        visible: Callable[[str], bool],
        known: Known,
        used: set[str],
    ) -> None:
        self.macros = macros
        self.visible = visible
        self.known = known
        self.used = used
        self.done: dict[str, Condition | None] = {}
        self.loop: MacroError | None = None
        self.unknown: list[MacroError] = []

    def resolve(self, condition: Condition, path: tuple[str, ...]) -> Condition | None:
        if not condition.macros:
            return condition
        inner: dict[str, Condition] = {}
        failed = False
        for name, node in condition.macros.items():
            found = self._reference(name, node, path)
            if found is None:
                failed = True
            else:
                inner[name] = found
        if failed:
            return None
        return _with_macros(condition, inner, self.known)

    def _reference(self, name: str, node: MacroNode, path: tuple[str, ...]) -> Condition | None:
        if name not in self.macros or not self.visible(name):
            self.unknown.append(MacroError(node, "undefined"))
            return None
        if name in path:
            self.loop = self.loop or MacroError(node, "loop")
            return None
        if len(path) >= MAX_CHAIN:
            self.loop = self.loop or MacroError(node, "depth")
            return None
        if name not in self.done:
            self.done[name] = self.resolve(self.macros[name], (*path, name))
        self.used.add(name)
        return self.done[name]


def _with_macros(condition: Condition, inner: dict[str, Condition], known: Known) -> Condition:
    """Return a condition with resolved macros, in the order of `condition.macros`, put in."""
    key = (condition, *inner.values())
    found = known.resolved.get(key)
    if found is None:
        found = known.resolved[key] = _put_in(condition, inner, known)
    return found


def _put_in(condition: Condition, inner: dict[str, Condition], known: Known) -> Condition:
    size, depth = condition.size, condition.depth
    for name, reference in condition.macros.items():
        size += condition.counts[name] * inner[name].size
        depth = max(depth, condition.levels[name] - 1 + inner[name].depth)
        if size > MAX_COMPARISONS:
            raise MacroError(reference, "size")
        if depth > MAX_DEPTH:
            raise MacroError(reference, "depth")
    node = with_macros_put_in(condition.node, {name: found.node for name, found in inner.items()})
    meanings = tuple([found.meaning for found in inner.values()])
    meaning = known.meaning((condition.meaning, meanings))
    return Condition(condition.text, node, {}, {}, {}, size, depth, meaning)
