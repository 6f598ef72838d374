from typing import TypeAlias

from rulekit._fastmatch import Matcher
from rulekit.compiler.written import WrittenProgram
from rulekit.engine._documents import DocumentLoop
from rulekit.engine._loop import EventLoop

# What a field yields: texts, byte buffers and addresses are bytes.
FieldValue: TypeAlias = "bytes | int | bool | float | list[FieldValue] | None"

class Explainer:
    written: WrittenProgram
    def __init__(self, written: WrittenProgram, *, max_combinations: int = ...) -> None: ...
    def look(self, loop: EventLoop | DocumentLoop) -> None: ...
    def explain(self, rule: int) -> tuple[bool, int, int, int]: ...
    def values(self, rule: int, place: int) -> tuple[FieldValue, FieldValue]: ...
    def gather(
        self, loop: EventLoop | DocumentLoop, against: Matcher | None = None
    ) -> tuple[bool, list[tuple[int, list[int]]]]: ...
    def combinations(self, rule: int) -> tuple[list[tuple[bool, int, int, int, int]], int]: ...
