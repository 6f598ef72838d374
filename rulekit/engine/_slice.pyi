from rulekit._fastmatch import Matcher
from rulekit.capture._reader import CaptureReader
from rulekit.engine.limits import StateLimits
from rulekit.engine.window import Window

class SliceLoop:
    n_chosen: int
    n_state_only: int
    n_needed: int
    needed: int
    n_too_long: int
    n_events: int
    n_bytes: int
    n_lost: int
    n_drops: int
    losses: dict[str, int]
    refused: dict[str, int]
    limit: int
    def __init__(
        self,
        reader: CaptureReader,
        matcher: Matcher | None = None,
        window: Window | None = None,
        keeps_state: bool = False,
        limits: StateLimits | None = None,
    ) -> None: ...
    def next(self) -> bytes | None: ...
    def snapshot(self) -> bytes: ...
    def close(self) -> None: ...
