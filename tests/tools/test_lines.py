"""Events as lines: formats, times, buffers, JSON, how many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rulekit.capture import Builder
from rulekit.capture.builder import START_NS
from rulekit.errors import RuleError
from rulekit.tools.lines import LineForm, event_lines

DATA = b"ab\r\n\x00c\xff" + bytes(range(0x41, 0x4C))


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    b = Builder()
    b.add_process(7, "cat")
    b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": "/etc/a\x1b[2J"}, tid=7)
    b.add_event("read", {"res": len(DATA), "fd": 3, "data": DATA}, tid=7, ts_ns=START_NS + 1500)
    b.add_event("getcwd", {"res": 0}, tid=7, ts_ns=START_NS + 2 * 10**9)
    b.save(tmp_path / "c.scap")
    return tmp_path / "c.scap"


def lines(capture: Path, template: str | None = None, condition: str | None = None, **form):
    most = form.pop("most", None)
    found = event_lines(capture, LineForm(template, **form), condition, most=most)
    return [line.decode() for line in found]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("a", ["1700000000.000000000", "1700000000.000001500", "1700000002.000000000"]),
        ("r", ["0.000000000", "0.000001500", "2.000000000"]),
        ("D", ["0.000000000", "0.000001500", "1.999998500"]),
        ("d", ["0.000000000"] * 3),
    ],
)
def test_the_form_of_time(capture: Path, time: str, expected: list[str]) -> None:
    assert lines(capture, "%evt.outputtime", time=time) == expected


def test_the_time_in_a_call_is_known_from_enter_events(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "cat")
    b.add_raw(6, [(3).to_bytes(8, "little"), (9).to_bytes(4, "little")], tid=7, ts_ns=START_NS)
    b.add_raw(7, [(1).to_bytes(8, "little"), b"x"], tid=7, ts_ns=START_NS + 1_000_000_042)
    b.save(tmp_path / "c.scap")
    found = lines(tmp_path / "c.scap", "%evt.outputtime %evt.type", time="d")
    assert found == ["1.000000042 read"]


@pytest.mark.parametrize(
    ("buffers", "expected"),
    [
        ("dots", "ab....c.ABCDEFGHIJK"[:4] + ".c.ABCDEFGHIJK"),
        ("base64", "YWINCgBj/0FCQ0RFRkdISUpL"),
        ("text", "\nab\ncABCDEFGHIJK"),
        ("hex", "\n\t0x0000: 6162 0d0a 0063 ff41 4243 4445 4647 4849\n\t0x0010: 4a4b\n"),
        (
            "hex-ascii",
            "\n\t0x0000: 6162 0d0a 0063 ff41 4243 4445 4647 4849  ab...c.ABCDEFGHI"
            "\n\t0x0010: 4a4b                                     JK\n",
        ),
    ],
)
def test_the_form_of_buffers(capture: Path, buffers: str, expected: str) -> None:
    (found,) = lines(capture, "%evt.buffer", "evt.type = read", buffers=buffers)
    assert found == expected
    (found,) = lines(capture, "%evt.info", "evt.type = read", buffers=buffers)
    assert f"data={expected} fd=3" in found


def test_json_has_the_fields_by_name(capture: Path) -> None:
    found = lines(capture, "%evt.num %proc.name %fd.sport %evt.time", "evt.num = 2", json=True)
    assert found == []  # one is null
    (line,) = lines(capture, "*%evt.num %proc.name %fd.sport %evt.time", "evt.num = 2", json=True)
    assert json.loads(line) == {
        "evt.num": 2,
        "proc.name": "cat",
        "fd.sport": None,
        "evt.time": START_NS + 1500,
    }


def test_the_container_format_names_the_container(capture: Path) -> None:
    (line,) = lines(capture, "c", "evt.type = getcwd")
    assert line.endswith("0 host (host) cat (7:7) < getcwd res=0 path=<NA>")
    assert lines(capture, "container") == lines(capture, "c")
    (line,) = lines(capture, "k", "evt.type = getcwd")
    assert " <NA> (host) cat (7:7) " in line


def test_only_so_many_lines(capture: Path) -> None:
    assert lines(capture, "%evt.num", most=2) == ["1", "2"]
    assert lines(capture, "%evt.num", most=0) == []
    # lines, not events: those that are left out do not count
    assert len(lines(capture, "%fd.name", "evt.type in (read, getcwd)", most=1)) == 1


def test_mistakes_are_named_as_they_were_written(capture: Path) -> None:
    with pytest.raises(RuleError, match="nosuch"):
        lines(capture, "%evt.num", "proc.nosuch = 1")
    with pytest.raises(RuleError):
        lines(capture, "%nosuch.field")
