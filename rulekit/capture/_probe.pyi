import os
from collections.abc import Iterator
from typing import Any, BinaryIO

def read_snapshots(
    source: str | os.PathLike[str] | BinaryIO,
) -> Iterator[dict[str, Any]]: ...
