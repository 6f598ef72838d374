from typing import Any

from rulekit.compiler.program import Program

class Probe:
    def __init__(
        self, program: Program, *, caches: bool = True, max_cache_bytes: int = ...
    ) -> None: ...
    def stats(self) -> dict[str, int]: ...
    def match(
        self,
        slot: int,
        values: dict[tuple[str, int | None, str | None], Any],
        *,
        tid: int | None = None,
        version: int | None = None,
        interned: bool = True,
    ) -> list[int]: ...
