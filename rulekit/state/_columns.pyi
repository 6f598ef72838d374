from collections.abc import Iterable
from typing import Any, TypeAlias

Taken: TypeAlias = tuple[int, int, int, bytes, bytes | None, bytes | None, bytes]

class ColumnSet:
    names: tuple[str, ...]
    n_rows: int
    n_bytes: int
    def __init__(self, fields: Iterable[tuple[str, Any]]) -> None: ...
    def kinds(self) -> list[tuple[str, bool]]: ...
    def take(self) -> list[Taken]: ...
