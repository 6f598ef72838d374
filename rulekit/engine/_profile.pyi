from rulekit._fastmatch import Matcher
from rulekit.compiler.program import Program
from rulekit.engine._loop import EventLoop

# what, number, parent, calls, held, total_ns
Frame = tuple[str, int, int, int, int, float]

class Profiler:
    matcher: Matcher
    matches: list[int]
    def __init__(self, program: Program, *, first_match: bool = ...) -> None: ...
    def run(self, loop: EventLoop) -> bool: ...
    def frames(self) -> list[Frame]: ...
