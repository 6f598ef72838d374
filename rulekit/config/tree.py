"""Nodes of a YAML file → values of declared types; every mistake a diagnostic with its place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from collections.abc import Mapping as MappingABC
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec.inspect as types

from rulekit.errors import reason
from rulekit.rules._scan import scalar_text
from rulekit.rules.decode import parse_bool
from rulekit.rules.names import close_to
from rulekit.rules.yaml import Mapping, Scalar, Sequence, YamlNode, node_span
from rulekit.sinks.values import Condition, Duration, MaybeSecret, Rate, Secret, Size
from rulekit.text.diagnostic import Diagnostic
from rulekit.text.source import SourceText, Span
from rulekit.text.whole import read_text

_INTEGER = re.compile(r"[-+]?\d{1,18}").fullmatch
_NUMBER = re.compile(r"[-+]?\d{1,18}(\.\d{1,18})?").fullmatch
_PASSWORD_IN_URL = re.compile(r"\w+://[^/@\s]*:[^/@\s]*@")
_SECRET_NAME = re.compile(r"pas|token|secret|key|cred|auth|bearer|hmac", re.I)
MISSING = object()


class TreeReader:
    """Reads the values of one configuration; notes all mistakes in `found`.

    Args:
        file: The text of the configuration; relative paths count from its folder.
        environ: Where secrets may be.
    """

    def __init__(self, file: SourceText, environ: MappingABC[str, str]) -> None:
        self.file = file
        self.found: list[Diagnostic] = []
        self._folder = Path(file.name).parent
        self._environ = environ
        # Nodes that come from elsewhere than the file: variables of the environment.
        self._foreign: dict[int, SourceText] = {}
        self._hidden: list[tuple[int, int]] = []

    def adopt(self, node: YamlNode, text: SourceText) -> None:
        """Have a node and all in it be shown in another text than the file."""
        self._foreign[id(node)] = text
        children: Iterable[YamlNode] = ()
        if isinstance(node, Sequence):
            children = node.items
        elif isinstance(node, Mapping):
            children = [each for pair in node.pairs for each in pair]
        for child in children:
            self.adopt(child, text)

    def text_of(self, node: YamlNode) -> SourceText:
        """Return the text that a node stands in."""
        return self._foreign.get(id(node), self.file)

    def span(self, node: YamlNode) -> Span:
        """Return where a node stands."""
        return node_span(self.text_of(node), node)

    def fail(
        self,
        code: str,
        node: YamlNode | Span,
        message: str,
        label: str = "",
        help: str | None = None,
    ) -> None:
        """Note a mistake."""
        span = node if isinstance(node, Span) else self.span(node)
        self.found.append(Diagnostic(code, "error", message, span, label, help))

    def diagnostics(self) -> list[Diagnostic]:
        """Return all mistakes by place; the lines they show have stars where secrets stand."""
        text = self.file.text
        for start, end in self._hidden:
            stars = "".join(char if char.isspace() else "*" for char in text[start:end])
            text = text[:start] + stars + text[end:]
        shown = SourceText(self.file.name, text)
        found = []
        for each in self.found:
            span = each.span.outermost()
            if span.source is self.file:
                span = Span(shown, span.start, span.end)
            found.append(replace(each, span=span, labels=()))
        return sorted(found, key=lambda each: (each.span.source is not shown, each.span.start))

    def struct(self, node: YamlNode, what: str, *kinds: type, skip: Iterable[str] = ()) -> Any:
        """Return the values of a map as instances of Struct classes, which share its keys.

        Args:
            what: The map, in messages.
            kinds: Classes; a key belongs to the first that has it.
            skip: Keys that are read elsewhere.

        Returns:
            One instance per class; a value that cannot be used is left at its default, so that
            more mistakes are found at once. `MISSING` when one of them cannot be made.
        """
        if not isinstance(node, Mapping):
            self.fail("RK701", node, f"{what} must be a map of keys")
            return MISSING
        infos = [types.type_info(kind) for kind in kinds]
        fields: dict[str, tuple[int, types.Field]] = {}
        for i, info in enumerate(infos):
            assert isinstance(info, types.StructType)
            for field in info.fields:
                fields.setdefault(field.encode_name, (i, field))
        values: list[dict[str, Any]] = [{} for _ in kinds]
        seen: set[str] = set()
        sound = True
        for key, value in node.pairs:
            if not isinstance(key, Scalar):
                self.fail("RK701", key, "a key is text")
            elif key.value in seen:
                self.fail("RK701", key, f"`{key.value}` is given twice")
            elif key.value in skip:
                seen.add(key.value)
            elif key.value not in fields:
                close = close_to(key.value, fields)
                known = ", ".join(sorted(fields))
                if _SECRET_NAME.search(key.value):
                    self._hidden_span(value)  # most likely a misspelt key of a secret
                help_ = f"did you mean `{close}`?" if close else f"it has {known}"
                self.fail("RK702", key, f"{what} has no key `{key.value}`", "", help_)
            else:
                seen.add(key.value)
                i, field = fields[key.value]
                found = self.value(value, field.type, f"`{key.value}`")
                if found is not MISSING:
                    values[i][field.name] = found
                elif field.required:
                    sound = False
        for name, (_, field) in fields.items():
            if field.required and name not in seen:
                self.fail("RK703", node, f"{what} lacks `{name}`")
                sound = False
        if not sound:
            return MISSING
        return tuple(kind(**value) for kind, value in zip(kinds, values, strict=True))

    def value(self, node: YamlNode, type: types.Type, what: str) -> Any:
        """Return the value of a node as a type says, or `MISSING` after noting a mistake."""
        if isinstance(type, types.Metadata):
            return self.value(node, type.type, what)
        if isinstance(type, types.AnyType):
            return node
        if isinstance(type, types.UnionType):
            return self._union(node, type, what)
        if isinstance(type, types.StructType):
            found = self.struct(node, what, type.cls)
            return found if found is MISSING else found[0]
        if isinstance(type, types.ListType):
            if not isinstance(node, Sequence):
                return self._bad(node, f"{what} must be a list", "write it as `[...]`")
            items = [self.value(each, type.item_type, f"an item of {what}") for each in node.items]
            return MISSING if any(item is MISSING for item in items) else items
        if isinstance(type, types.DictType):
            return self._dict(node, type, what)
        if isinstance(type, types.CustomType) and type.cls is Secret:
            return self._secret(node, what)
        if isinstance(type, types.CustomType) and type.cls is MaybeSecret:
            if isinstance(node, Scalar) and not node.null:
                return MaybeSecret(node.value)
            secret = self._secret(node, what)
            return secret if secret is MISSING else MaybeSecret(secret)
        if not isinstance(node, Scalar) or node.null:
            return self._bad(node, f"{what} must be {_words(type)}")
        return self._scalar(node, type, what)

    def _scalar(self, node: Scalar, type: types.Type, what: str) -> Any:
        text = node.value
        if isinstance(type, types.BoolType):
            value: Any = parse_bool(text)
            return self._bad(node, f"{what} must be true or false") if value is None else value
        if isinstance(type, (types.IntType, types.FloatType)):
            whole = isinstance(type, types.IntType)
            if not (_INTEGER if whole else _NUMBER)(text):
                return self._bad(node, f"{what} must be {_words(type)}")
            value = int(text) if whole else float(text)
            if type.ge is not None and value < type.ge:
                return self._bad(node, f"{what} must be at least {type.ge}")
            if type.le is not None and value > type.le:
                return self._bad(node, f"{what} must be at most {type.le}")
            return value
        if isinstance(type, types.LiteralType):
            if text in type.values:
                return text
            close = close_to(text, [str(value) for value in type.values])
            help_ = f"did you mean `{close}`?" if close else None
            return self._bad(node, f"{what} must be {_words(type)}", help_)
        if isinstance(type, types.CustomType):
            return self._custom(node, type.cls, what)
        if isinstance(type, types.StrType):
            if _PASSWORD_IN_URL.match(text):
                self.fail(
                    "RK705",
                    self._hidden_span(node),
                    f"{what} holds a password",
                    "anybody who may read this file has it",
                    "say it with `user` and `password: {file: ...}`",
                )
                return MISSING
            if type.min_length and len(text) < type.min_length:
                return self._bad(node, f"{what} must not be empty")
            if type.pattern and not re.search(type.pattern, text):
                return self._bad(node, f"{what} does not have the form {type.pattern}")
            return text
        raise TypeError(f"no way to read {type}")

    def _custom(self, node: Scalar, cls: type, what: str) -> Any:
        if cls is Path:
            return self._path(node)
        if cls is Condition:
            return Condition(scalar_text(self.text_of(node), node))
        if cls is Size or cls is Duration or cls is Rate:
            try:
                return cls.parse(node.value)
            except ValueError as error:
                return self._bad(node, f"{what}: {error}")
        raise TypeError(f"no way to read {cls}")

    def _union(self, node: YamlNode, union: types.UnionType, what: str) -> Any:
        options = [type for type in union.types if not isinstance(type, types.NoneType)]
        if isinstance(node, Scalar) and node.null:
            if len(options) < len(union.types):
                return None
            return self._bad(node, f"{what} must not be empty")
        fitting = [type for type in options if _fits(node, type)] or options
        noted = len(self.found)
        for type in fitting:
            value = self.value(node, type, what)
            if value is not MISSING:
                return value
            if type is not fitting[-1]:
                del self.found[noted:]
        if len(fitting) > 1:
            del self.found[noted:]
            return self._bad(node, f"{what} must be {' or '.join(map(_words, options))}")
        return MISSING

    def _dict(self, node: YamlNode, type: types.DictType, what: str) -> Any:
        if not isinstance(node, Mapping):
            return self._bad(node, f"{what} must be a map")
        values: dict[str, Any] = {}
        for key, value in node.pairs:
            if not isinstance(key, Scalar):
                self.fail("RK701", key, "a key is text")
                return MISSING
            if key.value in values:
                self.fail("RK701", key, f"`{key.value}` is given twice")
                return MISSING
            values[key.value] = self.value(value, type.value_type, f"`{key.value}`")
        return MISSING if any(value is MISSING for value in values.values()) else values

    def _secret(self, node: YamlNode, what: str) -> Any:
        pairs = node.pairs if isinstance(node, Mapping) else []
        keys = [key.value for key, _ in pairs if isinstance(key, Scalar)]
        if keys not in (["file"], ["env"]):
            self.fail(
                "RK705",
                self._hidden_span(node),
                f"{what} is a secret, and secrets are not written here",
                "anybody who may read this has it",
                f"write {what[1:-1]}: {{file: /run/secrets/name}} or {{env: NAME}}",
            )
            return MISSING
        value = pairs[0][1]
        if not isinstance(value, Scalar) or value.null:
            return self._bad(value, f"`{keys[0]}` must be text")
        if keys == ["env"]:
            if value.value not in self._environ:
                self.fail("RK706", value, f"the environment has no variable {value.value}")
                return MISSING
            return Secret(f"${value.value}", self._environ[value.value])
        path = self._path(value)
        if path is MISSING:
            return MISSING
        try:
            content = read_text(path)
        except OSError as error:
            self.fail("RK706", value, f"{path}: {reason(error)}")
            return MISSING
        except UnicodeDecodeError:
            self.fail("RK706", value, f"{path}: not UTF-8")
            return MISSING
        return Secret(os.fspath(path), content.rstrip("\r\n"))

    def _path(self, node: Scalar) -> Any:
        try:
            return self._folder / Path(node.value).expanduser()
        except RuntimeError:
            user = node.value.partition("/")[0]
            return self._bad(node, f"`{user}` is nobody's home folder")

    def _hidden_span(self, node: YamlNode) -> Span:
        """Return the place of a node whose text must not be shown."""
        if id(node) in self._foreign:
            return SourceText(self._foreign[id(node)].name, "***").span(0, 3)
        self._hidden.append((node.start, node.end))
        return self.span(node)

    def _bad(self, node: YamlNode, message: str, help: str | None = None) -> Any:
        self.fail("RK704", node, message, "", help)
        return MISSING


def _fits(node: YamlNode, type: types.Type) -> bool:
    """Tell whether a node has the outer form of a type."""
    if isinstance(type, types.Metadata):
        return _fits(node, type.type)
    if isinstance(node, Mapping):
        return isinstance(type, (types.StructType, types.DictType)) or (
            isinstance(type, types.CustomType) and type.cls is Secret
        )
    if isinstance(node, Sequence):
        return isinstance(type, types.ListType)
    return not isinstance(type, (types.StructType, types.DictType, types.ListType)) and not (
        isinstance(type, types.CustomType) and type.cls is Secret
    )


def _words(type: types.Type) -> str:
    if isinstance(type, types.Metadata):
        return _words(type.type)
    if isinstance(type, types.LiteralType):
        return "one of " + ", ".join(map(str, type.values))
    if isinstance(type, types.CustomType):
        return {
            Size: "a size as `64MiB`",
            Duration: "a time as `10s`",
            Rate: "a rate as `10/m`",
            Secret: "`{file: ...}` or `{env: ...}`",
            MaybeSecret: "text, `{file: ...}` or `{env: ...}`",
            Path: "a path",
            Condition: "a condition",
        }[type.cls]
    names = {
        types.BoolType: "true or false",
        types.IntType: "a whole number",
        types.FloatType: "a number",
        types.StrType: "text",
        types.ListType: "a list",
        types.DictType: "a map",
        types.StructType: "a map",
    }
    return names.get(type.__class__, "something else")
