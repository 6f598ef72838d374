from collections.abc import Iterable
from typing import Any

from rulekit._fastmatch import Matcher
from rulekit.capture._reader import CaptureReader
from rulekit.engine._tally import Tally
from rulekit.engine.limits import StateLimits
from rulekit.engine.stats import Stats
from rulekit.engine.window import Window
from rulekit.state._columns import ColumnSet
from rulekit.state._outputs import OutputProgram

class EventLoop:
    matcher: Matcher | None
    serial: int
    ts_ns: int
    raw: int
    num: int
    tid: int
    latency_ns: int | None
    n_enters: int
    span_ns: int
    n_events: int
    n_drops: int
    losses: dict[str, int]
    n_bytes: int
    def __init__(
        self,
        reader: CaptureReader,
        matcher: Matcher | None = None,
        max_threads: int = ...,
        max_fds: int = ...,
        window: Window | None = None,
        limits: StateLimits | None = None,
    ) -> None: ...
    def interrupt(self) -> None: ...
    def exchange(self, matcher: Matcher) -> None: ...
    def next(self) -> bool | None: ...
    def collect(self, columns: ColumnSet, max_rows: int, max_bytes: int) -> bool | None: ...
    def matched(self) -> list[int]: ...
    def render(self, output: OutputProgram) -> tuple[str, dict[str, Any]]: ...
    def render_line(self, output: OutputProgram, keep_nulls: bool) -> bytes | None: ...
    def time_calls(self) -> None: ...
    def tally(self, tallies: Iterable[Tally]) -> None: ...
    def slower_than(self, least_ns: int) -> None: ...
    def fields(self, output: OutputProgram) -> dict[str, Any]: ...
    def threads(
        self, output: OutputProgram, only: Matcher | None = None
    ) -> list[dict[str, Any]]: ...
    def descriptors(
        self, output: OutputProgram, only: Matcher | None = None
    ) -> list[dict[str, Any]]: ...
    def fill(self, stats: Stats) -> None: ...
    def close(self) -> None: ...
