"""Many captures at once, a thread for each; alerts come in the order of captures and events."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from rulekit.alert import Alert
from rulekit.engine.stats import Stats
from rulekit.engine.window import Window

if TYPE_CHECKING:
    from rulekit.engine.alerts import Loop
    from rulekit.engine.pipeline import Engine

_BATCH = 256
_BATCHES = 32  # of one capture that wait for those before it
_STOP_S = 2.0  # for all passes to end when they are told to: one may wait for a pipe


class _Stopped(Exception):
    """Ends a pass that nobody wants to the end."""


class _Pass(threading.Thread):
    """Runs an engine over one capture and hands on its alerts in batches."""

    def __init__(self, engine: Engine, source: Any, window: Window | None) -> None:
        super().__init__(daemon=True)
        self.engine = engine
        self.error: Exception | None = None
        self.stopped = False
        self._source = source
        self._window = window
        self._batches: queue.Queue[list[Alert] | None] = queue.Queue(_BATCHES)

    def run(self) -> None:
        batch: list[Alert] = []
        alerts = self.engine.run(self._source, progress=self._go_on, window=self._window)
        try:
            for alert in alerts:
                batch.append(alert)
                if len(batch) >= _BATCH:
                    self._put(batch)
                    batch = []
                if self.stopped:
                    break
        except _Stopped:
            pass
        except Exception as error:
            self.error = error
        finally:
            alerts.close()
            self._put(batch)
            self._put(None)

    def _go_on(self, loop: Loop) -> None:
        if self.stopped:
            raise _Stopped

    def _put(self, batch: list[Alert] | None) -> None:
        while not self.stopped:
            try:
                self._batches.put(batch, timeout=0.2)
            except queue.Full:
                continue
            return

    def alerts(self) -> Generator[list[Alert], None, None]:
        """Yield what was found, until the end of the capture."""
        while (batch := self._batches.get()) is not None:
            yield batch


def run_many(
    engine: Engine,
    sources: Sequence[Any],
    jobs: int,
    *,
    window: Window | None = None,
    on_stop: Callable[[int, Stats], None] = lambda i, stats: None,
) -> Generator[tuple[int, Alert | Exception | Stats], None, None]:
    """Yield for each source, in order, its alerts, the error that ended it if one did, its stats.

    Up to `jobs` sources are read at the same time, each by its own engine with the same program.
    One that is far ahead waits: no more than some thousand alerts of it are kept.

    Args:
        engine: Only its rules are used; `Engine.stats` and a `reload` are not for these runs.
        sources: What `Engine.run` takes.
        on_stop: Called when the generator is closed early, for each source that was begun and whose
            end was not told: with its stats until then, and the alerts that were yielded.
    """
    passes: list[_Pass] = []
    n_told = 0
    handed: dict[str, int] = {}  # of the source whose turn it is
    waiting = iter(sources)

    def start() -> None:
        for source in waiting:
            each = _Pass(engine.another(), source, window)
            passes.append(each)
            each.start()
            return

    for _ in range(min(jobs, len(sources))):
        start()
    try:
        for i in range(len(sources)):
            each = passes[i]
            for batch in each.alerts():
                for alert in batch:
                    handed[alert.rule] = handed.get(alert.rule, 0) + 1
                    yield i, alert
            each.join()
            start()
            if each.error is not None:
                yield i, each.error
            n_told = i + 1
            handed = {}
            yield i, each.engine.stats
    finally:
        for each in passes:
            each.stopped = True
        until_s = time.monotonic() + _STOP_S
        for each in passes:
            each.join(max(0.0, until_s - time.monotonic()))
        for i, each in enumerate(passes[n_told:], n_told):
            stats = each.engine.look()
            stats.alerts = handed if i == n_told else {}
            on_stop(i, stats)
