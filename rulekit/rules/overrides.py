"""``override``: which keys of an element are appended to an earlier one, which replace it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches

from rulekit.rules.decode import Decoder
from rulekit.rules.decode_exceptions import read_exceptions
from rulekit.rules.definitions import Priority, RuleUpdate
from rulekit.rules.findings import Context
from rulekit.rules.merge import Collector
from rulekit.rules.yaml import Mapping, Scalar, Sequence, YamlNode
from rulekit.text.diagnostic import Diagnostic, Fix
from rulekit.text.source import Span

# In the order in which their values are read.
_APPENDABLE = ("condition", "exceptions", "output", "desc", "tags")
_REPLACEABLE = (
    *_APPENDABLE,
    "priority",
    "capture",
    "capture_duration",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
)


def read_overrides(
    element: Mapping,
    appendable: frozenset[str],
    replaceable: frozenset[str],
    context: Context,
    decoder: Decoder,
) -> tuple[dict[str, YamlNode], dict[str, YamlNode]]:
    """Return the keys to append and the keys to replace, each with the node that says so."""
    appended: dict[str, YamlNode] = {}
    replaced: dict[str, YamlNode] = {}
    node = element.get("override")
    if node is None or isinstance(node, Scalar):
        if isinstance(node, Scalar) and not node.null:
            decoder.out.note(_not_a_map(node, decoder))
        return appended, replaced
    if isinstance(node, Sequence):
        if node.items:
            # Falco trips over this without knowing where.
            outside = context.chain()[0]
            span = decoder.span(node)
            message = "`override` must be a map of keys to `append` or `replace`"
            decoder.out.fail("RK307", "LOAD_ERR_VALIDATE", message, span, outside)
        return appended, replaced
    outer = context.child("overrides", element)
    for key, value in node.pairs:
        name = _plain(key)
        operation = _plain(value)
        if name is None or operation is None:
            outside = context.chain()[0]
            message = "`override` must be a map of keys to `append` or `replace`"
            span = decoder.span(key if name is None else value)
            decoder.out.fail("RK307", "LOAD_ERR_VALIDATE", message, span, outside)
            continue
        if operation == "append":
            target, allowed = appended, appendable
        elif operation == "replace":
            target, allowed = replaced, replaceable
        else:
            _bad_operation(name, operation, value, outer, decoder)
            continue
        if name in allowed:
            target[name] = key
            continue
        close = get_close_matches(name, sorted(allowed), n=1)
        help_ = f"did you mean `{close[0]}`?" if close else None
        if name in replaceable:
            help_ = f"write `{name}: replace`"
        decoder.fail(
            "RK308",
            f"`{name}` cannot be {'appended to' if operation == 'append' else 'replaced'}",
            key,
            outer.child("overrides", key, name),
            help=help_,
        )
    return appended, replaced


def _plain(node: YamlNode) -> str | None:
    if not isinstance(node, Scalar):
        return None
    return "null" if node.null else node.value


def _not_a_map(node: Scalar, decoder: Decoder) -> Diagnostic:
    return Diagnostic(
        "RK307",
        "warning",
        "`override` must be a map of keys to `append` or `replace`",
        decoder.span(node),
        "ignored: the element counts as a full definition",
    )


def _bad_operation(
    name: str, operation: str, value: YamlNode, outer: Context, decoder: Decoder
) -> None:
    close = get_close_matches(operation, ["append", "replace"], n=1)
    decoder.fail(
        "RK307",
        f"`{operation}` is neither `append` nor `replace`",
        value,
        outer.child("value for", value, name),
        help=f"did you mean `{close[0]}`?" if close else None,
    )


def read_update(
    element: Mapping,
    update: RuleUpdate,
    source: str,
    append: bool,
    decoder: Decoder,
    collector: Collector,
) -> bool:
    """Apply the overrides of a rule element; return False when it has none."""
    context = update.context
    errors = len(decoder.out.errors)
    appended, replaced = read_overrides(
        element, frozenset(_APPENDABLE), frozenset(_REPLACEABLE), context, decoder
    )
    if not appended and not replaced:
        return len(decoder.out.errors) > errors
    if append:
        decoder.fail(
            "RK306",
            "`append` and `override` cannot stand in one element",
            decoder.key_span(element, "append"),
            context,
            help="drop `append`",
        )
        return True
    expected = {key for key in _REPLACEABLE if element.get(key) is not None}
    for keys, operation, apply in (
        (appended, "append", collector.append_rule),
        (replaced, "replace", collector.replace_rule),
    ):
        if not keys:
            continue
        part = replace(update)
        before = len(decoder.out.errors)
        for key in _REPLACEABLE:
            if key not in keys:
                continue
            if key not in expected:
                decoder.fail(
                    "RK309",
                    f"`override` says to {operation} `{key}`, but the element has no `{key}`",
                    keys[key],
                    context,
                )
                continue
            expected.discard(key)
            if key == "condition":
                part.source = source
            _READ[key](part, element, context, decoder, operation == "append")
        if len(decoder.out.errors) == before:
            apply(part, decoder.out)
    for key in sorted(expected):
        decoder.fail(
            "RK310",
            f"`{key}` is given, but `override` does not say what to do with it",
            decoder.key_span(element, key),
            context.child("overrides", element.get(key), key),
            help=f"add `{key}: replace` under `override`",
        )
    return True


def read_priority(element: Mapping, context: Context, decoder: Decoder) -> Priority | None:
    """Return the priority of an element, after `text` found the key."""
    span = decoder.text(element, "priority", context)
    if span is None:
        return None
    priority = Priority.parse(span.text)
    if priority is None:
        _bad_priority(span, context.child("rule priority", element.get("priority")), decoder)
    return priority


def _bad_priority(span: Span, context: Context, decoder: Decoder) -> None:
    names = [p.name for p in Priority]
    known = {"WARN": "WARNING", "ERR": "ERROR", "CRIT": "CRITICAL", "EMERG": "EMERGENCY"}
    known |= {str(p.value): p.name for p in Priority}
    close = get_close_matches(span.text.upper(), names, n=1, cutoff=0.7)
    if span.text.upper() in known:
        close = [known[span.text.upper()]]
    decoder.fail(
        "RK023",
        f"`{span.text}` is not a priority",
        span,
        context,
        f"one of {', '.join(names)}",
        f"did you mean `{close[0]}`?" if close else None,
        fix=Fix(span, close[0], "name the priority") if close else None,
    )


def _condition(u: RuleUpdate, item: Mapping, ctx: Context, dec: Decoder, append: bool) -> None:
    u.condition = dec.text(item, "condition", ctx)


def _exceptions(u: RuleUpdate, item: Mapping, ctx: Context, dec: Decoder, append: bool) -> None:
    u.exceptions = read_exceptions(item, ctx, append, dec)


def _output(u: RuleUpdate, item: Mapping, ctx: Context, dec: Decoder, append: bool) -> None:
    u.output = dec.text(item, "output", ctx)


def _desc(u: RuleUpdate, item: Mapping, ctx: Context, dec: Decoder, append: bool) -> None:
    u.desc = dec.text(item, "desc", ctx)


def _tags(u: RuleUpdate, item: Mapping, ctx: Context, dec: Decoder, append: bool) -> None:
    u.tags = {tag.text for tag in dec.texts(item, "tags", ctx, optional=True) or ()}


def _priority(u: RuleUpdate, item: Mapping, ctx: Context, dec: Decoder, append: bool) -> None:
    u.priority = read_priority(item, ctx, dec)


def _capture(u: RuleUpdate, item: Mapping, ctx: Context, dec: Decoder, append: bool) -> None:
    u.capture = dec.boolean(item, "capture", ctx, optional=False)


def _duration(u: RuleUpdate, item: Mapping, ctx: Context, dec: Decoder, append: bool) -> None:
    u.capture_duration_ms = dec.unsigned(item, "capture_duration", ctx, optional=False)


def _enabled(u: RuleUpdate, item: Mapping, ctx: Context, dec: Decoder, append: bool) -> None:
    u.enabled = dec.boolean(item, "enabled", ctx, optional=False)


def _warn(u: RuleUpdate, item: Mapping, ctx: Context, dec: Decoder, append: bool) -> None:
    u.warn_evttypes = dec.boolean(item, "warn_evttypes", ctx, optional=False)


def _skip(u: RuleUpdate, item: Mapping, ctx: Context, dec: Decoder, append: bool) -> None:
    u.skip_if_unknown_filter = dec.boolean(item, "skip-if-unknown-filter", ctx, optional=False)


_READ: dict[str, Callable[[RuleUpdate, Mapping, Context, Decoder, bool], None]] = {
    "condition": _condition,
    "exceptions": _exceptions,
    "output": _output,
    "desc": _desc,
    "tags": _tags,
    "priority": _priority,
    "capture": _capture,
    "capture_duration": _duration,
    "enabled": _enabled,
    "warn_evttypes": _warn,
    "skip-if-unknown-filter": _skip,
}
