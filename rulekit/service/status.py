"""How a service is: whether it goes on, what it reloaded."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Status:
    """Figures that several threads write and read.

    Attributes:
        stalled_after_s: Without a `beat` for so long, the service stands still.
        reloads: Reloads that went well; `failed_reloads` those that did not.
        problem: Why the last reload failed, empty when it did not.
        reloaded_s: When the last one was, since the epoch; 0: never.
        stopping: Whether the end has begun.
    """

    stalled_after_s: float = 60.0
    started_s: float = field(default_factory=time.time)
    reloads: int = 0
    failed_reloads: int = 0
    problem: str = ""
    reloaded_s: float = 0.0
    stopping: bool = False
    _beat_s: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def beat(self) -> None:
        """Take note that the engine goes on."""
        self._beat_s = time.monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since the last `beat`."""
        return time.monotonic() - self._beat_s

    @property
    def state(self) -> str:
        """``ok``, ``stalled`` or ``stopping``."""
        if self.stopping:
            return "stopping"
        return "stalled" if self.silent_s > self.stalled_after_s else "ok"

    def reloaded(self, problem: str = "") -> None:
        """Take note of a reload."""
        with self._lock:
            self.reloaded_s = time.time()
            self.problem = problem
            if problem:
                self.failed_reloads += 1
            else:
                self.reloads += 1
