from collections.abc import Callable, Sequence

from rulekit.rules.ast import Node
from rulekit.rules.findings import Context
from rulekit.rules.lists import ExpandedList
from rulekit.rules.merge import Collector
from rulekit.rules.nodes import YamlNode
from rulekit.text.source import SourceText, Span

def is_plain(element: YamlNode) -> bool: ...
def with_macros_put_in(node: Node, trees: dict[str, Node]) -> Node: ...

class PlainReader:
    def __init__(self, file: SourceText, outside: Context, collector: Collector) -> None: ...
    def read(self, element: YamlNode) -> bool: ...

class QuickLists:
    def __init__(
        self,
        lists: dict[str, ExpandedList],
        text_of: Callable[[ExpandedList], SourceText],
    ) -> None: ...
    def put_in(
        self, file: str, origin: Span
    ) -> tuple[SourceText, Sequence[ExpandedList]] | None: ...
