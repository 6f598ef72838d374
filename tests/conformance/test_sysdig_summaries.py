"""Summaries and lines say what the real sysdig says of captures that both read.

sysdig 0.29 sees enter and exit events, rulekit the exits: where events are counted, sysdig is asked
for exits only. What else differs is named where it is left out.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from rulekit.tools.lines import LineForm, event_lines
from rulekit.tools.summaries.base import Request
from rulekit.tools.summaries.index import summary

pytestmark = pytest.mark.skipif(
    shutil.which("sysdig") is None, reason="sysdig is not installed: nothing to compare with"
)

CAPTURES = (
    "sf_full_capture_mpm-event.scap.gz",
    "sf_ls.scap",
)
# What rulekit shows: exits, and events that belong to no call.
SHOWN = "evt.dir=< or evt.type in (procexit,procinfo,switch,signaldeliver)"


@pytest.fixture(scope="module", params=CAPTURES)
def capture(request: pytest.FixtureRequest, shared: Path) -> Path:
    path: Path = shared / "captures/public" / request.param
    if not path.is_file():
        pytest.skip(f"no capture {request.param} in the reference material")
    return path


def sysdig(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["sysdig", *map(str, arguments)],
        env={**os.environ, "TZ": "UTC"},
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def theirs(capture: Path, name: str, *arguments: str) -> dict[tuple[str, ...], float]:
    found = json.loads(sysdig("-j", "-r", capture, "-c", name, *arguments, SHOWN))
    rows = found["data"] or []
    return {tuple(str(key) for key in keys): total for *keys, total in rows}


def ours(capture: Path, name: str, **values: Any) -> list[tuple[tuple[str, ...], float]]:
    report = summary(name).run(Request(capture, values=values))
    return [(tuple(str(key) for key in keys), total) for total, *keys in report.rows]


def above_the_last(rows: dict[Any, float], most: int) -> dict[Any, float]:
    """Return the rows without those that tie for the last place that is shown."""
    if len(rows) < most:
        return rows
    least = min(rows.values())
    return {key: total for key, total in rows.items() if total > least}


def call(name: str) -> str:
    """Return a name of a call; old `accept` events are shown as `accept4`."""
    return "accept4" if name == "accept" else name


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("topprocs_file", 10),
        ("topprocs_net", 100),
        ("topprocs_errors", 100),
        ("topfiles_bytes", 10),
        ("topfiles_errors", 100),
        ("topfiles_time", 10),
        ("topconns", 30),
        ("topports_server", 100),
        ("topcontainers_file", 10),
        ("topcontainers_net", 100),
        ("topcontainers_error", 100),
        ("topscalls", 30),
        ("topscalls_time", 30),
    ],
)
def test_groups_are_those_of_sysdig(capture: Path, name: str, most: int) -> None:
    shown = theirs(capture, name)
    expected = above_the_last({(call(key[0]), *key[1:]): n for key, n in shown.items()}, most)
    found = dict(ours(capture, name))
    assert len(found) <= most
    if name == "topscalls_time":
        expected.pop(("switch",), None)  # no call that takes time
    found = {(call(key[0]), *key[1:]): n for key, n in found.items()}
    assert expected.items() <= found.items()
    if len(shown) < most:
        assert found == expected


@pytest.mark.parametrize("key", ["fd.name", "fd.type"])
@pytest.mark.parametrize("name", ["fdbytes_by", "fdtime_by"])
def test_groups_by_any_field_are_those_of_sysdig(capture: Path, name: str, key: str) -> None:
    most = 30 if name == "fdbytes_by" else 10
    expected = above_the_last(theirs(capture, name, key), most)
    found = dict(ours(capture, name, key=key))
    assert expected.items() <= found.items()


def test_processor_time_is_that_of_sysdig(capture: Path) -> None:
    lines = sysdig("-r", capture, "-c", "topprocs_cpu").splitlines()[2:]
    expected = {tuple(line.split()[-2:]): line.split()[0] for line in lines}
    found = {keys: f"{share:.2f}%" for keys, share in ours(capture, "topprocs_cpu")}
    least = min((float(share[:-1]) for share in expected.values()), default=0.0)
    for (name, pid), share in expected.items():
        if float(share[:-1]) > least:
            assert found[(name, pid)] == share or " " in name


@pytest.mark.parametrize("name", ["ps", "netstat"])
def test_tables_of_the_state_are_those_of_sysdig(capture: Path, name: str) -> None:
    from rulekit.tools.summaries.text import report_lines

    expected = sorted(line.rstrip() for line in sysdig("-r", capture, "-c", name).splitlines()[1:])
    lines = list(report_lines(summary(name).run(Request(capture))))
    found = sorted(line.rstrip() for line in (lines[2:] if name == "ps" else lines))
    # An unknown limit is -1 here and 2**32 - 1 there, cut to the width of the column.
    expected = [re.sub(r" 429496729 ", " -1        ", line) for line in expected]
    assert found == expected


def test_open_descriptors_are_those_of_sysdig(capture: Path) -> None:
    # sysdig takes line feeds out of names
    expected = sorted(sysdig("-r", capture, "-c", "lsof").splitlines()[1:])
    found = sorted(
        "".join(
            f"{str(value)[: width - 1]:<{width}}"
            for value, width in zip(row, (20, 8, 8, 8, 8, 12), strict=False)
        )
        + str(row[-1]).replace("\n", "")
        for row in summary("lsof").run(Request(capture)).rows
    )
    assert found == expected


def test_what_users_did_is_what_sysdig_says(capture: Path) -> None:
    from rulekit.tools.summaries.text import report_lines

    told = re.sub("\x1b\\[[0-9;]*m", "", sysdig("-r", capture, "-c", "spy_users"))
    expected = [line.rstrip() for line in told.splitlines() if line.strip()]
    lines = report_lines(summary("spy_users").run(Request(capture)))
    found = [line.rstrip() for line in lines]
    assert found == expected


def test_the_slowest_calls_are_those_of_sysdig(capture: Path) -> None:
    told = sysdig("-r", capture, "-c", "bottlenecks").splitlines()[1::2]
    expected = [tuple(line.split(") ", 1)[1].split(" <")[0].split(" ", 1)) for line in told]
    rows = summary("bottlenecks").run(Request(capture)).rows
    found = [
        ("{}.{:09d}".format(*divmod(row[-1], 10**9)), f"{row[1] or ''} ({row[2]})") for row in rows
    ]
    assert found == expected


@pytest.mark.parametrize("option", ["-x", "-X", "-A", "-b", ""])
def test_buffers_print_as_with_sysdig(capture: Path, option: str) -> None:
    form = {"-x": "hex", "-X": "hex-ascii", "-A": "text", "-b": "base64", "": "dots"}[option]
    where = "evt.type in (read,write,writev,sendto,recvfrom) and evt.rawres>0"
    options = [option] if option else []
    template = "%proc.name|%evt.buffer"
    expected = sysdig(*options, "-r", capture, "-p", template, f"{where} and evt.dir=<")
    lines = event_lines(capture, LineForm(template, buffers=form), where)
    found = "".join(line.decode("utf-8", "surrogateescape") + "\n" for line in lines)

    def aligned(text: str) -> list[str]:
        # Beside an odd number of bytes sysdig puts the characters two columns further left.
        lines = text.splitlines()
        lines = [" ".join(line.split()) for line in lines] if option == "-X" else lines
        # and leaves out a line feed that comes first
        return [line for line in lines if line] if option == "-A" else lines

    assert aligned(found) == aligned(expected)
    assert found


@pytest.mark.parametrize("time", ["h", "a", "d"])
def test_times_print_as_with_sysdig(capture: Path, time: str) -> None:
    template = "%evt.outputtime %evt.type %proc.name"
    where = "evt.type in (read, write, close, fstat)"
    expected = sysdig("-t", time, "-r", capture, "-p", template, f"{where} and evt.dir=<")
    lines = event_lines(capture, LineForm(template, time=time), where)
    # Of fractions of a second since the epoch sysdig leaves out the zeros in front.
    told = re.sub(r"^(\d{6,})\.(\d+)", lambda m: f"{m[1]}.{int(m[2]):09d}", expected, flags=re.M)
    assert [line.decode() for line in lines] == told.splitlines()


def test_json_is_that_of_sysdig(capture: Path) -> None:
    template = "%evt.type %evt.time %proc.name %proc.pid %fd.name %evt.is_io %evt.cpu"
    where = "evt.type in (read, write, close)"
    expected = sysdig("-j", "-r", capture, "-p", template, f"{where} and evt.dir=<")
    lines = event_lines(capture, LineForm(template, json=True), where)
    assert [json.loads(line) for line in lines] == [
        json.loads(line) for line in expected.splitlines()
    ]


def test_events_are_counted_as_by_sysdig(capture: Path) -> None:
    from rulekit.tools.summaries.counts import event_counts

    told = sysdig("-S", "-q", "-r", capture, SHOWN).splitlines()
    rows = [line.split() for line in told if line[:1] in "<>"]
    # Between a long name and its number sysdig leaves no blank.
    expected = {(row[0], call(row[1])): int(row[2]) for row in rows if len(row) == 3}
    counts = event_counts(Request(capture)).rows
    found = {(d, call(kind)): n for d, kind, n in counts if kind != "container"}
    found = {key: n for key, n in found.items() if len(key[1]) < 16}
    assert found == expected
