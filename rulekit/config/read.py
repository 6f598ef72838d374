"""`rulekit.yaml` → `Config`: everything checked, every mistake shown where it stands."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from typing import Any

from rulekit.alert import Alert, priority_number
from rulekit.config.environment import override
from rulekit.config.options import (
    AppendOptions,
    ConfigOptions,
    NoiseOptions,
    RouteOptions,
    SelectOptions,
    SinkOptions,
)
from rulekit.config.tree import MISSING, TreeReader
from rulekit.delivery.condition import Test, compile_condition, field_getter, is_alert_field
from rulekit.delivery.kinds import FORMATS, SINKS, format_kind, kinds, sink_kind
from rulekit.delivery.noise import NoisePlan
from rulekit.delivery.routing import Route
from rulekit.errors import RuleError, RulekitError, reason
from rulekit.formats.base import Formatter
from rulekit.rules.falco_config import AppendOutput, FalcoConfig, Selector
from rulekit.rules.names import close_to
from rulekit.rules.yaml import Mapping, Scalar, Sequence, YamlNode, decode_text, parse_documents
from rulekit.sinks.base import Options, Sink
from rulekit.sinks.values import Condition
from rulekit.text.source import SourceText
from rulekit.text.whole import read_whole

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


@dataclass(frozen=True, slots=True)
class ConfiguredSink:
    """One entry of ``sinks``, checked.

    Attributes:
        kind: Class of the sink; `own` are its options.
        options: What every sink has.
        formatter: Shared with the sinks that have the same format; `form` tells it from others.
        test: What the sink wants, None is everything.
    """

    name: str
    kind: type[Sink]
    options: SinkOptions
    own: Options
    formatter: Formatter
    test: Test | None
    form: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that can be used.

    Attributes:
        path: As the user named it.
        options: Everything but sinks and routes, which stand below in their checked form.
        context: Fields that the formats want from every alert.
    """

    path: str
    options: ConfigOptions
    sinks: tuple[ConfiguredSink, ...] = ()
    routes: tuple[Route, ...] = ()
    noise: tuple[NoisePlan, ...] = ()
    context: tuple[str, ...] = ()

    def falco(self) -> FalcoConfig:
        """Return what is said of rules and matching, in the form of Falco's configuration."""
        options = self.options
        return FalcoConfig(
            rules_files=tuple(options.rules),
            selectors=tuple(one for select in options.select for one in _selectors(select)),
            priority=options.min_priority,
            rule_matching=options.matching,
            append_output=tuple(map(_append_output, options.append_output)),
            static_fields=options.static_fields,
        )


def read_config(path: str | os.PathLike[str], environ: MappingABC[str, str] = os.environ) -> Config:
    """Read a configuration, changed by variables ``RULEKIT__...`` of the environment.

    Raises:
        RulekitError: The file cannot be read.
        RuleError: It cannot be used; the diagnostics say why and where.
    """
    name = os.fspath(path)
    try:
        content = read_whole(path)
    except OSError as error:
        raise RulekitError(f"{name}: {reason(error)}") from error
    return parse_config(decode_text(name, content), environ)


def parse_config(text: SourceText, environ: MappingABC[str, str]) -> Config:
    """Read a configuration from its text; see `read_config`."""
    roots = parse_documents(text, [])
    reader = TreeReader(text, environ)
    root: YamlNode = roots[0] if roots else Mapping(0, 0)
    if isinstance(root, Scalar) and root.null:
        root = Mapping(0, 0)
    if len(roots) > 1:
        reader.fail("RK701", roots[1], "a configuration is one document")
    if isinstance(root, Mapping):
        override(root, environ, reader)
    found = reader.struct(root, "the configuration", ConfigOptions)
    options = ConfigOptions() if found is MISSING else found[0]
    assert isinstance(options, ConfigOptions)
    sinks = _Sinks(reader)
    if isinstance(root, Mapping) and isinstance(entries := root.get("sinks"), Mapping):
        sinks.read(entries)
    routes = [_route(route, reader) for route in options.routes]
    if isinstance(root, Mapping) and options.routes:
        _check_targets(root.get("routes"), options.routes, sinks, reader)
    noise = []
    if isinstance(root, Mapping) and options.noise:
        noise = _noise(root.get("noise"), options.noise, reader)
    diagnostics = reader.diagnostics()
    if diagnostics:
        raise RuleError(f"{text.name}: {diagnostics[0].message}", diagnostics)
    enabled = tuple(sink for sink in sinks.sinks if sink.options.enabled)
    names = {sink.name for sink in enabled}
    wanted = {name: None for sink in enabled for name in sink.formatter.context}
    # Keys must be the same whether or not the rule's output names the field.
    wanted |= {name: None for plan in noise for name, _ in plan.by if not is_alert_field(name)}
    return Config(
        path=text.name,
        options=options,
        sinks=enabled,
        routes=tuple(
            Route(test, tuple(name for name in option.to if name in names), option.go_on)
            for test, option in zip(routes, options.routes, strict=True)
        ),
        noise=tuple(noise),
        context=tuple(wanted),
    )


class _Sinks:
    """Reads the entries of ``sinks``."""

    def __init__(self, reader: TreeReader) -> None:
        self._reader = reader
        self._formats: dict[str, Formatter] = {}
        self._forms: dict[int, str] = {}
        self.sinks: list[ConfiguredSink] = []
        self.names: set[str] = set()

    def read(self, entries: Mapping) -> None:
        """Read all entries; those with mistakes are left out."""
        for key, node in entries.pairs:
            if not isinstance(key, Scalar) or not re.fullmatch(_NAME, key.value):
                self._reader.fail(
                    "RK701", key, "the name of a sink is letters, digits, `.`, `_` and `-`"
                )
                continue
            self.names.add(key.value)
            sink = self._sink(key.value, node)
            if sink is not None:
                self.sinks.append(sink)

    def _sink(self, name: str, node: YamlNode) -> ConfiguredSink | None:
        what = f"sink `{name}`"
        kind = self._kind(node, SINKS, what)
        if kind is None:
            return None
        found = self._reader.struct(node, what, SinkOptions, kind.Options)
        formatter = self._formatter(node, kind, what)
        if found is MISSING or formatter is None:
            return None
        options, own = found
        test = _test(options.when, options.min_priority, self._reader)
        form = self._forms[id(formatter)]
        return ConfiguredSink(name, kind, options, own, formatter, test, form)

    def _kind(self, node: YamlNode, group: str, what: str) -> Any:
        """Return the class that ``type`` of a map names, or None after noting a mistake."""
        if not isinstance(node, Mapping):
            self._reader.fail("RK701", node, f"{what} must be a map of keys")
            return None
        type = node.get("type")
        if not isinstance(type, Scalar) or type.null:
            self._reader.fail(
                "RK703", type or node, f"{what} lacks `type`", "", f"say one of {_list(group)}"
            )
            return None
        return self._named(type, group)

    def _named(self, node: Scalar, group: str) -> Any:
        noun = "sink" if group == SINKS else "format"
        try:
            return (sink_kind if group == SINKS else format_kind)(node.value)
        except KeyError:
            close = close_to(node.value, kinds(group))
            help_ = f"did you mean `{close}`?" if close else f"say one of {_list(group)}"
            self._reader.fail("RK708", node, f"no {noun} is called `{node.value}`", "", help_)
        except RulekitError as error:
            self._reader.fail("RK708", node, str(error))
        return None

    def _formatter(self, node: YamlNode, kind: type[Sink], what: str) -> Formatter | None:
        assert isinstance(node, Mapping)
        form = node.get("format")
        if form is None or (isinstance(form, Scalar) and form.null):
            form = Scalar(node.start, node.start, kind.default_format, "", False)
        if isinstance(form, Scalar):
            chosen = self._named(form, FORMATS)
            options: Any = None if chosen is None else chosen.Options()
        else:
            chosen = self._kind(form, FORMATS, f"`format` of {what}")
            if chosen is None:
                return None
            found = self._reader.struct(form, f"`format` of {what}", chosen.Options, skip=("type",))
            if found is MISSING:
                return None
            options = found[0]
        if chosen is None:
            return None
        key = f"{chosen.__module__}.{chosen.__qualname__} {options}"
        if key not in self._formats:
            given = {name: getattr(options, name) for name in options.__struct_fields__}
            try:
                self._formats[key] = chosen(**given)
            except ValueError as error:
                self._reader.fail("RK704", form, str(error))
                return None
            self._forms[id(self._formats[key])] = key
        return self._formats[key]


def _selectors(select: SelectOptions) -> Iterator[Selector]:
    if select.enable is not None:
        yield Selector(True, rule=select.enable)
    if select.disable is not None:
        yield Selector(False, rule=select.disable)
    if select.enable_tag is not None:
        yield Selector(True, tag=select.enable_tag)
    if select.disable_tag is not None:
        yield Selector(False, tag=select.disable_tag)


def _append_output(options: AppendOptions) -> AppendOutput:
    fields: list[tuple[str, str | None]] = []
    for item in options.extra_fields:
        fields += [(item, None)] if isinstance(item, str) else list(item.items())
    return AppendOutput(
        source=options.match.source,
        rule=options.match.rule,
        tags=tuple(options.match.tags),
        extra_output=options.extra_output,
        extra_fields=tuple(fields),
    )


def _list(group: str) -> str:
    return ", ".join(kinds(group))


def _route(options: RouteOptions, reader: TreeReader) -> Test | None:
    return _test(options.when, options.min_priority, reader)


def _test(when: Condition | None, min_priority: str | None, reader: TreeReader) -> Test | None:
    condition: Test | None = None
    if when is not None:
        try:
            condition = compile_condition(when.text)
        except RuleError as error:
            reader.found.extend(error.diagnostics)
    if min_priority is None:
        return condition
    limit = priority_number(min_priority)

    def urgent(alert: Alert) -> bool:
        return priority_number(alert.priority) <= limit and (condition is None or condition(alert))

    return urgent


def _noise(
    node: YamlNode | None, entries: list[NoiseOptions], reader: TreeReader
) -> list[NoisePlan]:
    """Return the plans of ``noise``; mistakes are noted."""
    assert isinstance(node, Sequence)
    plans = []
    for number, (item, entry) in enumerate(zip(node.items, entries, strict=True), 1):
        named = [kind for kind in ("window", "group", "rate") if getattr(entry, kind) is not None]
        if len(named) != 1:
            reader.fail("RK704", item, "say one of `window`, `group` and `rate`")
            continue
        by = []
        for name in entry.by:
            try:
                by.append((name, field_getter(name, reader.span(item))))
            except RuleError as error:
                reader.found.extend(error.diagnostics)
        span = entry.report if entry.rate is not None else entry.window or entry.group
        plans.append(
            NoisePlan(
                name=entry.name or f"noise {number}",
                kind=named[0],  # type: ignore[arg-type]
                span_s=span or 0.0,
                test=_test(entry.when, None, reader),
                by=tuple(by),
                rate_per_s=entry.rate or 0.0,
                burst=entry.burst,
                max_keys=entry.max_keys,
            )
        )
    return plans


def _check_targets(
    node: YamlNode | None, routes: list[RouteOptions], sinks: _Sinks, reader: TreeReader
) -> None:
    assert isinstance(node, Sequence)
    for item, route in zip(node.items, routes, strict=True):
        targets = item.get("to") if isinstance(item, Mapping) else None
        if not isinstance(targets, Sequence):
            continue
        for target, name in zip(targets.items, route.to, strict=True):
            if name not in sinks.names:
                close = close_to(name, sinks.names)
                known = ", ".join(sorted(sinks.names)) or "none"
                help_ = f"did you mean `{close}`?" if close else f"there are: {known}"
                reader.fail("RK709", target, f"no sink is called `{name}`", "", help_)
