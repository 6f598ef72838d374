"""Reading typed values out of YAML maps, with a diagnostic for whatever has the wrong shape."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from rulekit.rules.definitions import Entry, ExceptionDef
from rulekit.rules.findings import Context, Findings
from rulekit.rules.requirements import parse_unsigned
from rulekit.rules.yaml import (
    Mapping,
    Scalar,
    Sequence,
    YamlNode,
    node_span,
    scalar_text,
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
        if not node.value:
            if not may_be_empty:
                self.fail("RK016", f"`{key}` is empty", node, inner, "a text must stand here")
            return None
        text = scalar_text(self.file, node)
        return Span(text, 0, len(text.text))

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
        spans: list[Span] = []
        for element in node.items:
            if isinstance(element, Scalar) and not element.null:
                text = scalar_text(self.file, element)
                spans.append(Span(text, 0, len(text.text)))
                continue
            what = "a text"
            label = "a map or sequence cannot stand here"
            if isinstance(element, Scalar):
                label = "this is null; quote it to mean the text" if element.value else "empty"
            self.fail(
                "RK017",
                f"an element of `{key}` is not {what}",
                element,
                inner.child("list item", element),
                label,
            )
        return spans

    def check_keys(self, item: Mapping, known: frozenset[str], context: Context) -> None:
        """Warn about keys that mean nothing, and about keys given twice."""
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

    def exceptions(self, item: Mapping, context: Context, append: bool) -> list[ExceptionDef]:
        """Return the elements of ``exceptions``; null means none."""
        node = item.get("exceptions")
        found: list[ExceptionDef] = []
        if node is None or (isinstance(node, Scalar) and node.null):
            return found
        outer = context.child("exceptions", node)
        if not isinstance(node, Sequence):
            self.fail("RK017", "`exceptions` must be a sequence of maps", node, outer)
            return found
        named: dict[str, list[ExceptionDef]] = {}
        for element in node.items:
            exception = self._exception(element, outer, context, append, named)
            if exception is not None:
                found.append(exception)
                named.setdefault(exception.name, []).append(exception)
        return found

    def _exception(
        self,
        node: YamlNode,
        outer: Context,
        rule: Context,
        append: bool,
        earlier: dict[str, list[ExceptionDef]],
    ) -> ExceptionDef | None:
        unnamed = outer.child("exception", node)
        if not isinstance(node, Mapping):
            self.fail("RK017", "an exception must be a map", node, unnamed)
            return None
        name = self.text(node, "name", unnamed)
        if name is None:
            return None
        context = rule.child("exception", node, name.text)
        exception = ExceptionDef(name.text, name, context)
        for other in earlier.get(exception.name, ()):
            if self.out.full:
                break
            self.out.caution(
                "RK326",
                "LOAD_EXCEPTION_NAME_NOT_UNIQUE",
                f"exception `{exception.name}` is defined twice in this rule",
                name,
                context,
                label="both apply",
                labels=(Label(other.span, "the other one"),),
            )
        fields, comps, values = node.get("fields"), node.get("comps"), node.get("values")
        if fields is not None:
            exception.fields = self._entry(fields, context.child("value for", fields, "fields"))
        elif not append:
            self.text(node, "fields", context)
            return None
        if comps is not None:
            exception.comps = self._entry(comps, context.child("value for", comps, "comps"))
        if values is not None:
            inner = context.child("exception values", values)
            if not isinstance(values, Sequence):
                self.fail("RK017", "`values` of an exception must be a sequence", values, inner)
                return None
            for value in values.items:
                place = inner.child("exception value", value)
                exception.values.append(self._entry(value, place.child("value for", value)))
        elif append:
            self.out.caution(
                "RK327",
                "LOAD_APPEND_NO_VALUES",
                f"nothing is appended to exception `{exception.name}`",
                name,
                context,
                label="`values` is missing",
            )
        return exception

    def _entry(self, node: YamlNode, context: Context, depth: int = 0) -> Entry:
        entry = Entry(self.span(node))
        if isinstance(node, Scalar) and not node.null:
            if not node.value:
                self.fail("RK016", "an empty text cannot stand in an exception", node, context)
            text = scalar_text(self.file, node)
            entry.text, entry.text_span = node.value, Span(text, 0, len(node.value))
        elif isinstance(node, Sequence):
            entry.is_list = True
            for item in node.items:
                inner = context.child("exception", item).child("value for", item)
                entry.items.append(self._entry(item, inner, depth + 1))
        return entry


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
