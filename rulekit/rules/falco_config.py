"""Reads the parts of a ``falco.yaml`` that decide which rules run and how their alerts look.

Keys and their meanings are those of Falco 0.44 (snapshot of July 2026); keys that concern Falco's
own plumbing (drivers, gRPC, metrics) are left alone and listed in `FalcoConfig.ignored`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rulekit.errors import RulekitError, reason
from rulekit.text.whole import read_text


class ConfigError(RulekitError):
    """A configuration that cannot be used; the message names file and key."""


@dataclass(frozen=True, slots=True)
class Selector:
    """One entry of ``rules:``: enables or disables by name pattern (``*`` wildcard) or tag."""

    enable: bool
    rule: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class AppendOutput:
    """One entry of ``append_output``: what is added to the alerts of the rules it matches.

    Attributes:
        source, rule, tags: What a rule must be to be matched; tags: all of them.
        extra_output: Text added to the output, after a blank.
        extra_fields: ``(key, format)`` pairs for ``output_fields``; format None means the raw,
            typed field named by key.
    """

    source: str | None = None
    rule: str | None = None
    tags: tuple[str, ...] = ()
    extra_output: str | None = None
    extra_fields: tuple[tuple[str, str | None], ...] = ()

    def matches(self, source: str, rule: str, tags: Iterable[str]) -> bool:
        """Tell whether the rule with this source, name and tags is meant."""
        return (
            self.source in (None, source)
            and self.rule in (None, rule)
            and set(self.tags) <= set(tags)
        )


@dataclass(frozen=True, slots=True)
class FalcoConfig:
    """What rulekit takes from a Falco configuration; see the module's text."""

    rules_files: tuple[Path, ...] = ()
    selectors: tuple[Selector, ...] = ()
    priority: str | None = None
    rule_matching: str = "first"
    append_output: tuple[AppendOutput, ...] = ()
    static_fields: Mapping[str, str] = field(default_factory=dict)
    json_output: bool = False
    json_include_output: bool = True
    json_include_output_fields: bool = True
    json_include_message: bool = False
    json_include_tags: bool = True
    time_format_iso_8601: bool = False
    buffer_format_base64: bool = False
    ignored: tuple[str, ...] = ()


_KNOWN = {
    "rules_files",
    "rules_file",
    "rules",
    "priority",
    "rule_matching",
    "append_output",
    "static_fields",
    "json_output",
    "json_include_output_property",
    "json_include_output_fields_property",
    "json_include_message_property",
    "json_include_tags_property",
    "time_format_iso_8601",
    "buffer_format_base64",
}


def read_falco_config(path: str | Path, overrides: Sequence[str] = ()) -> FalcoConfig:
    """Read a ``falco.yaml``; relative rule files count from the working directory, as in Falco.

    Args:
        overrides: ``key=value`` texts as given to ``-o``: ``json_output=true``,
            ``append_output[0].extra_output=x``, ``rules_files[]=more.yaml``.

    Raises:
        ConfigError: Unreadable, not YAML, or a value of the wrong kind.
    """
    import yaml  # not at the top: without a configuration nobody needs it

    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as e:
        why = reason(e) if isinstance(e, OSError) else "not UTF-8"
        raise ConfigError(f"{path}: cannot be read: {why}") from None
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as e:
        raise ConfigError(f"{path}: not YAML: {e}") from None
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: a configuration is a map of keys, not {type(data).__name__}")
    for text in overrides:
        _override(data, text)
    return _Reader(str(path), data).config()


_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d*)\]")


def _override(data: dict[str, Any], text: str) -> None:
    """Set one ``key=value``; missing maps and lists on the way are made."""
    import yaml

    key, equals, value_text = text.partition("=")
    steps: list[str | int] = []
    position = 0
    while position < len(key):
        found = _STEP.match(key, position)
        if found is None:
            break
        name, index = found.groups()
        steps.append(name if name is not None else int(index) if index else -1)
        position = found.end()
    if not equals or not steps or position < len(key):
        raise ConfigError(f"-o {text}: write key=value, key.inner=value or key[0]=value")
    try:
        value = yaml.safe_load(value_text)
    except yaml.YAMLError as e:
        raise ConfigError(f"-o {text}: the value is not YAML: {e}") from None
    here: Any = data
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        empty: Any = value if following is None else {} if isinstance(following, str) else []
        if isinstance(step, str):
            if not isinstance(here, dict):
                raise ConfigError(f"-o {text}: {step} stands below something that is not a map")
            if following is None or here.get(step) is None:
                here[step] = empty
            here = here[step]
            continue
        if not isinstance(here, list) or step > len(here):
            raise ConfigError(f"-o {text}: [{step}] is not within a list of that length")
        if step in (-1, len(here)):
            here.append(empty)
            step = len(here) - 1
        elif following is None:
            here[step] = empty
        here = here[step]


class _Reader:
    """Turns the parsed document into a FalcoConfig; every error names file and key."""

    def __init__(self, path: str, data: dict[str, Any]) -> None:
        self.path = path
        self.data = data

    def fail(self, key: str, wanted: str) -> ConfigError:
        return ConfigError(f"{self.path}: `{key}` must be {wanted}")

    def boolean(self, key: str, default: bool) -> bool:
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, "true or false")
        return value

    def sequence(self, key: str, value: Any) -> list[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.fail(key, "a list")
        return value

    def text(self, key: str, value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.fail(key, "text")
        return str(value)

    def mapping(self, key: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fail(key, "a map")
        return {str(k): v for k, v in value.items()}

    def config(self) -> FalcoConfig:
        data = self.data
        files_key = "rules_files" if "rules_files" in data else "rules_file"
        files = data.get(files_key)
        if isinstance(files, str):
            files = [files]
        priority = data.get("priority")
        matching = data.get("rule_matching", "first")
        if matching not in ("first", "all"):
            raise self.fail("rule_matching", "first or all")
        static = self.mapping("static_fields", data.get("static_fields") or {})
        return FalcoConfig(
            rules_files=tuple(
                Path(self.text(files_key, f)) for f in self.sequence(files_key, files)
            ),
            selectors=tuple(self.selectors()),
            priority=None if priority is None else self.text("priority", priority),
            rule_matching=matching,
            append_output=tuple(self.append_output()),
            static_fields={k: self.text(f"static_fields.{k}", v) for k, v in static.items()},
            json_output=self.boolean("json_output", False),
            json_include_output=self.boolean("json_include_output_property", True),
            json_include_output_fields=self.boolean("json_include_output_fields_property", True),
            json_include_message=self.boolean("json_include_message_property", False),
            json_include_tags=self.boolean("json_include_tags_property", True),
            time_format_iso_8601=self.boolean("time_format_iso_8601", False),
            buffer_format_base64=self.boolean("buffer_format_base64", False),
            ignored=tuple(sorted(str(k) for k in data if k not in _KNOWN)),
        )

    def selectors(self) -> Iterable[Selector]:
        for i, entry in enumerate(self.sequence("rules", self.data.get("rules"))):
            for verb, what in self.mapping(f"rules[{i}]", entry).items():
                key = f"rules[{i}].{verb}"
                if verb not in ("enable", "disable"):
                    raise ConfigError(f"{self.path}: `{key}`: say enable or disable")
                chosen = self.mapping(key, what)
                unknown = set(chosen) - {"rule", "tag"}
                if unknown or len(chosen) != 1:
                    raise ConfigError(f"{self.path}: `{key}` needs one of rule: and tag:")
                yield Selector(
                    verb == "enable",
                    rule=self.text(key, chosen["rule"]) if "rule" in chosen else None,
                    tag=self.text(key, chosen["tag"]) if "tag" in chosen else None,
                )

    def append_output(self) -> Iterable[AppendOutput]:
        entries = self.sequence("append_output", self.data.get("append_output"))
        for i, raw in enumerate(entries):
            key = f"append_output[{i}]"
            entry = self.mapping(key, raw)
            match = self.mapping(f"{key}.match", entry.get("match") or {})
            extra = entry.get("extra_output")
            tags = self.sequence(f"{key}.match.tags", match.get("tags"))
            yield AppendOutput(
                source=self._optional(f"{key}.match.source", match.get("source")),
                rule=self._optional(f"{key}.match.rule", match.get("rule")),
                tags=tuple(self.text(f"{key}.match.tags", t) for t in tags),
                extra_output=self._optional(f"{key}.extra_output", extra),
                extra_fields=tuple(self.extra_fields(key, entry.get("extra_fields"))),
            )

    def extra_fields(self, key: str, value: Any) -> Iterable[tuple[str, str | None]]:
        for item in self.sequence(f"{key}.extra_fields", value):
            if isinstance(item, dict):
                for name, form in item.items():
                    yield str(name), self.text(f"{key}.extra_fields.{name}", form)
            else:
                yield self.text(f"{key}.extra_fields", item), None

    def _optional(self, key: str, value: Any) -> str | None:
        return None if value is None else self.text(key, value)
