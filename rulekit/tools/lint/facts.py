"""Plain reasoning about conditions: what holds beside a comparison, which events are left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rulekit.rules.ast import AndNode, ComparisonNode, FieldNode, MacroNode, Node, NotNode, OrNode
from rulekit.rules.event_types import EventTypeError, event_types_of
from rulekit.schema.events import EventType, event_types
from rulekit.text.source import Span
from rulekit.tools.lint.check import LintContext, Owner

# Only these can narrow down the events.
_EVENT_FIELDS = frozenset({"evt.type", "syscall.type", "evt.num"})


@dataclass(frozen=True, slots=True)
class Fact:
    """A comparison that has to hold; with `negated`, one that must not."""

    node: ComparisonNode
    negated: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A comparison of an owner with what surrounds it.

    Attributes:
        events: Ids of the events for which the branches around it can be true.
        facts: What must hold as well, itself included: the operands of every ``and`` around it.
    """

    fact: Fact
    events: frozenset[int]
    facts: tuple[Fact, ...]


def places(context: LintContext, owner: Owner) -> tuple[Place, ...]:
    """Return every comparison that is written in the owner's own text, in order."""
    key = ("places", owner)
    found = context.shared.get(key)
    if found is None:
        found = tuple(_Walk(context, owner).walk(owner.node, False, current_events(), ()))
        context.shared[key] = found
    assert isinstance(found, tuple)
    return found


# Facts about one thing beyond which no more are looked at.
_MOST_FACTS = 50


def facts_about(context: LintContext, place: Place, key: Callable[[Fact], str]) -> list[Fact]:
    """Return what else must hold beside a comparison and has the same key, 50 facts at most.

    Args:
        key: A function of the module, not a lambda: what it sorts is kept under its name.
    """
    index = context.shared.setdefault((key.__name__, id(place.facts)), {})
    assert isinstance(index, dict)
    if not index:
        for fact in place.facts:
            same = index.setdefault(key(fact), [])
            if len(same) < _MOST_FACTS:
                same.append(fact)
    return [fact for fact in index.get(key(place.fact), ()) if fact.node is not place.fact.node]


class _Walk:
    def __init__(self, context: LintContext, owner: Owner) -> None:
        self.context = context
        self.owner = owner

    def walk(
        self, node: Node, negated: bool, events: frozenset[int], facts: tuple[Fact, ...]
    ) -> Iterator[Place]:
        if isinstance(node, NotNode):
            yield from self.walk(node.child, not negated, events, facts)
        elif isinstance(node, ComparisonNode):
            if node.span.source is self.owner.text:
                yield Place(Fact(node, negated), events, facts)
        elif isinstance(node, (AndNode, OrNode)):
            if node.span.source is not self.owner.text:
                return  # a macro's own operands are looked at where they are written
            if isinstance(node, AndNode) != negated:
                yield from self._together(node, negated, events, facts)
            else:
                for child in node.children:
                    yield from self.walk(child, negated, events, facts)

    def _together(
        self,
        node: AndNode | OrNode,
        negated: bool,
        events: frozenset[int],
        facts: tuple[Fact, ...],
    ) -> Iterator[Place]:
        held: list[Fact] = []
        for child in node.children:
            held += held_facts(child, negated)
            events = events & possible_events(self.context, child, negated)
        together = (*facts, *held)
        for child in node.children:
            yield from self.walk(child, negated, events, together)


def held_facts(node: Node, negated: bool = False) -> Iterator[Fact]:
    """Yield comparisons that certainly hold when a node does."""
    stack = [(node, negated)]
    while stack:
        part, flipped = stack.pop()
        if isinstance(part, ComparisonNode):
            yield Fact(part, flipped)
        elif isinstance(part, NotNode):
            stack.append((part.child, not flipped))
        elif isinstance(part, (AndNode, OrNode)) and isinstance(part, AndNode) != flipped:
            stack.extend((child, flipped) for child in reversed(part.children))


def possible_events(context: LintContext, node: Node, negated: bool = False) -> frozenset[int]:
    """Return the ids of current events for which a condition can be true."""
    cache = context.shared.setdefault("events", {})
    assert isinstance(cache, dict)
    key = (id(node), negated)
    if key not in cache:
        cache[key] = _possible(context, node, negated)
    found: frozenset[int] = cache[key]
    return found


def _possible(context: LintContext, node: Node, negated: bool) -> frozenset[int]:
    if isinstance(node, NotNode):
        return possible_events(context, node.child, not negated)
    if isinstance(node, (AndNode, OrNode)):
        sets = [possible_events(context, child, negated) for child in node.children]
        together = isinstance(node, AndNode) != negated
        return frozenset.intersection(*sets) if together else frozenset.union(*sets)
    if isinstance(node, MacroNode) or not _names_events(node):
        return current_events()
    try:
        found = event_types_of(NotNode(node, node.span) if negated else node)
    except EventTypeError:
        return current_events()
    return current_events() & found.codes


def _names_events(node: ComparisonNode) -> bool:
    left = node.left
    return not isinstance(left, FieldNode) or left.name in _EVENT_FIELDS


_CURRENT: list[frozenset[int]] = []


def current_events() -> frozenset[int]:
    """Return the ids of the events that are delivered today: no enter events, no old forms."""
    if not _CURRENT:
        _CURRENT.append(frozenset(e.id for e in event_types() if _is_current(e)))
    return _CURRENT[0]


def _is_current(event: EventType) -> bool:
    if event.flags & {"OLD_VERSION", "UNUSED"} or event.name == "NA":
        return False
    if event.is_exit:
        return True
    # Even ids are enter events when the next id is the exit of the same call.
    exit_event = event_types()[event.id + 1] if event.id + 1 < len(event_types()) else None
    return exit_event is None or exit_event.name != event.name


def event_list(ids: frozenset[int], limit: int = 4) -> str:
    """Return the names of events for a message."""
    names = sorted({event_types()[i].name for i in ids})
    shown = ", ".join(f"`{name}`" for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def from_exception(owner: Owner, span: Span) -> bool:
    """Tell whether a place of a rule's condition comes from one of its exceptions."""
    if owner.rule is None or not owner.rule.exceptions:
        return False
    place = span.outermost()
    for written in owner.rule.condition_spans:
        around = written.outermost()
        if around.source is place.source and around.start <= place.start < around.end:
            return False
    return True
