"""Nodes of a test file → values, every mistake a diagnostic with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from rulekit.rules.names import close_to
from rulekit.rules.yaml import Mapping, Scalar, Sequence, YamlNode, node_span
from rulekit.text.diagnostic import Diagnostic, Label
from rulekit.text.source import SourceText, Span

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+|0o[0-7]+").fullmatch
_FLOAT = re.compile(r"[-+]?((0|[1-9]\d*)\.\d*|\.\d+|[1-9]\d*(?=[eE]))([eE][-+]?\d+)?").fullmatch
_VARIABLE = re.compile(r"\$\{(\w+)\}")
# Values of these keys are octal digits, however they look.
_OCTAL = frozenset({"mode"})
# Calls whose short form is a list with a mode in second place.
_WITH_MODE = frozenset({"chmod", "fchmod", "fchmodat", "mknod", "mknodat"})

T = TypeVar("T")


class Stop(Exception):
    """What is being read cannot be used; the diagnostic is noted."""


class Nodes:
    """Reads the nodes of one file and notes what is wrong."""

    def __init__(self, file: SourceText) -> None:
        self.file = file
        self.found: list[Diagnostic] = []

    def span(self, node: YamlNode) -> Span:
        return node_span(self.file, node)

    def fail(
        self,
        node: YamlNode | Span,
        code: str,
        message: str,
        label: str = "",
        help: str | None = None,
        *labels: Label,
    ) -> Stop:
        """Note a mistake; raise what is returned to leave out the value."""
        span = node if isinstance(node, Span) else self.span(node)
        self.found.append(Diagnostic(code, "error", message, span, label, help, labels=labels))
        return Stop()

    def each(self, nodes: Iterable[YamlNode], read: Callable[[YamlNode], T]) -> list[T]:
        """Read nodes one by one; those that cannot be used are left out."""
        values = []
        for node in nodes:
            try:
                values.append(read(node))
            except Stop:
                continue
        return values

    def mapping(
        self, node: YamlNode, what: str, known: Iterable[str] | None
    ) -> dict[str, YamlNode]:
        """Return the values of a map by key; `known` None allows any key."""
        if not isinstance(node, Mapping):
            raise self.fail(node, "RK601", f"{what} is a map of keys")
        names = None if known is None else list(known)
        values: dict[str, YamlNode] = {}
        for key, value in node.pairs:
            if not isinstance(key, Scalar):
                self.fail(key, "RK601", "a key is text")
            elif names is not None and key.value not in names:
                close = close_to(key.value, names)
                help_ = f"did you mean `{close}`?" if close else f"it has {', '.join(names)}"
                self.fail(key, "RK602", f"{what} has no key `{key.value}`", "", help_)
            elif key.value in values:
                self.fail(key, "RK601", f"`{key.value}` is given twice")
            else:
                values[key.value] = value
        return values

    def items(self, node: YamlNode, message: str) -> list[YamlNode]:
        if not isinstance(node, Sequence):
            raise self.fail(node, "RK601", message)
        return node.items

    def one_or_more(self, node: YamlNode) -> list[YamlNode]:
        return node.items if isinstance(node, Sequence) else [node]

    def text(self, node: YamlNode, what: str) -> str:
        if not isinstance(node, Scalar) or node.null or not node.value.strip():
            raise self.fail(node, "RK603", f"{what} is text")
        return node.value

    def boolean(self, node: YamlNode, what: str) -> bool:
        value = self.plain(node)
        if not isinstance(value, bool):
            raise self.fail(node, "RK603", f"{what} is true or false")
        return value

    def whole(self, node: YamlNode, what: str, least: int = 0) -> int:
        value = self.plain(node)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.fail(node, "RK603", f"{what} is a whole number from {least}")
        return value

    def plain(self, node: YamlNode, key: str | None = None) -> Any:
        """Return a node as plain data: text, numbers, true, false, null, lists, maps."""
        if isinstance(node, Sequence):
            second = "mode" if key in _WITH_MODE else key
            return [
                self.plain(item, second if i == 1 else None) for i, item in enumerate(node.items)
            ]
        if isinstance(node, Mapping):
            found: dict[str, Any] = {}
            for name, value in node.pairs:
                if not isinstance(name, Scalar):
                    raise self.fail(name, "RK601", "a key is text")
                if name.value in found:
                    raise self.fail(name, "RK601", f"`{name.value}` is given twice")
                found[name.value] = self.plain(value, name.value)
            return found
        return node.value if key in _OCTAL and not node.null else scalar(node)


def scalar(node: Scalar) -> Any:
    """Return the value of a scalar by the rules of YAML 1.2: ``yes`` and ``017`` are no numbers."""
    if node.null:
        return None
    if node.style:
        return node.value
    if node.value in ("true", "True", "false", "False"):
        return node.value in ("true", "True")
    if _INTEGER(node.value):
        return int(node.value, 0)
    if _FLOAT(node.value):
        return float(node.value)
    return node.value


def filled(node: YamlNode, values: dict[str, YamlNode]) -> YamlNode:
    """Return a node with ``${name}`` replaced; a scalar that is nothing else becomes the value.

    Raises:
        KeyError: A name has no value; its argument is the name.
    """
    if isinstance(node, Sequence):
        return replace(node, items=[filled(item, values) for item in node.items])
    if isinstance(node, Mapping):
        pairs = [(filled(key, values), filled(value, values)) for key, value in node.pairs]
        return Mapping(node.start, node.end, pairs)
    whole = _VARIABLE.fullmatch(node.value)
    if whole is not None:
        value = values[whole[1]]
        if not isinstance(value, Scalar):
            return value
        # The place stays that of the case: a mistake is shown where the value is used.
        return Scalar(node.start, node.end, value.value, value.style, value.null)
    if "${" not in node.value:
        return node

    def put(found: re.Match[str]) -> str:
        value = values[found[1]]
        return value.value if isinstance(value, Scalar) else ""

    return replace(node, value=_VARIABLE.sub(put, node.value))
