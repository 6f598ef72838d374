"""The elements of a rule file: engine and plugin requirements, lists, macros, rules.

The first of the keys ``required_engine_version required_plugin_versions list macro rule`` decides
the kind, whatever else an element holds.
"""

from __future__ import annotations

from difflib import get_close_matches

from rulekit.rules._plain import PlainReader
from rulekit.rules.decode import Decoder, first_line
from rulekit.rules.decode_exceptions import read_exceptions
from rulekit.rules.definitions import ListDef, MacroDef, Priority, RuleDef, RuleUpdate
from rulekit.rules.findings import Context, Findings
from rulekit.rules.merge import Collector
from rulekit.rules.overrides import read_overrides, read_priority, read_update
from rulekit.rules.required import read_engine, read_plugins
from rulekit.rules.tokens import LIST_NAME, MACRO_NAME
from rulekit.rules.yaml import Mapping, Scalar, Sequence, YamlNode
from rulekit.text.diagnostic import Fix, Label
from rulekit.text.source import SourceText, Span

_TRIMMED = " \t\n\v\f\r"

_LIST_KEYS = frozenset({"list", "items", "append", "override"})
_MACRO_KEYS = frozenset({"macro", "condition", "append", "override"})
_RULE_KEYS = frozenset(
    (
        *("rule", "condition", "output", "desc", "priority", "source", "enabled", "capture"),
        *("capture_duration", "warn_evttypes", "skip-if-unknown-filter", "tags", "exceptions"),
        *("override", "append"),
        # Falco warns about this one and goes on; here `rulekit test` runs what it holds.
        "tests",
    )
)
# What lists and macros can append or replace.
_OF_LIST, _OF_MACRO = frozenset({"items"}), frozenset({"condition"})
_KINDS = ("required_engine_version", "required_plugin_versions", "list", "macro", "rule")
_NEW_RULE_KEYS = ("condition", "output", "desc", "priority")


def read_documents(
    file: SourceText, roots: list[YamlNode], collector: Collector, out: Findings
) -> None:
    """Read every element of a file into `collector`.

    Raises:
        LoadStop: At the first error, when `out` is strict.
    """
    outside = Context(file, None, "rules content")
    decoder = Decoder(file, out)
    plain = PlainReader(file, outside, collector)
    for root in roots:
        if isinstance(root, Scalar) and root.null:
            continue
        if not isinstance(root, Sequence):
            decoder.fail(
                "RK010",
                "a rule file must be a sequence of elements",
                root,
                outside,
                "begin each element with `- `",
            )
            continue
        for element in root.items:
            if plain.read(element) or (isinstance(element, Scalar) and element.null):
                continue
            read_element(element, outside, decoder, collector)


def read_element(
    element: YamlNode, outside: Context, decoder: Decoder, collector: Collector
) -> None:
    """Read one element; after an error in lenient mode its name counts as broken."""
    if not isinstance(element, Mapping):
        context = outside.child("rules content item", element)
        decoder.fail(
            "RK011",
            "an element of a rule file must be a map",
            element,
            context,
            "a rule begins with `- rule: NAME`",
        )
        return
    present = element.index()
    kind = next((k for k in _KINDS if k in present), None)
    errors = len(decoder.out.errors)
    if kind is None:
        _unknown_item(element, outside, decoder)
    elif kind == "required_engine_version":
        read_engine(element, outside, decoder, collector)
    elif kind == "required_plugin_versions":
        read_plugins(element, outside, decoder, collector)
    else:
        try:
            read = {"list": _list, "macro": _macro, "rule": _rule}[kind]
            read(element, outside, decoder, collector)
        finally:
            if len(decoder.out.errors) > errors:
                _mark_broken(kind, element, collector)


def _mark_broken(kind: str, element: Mapping, collector: Collector) -> None:
    """Remember that what is known of a name is wrong, so that nothing is said that follows."""
    name = element.get(kind)
    if not isinstance(name, Scalar):
        return
    collector.broken.add((kind, name.value))
    known: ListDef | MacroDef | RuleDef | None
    if kind == "list":
        known = collector.lists.get(name.value)
    elif kind == "macro":
        known = collector.macros.get(name.value)
    else:
        known = collector.rules.get(name.value)
    if known is not None:
        known.broken = True


def _unknown_item(element: Mapping, outside: Context, decoder: Decoder) -> None:
    first = element.pairs[0][0] if element.pairs else element
    close: list[str] = []
    if isinstance(first, Scalar):
        close = get_close_matches(first.value, _KINDS, n=1)
    decoder.out.caution(
        "RK012",
        "LOAD_UNKNOWN_ITEM",
        "an element that is neither rule, macro, list nor requirement",
        decoder.span(first),
        outside.child("rules content item", element),
        label="ignored",
        help=f"did you mean `{close[0]}`?" if close else None,
    )


def _append_flag(element: Mapping, context: Context, decoder: Decoder) -> bool:
    if "append" not in element.index():
        return False
    append = decoder.boolean(element, "append", context)
    if append:
        decoder.out.caution(
            "RK313",
            "LOAD_DEPRECATED_ITEM",
            "`append` is deprecated",
            decoder.key_span(element, "append"),
            context,
            help="write `override:` with `KEY: append` for each key that is given",
            fix=_append_fix(element, decoder),
        )
    return bool(append)


def _append_fix(element: Mapping, decoder: Decoder) -> Fix | None:
    """Return the ``override`` that means the same as ``append``, when nothing is ignored."""
    keys = [key.value for key, _ in element.pairs if isinstance(key, Scalar)]
    appended = [key for key in ("condition", "exceptions", "items") if key in keys]
    others = set(keys) - {*appended, "rule", "macro", "list", "source", "append"}
    if not appended or others or len(set(keys)) < len(keys):
        return None
    whole = decoder.pair_span(element, "append")
    listed = ", ".join(f"{key}: append" for key in appended)
    return Fix(whole, f"override: {{{listed}}}", "use `override`")


def _enabled_fix(element: Mapping, decoder: Decoder) -> Fix:
    """Return the ``override`` that goes with ``enabled``."""
    whole = decoder.pair_span(element, "enabled")
    text = decoder.file.text
    glue = ", "
    if text[element.start] != "{":
        glue = "\n" + " " * (whole.start - text.rfind("\n", 0, whole.start) - 1)
    end = decoder.file.span(whole.end, whole.end)
    return Fix(end, f"{glue}override: {{enabled: replace}}", "use `override`")


def _not_both(append: bool, replaced: bool, element: Mapping, ctx: Context, dec: Decoder) -> bool:
    """Report ``append: true`` beside ``override``; return whether there was none."""
    if not (append and replaced):
        return True
    dec.fail(
        "RK306",
        "`append` and `override` cannot stand in one element",
        dec.key_span(element, "append"),
        ctx,
        help="drop `append`",
    )
    return False


def _list(element: Mapping, outside: Context, decoder: Decoder, collector: Collector) -> None:
    name = decoder.name(element, "list", outside)
    if name is None:
        return
    context = outside.child("list", element, name.text)
    if not LIST_NAME.fullmatch(name.text):
        decoder.out.caution(
            "RK316",
            "LOAD_INVALID_LIST_NAME",
            f"`{name.text}` is not a good list name",
            name,
            context,
            help="use no blanks, quotes, parentheses, commas or `=`",
        )
    errors = len(decoder.out.errors)
    items = decoder.items(element, "items", context)
    append = _append_flag(element, context, decoder)
    appended, replaced = read_overrides(element, _OF_LIST, _OF_LIST, context, decoder)
    _not_both(append, bool(appended or replaced), element, context, decoder)
    if items is not None and len(decoder.out.errors) == errors:
        new = ListDef(name.text, name, context, items)
        if append or "items" in appended:
            collector.append_list(new, decoder.out)
        else:
            collector.define_list(new)
    decoder.check_keys(element, _LIST_KEYS, context)


def _macro(element: Mapping, outside: Context, decoder: Decoder, collector: Collector) -> None:
    name = decoder.name(element, "macro", outside)
    if name is None:
        return
    context = outside.child("macro", element, name.text)
    if not MACRO_NAME.fullmatch(name.text):
        decoder.out.caution(
            "RK315",
            "LOAD_INVALID_MACRO_NAME",
            f"`{name.text}` is not a name that a condition can use",
            name,
            context,
            help="use letters, then letters, digits and `_`",
        )
    errors = len(decoder.out.errors)
    condition = decoder.text(element, "condition", context)
    append = _append_flag(element, context, decoder)
    appended, replaced = read_overrides(element, _OF_MACRO, _OF_MACRO, context, decoder)
    _not_both(append, bool(appended or replaced), element, context, decoder)
    if condition is not None and len(decoder.out.errors) == errors:
        inner = context.child("macro condition", element.get("condition"))
        new = MacroDef(name.text, name, context, [condition], inner)
        if append or "condition" in appended:
            collector.append_macro(new, decoder.out)
        else:
            collector.define_macro(new)
    decoder.check_keys(element, _MACRO_KEYS, context)


def _rule(element: Mapping, outside: Context, decoder: Decoder, collector: Collector) -> None:
    name = decoder.name(element, "rule", outside)
    if name is None:
        return
    context = outside.child("rule", element, name.text)
    source = decoder.text(element, "source", context, optional=True, may_be_empty=True)
    source_text = source.text if source is not None else ""
    append = _append_flag(element, context, decoder)
    update = RuleUpdate(name.text, name, context)
    if read_update(element, update, source_text, append, decoder, collector):
        pass
    elif append:
        update.source = source_text
        update.condition = decoder.text(element, "condition", context, optional=True)
        if element.get("exceptions") is not None:
            update.exceptions = read_exceptions(element, context, True, decoder)
        collector.append_rule(update, decoder.out)
    elif all(element.get(key) is None for key in _NEW_RULE_KEYS):
        _enable(element, name, context, decoder, collector)
    else:
        _new_rule(element, name, context, decoder, collector)
    decoder.check_keys(element, _RULE_KEYS, context)


def _enable(
    element: Mapping, name: Span, context: Context, decoder: Decoder, collector: Collector
) -> None:
    """Read the old form that flips the flag of an earlier rule."""
    if element.get("enabled") is None:
        decoder.fail(
            "RK015",
            f"rule `{name.text}` has no `condition`, `output`, `desc` and `priority`",
            name,
            context,
            "give all four, or `enabled` to change an earlier rule",
        )
        return
    enabled = decoder.boolean(element, "enabled", context, optional=False)
    if enabled is None:
        return
    decoder.out.caution(
        "RK314",
        "LOAD_DEPRECATED_ITEM",
        "`enabled` on its own is deprecated",
        decoder.key_span(element, "enabled"),
        context,
        help="add `override:` with `enabled: replace`",
        fix=_enabled_fix(element, decoder),
    )
    collector.enable_rule(name.text, enabled, name, context, decoder.out)


def _new_rule(
    element: Mapping, name: Span, context: Context, decoder: Decoder, collector: Collector
) -> None:
    errors = len(decoder.out.errors)
    missing = [key for key in _NEW_RULE_KEYS if element.get(key) is None]
    known = collector.rules.get(name.text)
    condition = _required(element, "condition", missing, known, context, decoder)
    output = _required(element, "output", missing, known, context, decoder)
    desc = _required(element, "desc", missing, known, context, decoder)
    priority = None
    if _required(element, "priority", missing, known, context, decoder) is not None:
        priority = read_priority(element, context, decoder)
    before_source = len(decoder.out.errors)
    source = decoder.text(element, "source", context, optional=True)
    source_is_bad = len(decoder.out.errors) > before_source
    enabled = decoder.boolean(element, "enabled", context)
    capture = decoder.boolean(element, "capture", context)
    duration = decoder.unsigned(element, "capture_duration", context)
    warn = decoder.boolean(element, "warn_evttypes", context)
    skip = decoder.boolean(element, "skip-if-unknown-filter", context)
    tags = decoder.texts(element, "tags", context, optional=True)
    exceptions = read_exceptions(element, context, False, decoder)
    broken = len(decoder.out.errors) > errors
    if condition is None or output is None or source_is_bad:
        return
    rule = RuleDef(
        name.text,
        name,
        context,
        [condition],
        [_trimmed(output)],
        [desc] if desc is not None else [],
        priority if priority is not None else Priority.DEBUG,
        source.text if source is not None else "syscall",
        context.child("rule condition", element.get("condition")),
        context.child("rule output", element.get("output")),
        {tag.text for tag in tags or ()},
        exceptions,
        enabled is not False,
        bool(capture),
        duration or 0,
        warn is not False,
        bool(skip),
        source_span=source,
        # Its condition and output are looked at all the same: all that is wrong is told at once.
        broken=broken,
    )
    collector.define_rule(rule, decoder.out)


def _required(
    element: Mapping,
    key: str,
    missing: list[str],
    known: RuleDef | None,
    context: Context,
    decoder: Decoder,
) -> Span | None:
    """Return the text of a key that a new rule needs; report all missing ones at the first."""
    if key not in missing:
        return decoder.text(element, key, context)
    if key == missing[0]:
        names = [f"`{name}`" for name in missing]
        listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
        help_ = None
        if known is not None:
            help_ = f"to change rule `{known.name}`, add `override:` with each key that is given"
        decoder.fail(
            "RK015",
            f"{listed} {'is' if len(names) == 1 else 'are'} missing",
            first_line(decoder.file, element),
            context,
            f"a rule needs {'it' if len(names) == 1 else 'them'}",
            help_,
            labels=(Label(known.name_span, "already defined here"),) if known else (),
        )
    return None


def _trimmed(span: Span) -> Span:
    text = span.text
    start = len(text) - len(text.lstrip(_TRIMMED))
    end = len(text.rstrip(_TRIMMED))
    return Span(span.source, span.start + start, span.start + max(start, end))
