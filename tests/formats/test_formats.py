"""The formats of alerts: what Falco writes, byte by byte."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulekit.alert import Alert, priority_number
from rulekit.formats.json import JsonFormatter
from rulekit.formats.text import TextFormatter

TIME_NS = 1470327477881785348


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def alert(**changes: Any) -> Alert:
    values: dict[str, Any] = {
        "time_ns": TIME_NS,
        "rule": "open_file",
        "priority": "Warning",
        "message": "An open was seen (command=cat /dev/null)",
        "output_fields": {"proc.cmdline": "cat /dev/null", "evt.cpu": 0},
        "tags": ("filesystem", "mitre_x"),
        "hostname": "box",
        **changes,
    }
    return Alert(**values)


def test_text_has_the_local_time_of_day() -> None:
    line = TextFormatter().format(alert())
    assert line == b"16:17:57.881785348: Warning An open was seen (command=cat /dev/null)\n"


def test_text_follows_the_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    assert TextFormatter().format(alert()).startswith(b"11:17:57.881785348: ")


def test_text_in_iso8601_is_always_utc() -> None:
    line = TextFormatter(iso8601=True).format(alert(message="x"))
    assert line == b"2016-08-04T16:17:57.881785348+0000: Warning x\n"


@pytest.mark.parametrize(
    ("message", "printed"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[31m", "\\u001b[31m"),
        ('say "hi"', 'say \\"hi\\"'),
        ("back\\slash", "back\\\\slash"),
        ("del\x7f", "del\\u007f"),
        ("c1\x9b", "c1\\u009b"),
        ("grüße", "grüße"),
        ("bad\udcff", "bad\ufffd"),
        ("half\ud800", "half\ufffd\ufffd\ufffd"),
    ],
)
def test_text_is_escaped(message: str, printed: str) -> None:
    line = TextFormatter().format(alert(message=message)).decode("utf-8")
    assert line == f"16:17:57.881785348: Warning {printed}\n"


def test_json_is_one_object_with_sorted_keys() -> None:
    assert JsonFormatter().format(alert()) == (
        b'{"hostname":"box",'
        b'"output":"16:17:57.881785348: Warning An open was seen (command=cat /dev/null)",'
        b'"output_fields":{"evt.cpu":0,"evt.time":1470327477881785348,'
        b'"proc.cmdline":"cat /dev/null"},'
        b'"priority":"Warning","rule":"open_file","source":"syscall",'
        b'"tags":["filesystem","mitre_x"],"time":"2016-08-04T16:17:57.881785348Z"}\n'
    )


def test_json_keys_can_be_left_out_and_added() -> None:
    formatter = JsonFormatter(
        iso8601=True, message=True, output=False, output_fields=False, tags=False
    )
    assert json.loads(formatter.format(alert())) == {
        "hostname": "box",
        "message": "An open was seen (command=cat /dev/null)",
        "priority": "Warning",
        "rule": "open_file",
        "source": "syscall",
        "time": "2016-08-04T16:17:57.881785348Z",
    }


def test_json_names_the_time_as_it_is_printed() -> None:
    item = json.loads(JsonFormatter(iso8601=True).format(alert(output_fields={})))
    assert item["output_fields"] == {"evt.time.iso8601": TIME_NS}
    assert item["output"].startswith("2016-08-04T16:17:57.881785348+0000: Warning ")


def test_json_values_are_typed() -> None:
    fields = {"a": None, "b": True, "c": 18446744073709551615, "d": ["x", "y"], "e": 0.5, "f": b"z"}
    item = json.loads(JsonFormatter().format(alert(output_fields=fields)))
    assert item["output_fields"] == {**fields, "f": "z", "evt.time": TIME_NS}


@given(message=st.text(), value=st.text(), ns=st.integers(0, 2**62))
def test_any_text_gives_one_valid_line(message: str, value: str, ns: int) -> None:
    one = alert(message=message, output_fields={"k": value}, time_ns=ns)
    line = JsonFormatter().format(one)
    assert line.count(b"\n") == 1
    item = json.loads(line)
    if value.isascii():
        assert item["output_fields"]["k"] == value
    text = TextFormatter().format(one).decode("utf-8")
    assert text.endswith("\n")
    assert not any(c < " " or "\x7f" <= c <= "\x9f" for c in text[:-1])


@pytest.mark.parametrize(
    ("name", "number"), [("emergency", 0), ("WARNING", 4), ("info", 6), ("Informational", 6)]
)
def test_priorities_are_read_in_any_case(name: str, number: int) -> None:
    assert priority_number(name) == number


def test_an_unknown_priority_is_refused() -> None:
    with pytest.raises(ValueError, match="`warn` is not a priority"):
        priority_number("warn")
