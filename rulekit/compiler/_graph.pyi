from collections.abc import Callable, Iterable, Sequence

from rulekit.compiler.ir import OperandNode, Predicate
from rulekit.rules.bound import Bound, BoundComparison, TypedValue
from rulekit.schema.types import Kind

class Graph:
    operands: list[OperandNode]
    predicates: list[Predicate]
    ops: list[int]
    args: list[tuple[int, ...]]
    ordered: bytearray
    depth: list[int]
    def __init__(self) -> None: ...
    def operand(self, operand: OperandNode) -> int: ...
    def predicate(self, p: Predicate) -> int: ...
    def compared(
        self,
        left: int,
        op: str,
        modifier: str | None,
        kind: Kind,
        quantifier: str,
        values: tuple[TypedValue, ...],
        other: int | None,
    ) -> int: ...
    def predicate_of(self, node: int) -> Predicate: ...
    def not_(self, child: int) -> int: ...
    def and_(self, children: Iterable[int]) -> int: ...
    def or_(self, children: Iterable[int]) -> int: ...
    def reachable(self, roots: Sequence[int]) -> list[int]: ...

def node_of(
    graph: Graph, root: Bound, comparison: Callable[[BoundComparison], int], done: dict[int, int]
) -> int: ...
