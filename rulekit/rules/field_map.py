"""Reads field maps: YAML files that give a source of JSON documents fields of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from rulekit.errors import RuleError, SourceError, reason
from rulekit.rules.names import forget_fields
from rulekit.rules.yaml import (
    Mapping,
    Scalar,
    Sequence,
    YamlNode,
    decode_text,
    node_span,
    parse_documents,
)
from rulekit.schema.mapped import TYPES, MappedField, clash, declare
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText
from rulekit.text.whole import read_whole

_TOP = ("source", "fields")
_FIELD = ("name", "pointer", "type", "list", "desc")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*")
_SOURCE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_OWN = ("syscall", "internal", "any", "linux_audit")
MAX_FIELDS = 10_000
MAX_STEPS = 64


def use_field_maps(paths: Iterable[str | os.PathLike[str]]) -> tuple[str, ...]:
    """Declare the fields of some maps for the whole process; return their sources.

    To be called before the rules that name the fields are loaded. A map may be used again, also
    when it has changed; it may add fields to `k8s_audit`.

    Raises:
        RuleError: A map is wrong; says where. Nothing was declared.
        SourceError: A file cannot be read.
    """
    found: list[MappedField] = []
    sources: dict[str, None] = {}
    problems: list[Diagnostic] = []
    for path in paths:
        name = os.fspath(path)
        try:
            content = read_whole(path)
        except OSError as error:
            raise SourceError(reason(error), name) from error
        source, fields, wrong = read_field_map(content, name)
        found += fields
        problems += wrong
        sources[source] = None
    errors = tuple(problems)
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise RuleError(f"{errors[0].message}{more}", errors)
    declare(found)
    forget_fields()
    return tuple(sources)


def read_field_map(content: bytes, name: str) -> tuple[str, list[MappedField], list[Diagnostic]]:
    """Return the source of a map, its fields, and what is wrong with it; declares nothing.

    Args:
        name: What messages call the file.

    Raises:
        RuleError: It is no YAML.
    """
    text = decode_text(name, content)
    documents = parse_documents(text, [])
    reader = _Reader(text)
    return reader.read(documents)


class _Reader:
    def __init__(self, text: SourceText) -> None:
        self._text = text
        self._problems: list[Diagnostic] = []

    def read(self, documents: list[YamlNode]) -> tuple[str, list[MappedField], list[Diagnostic]]:
        fields: list[MappedField] = []
        source = ""
        top = documents[0] if documents else None
        if not isinstance(top, Mapping) or len(documents) > 1:
            span = self._text.span(0, 0) if top is None else node_span(self._text, top)
            message = "a field map is one map with `source` and `fields`"
            return "", [], [Diagnostic("RK701", "error", message, span)]
        self._keys(top, _TOP, "a field map")
        source = self._source(top)
        items = top.get("fields")
        if not isinstance(items, Sequence) or not items.items:
            self._bad(items or top, "`fields` is a list of one field or more")
            return source, [], self._problems
        if len(items.items) > MAX_FIELDS:
            self._bad(items, f"more than {MAX_FIELDS:,} fields")
            return source, [], self._problems
        seen: dict[str, YamlNode] = {}
        for item in items.items:
            field = self._field(item, source)
            if field is None:
                continue
            if field.name in seen:
                self._bad(item, f"`{field.name}` is declared twice")
            seen[field.name] = item
            fields.append(field)
        return source, fields, self._problems

    def _bad(
        self, node: YamlNode, message: str, help: str | None = None, code: str = "RK704"
    ) -> None:
        span = node_span(self._text, node)
        self._problems.append(Diagnostic(code, "error", message, span, help=help))

    def _keys(self, map: Mapping, known: tuple[str, ...], what: str) -> None:
        seen = set()
        for key, _ in map.pairs:
            name = key.value if isinstance(key, Scalar) else ""
            if name not in known:
                self._bad(key, f"{what} has no `{name}`", f"it has {', '.join(known)}", "RK702")
            elif name in seen:
                self._bad(key, f"`{name}` is there twice")
            seen.add(name)

    def _text_of(self, map: Mapping, key: str, default: str | None = None) -> str | None:
        node = map.get(key)
        if node is None:
            if default is None:
                self._bad(map, f"`{key}` is missing", None, "RK703")
            return default
        if not isinstance(node, Scalar) or node.null:
            self._bad(node, f"`{key}` is no text")
            return None
        return node.value

    def _source(self, map: Mapping) -> str:
        source = self._text_of(map, "source")
        if source is None:
            return ""
        node = map.get("source")
        assert node is not None
        if not _SOURCE.fullmatch(source):
            self._bad(node, f"`{source}` is no name of a source: letters, digits, `_` and `-`")
        elif source in _OWN:
            self._bad(node, f"the source {source} has no JSON documents")
        return source

    def _field(self, node: YamlNode, source: str) -> MappedField | None:
        if not isinstance(node, Mapping):
            self._bad(node, "a field is a map with `name` and `pointer`")
            return None
        before = len(self._problems)
        self._keys(node, _FIELD, "a field")
        name = self._text_of(node, "name")
        pointer = self._text_of(node, "pointer")
        type_ = self._text_of(node, "type", "text")
        desc = self._text_of(node, "desc", "") or ""
        is_list = self._text_of(node, "list", "false")
        if name is not None and not _NAME.fullmatch(name):
            self._bad(node.get("name") or node, f"`{name}` is no name of a field: words and dots")
        if pointer is not None:
            self._check_pointer(node, pointer, is_list == "true")
        if type_ is not None and type_ not in TYPES:
            self._bad(
                node.get("type") or node, f"no type `{type_}`", f"there are {', '.join(TYPES)}"
            )
        if is_list not in (None, "true", "false"):
            self._bad(node.get("list") or node, "`list` is neither true nor false")
        elif is_list == "true" and type_ != "text":
            self._bad(node.get("type") or node, "a list holds texts")
        if len(self._problems) > before:
            return None
        assert name is not None
        assert pointer is not None
        assert type_ is not None
        field = MappedField(source, name, pointer, type_, is_list == "true", desc)
        why = clash(field)
        if why is not None:
            self._bad(node.get("name") or node, why, "put a word of your own before it")
            return None
        return field

    def _check_pointer(self, map: Mapping, pointer: str, is_list: bool) -> None:
        node = map.get("pointer") or map
        if not pointer.startswith("/"):
            self._bad(node, f"`{pointer}` is no JSON pointer: it begins with a slash")
        elif re.search(r"~(?![01])", pointer):
            self._bad(node, "a tilde in a JSON pointer is `~0`, a slash inside of a step `~1`")
        elif pointer.count("/") > MAX_STEPS:
            self._bad(node, f"more than {MAX_STEPS} steps")
        elif "*" in pointer.split("/") and not is_list:
            self._bad(node, "`*` is every item: say `list: true`")
