import os
from typing import Any

from rulekit._fastmatch import Matcher
from rulekit.compiler.program import Program

class Probe:
    def __init__(
        self,
        program: Program,
        *,
        caches: bool = True,
        max_cache_bytes: int = ...,
        beside: Probe | None = None,
    ) -> None: ...
    def set_thread(
        self,
        tid: int,
        version: int,
        *,
        parent: int | None = None,
        pid: int | None = None,
        args: bytes | None = None,
        env: bytes | None = None,
        capabilities: tuple[int, int, int] | None = None,
    ) -> None: ...
    def changed(
        self, *, ancestors: bool = False, accounts: bool = False, containers: bool = False
    ) -> None: ...
    def refuse_strings(self) -> None: ...
    def collect(self) -> None: ...
    def stats(self) -> dict[str, int]: ...
    def match(
        self,
        slot: int,
        values: dict[tuple[str, int | None, str | None], Any],
        *,
        tid: int | None = None,
        version: int | None = None,
        interned: bool = True,
        container_event: bool = False,
    ) -> list[int]: ...

def replay(
    source: str | os.PathLike[str], matchers: list[Matcher], *, keep: bool = True
) -> tuple[list[list[tuple[int, int]]], int, float]: ...
