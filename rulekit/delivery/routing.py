"""Which sinks get an alert: the routes in order, then what each sink itself wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rulekit.alert import INTERNAL, Alert
from rulekit.delivery.condition import Test


@dataclass(frozen=True, slots=True)
class Route:
    """Sends the alerts for which a test holds to some sinks.

    Attributes:
        test: None holds for every alert.
        sinks: Names; none drops the alert.
        go_on: Whether the routes below are looked at as well.
    """

    test: Test | None
    sinks: tuple[str, ...]
    go_on: bool = False


class Router:
    """Chooses sinks by number.

    Args:
        names: Of all sinks.
        wanted: What each sink wants, by name; None or absent is everything.
        routes: The first that fits decides; without any, every sink gets every alert.
    """

    def __init__(
        self,
        names: Sequence[str],
        wanted: dict[str, Test | None] | None = None,
        routes: Sequence[Route] = (),
    ) -> None:
        self._all = list(range(len(names)))
        tests = wanted or {}
        self._wanted = [tests.get(name) for name in names]
        self._free = not any(self._wanted)
        numbers = {name: i for i, name in enumerate(names)}
        self._routes = [
            (route.test, [numbers[name] for name in route.sinks], route.go_on) for route in routes
        ]

    def sinks(self, alert: Alert) -> list[int]:
        """Return the numbers of the sinks that get an alert, in their order, each once."""
        chosen = self._all
        if self._routes:
            chosen = sorted(self._by_route(alert))
        if self._free:
            return chosen
        return [i for i in chosen if (test := self._wanted[i]) is None or test(alert)]

    def _by_route(self, alert: Alert) -> set[int]:
        chosen: set[int] = set()
        fits = False
        for test, sinks, go_on in self._routes:
            if test is None or test(alert):
                fits = True
                chosen.update(sinks)
                if not go_on:
                    return chosen
        # What the engine says about itself must not vanish because nobody thought of it.
        return set(self._all) if not fits and alert.source == INTERNAL else chosen
