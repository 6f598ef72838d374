"""YAML as rule files mean it: scalars are text, and every node knows where it stands.

Read from the events of libyaml (or PyYAML's own parser where that is missing), so that no tag
resolution, merge key or duplicate key gets in the way and aliases cannot blow up memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

import yaml

from rulekit.errors import RuleError
from rulekit.rules.scalar_map import scalar_offsets
from rulekit.text.diagnostic import Diagnostic, Fix, Label
from rulekit.text.source import SourceText, Span

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Falco's reader stops at this depth, too.
MAX_DEPTH = 500
# Nodes that aliases may add by standing for others; a file's own nodes are not limited.
MAX_ALIASED_NODES = 1_000_000

_NULL_TEXTS = frozenset({"", "~", "null", "Null", "NULL"})
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff\ud800-\udfff]"
)


@dataclass(slots=True, eq=False)
class Scalar:
    """A scalar as text; `null` when it is unquoted and empty, ``~`` or ``null``.

    Attributes:
        start, end: Character offsets of the node in the file, counted from 0.
        style: ``'`` or ``"`` or ``|`` or ``>``, or empty for a plain scalar.
    """

    start: int
    end: int
    value: str
    style: str
    null: bool


@dataclass(slots=True, eq=False)
class Sequence:
    """A sequence of nodes."""

    start: int
    end: int
    items: list[YamlNode] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapping:
    """A map; `pairs` holds every pair in order, `get` finds the first of equal keys."""

    start: int
    end: int
    pairs: list[tuple[YamlNode, YamlNode]] = field(default_factory=list)
    _index: dict[str, YamlNode] | None = None

    def get(self, key: str) -> YamlNode | None:
        """Return the value of the first key that reads `key`, or None."""
        if self._index is None:
            self._index = {}
            for name, value in self.pairs:
                if isinstance(name, Scalar) and not name.null:
                    self._index.setdefault(name.value, value)
        return self._index.get(key)


YamlNode: TypeAlias = "Scalar | Sequence | Mapping"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScalarText(SourceText):
    """The value of a scalar; the map to characters of the file is made when first asked for."""

    start: int = 0
    end: int = 0
    style: str = ""
    _map: list[tuple[int, ...]] = field(default_factory=list, repr=False)

    def place(self, start: int, end: int) -> Span | None:
        """Return where ``[start, end)`` stands in the file."""
        assert self.outer is not None
        if not self._map:
            self._map.append(
                scalar_offsets(self.outer.text, self.start, self.end, self.style, self.text)
            )
        offsets = self._map[0]
        last = len(offsets) - 1
        first = offsets[min(start, last)]
        final = offsets[min(end - 1, last)] + 1 if end > start else first
        return Span(self.outer, first, max(first, final))


def scalar_text(file: SourceText, node: Scalar) -> ScalarText:
    """Return the value of a scalar as text that knows its place in `file`."""
    return ScalarText(file.name, node.value, file, (), [], node.start, node.end, node.style)


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
        raise _failure(
            "RK002",
            f"byte 0x{skipped.hex()} is not UTF-8",
            file.span(len(before), len(before) + 4),
            "rule files are UTF-8 text",
        ) from None


def parse_documents(file: SourceText, notes: list[Diagnostic]) -> list[YamlNode]:
    """Return the root node of every document; an empty one is a null scalar.

    Args:
        notes: Receives what was tolerated: a quote that is still open at the end of the file.

    Raises:
        RuleError: One diagnostic (RK003 to RK009): the first thing that is not YAML.
    """
    text = file.text
    if bad := _CONTROL.search(text):
        raise _failure(
            "RK003",
            f"control character U+{ord(bad[0]):04X} in the file",
            file.span(bad.start(), bad.end()),
            "not allowed in YAML",
            'write it as `"\\xHH"` inside double quotes',
        )
    try:
        return _Composer(file, text).documents()
    except yaml.MarkedYAMLError as error:
        if not (quote := _tolerated_quote(text, error)):
            raise _explain(file, error) from None
        opened = error.context_mark.index  # type: ignore[union-attr]
    try:
        roots = _Composer(file, text + quote).documents()
    except yaml.MarkedYAMLError:
        raise _open_quote(file, opened, "error") from None
    notes.extend(_open_quote(file, opened, "warning").diagnostics)
    return roots


class _Composer:
    """Builds nodes from events, counting what aliases stand for."""

    def __init__(self, file: SourceText, text: str) -> None:
        self.file = file
        self.text = text

    def _events(self) -> Iterator[Any]:
        loader = _Loader(self.text)
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
                null = not style and event.tag is None and value in _NULL_TEXTS
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
        return roots

    def _span(self, event: Any) -> Span:
        return self.file.span(event.start_mark.index, event.end_mark.index)

    def _unknown_alias(self, event: Any) -> NoReturn:
        raise _failure(
            "RK008",
            f"unknown anchor `{event.anchor}`",
            self._span(event),
            f"no `&{event.anchor}` is complete before this alias",
            "quote the text when it is meant to begin with `*`",
        )

    def _bomb(self, event: Any) -> NoReturn:
        raise _failure(
            "RK007",
            f"aliases stand for more than {MAX_ALIASED_NODES} nodes",
            self._span(event),
            f"the limit is passed at `*{event.anchor}`",
        )

    def _too_deep(self, event: Any) -> NoReturn:
        raise _failure(
            "RK009",
            f"collections are nested more than {MAX_DEPTH} deep",
            self._span(event),
            "this one is too deep",
        )


def _failure(
    code: str, message: str, span: Span, label: str, help_: str | None = None, *labels: Label
) -> RuleError:
    found = Diagnostic(
        code, "error", message, span, label, help_, "LOAD_ERR_YAML_PARSE", tuple(labels)
    )
    return RuleError(message, [found])


def _tolerated_quote(text: str, error: yaml.MarkedYAMLError) -> str:
    """Return the quote to add when the file ends, after a line break, inside a quoted scalar.

    Falco's YAML reader takes the end of the file for the missing quote in exactly this case.
    """
    if (
        error.context == "while scanning a quoted scalar"
        and "end of stream" in (error.problem or "")
        and text.rstrip(" \t")[-1:] == "\n"
    ):
        return text[error.context_mark.index]  # type: ignore[union-attr]
    return ""


def _open_quote(file: SourceText, opened: int, severity: Any) -> RuleError:
    newline = file.text.find("\n", opened)
    if newline < 0:
        newline = len(file.text)
    found = Diagnostic(
        "RK006",
        severity,
        "quoted text is never closed",
        file.span(opened, opened + 1),
        "opened here; everything up to the end of the file belongs to it",
        None,
        "LOAD_ERR_YAML_PARSE" if severity == "error" else None,
        fix=Fix(file.span(newline, newline), file.text[opened], "close the quote"),
    )
    return RuleError(found.message, [found])


# What libyaml calls a problem, and what to say of it.
_PROBLEMS = (
    ("tab character that violates", "RK005", "a tab cannot be used to indent", "use blanks"),
    ("cannot start any token", "RK004", "{char} cannot begin a value", "quote the text"),
    (
        "mapping values are not allowed",
        "RK004",
        "a `key: value` pair cannot stand here",
        "indent the keys of one element alike; quote a text that holds `: `",
    ),
    (
        "did not find expected key",
        "RK004",
        "this line fits neither the item above nor a new one",
        "indent keys of one item alike",
    ),
    (
        "did not find expected '-' indicator",
        "RK004",
        "this line fits neither the sequence above nor its end",
        "begin each item with `- ` in the same column",
    ),
    (
        "expected alphabetic or numeric character",
        "RK004",
        "`*` begins an alias and `&` an anchor, but no name follows",
        "quote the text",
    ),
    ("could not find expected ':'", "RK004", "a key without `:`", None),
    ("expected ',' or ']'", "RK004", "`[` is never closed", None),
    ("expected ',' or '}'", "RK004", "`{{` is never closed", None),
    ("unexpected end of stream", "RK006", "quoted text is never closed", None),
    ("unexpected document indicator", "RK006", "quoted text is never closed", None),
    ("unexpected document separator", "RK006", "quoted text is never closed", None),
    ("unknown escape character", "RK004", "unknown escape in a double-quoted text", None),
    ("undefined tag handle", "RK004", "unknown tag", "quote a text that begins with `!`"),
    ("incompatible YAML document", "RK004", "a YAML version that cannot be read", None),
    # libyaml's own limit of newer versions; it scans ahead of the events that we count.
    ("maximum nesting depth", "RK009", f"collections are nested more than {MAX_DEPTH} deep", None),
    ("block sequence entries are not allowed", "RK004", "`- ` cannot stand here", None),
    ("expected comment or line break", "RK004", "text on the line of `|` or `>`", None),
)


def _explain(file: SourceText, error: yaml.MarkedYAMLError) -> RuleError:
    """Say in our words what the YAML parser found, at the place where it can be mended."""
    problem = error.problem or "not YAML"
    at = min(error.problem_mark.index if error.problem_mark else 0, len(file.text))
    # A missing bracket shows only at the end of the file; point at a character that exists.
    while at > 0 and (at == len(file.text) or file.text[at] in "\r\n"):
        at -= 1
    opened = error.context_mark.index if error.context_mark else None
    char = "a tab" if file.text[at : at + 1] == "\t" else f"`{file.text[at : at + 1]}`"
    code, message, help_ = "RK004", f"not YAML: {problem}", None
    for part, known, text, hint in _PROBLEMS:
        if part in problem:
            code, message, help_ = known, text.format(char=char), hint
            break
    if code == "RK006" and opened is not None:
        return _open_quote(file, opened, "error")
    if char == "a tab" and "cannot start" in problem:
        code, message, help_ = "RK005", "a tab cannot be used to indent", "use blanks"
    labels: tuple[Label, ...] = ()
    if "expected ',' or" in problem and opened is not None:
        label = Label(file.span(at, at + 1), "this cannot stand inside")
        return _failure(code, message, file.span(opened, opened + 1), "opened here", help_, label)
    if opened is not None and opened != at and opened < len(file.text):
        labels = (Label(file.span(opened, opened + 1), _CONTEXTS.get(error.context or "", "")),)
    return _failure(code, message, file.span(at, at + 1), "", help_, *labels)


_CONTEXTS = {
    "while parsing a flow sequence": "the `[` that is open here",
    "while parsing a flow mapping": "the `{` that is open here",
    "while parsing a block mapping": "in the map that begins here",
    "while parsing a block collection": "in the sequence that begins here",
    "while scanning a simple key": "this was read as a key",
    "while scanning a plain scalar": "in the text that begins here",
    "while scanning a block scalar": "in the text that begins here",
    "while scanning a double-quoted scalar": "in the text that begins here",
}
