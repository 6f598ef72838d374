"""JSON pointers into documents, and the text of values."""

from __future__ import annotations

from typing import Any

import pytest

from rulekit.errors import RulekitError
from tests.state.documents import audit_event, value_of, values_of

DOCUMENT = {
    "a": {"b": [10, {"c": "deep"}], "": "empty key"},
    "x/y": "slash",
    "m~n": "tilde",
    "list": ["zero", "one"],
    "text": 'quote " and \\ and é and \U0001f600',
    "none": None,
    "number": 1.50,
    "0": "key",
}


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("/a/b/0", "10"),
        ("/a/b/1/c", "deep"),
        ("a/b/0", "10"),  # the slash in front may be left out
        ("/a/b", '[10,{"c":"deep"}]'),
        ("/a/", "empty key"),
        ("/x~1y", "slash"),
        ("/m~0n", "tilde"),
        ("/list/1", "one"),
        ("/list/2", None),
        ("/list/-", None),
        ("/list/one", None),
        ("/text", DOCUMENT["text"]),
        ("/none", "null"),
        ("/none/a", None),
        ("/number", "1.5"),
        ("/0", "key"),
        ("/missing", None),
        ("/text/a", None),
    ],
)
@pytest.mark.parametrize("field", ["json.value", "jevt.value"])
def test_pointer(field: str, pointer: str, expected: str | None) -> None:
    assert value_of(DOCUMENT, f"{field}[{pointer}]", source="any_json") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'{"v": "\u0041\u00e9\ud83d\ude00"}', "A\u00e9\U0001f600"),
        (rb'{"v": "\b\f\n\r\t\"\\\/"}', '\b\f\n\r\t"\\/'),
        # Half of a surrogate pair, as Go reads it.
        (rb'{"v": "\ud800\u0041"}', "\ufffd"),
        (rb'{"v": "\ud800x\udc00"}', r"\ud800x\udc00"),
        (rb'{"v": "x\u0000y"}', "x"),  # texts end at NUL
        (b'{"v": "\xff"}', "\udcff"),
        (b'{"v": 1, "v": 2}', "1"),  # the first of repeated keys counts
        (rb'{"\u0076": 3}', "3"),
        (b'{"v": 12345678901234567890123}', "12345678901234567890123"),
        (b'{"v": 1e5}', "1e5"),
        (b'{ "v" : { "a b" : [ 1 , "c , d" ] } }', '{"a b":[1,"c , d"]}'),
        (rb'{"v": {"k": "\u0041"}}', r'{"k":"\u0041"}'),
        (b'{"w": "}", "v": "ok"}', "ok"),
        (rb'{"w": "\\", "v": "ok"}', "ok"),
        (rb'{"w": "\"", "v": "ok"}', "ok"),
    ],
)
def test_forms_of_values(text: bytes, expected: str) -> None:
    assert value_of(text, "json.value[/v]", source="any_json") == expected


def test_repeated_pointers_and_deep_documents() -> None:
    deep: Any = "bottom"
    for _ in range(60):
        deep = {"a": deep}
    pointer = "/a" * 60
    assert values_of(deep, f"json.value[{pointer}]", "json.value[/a/b]", source="any_json") == [
        "bottom",
        None,
    ]
    with pytest.raises((RulekitError, ValueError), match="64 steps"):
        value_of({}, f"json.value[{'/a' * 65}]", source="any_json")


def test_whole_document() -> None:
    shown = value_of({"a": [], "b": {}, "c": [1, {"d": "e, f"}]}, "json.obj", source="any_json")
    assert shown == (
        '{\n  "a": [],\n  "b": {},\n  "c": [\n    1,\n    {\n      "d": "e, f"\n    }\n  ]\n}'
    )


def test_time_and_origin_of_audit_events() -> None:
    fields = ("jevt.rawtime", "json.rawtime", "evt.rawtime", "evt.source", "evt.num")
    assert values_of(audit_event(), *fields, "evt.pluginname") == [
        "1714557600250000000",
        "1714557600250000000",
        1714557600250000000,
        "k8s_audit",
        1,
        "k8saudit",
    ]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T23:59:59.000000001Z", 951868799000000001),
        ("2018-10-25T13:58:46.1234567891Z", 1540475926123456789),
        ("2018-10-25T15:58:46+02:00", 1540475926000000000),
        ("2018-10-25T08:28:46.5-05:30", 1540475926500000000),
    ],
)
def test_times(text: str, ns: int) -> None:
    assert value_of({**audit_event(), "stageTimestamp": text}, "evt.rawtime") == ns


@pytest.mark.parametrize(
    "text",
    [
        "", "2018", "2018-10-25", "2018-10-25T13:58:46", "2018-10-25 13:58:46Z", 17, None,
        "2018-13-01T00:00:00Z", "2018-02-29T00:00:00Z", "2018-01-00T00:00:00Z",
        "2018-01-01T24:00:00Z", "2018-01-01T00:60:00Z", "2018-01-01T00:00:60Z",
        "2018-01-01T00:00:00.Z", "2018-01-01T00:00:00z", "2018-01-01T00:00:00+0200",
        "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "2018-01-01T00:00:00Zx",
    ],
)  # fmt: skip
def test_events_without_a_time_are_left_out(text: object) -> None:
    with pytest.raises(AssertionError, match="left out"):
        value_of({**audit_event(), "stageTimestamp": text}, "evt.rawtime")
