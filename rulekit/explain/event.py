"""Why a rule did or did not match: one event, or the one that came closest."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from rulekit.compiler.written import compile_written
from rulekit.engine._explain import Explainer
from rulekit.engine.alerts import Loop, compile_output
from rulekit.engine.pipeline import open_loop
from rulekit.errors import RulekitError
from rulekit.explain.condition import Condition, Part, condition_of, event_type_places
from rulekit.explain.flips import Flipper, Flips
from rulekit.explain.values import python_value
from rulekit.rules.ruleset import Ruleset
from rulekit.sources.detect import detect_source, source_of_bytes
from rulekit.sources.opening import as_source, event_source_of

Events: TypeAlias = "str | os.PathLike[str] | bytes"
"""A capture or documents: the path, or the bytes."""

# An event in a few words, by event source; `<NA>` where something is null.
_ABOUT = {
    "syscall": "%evt.type by %proc.name[%proc.pid]",
    "k8s_audit": "%ka.verb %ka.uri by %ka.user.name",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """One rule on one event.

    Attributes:
        event: Raw position of the event, from 1.
        about: The event in a few words.
        matched: Whether the matcher reports the rule.
        true, known, tried: Bits by predicate: it holds; it was evaluated (all but those with a
            memory that the matcher did not reach); the matcher looked at it.
        values: Value of the left side per predicate; a list where there are several, None is null.
        others: Value of the right side where it is a field.
        flips: What would have to be different for the other outcome.
    """

    condition: Condition
    event: int
    time_ns: int
    about: str
    matched: bool
    true: int
    known: int
    tried: int
    values: tuple[Any, ...]
    others: tuple[Any, ...]
    flips: Flips

    @property
    def rule(self) -> str:
        """Name of the rule."""
        return self.condition.rule.name

    def truth(self, part: Part) -> bool | None:
        """Return the outcome of a part; None for a comparison that nobody evaluated."""
        if part.place is not None and not self.known >> part.place & 1:
            return None
        return part.holds(self.true)

    def silenced_by(self) -> tuple[str, ...]:
        """Return the exceptions without which the rule would have matched."""
        root = self.condition.root
        if self.matched or root.kind != "and":
            return ()
        own = [part for part in root.children if not _is_exception(part)]
        if not all(part.holds(self.true) for part in own):
            return ()
        return tuple(
            part.opens or ""
            for part in root.children
            if _is_exception(part) and not part.holds(self.true)
        )


def _is_exception(part: Part) -> bool:
    return part.opens is not None and part.opens.startswith("exception ")


class RuleExplainer:
    """Explains one rule of a ruleset on captures.

    Events are those of the rule's source: a capture, or JSON documents.

    Raises:
        RulekitError: There is no such rule.
    """

    def __init__(self, ruleset: Ruleset, rule: str) -> None:
        try:
            found = ruleset.rule(rule)
        except KeyError:
            from rulekit.rules.names import close_to

            close = close_to(rule, [each.name for each in ruleset])
            hint = f"; did you mean `{close}`?" if close else ""
            raise RulekitError(f"no rule is called `{rule}`{hint}") from None
        self.written = compile_written([found])
        self.condition = condition_of(found, ruleset, self.written.rules[0])
        self.flipper = Flipper(self.condition.root)
        self.source = found.source
        about = _ABOUT.get(self.source, "a document")
        self._about = compile_output(about, self.source)

    def explain(self, events: Events, event: int) -> Explanation:
        """Return what the rule makes of the event at a raw position.

        Raises:
            RulekitError: No event at that position is shown to rules.
            SourceError: The capture is damaged before it.
        """
        for found in self.explain_many(events, {event}):
            return found
        raise RulekitError(f"no event at position {event} is shown to rules")

    def explain_many(self, events: Events, positions: Collection[int]) -> Iterator[Explanation]:
        """Yield what the rule makes of the events at raw positions, in one pass over the events.

        Positions at which no event is shown to rules are left out.

        Raises:
            SourceError: The capture is damaged before the last of them.
        """
        explainer = Explainer(self.written)
        loop = self._open(events)
        last = max(positions, default=0)
        remembers = any(self.written.rules[0].remembers)
        try:
            while (found := loop.next()) is not None and loop.raw <= last:
                if not found:
                    continue
                if remembers or loop.raw in positions:
                    explainer.look(loop)
                if loop.raw in positions:
                    yield self._explained(explainer, loop)
        finally:
            loop.close()

    def _explained(self, explainer: Explainer, loop: Loop) -> Explanation:
        matched, true, known, tried = explainer.explain(0)
        values, others = [], []
        for place in range(self.condition.n_predicates):
            bound = self.condition.bound[self.condition.of_place(place).comparison]
            if known >> place & 1:
                left, right = explainer.values(0, place)
            else:
                left = right = None
            values.append(python_value(bound.left, left))
            others.append(None if bound.other is None else python_value(bound.other, right))
        return Explanation(
            self.condition,
            loop.raw,
            loop.ts_ns,
            loop.render(self._about)[0],
            matched,
            true,
            known,
            tried,
            tuple(values),
            tuple(others),
            self.flipper.flips(true),
        )

    def nearest(self, events: Events) -> Explanation | None:
        """Return the event on which the rule came closest to a match without matching.

        Closest is where the fewest comparisons would have to be different, those about the type of
        the event counted twice; of equals the last. None when every event matched or there is none.

        Raises:
            SourceError: The capture is damaged.
        """
        explainer = Explainer(self.written)
        loop = self._open(events)
        try:
            at_end = False
            while not at_end:
                at_end, _ = explainer.gather(loop)
        finally:
            loop.close()
        seen, _ = explainer.combinations(0)
        types = event_type_places(self.condition)
        best: tuple[int, int] | None = None
        for matched, true, _, _, first in seen:
            if matched:
                continue
            far = self.flipper.distance(true, types)
            if far is not None and (best is None or far <= best[0]):
                best = far, first
        return None if best is None else self.explain(events, best[1])

    def _open(self, events: Events) -> Loop:
        kind = _kind_of(events)
        source = event_source_of(kind)
        if (source == "syscall") != (self.source == "syscall"):
            raise RulekitError(
                f"`{self.condition.rule.name}` is about {self.source} events, not {source} events"
            )
        opened = io.BytesIO(events) if isinstance(events, bytes) else events
        return open_loop(as_source(kind, opened), None, self.source)


def source_of(events: Events) -> str:
    """Return the event source that events belong to: ``syscall`` or ``k8s_audit``."""
    return event_source_of(_kind_of(events))


def _kind_of(events: Events) -> str:
    return source_of_bytes(events) if isinstance(events, bytes) else detect_source(events)[0]
