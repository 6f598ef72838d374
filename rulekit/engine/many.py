"""Many captures at once, a thread for each; alerts come in the order of captures and events."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from rulekit.alert import Alert
from rulekit.engine.stats import Stats
from rulekit.engine.window import Window

if TYPE_CHECKING:
    from rulekit.engine.pipeline import Engine

_BATCH = 256
_BATCHES = 32  # of one capture that wait for those before it


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
        alerts = self.engine.run(self._source, window=self._window)
        try:
            for alert in alerts:
                batch.append(alert)
                if len(batch) >= _BATCH:
                    self._put(batch)
                    batch = []
                if self.stopped:
                    break
        except Exception as error:
            self.error = error
        finally:
            alerts.close()
            self._put(batch)
            self._put(None)

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
    engine: Engine, sources: Sequence[Any], jobs: int, *, window: Window | None = None
) -> Generator[tuple[int, Alert | Exception | Stats], None, None]:
    """Yield for each source, in order, its alerts, the error that ended it if one did, its stats.

    Up to `jobs` sources are read at the same time, each by its own engine with the same program.
    One that is far ahead waits: no more than some thousand alerts of it are kept.

    Args:
        engine: Only its rules are used; `Engine.stats` and a `reload` are not for these runs.
        sources: What `Engine.run` takes.
    """
    passes: list[_Pass] = []
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
                    yield i, alert
            each.join()
            start()
            if each.error is not None:
                yield i, each.error
            yield i, each.engine.stats
    finally:
        for each in passes:
            each.stopped = True
        for each in passes:
            each.join()
