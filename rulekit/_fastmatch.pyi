from array import array
from typing import Protocol

class CompiledProgram(Protocol):
    """What a matcher reads of a program."""

    names: tuple[str, ...]
    tables: dict[str, array[int]]
    pool: bytes

    def text(self, number: int) -> bytes: ...

class Matcher:
    program: CompiledProgram
    n_rules: int
    error: Exception | None
    def __init__(
        self,
        program: CompiledProgram,
        *,
        caches: bool = True,
        first_match: bool = False,
        max_cache_bytes: int = ...,
    ) -> None: ...
    def flush(self) -> None: ...
    def stats(self) -> dict[str, int]: ...
