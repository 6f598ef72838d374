"""Exceptions of a rule as they are written."""

from __future__ import annotations

from rulekit.rules._scan import scalar_text
from rulekit.rules.decode import Decoder
from rulekit.rules.definitions import Entry, ExceptionDef
from rulekit.rules.findings import Context
from rulekit.rules.yaml import Mapping, Scalar, Sequence, YamlNode
from rulekit.text.diagnostic import Label
from rulekit.text.source import Span


def read_exceptions(
    item: Mapping, context: Context, append: bool, decoder: Decoder
) -> list[ExceptionDef]:
    """Return the elements of ``exceptions``; null means none."""
    node = item.get("exceptions")
    found: list[ExceptionDef] = []
    if node is None or (isinstance(node, Scalar) and node.null):
        return found
    outer = context.child("exceptions", node)
    if not isinstance(node, Sequence):
        decoder.fail("RK017", "`exceptions` must be a sequence of maps", node, outer)
        return found
    named: dict[str, list[ExceptionDef]] = {}
    for element in node.items:
        exception = _exception(element, outer, context, append, named, decoder)
        if exception is not None:
            found.append(exception)
            named.setdefault(exception.name, []).append(exception)
    return found


def _exception(
    node: YamlNode,
    outer: Context,
    rule: Context,
    append: bool,
    earlier: dict[str, list[ExceptionDef]],
    decoder: Decoder,
) -> ExceptionDef | None:
    unnamed = outer.child("exception", node)
    if not isinstance(node, Mapping):
        decoder.fail("RK017", "an exception must be a map", node, unnamed)
        return None
    name = decoder.text(node, "name", unnamed)
    if name is None:
        return None
    context = rule.child("exception", node, name.text)
    exception = ExceptionDef(name.text, name, context)
    for other in earlier.get(exception.name, ()):
        if decoder.out.full:
            break
        decoder.out.caution(
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
        exception.fields = _entry(fields, context.child("value for", fields, "fields"), decoder)
    elif not append:
        decoder.text(node, "fields", context)
        return None
    if comps is not None:
        exception.comps = _entry(comps, context.child("value for", comps, "comps"), decoder)
    if values is not None:
        inner = context.child("exception values", values)
        if not isinstance(values, Sequence):
            decoder.fail("RK017", "`values` of an exception must be a sequence", values, inner)
            return None
        for value in values.items:
            place = inner.child("exception value", value)
            exception.values.append(_entry(value, place.child("value for", value), decoder))
    elif append:
        decoder.out.caution(
            "RK327",
            "LOAD_APPEND_NO_VALUES",
            f"nothing is appended to exception `{exception.name}`",
            name,
            context,
            label="`values` is missing",
        )
    return exception


def _entry(node: YamlNode, context: Context, decoder: Decoder) -> Entry:
    entry = Entry(decoder.span(node))
    if isinstance(node, Scalar) and not node.null:
        if not node.value:
            decoder.fail("RK016", "an empty text cannot stand in an exception", node, context)
        text = scalar_text(decoder.file, node)
        entry.text, entry.text_span = node.value, Span(text, 0, len(node.value))
    elif isinstance(node, Sequence):
        entry.is_list = True
        for item in node.items:
            inner = context.child("exception", item).child("value for", item)
            entry.items.append(_entry(item, inner, decoder))
    return entry
