"""Field maps: declarations that make a source of JSON documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rulekit.engine.pipeline import Engine
from rulekit.errors import RuleError, SourceError
from rulekit.rules.field_map import read_field_map, use_field_maps
from rulekit.rules.loader import load_files
from rulekit.rules.names import forget_fields
from rulekit.schema.mapped import retract


@pytest.fixture(autouse=True)
def _no_fields_are_left() -> Iterator[None]:
    yield
    retract()
    forget_fields()


MAP = """\
source: mapped_test
fields:
  - {name: m.text, pointer: /a/text}
  - {name: m.int, pointer: /a/int, type: int}
  - {name: m.uint, pointer: /a/uint, type: uint}
  - {name: m.double, pointer: /a/double, type: double}
  - {name: m.bool, pointer: /a/bool, type: bool}
  - {name: m.address, pointer: /a/address, type: address}
  - {name: m.list, pointer: /l, list: true}
  - {name: m.deep, pointer: '/l/*/x/*/y', list: true}
  - {name: m.second, pointer: /l/1}
  - {name: m.odd, pointer: '/o~1~0/é'}
"""


def matches(tmp_path: Path, condition: str, document: object) -> bool:
    path = tmp_path / "map.yaml"
    path.write_text(MAP)
    assert use_field_maps([path]) == ("mapped_test",)
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        f"- rule: R\n  desc: d\n  condition: {json.dumps(condition)}\n  output: x\n"
        "  priority: INFO\n  source: mapped_test\n"
    )
    engine = Engine(load_files([rules]).require(), source="mapped_test")
    return engine.decide(json.dumps(document)).rules == ("R",)


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("m.text = b", {"text": "b"}, True),
        ("m.text = 5", {"text": 5}, True),
        ('m.text = "[1,2]"', {"text": [1, 2]}, True),
        ("m.text exists", {"text": None}, False),
        ("m.text exists", {}, False),
        ("m.text exists", 7, False),
        ("m.int = -5", {"int": -5}, True),
        ("m.int < 7", {"int": "6"}, True),
        ("m.int exists", {"int": 1.5}, False),
        ("m.int exists", {"int": "x"}, False),
        ("m.int exists", {"int": ""}, False),
        ("m.int exists", {"int": "-"}, False),
        ("m.int = 9223372036854775807", {"int": 2**63 - 1}, True),
        ("m.int = -9223372036854775808", {"int": -(2**63)}, True),
        ("m.int exists", {"int": 2**63}, False),
        ("m.int exists", {"int": -(2**63) - 1}, False),
        ("m.uint = 18446744073709551615", {"uint": 2**64 - 1}, True),
        ("m.uint exists", {"uint": 2**64}, False),
        ("m.uint exists", {"uint": -1}, False),
        ("m.double > 0", {"double": 0.75}, True),
        ("m.double > 1", {"double": 1}, False),
        ("m.double > 100", {"double": 1e3}, True),
        ("m.double exists", {"double": "inf"}, False),
        ("m.double exists", {"double": "0x1p"}, False),
        ("m.double exists", {"double": True}, False),
        ("m.bool = true", {"bool": True}, True),
        ("m.bool = false", {"bool": False}, True),
        ("m.bool exists", {"bool": 1}, False),
        ("m.address = 10.0.0.1", {"address": "10.0.0.1"}, True),
        ("m.address = ::1", {"address": "::1"}, True),
        ("m.address exists", {"address": "10.0.0"}, False),
        ("m.address exists", {"address": "x" * 100}, False),
    ],
)
def test_values(tmp_path: Path, condition: str, value: Any, expected: bool) -> None:
    assert matches(tmp_path, condition, {"a": value}) is expected


@pytest.mark.parametrize(
    ("condition", "document", "expected"),
    [
        ("m.list in (a, b)", {"l": ["a", "b"]}, True),
        ("m.list in (a, b)", {"l": ["a", "c"]}, False),
        ("m.list intersects (a, b)", {"l": ["c", "a"]}, True),
        ("m.list[1] intersects (a)", {"l": ["c", "a"]}, True),
        ("m.list[2] exists", {"l": ["c", "a"]}, False),
        ("m.list exists", {"l": []}, False),
        ("m.list exists", {"l": [None]}, False),
        ("m.list intersects (a)", {"l": [None, "a"]}, True),
        ("m.list = a", {"l": "a"}, None),
        ("m.list in (a)", {"l": "a"}, True),
        ("m.list exists", {}, False),
        ("m.deep in (p, q)", {"l": [{"x": [{"y": "p"}]}, {"x": [{"y": "q"}, {}]}, 7]}, True),
        ("m.deep exists", {"l": [{"x": {"y": "p"}}]}, False),
        ("m.second = b", {"l": ["a", "b"]}, True),
        ("m.odd = v", {"o/~": {"é": "v"}}, True),
        ("jevt.value[/o~1~0/é] = v and m.odd exists", {"o/~": {"é": "v"}}, True),
    ],
)
def test_lists_and_pointers(
    tmp_path: Path, condition: str, document: Any, expected: bool | None
) -> None:
    if expected is None:
        with pytest.raises(RuleError):
            matches(tmp_path, condition, document)
    else:
        assert matches(tmp_path, condition, document) is expected


def test_a_map_may_change(tmp_path: Path) -> None:
    assert matches(tmp_path, "m.text = b", {"a": {"text": "b"}})
    path = tmp_path / "other.yaml"
    path.write_text("source: mapped_test\nfields: [{name: m.text, pointer: /elsewhere}]\n")
    use_field_maps([path])
    rules = tmp_path / "rules.yaml"
    engine = Engine(load_files([rules]).require(), source="mapped_test")
    assert engine.decide({"elsewhere": "b"}).rules == ("R",)


def test_more_fields_for_audit_events(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(
        "source: k8s_audit\nfields: [{name: our.cluster, pointer: /annotations/our-cluster}]\n"
    )
    use_field_maps([path])
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "- rule: R\n  desc: d\n  condition: our.cluster = a and ka.verb = get\n  output: x\n"
        "  priority: INFO\n  source: k8s_audit\n"
    )
    engine = Engine(load_files([rules], sources=("k8s_audit",)).require(), source="k8s_audit")
    event = {"kind": "Event", "auditID": "1", "verb": "get", "annotations": {"our-cluster": "a"}}
    assert engine.decide(event).rules == ("R",)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "a field map is one map"),
        ("- 1", 1, "a field map is one map"),
        ("fields: [{name: a, pointer: /a}]", 1, "`source` is missing"),
        ("source: s\nfields: []", 2, "a list of one field or more"),
        ("source: s", 1, "a list of one field or more"),
        ("source: s\nfield: []\nfields: [{name: a, pointer: /a}]", 2, "has no `field`"),
        ("source: syscall\nfields: [{name: q.a, pointer: /a}]", 1, "has no JSON documents"),
        ("source: a b\nfields: [{name: q.a, pointer: /a}]", 1, "no name of a source"),
        ("source: s\nfields:\n  - 7", 3, "a field is a map"),
        ("source: s\nfields:\n  - {name: q.a}", 3, "`pointer` is missing"),
        ("source: s\nfields:\n  - {pointer: /a}", 3, "`name` is missing"),
        ("source: s\nfields:\n  - name: q a\n    pointer: /a", 3, "no name of a field"),
        ("source: s\nfields:\n  - name: q.a\n    pointer: a", 4, "begins with a slash"),
        ("source: s\nfields:\n  - name: q.a\n    pointer: /a~2", 4, "a tilde"),
        ("source: s\nfields:\n  - name: q.a\n    pointer: /a/*/b", 4, "say `list: true`"),
        (f"source: s\nfields:\n  - name: q.a\n    pointer: {'/a' * 65}", 4, "more than 64"),
        ("source: s\nfields:\n  - {name: q.a, pointer: /a, type: number}", 3, "no type `number`"),
        ("source: s\nfields:\n  - {name: q.a, pointer: /a, list: maybe}", 3, "neither true nor"),
        ("source: s\nfields:\n  - {name: q.a, pointer: /a, list: true, type: int}", 3, "texts"),
        ("source: s\nfields:\n  - {name: q.a, pointer: /a, unit: s}", 3, "has no `unit`"),
        (
            "source: s\nfields:\n  - {name: q.a, pointer: /a}\n  - {name: q.a, pointer: /b}",
            4,
            "declared twice",
        ),
        ("source: s\nfields:\n  - {name: evt.type, pointer: /a}", 3, "is a field already"),
        ("source: s\nfields:\n  - {name: ka.verb, pointer: /a}", 3, "is a field already"),
    ],
)
def test_maps_that_are_wrong(tmp_path: Path, text: str, line: int, message: str) -> None:
    _, _, problems = read_field_map(text.encode(), "map.yaml")
    assert problems
    assert message in problems[0].message
    span = problems[0].span
    assert span.source.locate(span.start)[0] == line
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(RuleError):
        use_field_maps([path])


def test_what_is_no_file_and_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        use_field_maps([tmp_path / "gone"])
    with pytest.raises(RuleError):
        read_field_map(b"{", "map.yaml")
    with pytest.raises(RuleError):
        read_field_map(b"source: \xff", "map.yaml")
