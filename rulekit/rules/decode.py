"""Reading typed values out of YAML maps, with a diagnostic for whatever has the wrong shape."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from rulekit.rules._scan import scalar_span
from rulekit.rules.findings import Context, Findings
from rulekit.rules.item_texts import ItemTexts
from rulekit.rules.nodes import NULL_TEXTS, PackedScalars
from rulekit.rules.requirements import parse_unsigned
from rulekit.rules.yaml import (
    Mapping,
    Scalar,
    Sequence,
    YamlNode,
    node_span,
)
from rulekit.text.diagnostic import Diagnostic, Fix, Label
from rulekit.text.source import SourceText, Span

_TRUE = frozenset({"y", "yes", "true", "on"})
_FALSE = frozenset({"n", "no", "false", "off"})

# Whoever has more unknown keys in one element does not need a guess at each.
_MOST_SUGGESTIONS = 20

_INVALID = "LOAD_ERR_YAML_VALIDATE"


def parse_bool(text: str) -> bool | None:
    """Return the boolean that YAML 1.1 reads in `text` (lower, Capitalised or UPPER case)."""
    if text not in (text.lower(), text.upper(), text.capitalize()):
        return None
    lowered = text.lower()
    return True if lowered in _TRUE else False if lowered in _FALSE else None


class Decoder:
    """Reads values out of the maps of one file.

    Methods return None after reporting a problem (lenient findings) or raise (strict ones).
    """

    def __init__(self, file: SourceText, out: Findings) -> None:
        self.file = file
        self.out = out

    def span(self, node: YamlNode) -> Span:
        """Return where a node stands."""
        return node_span(self.file, node)

    def fail(
        self,
        code: str,
        message: str,
        node: YamlNode | Span,
        context: Context,
        label: str = "",
        help: str | None = None,
        **more: Any,
    ) -> None:
        """Report a value that Falco's reader refuses."""
        span = node if isinstance(node, Span) else self.span(node)
        self.out.fail(code, _INVALID, message, span, context, label=label, help=help, **more)

    def text(
        self,
        item: Mapping,
        key: str,
        context: Context,
        *,
        optional: bool = False,
        may_be_empty: bool = False,
    ) -> Span | None:
        """Return the text of a key as a span of its scalar."""
        node = item.get(key)
        if type(node) is Scalar and node.value and not node.null:
            return scalar_span(self.file, node)
        if node is None:
            if not optional:
                self.fail(
                    "RK015",
                    f"`{key}` is missing",
                    first_line(self.file, item),
                    context,
                    f"this element needs `{key}`",
                    _similar_key(item, key),
                )
            return None
        if isinstance(node, Scalar) and node.null:
            if not may_be_empty:
                self.fail(
                    "RK016",
                    f"`{key}` is empty",
                    self.key_span(item, key),
                    context,
                    "a value must follow",
                    "quote the text when `null` or `~` is meant" if node.value else None,
                )
            return None
        inner = context.child("value for", node, key)
        if not isinstance(node, Scalar):
            what = "a map" if isinstance(node, Mapping) else "a sequence"
            self.fail("RK017", f"`{key}` must be a text, not {what}", node, inner)
            return None
        if not may_be_empty:
            self.fail("RK016", f"`{key}` is empty", node, inner, "a text must stand here")
        return None

    def name(self, item: Mapping, kind: str, outside: Context) -> Span | None:
        """Return the name of an element, which stands under its kind."""
        node = item.get(kind)
        if type(node) is Scalar and node.value and not node.null:
            return scalar_span(self.file, node)
        return self.text(item, kind, outside.child(kind, item))

    def key_span(self, item: Mapping, key: str) -> Span:
        """Return where a key stands in a map."""
        for name, _ in item.pairs:
            if isinstance(name, Scalar) and name.value == key and not name.null:
                return self.span(name)
        return self.span(item)

    def pair_span(self, item: Mapping, key: str) -> Span:
        """Return where a key and its scalar value stand."""
        start, value = self.key_span(item, key), item.get(key)
        end = start.end if value is None else self.span(value).end
        return Span(self.file, start.start, max(start.end, end))

    def boolean(
        self, item: Mapping, key: str, context: Context, *, optional: bool = True
    ) -> bool | None:
        """Return the boolean of a key; None when it is absent."""
        span = self.text(item, key, context, optional=optional)
        if span is None:
            return None
        value = parse_bool(span.text)
        if value is None:
            node = item.get(key)
            self.fail(
                "RK018",
                f"`{key}` must be `true` or `false`, not `{_short(span.text)}`",
                span,
                context.child("value for", node, key),
            )
        return value

    def unsigned(
        self, item: Mapping, key: str, context: Context, *, optional: bool = True
    ) -> int | None:
        """Return the unsigned 32-bit number of a key; None when it is absent."""
        span = self.text(item, key, context, optional=optional)
        if span is None:
            return None
        value = parse_unsigned(span.text)
        if value is None:
            node = item.get(key)
            self.fail(
                "RK019",
                f"`{key}` must be a whole number of milliseconds, not `{_short(span.text)}`",
                span,
                context.child("value for", node, key),
                "0 to 4294967295",
            )
        return value

    def texts(
        self, item: Mapping, key: str, context: Context, *, optional: bool
    ) -> list[Span] | None:
        """Return the texts of a sequence of scalars."""
        node = item.get(key)
        if node is None:
            if not optional:
                self.text(item, key, context)
            return None
        inner = context.child("value for", node, key)
        if not isinstance(node, Sequence):
            fix = None
            if isinstance(node, Scalar) and not node.null and not node.style:
                fix = Fix(self.span(node), f"[{node.value}]", "make it a sequence of one")
            empty = isinstance(node, Scalar) and node.null
            self.fail(
                "RK017",
                f"`{key}` must be a sequence",
                self.key_span(item, key) if empty else node,
                inner,
                "nothing follows" if empty else "this is a single value",
                "write `[]` for an empty sequence" if empty else None,
                fix=fix,
            )
            return None
        return [scalar_span(self.file, each) for each in self._scalars(node, key, inner)]

    def items(self, item: Mapping, key: str, context: Context) -> ItemTexts | None:
        """Return the items of a list."""
        node = item.get(key)
        if not isinstance(node, Sequence):
            self.texts(item, key, context, optional=False)
            return None
        inner = context.child("value for", node, key)
        return ItemTexts.written(self.file, self._scalars(node, key, inner))

    def _scalars(self, node: Sequence, key: str, context: Context) -> Any:
        """Return the elements of a sequence that are texts, after reporting all others."""
        if isinstance(node.items, PackedScalars):
            if NULL_TEXTS.isdisjoint(node.items.texts):
                return node.items
        elif all(type(each) is Scalar and not each.null for each in node.items):
            return node.items
        found: list[Scalar] = []
        for element in node.items:
            if isinstance(element, Scalar) and not element.null:
                found.append(element)
                continue
            label = "a map or sequence cannot stand here"
            if isinstance(element, Scalar):
                label = "this is null; quote it to mean the text" if element.value else "empty"
            self.fail(
                "RK017",
                f"an element of `{key}` is not a text",
                element,
                context.child("list item", element),
                label,
            )
        return found

    def check_keys(self, item: Mapping, known: frozenset[str], context: Context) -> None:
        """Warn about keys that mean nothing, and about keys given twice."""
        found = item.index()
        if len(found) == len(item.pairs) and found.keys() <= known:
            return
        seen: dict[str, YamlNode] = {}
        unknown = 0
        present: set[str] | frozenset[str]
        present = {key.value for key, _ in item.pairs if isinstance(key, Scalar)}
        for key, _ in item.pairs:
            if not isinstance(key, Scalar):
                # Falco gives up on the file here, without saying where.
                outside = context.chain()[0]
                self.out.fail(
                    "RK017",
                    "LOAD_ERR_VALIDATE",
                    "a key must be a text",
                    self.span(key),
                    outside,
                )
                continue
            name = "null" if key.null else key.value
            if name not in known:
                unknown += 1
                if unknown > _MOST_SUGGESTIONS:
                    present = known
                self._unknown_key(key, name, known, present, context)
            if name in seen:
                self.out.note(
                    self.duplicate(name, key, seen[name]),
                )
            seen.setdefault(name, key)

    def _unknown_key(
        self,
        key: Scalar,
        name: str,
        known: frozenset[str],
        present: set[str] | frozenset[str],
        context: Context,
    ) -> None:
        close = get_close_matches(name, sorted(known - present), n=1, cutoff=0.75)
        span = self.span(key)
        help_ = f"did you mean `{close[0]}`?" if close else None
        if name == "<<":
            help_ = "merge keys are not expanded; write the keys out"
        self.out.caution(
            "RK013",
            "LOAD_UNKNOWN_KEY",
            f"unknown key `{_short(name)}`",
            span,
            context,
            label="ignored",
            help=help_,
            fix=Fix(span, close[0], "correct the name") if close else None,
        )

    def duplicate(self, name: str, key: YamlNode, first: YamlNode) -> Diagnostic:
        """Return the diagnostic for a key given twice."""
        return Diagnostic(
            "RK014",
            "warning",
            f"key `{_short(name)}` is given twice",
            self.span(key),
            "ignored: the first one counts",
            labels=(Label(self.span(first), "the first one"),),
        )


def first_line(file: SourceText, item: Mapping) -> Span:
    """Return the place of the first pair of a map, where its kind and name stand."""
    span = node_span(file, item)
    if item.pairs:
        value = node_span(file, item.pairs[0][1])
        span = Span(file, span.start, max(span.end, value.end))
        newline = file.text.find("\n", span.start, span.end)
        if newline >= 0:
            span = Span(file, span.start, newline)
    return span


def _similar_key(item: Mapping, key: str) -> str | None:
    """Say which key of the map looks like the one that is missing."""
    names = [k.value for k, _ in item.pairs if isinstance(k, Scalar)]
    close = get_close_matches(key, names, n=1, cutoff=0.75)
    return f"`{close[0]}` looks like it" if close else None


def _short(text: str) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= 60 else text[:57] + "..."
