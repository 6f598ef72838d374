"""YAML as nodes with the place of every piece: what the formatter walks.

Built from parser events, not from composed nodes: an alias stays an alias with its own place,
so that nothing is expanded and nothing is lost.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PROPERTIES = re.compile(r"(?:[&!][^ \n]* +)*(?:[&!][^ \n]*(?=\n))?")

_BLANK_END = re.compile(r"(?:\n[ \t]*)+\Z")

MAX_DEPTH = 100


class Unsupported(Exception):
    """The text holds YAML that the formatter leaves alone."""


@dataclass(slots=True)
class Scalar:
    """A scalar; `text[start:end]` includes anchor and tag, `style` is the quote or ``|``/``>``."""

    start: int
    end: int
    value: str
    style: str
    tag: str | None
    anchor: str | None


@dataclass(slots=True)
class Alias:
    start: int
    end: int
    anchor: str


@dataclass(slots=True)
class Seq:
    start: int
    flow: bool
    tag: str | None
    anchor: str | None
    items: list[Node] = field(default_factory=list)
    end: int = 0


@dataclass(slots=True)
class Map:
    start: int
    flow: bool
    tag: str | None
    anchor: str | None
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    end: int = 0


@dataclass(slots=True)
class Marker:
    """``---`` or ``...`` as written."""

    start: int
    end: int


Node: TypeAlias = "Scalar | Alias | Seq | Map"


@dataclass(slots=True)
class Comment:
    """A comment; `trailing` when something else stands before it on its line."""

    start: int
    end: int
    line: int
    column: int
    trailing: bool


@dataclass(slots=True)
class Document:
    root: Node
    begin: Marker | None
    finish: Marker | None


class Stream:
    """A text, its documents and its comments.

    Raises `yaml.YAMLError` for text that is not YAML, `Unsupported` for nesting deeper than
    `MAX_DEPTH` and for directives.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._depth = 0
        self.documents = self._read()
        self.comments = self._find_comments()
        self._comment_starts = [c.start for c in self.comments]

    def line(self, offset: int) -> int:
        """Return the line of an offset, counted from 0."""
        return bisect_right(self._starts, offset) - 1

    def column(self, offset: int) -> int:
        """Return the column of an offset, counted from 0."""
        return offset - self._starts[self.line(offset)]

    def line_text(self, line: int) -> str:
        """Return a line without its line break."""
        end = self._starts[line + 1] - 1 if line + 1 < len(self._starts) else len(self.text)
        return self.text[self._starts[line] : end]

    def comments_in(self, start: int, end: int) -> list[Comment]:
        """Return the comments that begin in ``[start, end)``."""
        first = bisect_left(self._comment_starts, start)
        return self.comments[first : bisect_left(self._comment_starts, end)]

    def properties(self, node: Node) -> str:
        """Return anchor and tag of a collection as written, without the blank after them."""
        found = _PROPERTIES.match(self.text, node.start)
        return found.group().strip() if found else ""

    def _read(self) -> list[Document]:
        events = iter(yaml.parse(self.text, _LOADER))
        documents: list[Document] = []
        begin: Marker | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if event.version or event.tags:
                    raise Unsupported("a directive")
                begin = self._marker(event) if event.explicit else None
                documents.append(Document(self._node(next(events), events), begin, None))
            elif isinstance(event, yaml.DocumentEndEvent) and event.explicit:
                documents[-1].finish = self._marker(event)
        return documents

    @staticmethod
    def _marker(event: yaml.Event) -> Marker:
        return Marker(*_place(event))

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event]) -> Node:
        start, end = _place(event)
        if isinstance(event, yaml.AliasEvent):
            return Alias(start, end, event.anchor or "")
        if isinstance(event, yaml.ScalarEvent):
            style = event.style or ""
            if style in ("|", ">"):
                # The parser's end of a block scalar reaches over the blank lines behind it.
                end = start + len(_BLANK_END.sub("", self.text[start:end]))
            return Scalar(start, end, event.value, style, event.tag, event.anchor)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Unsupported("nesting of more than 100 levels")
        node: Seq | Map
        if isinstance(event, yaml.SequenceStartEvent):
            node = Seq(start, bool(event.flow_style), event.tag, event.anchor)
            closing = self._fill_seq(node, events)
        else:
            assert isinstance(event, yaml.MappingStartEvent)
            node = Map(start, bool(event.flow_style), event.tag, event.anchor)
            closing = self._fill_map(node, events)
        self._depth -= 1
        if node.flow:
            node.end = _place(closing)[1]
        return node

    def _fill_seq(self, node: Seq, events: Iterator[yaml.Event]) -> yaml.Event:
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            item = self._node(event, events)
            node.items.append(item)
            node.end = item.end
        return event

    def _fill_map(self, node: Map, events: Iterator[yaml.Event]) -> yaml.Event:
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._node(event, events)
            value = self._node(next(events), events)
            node.pairs.append((key, value))
            # An empty value may be placed before its key's colon.
            node.end = max(key.end, value.end)
        return event

    def _find_comments(self) -> list[Comment]:
        comments: list[Comment] = []
        at = 0
        for leaf in [*self.leaves(), None]:
            stop = len(self.text) if leaf is None else leaf.start
            while at < stop and (found := self.text.find("#", at, stop)) >= 0:
                end = self.text.find("\n", found)
                end = len(self.text) if end < 0 else end
                comments.append(self._comment(found, end))
                at = end
            if leaf is not None:
                if isinstance(leaf, Scalar) and leaf.style in ("|", ">"):
                    head_end = self.text.find("\n", leaf.start)
                    head_end = leaf.end if head_end < 0 else min(head_end, leaf.end)
                    found = self.text.find("#", leaf.start, head_end)
                    if found >= 0:
                        comments.append(self._comment(found, head_end))
                at = max(at, leaf.end)
        return comments

    def _comment(self, start: int, end: int) -> Comment:
        line, column = self.line(start), self.column(start)
        trailing = bool(self.line_text(line)[:column].strip())
        return Comment(start, end, line, column, trailing)

    def leaves(self) -> Iterator[Scalar | Alias]:
        """Yield scalars and aliases in the order of the text."""
        stack: list[Node] = [d.root for d in reversed(self.documents)]
        while stack:
            node = stack.pop()
            if isinstance(node, Seq):
                stack.extend(reversed(node.items))
            elif isinstance(node, Map):
                for key, value in reversed(node.pairs):
                    stack.extend((value, key))
            else:
                yield node


def _place(event: yaml.Event) -> tuple[int, int]:
    assert event.start_mark is not None
    assert event.end_mark is not None
    return event.start_mark.index, event.end_mark.index
