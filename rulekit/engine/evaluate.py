"""Batches of documents from memory, for any number of threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rulekit._fastmatch import Matcher
from rulekit.alert import Alert
from rulekit.compiler.tables import Program
from rulekit.engine._decide import Decider
from rulekit.engine._documents import DocumentLoop


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of one text of documents.

    Attributes:
        alerts: In the order of the events.
        events: That rules saw.
        left_out: Documents that could not be evaluated.
        problem: Why the last of those could not; when `events` and `left_out` are 0, why the whole
            text could not. Empty when everything was evaluated.
    """

    alerts: tuple[Alert, ...]
    events: int
    left_out: int
    problem: str


class Evaluators:
    """Lends loops over a program; thread-safe.

    Each call takes a loop of its own out of a stock that grows to as many as are used at once.

    Args:
        first_match: Only the first rule that matches an event is reported.
    """

    def __init__(self, program: Program, source: str, *, first_match: bool) -> None:
        self._program = program
        self._source = source
        self._first_match = first_match
        self._idle: deque[Decider] = deque()

    def evaluate(
        self, text: bytes, build: Callable[[DocumentLoop, int], Any] | None = None
    ) -> tuple[list[Any], int, int, str | None, bool]:
        """Return what `rulekit.engine._decide.Decider.evaluate` says."""
        try:
            decider = self._idle.pop()
        except IndexError:
            matcher = Matcher(self._program, first_match=self._first_match)
            decider = Decider(None, matcher, source=self._source)
        try:
            return decider.evaluate(text, build)
        finally:
            self._idle.append(decider)
