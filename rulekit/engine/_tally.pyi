from collections.abc import Iterable
from typing import Any

class Tally:
    dropped: int
    n_groups: int
    def __init__(
        self,
        keys: Iterable[Any],
        value: Any = None,
        *,
        latency: bool = False,
        distinct: int = 0,
        max_groups: int = ...,
        max_key_bytes: int = ...,
    ) -> None: ...
    def rows(
        self, most: int | None = None
    ) -> list[tuple[tuple[str | int | bool, ...], int | float, int]]: ...
