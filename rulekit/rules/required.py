"""The elements ``required_engine_version`` and ``required_plugin_versions``."""

from __future__ import annotations

from rulekit.rules.decode import Decoder
from rulekit.rules.definitions import PluginNeed
from rulekit.rules.findings import Context
from rulekit.rules.merge import Collector
from rulekit.rules.requirements import parse_engine_version
from rulekit.rules.yaml import Mapping, Sequence


def read_engine(element: Mapping, outside: Context, decoder: Decoder, collector: Collector) -> None:
    key = "required_engine_version"
    context = outside.child(key, element)
    span = decoder.text(element, key, context)
    if span is not None:
        version = parse_engine_version(span.text)
        if version is None:
            decoder.fail(
                "RK020",
                f"`{span.text}` is not an engine version",
                span,
                context,
                help="write a number N for 0.N.0, or `x.y.z`",
            )
        else:
            collector.need_engine(version, span, context, decoder.out)
    decoder.check_keys(element, frozenset({key}), context)


def read_plugins(
    element: Mapping, outside: Context, decoder: Decoder, collector: Collector
) -> None:
    key = "required_plugin_versions"
    node = element.get(key)
    assert node is not None
    context = outside.child("required plugin versions", node)
    if not isinstance(node, Sequence):
        decoder.fail(
            "RK017", f"`{key}` must be a sequence of maps with `name` and `version`", node, context
        )
        return
    for entry in node.items:
        unnamed = context.child("required plugin versions entry", entry)
        if not isinstance(entry, Mapping):
            decoder.fail("RK017", "a required plugin must be a map", entry, unnamed)
            continue
        if (name := decoder.text(entry, "name", unnamed)) is None:
            continue
        named = context.child("required plugin versions entry", entry, name.text)
        if (version := decoder.text(entry, "version", named)) is None:
            continue
        found = [(name.text, version.text)]
        if _alternatives(entry, named, decoder, found):
            need = PluginNeed(tuple(found), name, named)
            collector.need_plugin(need, decoder.out)
    whole = outside.child("required plugin versions", element)
    decoder.check_keys(element, frozenset({key}), whole)


def _alternatives(
    entry: Mapping, context: Context, decoder: Decoder, found: list[tuple[str, str]]
) -> bool:
    """Add the alternatives of a required plugin to `found`; return False after an error."""
    node = entry.get("alternatives")
    if node is None:
        return True
    if not isinstance(node, Sequence):
        decoder.fail("RK017", "`alternatives` must be a sequence of maps", node, context)
        return False
    kind = "required plugin versions alternative"
    for other in node.items:
        unnamed = context.child(kind, other)
        if not isinstance(other, Mapping):
            decoder.fail("RK017", "an alternative plugin must be a map", other, unnamed)
            return False
        name = decoder.text(other, "name", unnamed)
        if name is None:
            return False
        version = decoder.text(other, "version", context.child(kind, other, name.text))
        if version is None:
            return False
        found.append((name.text, version.text))
    return True
