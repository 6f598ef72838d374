"""Asks container engines beside the stream of events, and remembers what they said."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rulekit.sources.containers.engine import ContainerEngine, EngineUnavailable, NotNow
from rulekit.sources.containers.metadata import Container

GIVE_UP_S = 10.0  # how long a container is asked for that no engine knows
MAX_OPEN = 4096  # containers asked for at a time
MAX_KEPT = 16384  # containers known from engines, whether or not a process of them was seen
_THREADS = 4  # questions to one engine at a time
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 1.0  # before an engine is asked again
_FIRST_DOWN_S, _LONGEST_DOWN_S = 0.5, 30.0  # before one that did not answer is


@dataclass(slots=True)
class _Question:
    """A container that was seen and is not known.

    Attributes:
        asked: Engines that were not asked in vain to the end.
        hopes: Those of them that may still know it soon.
        by_engine: The engine itself spoke of it: asked once, whether or not it was seen.
    """

    id: str
    full_id: str
    since_s: float
    asked: set[_Desk] = field(default_factory=set)
    hopes: set[_Desk] = field(default_factory=set)
    by_engine: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told of a container that was told, or given up, before.

    Attributes:
        container: None: it is gone.
        again: It was told before and is different now.
    """

    id: str
    container: Container | None
    again: bool = False


class Lookup:
    """What engines know of containers; `ask` and all others are for one thread.

    Args:
        engines: To be asked, all at once; the first that knows a container has it.
        on_problem: Called with a message when an engine stops or starts to answer.
        give_up_s: See `GIVE_UP_S`.
    """

    def __init__(
        self,
        engines: Sequence[ContainerEngine],
        *,
        on_problem: Callable[[str], None] = lambda message: None,
        give_up_s: float = GIVE_UP_S,
    ) -> None:
        self._give_up_s = give_up_s
        self._changed = threading.Condition()
        self._open: dict[str, _Question] = {}
        self._known: OrderedDict[str, Container] = OrderedDict()
        self._told: set[str] = set()
        self._missed: OrderedDict[str, None] = OrderedDict()
        self._news: deque[News] = deque()
        self.n_found = self.n_unknown = self.n_refused = 0
        self._desks = [_Desk(self, engine, on_problem) for engine in engines]

    def start(self) -> None:
        """Begin to listen to the engines and to ask them."""
        for desk in self._desks:
            desk.start()

    def ask(self, id: str, full_id: str) -> None:
        """Have the engines asked for a container of which a process was seen."""
        with self._changed:
            if id in self._known or id in self._open:
                return
            if len(self._open) >= MAX_OPEN:
                self.n_refused += 1
                return
            question = _Question(id, full_id, time.monotonic(), set(self._desks), set(self._desks))
            self._open[id] = question
            for desk in self._desks:
                desk.put(question)

    def known(self, id: str) -> Container | None:
        """Return a container if an engine has told of it; it counts as told from then on."""
        with self._changed:
            found = self._known.get(id)
            if found is not None:
                self._told.add(id)
            return found

    def hopeful(self, id: str) -> bool:
        """Return whether an answer can still be expected soon."""
        with self._changed:
            question = self._open.get(id)
            return question is not None and any(not desk.down for desk in question.hopes)

    def wait(self, id: str, timeout_s: float) -> None:
        """Wait for news of a container, for so long at most."""
        with self._changed:
            if id in self._open:
                self._changed.wait(timeout_s)

    def missed(self, id: str) -> None:
        """Take note that nobody waits for a container any longer: what comes late is news."""
        with self._changed:
            if id in self._known:
                self._told.add(id)
                self._news.append(News(id, self._known[id]))
                return
            self._missed[id] = None
            if len(self._missed) > MAX_KEPT:
                self._missed.popitem(last=False)

    def forget(self, id: str) -> None:
        """Forget a container as if it had never been seen."""
        with self._changed:
            self._told.discard(id)
            self._missed.pop(id, None)
            self._known.pop(id, None)

    def news(self) -> list[News]:
        """Return what is to be told since the last call."""
        with self._changed:
            found = list(self._news)
            self._news.clear()
            return found

    def counts(self) -> dict[str, int]:
        """Return how many containers were found, and asked for in vain."""
        return {
            "containers_found": self.n_found,
            "containers_unknown": self.n_unknown,
            "containers_not_asked": self.n_refused,
        }

    def close(self) -> None:
        """End all questions. Idempotent."""
        for desk in self._desks:
            desk.close()

    # -- for desks, by any thread

    def take(self, container: Container) -> None:
        """Take in what an engine said."""
        id = container.short_id
        with self._changed:
            question = self._open.pop(id, None)
            before = self._known.get(id)
            self._known[id] = container
            if before is None:
                self.n_found += 1
            if id in self._missed:
                del self._missed[id]
                self._told.add(id)
                self._news.append(News(id, container))
            elif id in self._told and before != container:
                self._news.append(News(id, container, again=True))
            while len(self._known) > MAX_KEPT:
                self._known.popitem(last=False)
            if question is not None:
                self._changed.notify_all()

    def end(self, full_id: str) -> None:
        """Take in that a container was removed."""
        id = full_id[:12]
        with self._changed:
            self._known.pop(id, None)
            self._missed.pop(id, None)
            if id in self._told:
                self._told.discard(id)
                self._news.append(News(id, None))

    def is_open(self, question: _Question) -> bool:
        """Return whether an answer to a question is still wanted."""
        return question.by_engine or self._open.get(question.id) is question

    def is_late(self, question: _Question) -> bool:
        """Return whether a container has been asked for long enough."""
        return time.monotonic() - question.since_s >= self._give_up_s

    def give_up(self, question: _Question, desk: _Desk) -> None:
        """Take in that an engine does not know a container in the end."""
        with self._changed:
            question.asked.discard(desk)
            question.hopes.discard(desk)
            if not question.asked and self.is_open(question):
                del self._open[question.id]
                self.n_unknown += 1
            self._changed.notify_all()

    def lose_hope(self, question: _Question, desk: _Desk) -> None:
        """Take in that an engine does not know a container that it should know by now."""
        with self._changed:
            question.hopes.discard(desk)
            self._changed.notify_all()

    def stir(self) -> None:
        """Wake who waits: what can be hoped for has changed."""
        with self._changed:
            self._changed.notify_all()


class _Desk:
    """The questions to one engine, with the threads that ask them.

    Attributes:
        down: Whether the engine did not answer the last time.
    """

    def __init__(
        self, lookup: Lookup, engine: ContainerEngine, on_problem: Callable[[str], None]
    ) -> None:
        self._lookup = lookup
        self._engine = engine
        self._tell = on_problem
        self.down = False
        self._down_s = _FIRST_DOWN_S
        self._due: list[tuple[float, int, float, _Question]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._closing = False
        self._threads = [
            threading.Thread(target=self._answer, name=f"ask {engine.name}", daemon=True)
            for _ in range(_THREADS)
        ]
        self._threads.append(
            threading.Thread(target=self._listen, name=f"hear {engine.name}", daemon=True)
        )

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, question: _Question, pause_s: float = 0.0) -> None:
        """Have a question asked after a pause."""
        entry = (time.monotonic() + pause_s, next(self._numbers), pause_s, question)
        with self._changed:
            heapq.heappush(self._due, entry)
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._engine.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(1.0)

    def _next(self) -> tuple[_Question, float] | None:
        """Wait for the next question that is due; None at the end."""
        with self._changed:
            while not self._closing:
                if not self._due:
                    self._changed.wait()
                    continue
                left_s = self._due[0][0] - time.monotonic()
                if left_s <= 0:
                    _, _, pause_s, question = heapq.heappop(self._due)
                    return question, pause_s
                self._changed.wait(left_s)
        return None

    def _answer(self) -> None:
        while (found := self._next()) is not None:
            question, pause_s = found
            if not self._lookup.is_open(question):
                continue
            try:
                container = self._engine.find(question.full_id)
            except EngineUnavailable as error:
                pause_s = self._went_down(str(error))
            except NotNow:
                self._came_up()
                pause_s = min(max(pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            except Exception as error:  # an odd answer must not end the thread
                self._tell(f"{self._engine.name}: {type(error).__name__}: {error}")
                if not question.by_engine:
                    self._lookup.give_up(question, self)
                continue
            else:
                self._came_up()
                if container is not None:
                    self._lookup.take(container)
                    continue
                if self._engine.knows_first:
                    self._lookup.lose_hope(question, self)
                pause_s = min(max(pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            if question.by_engine:
                continue  # whoever sees it will have it asked for
            if self._lookup.is_late(question):
                self._lookup.give_up(question, self)
            else:
                self.put(question, pause_s)

    def _went_down(self, why: str) -> float:
        """Take note that the engine does not answer; return after how long to try again."""
        with self._changed:
            if self._closing:
                return _LONGEST_DOWN_S
            first, self.down = not self.down, True
            pause_s = self._down_s
            self._down_s = min(self._down_s * 2, _LONGEST_DOWN_S)
        if first:
            self._tell(f"{self._engine.name} does not answer: {why}")
            self._lookup.stir()
        return pause_s

    def _came_up(self) -> None:
        with self._changed:
            if not self.down:
                return
            self.down = False
            self._down_s = _FIRST_DOWN_S
        self._tell(f"{self._engine.name} answers")

    def _listen(self) -> None:
        """Learn of containers before their processes are seen."""
        while not self._closing:
            try:
                self._engine.watch(self._sight, self._lookup.end)
                return
            except EngineUnavailable as error:
                pause_s = self._went_down(str(error))
            except Exception as error:  # as above
                self._tell(f"{self._engine.name}: {type(error).__name__}: {error}")
                pause_s = _LONGEST_DOWN_S
            with self._changed:
                if not self._closing:
                    self._changed.wait_for(lambda: self._closing, pause_s)

    def _sight(self, full_id: str) -> None:
        self._came_up()
        if len(self._due) < MAX_OPEN:
            self.put(_Question(full_id[:12], full_id, time.monotonic(), by_engine=True))
