import os
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO

from rulekit.capture.reader import ChunkStream

Event = tuple[int, int, int, int, int, tuple[bytes, ...]]

class CaptureReader:
    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO | ChunkStream,
        *,
        lenient: bool = False,
        max_block_bytes: int | None = None,
    ) -> None: ...
    @property
    def path(self) -> str: ...
    @property
    def cut(self) -> bool: ...
    @property
    def losses(self) -> dict[str, int]: ...
    @property
    def n_lost(self) -> int: ...
    def stats(self) -> dict[str, int]: ...
    def close(self) -> None: ...
    def __enter__(self) -> CaptureReader: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

class EventIterator(Iterator[Event]):
    def __init__(
        self,
        source: str | os.PathLike[str] | BinaryIO,
        *,
        lenient: bool = False,
        max_block_bytes: int | None = None,
    ) -> None: ...
    def __next__(self) -> Event: ...
    @property
    def stats(self) -> dict[str, int]: ...
    def close(self) -> None: ...

def iter_events(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    lenient: bool = False,
    max_block_bytes: int | None = None,
) -> EventIterator: ...
def time_decode(source: str | os.PathLike[str] | BinaryIO) -> int: ...
