"""Manifests: YAML or JSON files of Kubernetes objects, each with its place.

Scalars are read as the API server's YAML reader does (YAML 1.1: ``yes`` is true, ``010`` is 8), but
for dates and base-60 numbers, which it leaves as text.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rulekit.errors import reason

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILE_BYTES = 64 << 20
MAX_NODES = 1_000_000
"""Values of one file, those that aliases repeat counted each time."""

_BOOLS = {
    **dict.fromkeys(
        ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True
    ),
    **dict.fromkeys(
        ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False
    ),
}
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_INT = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]*|[1-9][0-9_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ODD = re.compile(r"[yYnN]|[-+]?0o[0-7_]+|[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+")
_TAG = "tag:yaml.org,2002:"
_TEMPLATE = re.compile(r"\{\{.*?\}\}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object of Kubernetes as it stands in a file.

    Attributes:
        path: As the user named it; ``<stdin>`` for standard input.
        line: Where it begins, from 1.
        data: As JSON.
    """

    path: str
    line: int
    data: bytes
    kind: str
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read; `line` 0 is the whole file."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that is no object of Kubernetes, such as the values of a chart."""

    path: str
    line: int


def find_manifests(paths: Iterable[str]) -> Iterator[str | Problem]:
    """Yield files: the paths themselves, and for a folder its YAML and JSON files, sorted."""
    for path in paths:
        if path == "-" or not os.path.isdir(path):
            yield path
            continue
        found = sorted(each for each in Path(path).rglob("*") if each.suffix in SUFFIXES)
        found = [each for each in found if each.is_file() and not _is_hidden(each, path)]
        if not found:
            yield Problem(path, 0, f"no {', '.join(SUFFIXES)} below this folder")
        yield from map(str, found)


def read_manifests(path: str) -> Iterator[Manifest | Problem | Skipped]:
    """Yield what is in a file, ``-`` for standard input; lists are taken apart."""
    name = "<stdin>" if path == "-" else path
    try:
        data = _read(path)
    except OSError as error:
        yield Problem(name, 0, reason(error))
        return
    if len(data) > MAX_FILE_BYTES:
        yield Problem(name, 0, f"more than {MAX_FILE_BYTES >> 20} MiB")
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        yield Problem(name, line, "not UTF-8")
        return
    for line, value in _documents(name, text):
        if isinstance(value, Problem):
            yield value
        else:
            yield from _objects(name, line, value)


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    with open(path, "rb") as file:
        return file.read(MAX_FILE_BYTES + 1)


def _is_hidden(path: Path, below: str) -> bool:
    return any(part.startswith(".") for part in path.relative_to(below).parts)


def _documents(name: str, text: str) -> Iterator[tuple[int, Any]]:
    if text.lstrip()[:1] in ("{", "["):
        try:
            yield 1, json.loads(text)
        except (ValueError, RecursionError):
            pass  # a stream of documents, or YAML's own braces
        else:
            return
    loader = yaml.CSafeLoader(text)
    nodes = _Nodes(name)
    try:
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            yield node.start_mark.line + 1, nodes.value(node)
    except _Bad as error:
        yield error.problem.line, error.problem
    except RecursionError:
        yield 0, Problem(name, 0, "nested too deeply")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
        line = mark.line + 1 if mark is not None else 0
        if _TEMPLATE.search(text):
            what += "; is it a template? render it first: helm template CHART | rulekit k8s scan -"
        yield line, Problem(name, line, what)
    finally:
        loader.dispose()


def _objects(path: str, line: int, value: Any) -> Iterator[Manifest | Problem | Skipped]:
    if value is None:
        return  # an empty document
    if isinstance(value, list):
        for each in value:
            yield from _objects(path, line, each)
        return
    if not isinstance(value, dict) or not _text(value, "kind") or not _text(value, "apiVersion"):
        yield Skipped(path, line)
        return
    items = value.get("items")
    if value["kind"].endswith("List") and isinstance(items, list):
        for each in items:
            yield from _objects(path, _line_of(each, line), each)
        return
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    try:
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except (ValueError, RecursionError) as error:
        yield Problem(path, line, f"cannot be made JSON: {error}")
        return
    name = _text(metadata, "name") or _text(metadata, "generateName")
    yield Manifest(
        path,
        _line_of(value, line),
        data.encode("utf-8", "surrogatepass"),
        value["kind"],
        name,
        _text(metadata, "namespace"),
    )


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


class _Map(dict[str, Any]):
    """A mapping that knows its line."""

    line = 0


def _line_of(value: Any, otherwise: int) -> int:
    return value.line if isinstance(value, _Map) else otherwise


class _Bad(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


class _Nodes:
    """Makes values of YAML nodes; aliases cannot make more of them than a file may have."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._n = 0

    def value(self, node: yaml.Node) -> Any:
        self._n += 1
        if self._n > MAX_NODES:
            raise self._bad(node, f"more than {MAX_NODES:,} values, aliases counted")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each) for each in node.value]
        assert isinstance(node, yaml.MappingNode)
        found = _Map()
        found.line = node.start_mark.line + 1
        merged: list[Any] = []
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                merged.append(self.value(value_node))
                continue
            key = self.value(key_node)
            if isinstance(key, (dict, list)):
                raise self._bad(key_node, "a key that is no text")
            key = key if isinstance(key, str) else json.dumps(key)
            if key in found:
                raise self._bad(key_node, f"the key `{key}` is there twice")
            found[key] = self.value(value_node)
        for other in merged:
            for each in other if isinstance(other, list) else [other]:
                if not isinstance(each, dict):
                    raise self._bad(node, "`<<` wants a map")
                for key, value in each.items():
                    found.setdefault(key, value)
        return found

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = node.value
        if node.tag == f"{_TAG}str" or not node.tag.startswith(_TAG):
            # What PyYAML takes for text and the API server does not.
            if node.style or not _ODD.fullmatch(text):
                return text
        elif node.tag in (f"{_TAG}timestamp", f"{_TAG}value", f"{_TAG}merge", f"{_TAG}binary"):
            return text
        if text in _NULLS:
            return None
        if text in _BOOLS:
            return _BOOLS[text]
        if _INT.fullmatch(text):
            return _integer(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _bad(self, node: yaml.Node, text: str) -> _Bad:
        return _Bad(Problem(self._path, node.start_mark.line + 1, text))


def _integer(text: str) -> int | str:
    digits = text.replace("_", "")
    sign = -1 if digits.startswith("-") else 1
    digits = digits.lstrip("+-")
    for prefix, base in (("0x", 16), ("0b", 2), ("0o", 8)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base) if len(digits) > 2 else text
    base = 8 if len(digits) > 1 and digits[0] == "0" else 10
    try:
        return sign * int(digits, base)
    except ValueError:  # more digits than Python converts
        return text
