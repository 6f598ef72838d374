from typing import Any

from rulekit._fastmatch import Matcher
from rulekit.capture._reader import CaptureReader
from rulekit.engine.stats import Stats
from rulekit.engine.window import Window
from rulekit.state._outputs import OutputProgram

class EventLoop:
    matcher: Matcher | None
    serial: int
    ts_ns: int
    raw: int
    n_events: int
    n_bytes: int
    def __init__(
        self,
        reader: CaptureReader,
        matcher: Matcher | None = None,
        max_threads: int = ...,
        max_fds: int = ...,
        window: Window | None = None,
    ) -> None: ...
    def next(self) -> bool | None: ...
    def matched(self) -> list[int]: ...
    def render(self, output: OutputProgram) -> tuple[str, dict[str, Any]]: ...
    def render_line(self, output: OutputProgram, keep_nulls: bool) -> bytes | None: ...
    def fill(self, stats: Stats) -> None: ...
    def close(self) -> None: ...
