from collections.abc import Callable
from typing import Any

from rulekit._fastmatch import Matcher
from rulekit.engine._documents import DocumentLoop

class Decider(DocumentLoop):
    def __init__(self, reader: None, matcher: Matcher, *, source: str) -> None: ...
    def evaluate(
        self, text: bytes, build: Callable[[DocumentLoop, int], Any] | None = None
    ) -> tuple[list[Any], int, int, str | None, bool]: ...
