"""YAML as rule files mean it: scalars are text, and every node knows where it stands.

Read from the events of libyaml (or PyYAML's own parser where that is missing), so that no tag
resolution, merge key or duplicate key gets in the way and aliases cannot blow up memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn

import yaml

from rulekit.errors import RuleError
from rulekit.rules._scan import control_in, scan_document
from rulekit.rules.nodes import MAX_ALIASED_NODES, NULL_TEXTS, Mapping, Scalar, Sequence, YamlNode
from rulekit.rules.yaml_problems import MAX_DEPTH, explain, failure
from rulekit.rules.yaml_slips import Patched, patched
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText, Span

__all__ = [
    "Mapping",
    "Scalar",
    "Sequence",
    "YamlNode",
    "decode_text",
    "node_span",
    "parse_documents",
]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_READ = "Falco reads the file all the same"


def node_span(file: SourceText, node: YamlNode) -> Span:
    """Return the place of a node; for a collection that of its first line at most."""
    # A quote that the file lacks stands beyond its end.
    end = min(node.end, len(file.text))
    if not isinstance(node, Scalar) or node.style in ("|", ">"):
        newline = file.text.find("\n", node.start)
        end = end if newline < 0 else min(end, newline)
    while end > node.start + 1 and file.text[end - 1] in " \t\r\n":
        end -= 1
    return Span(file, node.start, max(end, node.start))


def decode_text(name: str, content: bytes) -> SourceText:
    """Decode a file as UTF-8 (UTF-16 with a byte order mark); a leading mark is dropped.

    Raises:
        RuleError: RK002, with the place of the first byte that is not UTF-8.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return SourceText(name, content.decode("utf-16", "replace"))
    try:
        return SourceText(name, content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        file = SourceText(name, content.decode("utf-8-sig", "backslashreplace"))
        before = content[: error.start].decode("utf-8-sig", "replace")
        skipped = content[error.start : error.start + 1]
        raise failure(
            "RK002",
            f"byte 0x{skipped.hex()} is not UTF-8",
            file.span(len(before), len(before) + 4),
            "rule files are UTF-8 text",
        ) from None


def parse_documents(file: SourceText, notes: list[Diagnostic]) -> list[YamlNode]:
    """Return the root node of every document; an empty one is a null scalar.

    Args:
        notes: Receives what was tolerated: slips that Falco's reader does not mind.

    Raises:
        RuleError: One diagnostic (RK003 to RK009): the first thing that is not YAML.
    """
    text = file.text
    if (bad := control_in(text)) >= 0:
        raise failure(
            "RK003",
            f"control character U+{ord(text[bad]):04X} in the file",
            file.span(bad, bad + 1),
            "not allowed in YAML",
            'write it as `"\\xHH"` inside double quotes',
        )
    root = scan_document(text)
    return _read_documents(file, notes) if root is None else [root]


def _read_documents(file: SourceText, notes: list[Diagnostic]) -> list[YamlNode]:
    """Read what is more than `scan_document` knows, or wrong, with libyaml."""
    read = patched(file.text)
    slips: list[Diagnostic] = []
    while True:
        try:
            roots = _Composer(file, read).documents()
            break
        except yaml.MarkedYAMLError as error:
            slips += explain(file, read, error).diagnostics
            if not (repaired := read.repaired(error)):
                raise RuleError(slips[0].message, slips[:1]) from None
            read = repaired
    notes += [replace(s, severity="warning", falco=None, help=s.help or _READ) for s in slips]
    return roots


class _Composer:
    """Builds nodes from events, counting what aliases stand for."""

    def __init__(self, file: SourceText, read: Patched) -> None:
        self.file = file
        self.read = read

    def _events(self) -> Iterator[Any]:
        loader = _Loader(self.read.text)
        try:
            while (event := loader.get_event()) is not None:
                yield event
        finally:
            loader.dispose()

    def documents(self) -> list[YamlNode]:
        roots: list[YamlNode] = []
        anchors: dict[str, tuple[YamlNode, int]] = {}
        # One entry per open collection: node, pending key, anchor, weight so far.
        stack: list[list[Any]] = []
        aliased = 0
        for event in self._events():
            kind = type(event)
            anchor, weight = None, 1
            node: YamlNode
            if kind is yaml.ScalarEvent:
                value, style = event.value, event.style or ""
                null = not style and event.tag is None and value in NULL_TEXTS
                node = Scalar(event.start_mark.index, event.end_mark.index, value, style, null)
                anchor = event.anchor
            elif kind is yaml.AliasEvent:
                if event.anchor not in anchors:
                    self._unknown_alias(event)
                node, weight = anchors[event.anchor]
                aliased += weight
                if aliased > MAX_ALIASED_NODES:
                    self._bomb(event)
            elif kind is yaml.SequenceStartEvent or kind is yaml.MappingStartEvent:
                make = Sequence if kind is yaml.SequenceStartEvent else Mapping
                stack.append(
                    [make(event.start_mark.index, event.end_mark.index), None, event.anchor, 1]
                )
                if len(stack) > MAX_DEPTH:
                    self._too_deep(event)
                continue
            elif kind is yaml.SequenceEndEvent or kind is yaml.MappingEndEvent:
                node, _, anchor, weight = stack.pop()
                node.end = max(node.end, event.end_mark.index)
            else:
                if kind is yaml.DocumentStartEvent:
                    anchors = {}
                continue
            if anchor is not None:
                anchors[anchor] = (node, weight)
            if not stack:
                roots.append(node)
                continue
            top = stack[-1]
            top[3] += weight
            parent = top[0]
            if type(parent) is Sequence:
                parent.items.append(node)
            elif top[1] is None:
                top[1] = node
            else:
                parent.pairs.append((top[1], node))
                top[1] = None
        if self.read.inserted:
            self._replace(roots)
        return roots

    def _replace(self, nodes: list[YamlNode]) -> None:
        """Give the nodes the places that they have in the file."""
        seen: set[int] = set()
        stack = list(nodes)
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            node.start, node.end = self.read.place(node.start), self.read.place(node.end)
            if isinstance(node, Sequence):
                stack += node.items
            elif isinstance(node, Mapping):
                stack += (inner for pair in node.pairs for inner in pair)

    def _span(self, event: Any) -> Span:
        place = self.read.place
        return self.file.span(place(event.start_mark.index), place(event.end_mark.index))

    def _unknown_alias(self, event: Any) -> NoReturn:
        raise failure(
            "RK008",
            f"unknown anchor `{event.anchor}`",
            self._span(event),
            f"no `&{event.anchor}` is complete before this alias",
            "quote the text when it is meant to begin with `*`",
        )

    def _bomb(self, event: Any) -> NoReturn:
        raise failure(
            "RK007",
            f"aliases stand for more than {MAX_ALIASED_NODES} nodes",
            self._span(event),
            f"the limit is passed at `*{event.anchor}`",
        )

    def _too_deep(self, event: Any) -> NoReturn:
        raise failure(
            "RK009",
            f"collections are nested more than {MAX_DEPTH} deep",
            self._span(event),
            "this one is too deep",
        )
