"""Named summaries over a capture in which every answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rulekit.capture import Builder
from rulekit.capture.builder import START_NS
from rulekit.capture.writer import FdEntry
from rulekit.engine.window import window
from rulekit.errors import RuleError, RulekitError, SourceError
from rulekit.tools.summaries.base import Request, operand
from rulekit.tools.summaries.index import summaries, summary
from rulekit.tools.summaries.text import bytes_text, report_lines, time_text

READ_E, READ_X = 6, 7


def number(value: int, width: int = 8) -> bytes:
    return value.to_bytes(width, "little", signed=True)


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shell that goes somewhere and starts cat; reads with and without errors; a socket."""
    b = Builder()
    b.add_process(1, "init")
    b.add_process(6, "sshd", ptid=1)
    b.add_process(7, "bash", ptid=6, cwd="/root", loginuid=0)
    b.add_process(30, "nginx", ptid=1, vm_size_kb=2048, vm_rss_kb=1024)
    b.add_fd(30, FdEntry(4, "file", name="/var/log/nginx.log"))
    b.add_event("chdir", {"res": 0, "path": "/srv"}, tid=7)
    b.spawn(8, "cat", args=["/etc/passwd"], parent=7)
    b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": "/etc/passwd"}, tid=8)
    b.add_event("read", {"res": 1000, "fd": 3, "data": b"root:x:0\nbin"}, tid=8)
    b.add_event("read", {"res": 500, "fd": 3}, tid=8, ts_ns=START_NS + 2 * 10**9)
    b.add_event("read", {"res": -11, "fd": 3}, tid=8)
    b.add_event("write", {"res": 3, "fd": 1, "data": b"hi\n"}, tid=8)
    b.add_event("openat", {"fd": -2, "dirfd": "AT_FDCWD", "name": "/none"}, tid=8)
    b.add_event("write", {"res": 40, "fd": 4}, tid=30)
    # in the layout that tells how long a call took
    start = b.now_ns
    b.add_raw(READ_E, [number(3), number(9, 4)], tid=8, ts_ns=start)
    b.add_raw(READ_X, [number(1), b"x"], tid=8, ts_ns=start + 5_000_000)
    b.exit(8)
    path: Path = tmp_path_factory.mktemp("summaries") / "c.scap"
    b.save(path)
    return path


def table(capture: Path, name: str, condition: str | None = None, **values: Any) -> list[tuple]:
    return [
        tuple(row) for row in summary(name).run(Request(capture, condition, values=values)).rows
    ]


def text(capture: Path, name: str, **request: Any) -> list[str]:
    return list(report_lines(summary(name).run(Request(capture, **request))))


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("topprocs_file", [(1501, "cat", 8), (40, "nginx", 30)]),
        ("topfiles_bytes", [(1501, "/etc/passwd"), (40, "/var/log/nginx.log")]),
        ("topfiles_errors", [(1, "/etc/passwd")]),
        ("topprocs_errors", [(2, "cat", 8)]),
        ("topfiles_time", [(5_000_000, "/etc/passwd")]),
        ("topscalls_time", [(5_000_000, "read")]),
        ("topprocs_net", []),
        ("errors", [(1, "openat", "ENOENT"), (1, "read", "EAGAIN")]),
        (
            "iobytes",
            [("2023-11-14 22:13:20", 1000, 0, 1000), ("2023-11-14 22:13:22", 501, 43, 544)],
        ),
        (
            "bottlenecks",
            [(11, "cat", 8, "read", "res=1 data=x fd=3(<f>/etc/passwd) size=9", 5_000_000)],
        ),
    ],
)
def test_rows(capture: Path, name: str, rows: list[tuple], monkeypatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert table(capture, name) == rows


def test_groups_by_a_field_of_choice(capture: Path) -> None:
    assert table(capture, "fdbytes_by", key="evt.io_dir") == [(1501, "read"), (43, "write")]
    assert table(capture, "fdtime_by", key="proc.name") == [(5_000_000, "cat")]
    assert table(capture, "fdcount_by", key="proc.name") == [(1, "cat"), (1, "nginx")]


def test_a_condition_and_a_window_choose_the_events(capture: Path) -> None:
    assert table(capture, "topprocs_file", "proc.name = nginx") == [(40, "nginx", 30)]
    request = Request(capture, window=window("+1s", None))
    report = summary("topprocs_file").run(request)
    assert [tuple(row) for row in report.rows] == [(501, "cat", 8), (40, "nginx", 30)]


def test_calls_are_counted_once(capture: Path) -> None:
    assert {kind: n for n, kind in table(capture, "topscalls")}["read"] == 4


def test_users_are_followed_from_their_shells(capture: Path) -> None:
    lines = text(capture, "spy_users")
    assert [line[line.index(")") :] for line in lines] == [") cd /srv", ") cat /etc/passwd"]
    assert all(line.startswith("7 22:13:20 ") for line in lines)
    (only,) = text(capture, "spy_users", condition="evt.type = chdir", containers=True)
    assert "@host) cd /srv" in only


def test_the_state_is_that_of_the_moment(capture: Path) -> None:
    before = table(capture, "ps")
    assert [row[-1] for row in before] == ["init", "sshd", "bash", "nginx"]
    assert before[3] == (30, 30, "root", 2048 * 1024, 1024 * 1024, 1024, "nginx")
    assert "cat" in [row[-1] for row in table(capture, "ps", "evt.type = read")]
    assert table(capture, "lsof", "evt.type = read", filter="proc.name = cat") == [
        ("cat", 8, 8, "root", 3, "file", "/etc/passwd")
    ]
    # a condition on descriptors chooses processes by what they have open
    assert [row[-1] for row in table(capture, "ps", filter="fd.name contains nginx")] == ["nginx"]
    assert [row[-1] for row in table(capture, "ps", filter="proc.pid = 1")] == ["init"]


def test_no_moment_no_table(capture: Path) -> None:
    report = summary("ps").run(Request(capture, "evt.num > 1000000"))
    assert list(report.rows) == []
    assert report.notes == ["no event matches: there is no moment to look at"]


def test_sockets_are_listed_with_both_ends(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "nc")
    b.add_event("socket", {"fd": 3, "domain": "AF_INET", "type": 1}, tid=7)
    b.add_event(
        "connect", {"res": 0, "fd": 3, "tuple": (("10.0.0.1", 5000), ("10.0.0.2", 80))}, tid=7
    )
    b.save(tmp_path / "c.scap")
    (row,) = table(tmp_path / "c.scap", "netstat", "evt.type = connect")
    assert row == ("tcp", "10.0.0.2:80", "10.0.0.1:5000", "ESTABLISHED", 7, 7, "nc")


def test_data_is_shown_as_text(capture: Path) -> None:
    assert text(capture, "stdout") == ["hi"]
    assert text(capture, "echo_fds")[0].split("\n") == [
        "------ Read 1000B from /etc/passwd (cat)",
        "root:x:0",
        "bin",
    ]
    (first, *_) = text(capture, "spy_file", values={"file_name": "/etc/passwd"})
    assert first.endswith(" cat(8) R 1000B /etc/passwd root:x:0\nbin")
    assert text(capture, "spy_file", values={"read_or_write": "W"}) != []


def test_slow_calls_are_listed(capture: Path) -> None:
    assert len(table(capture, "scallslower", min_ms=4.9)) == 1
    assert table(capture, "scallslower", min_ms=5) == []
    assert len(table(capture, "fileslower", min_ms=1)) == 1
    assert table(capture, "netlower", min_ms=0) == []


def test_times_that_nobody_recorded_are_said_to_be_missing(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "cat")
    b.add_event("read", {"res": 1, "fd": 3}, tid=7)
    b.save(tmp_path / "c.scap")
    for name, values in (
        ("topscalls_time", {}),
        ("scallslower", {"min_ms": 0}),
        ("bottlenecks", {}),
    ):
        report = summary(name).run(Request(tmp_path / "c.scap", values=values))
        assert list(report.rows) == []
        assert any("where calls end" in note for note in report.notes), name


def test_what_was_before_damage_is_shown(capture: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.scap"
    cut.write_bytes(capture.read_bytes()[:-10])
    report = summary("topprocs_file").run(Request(cut))
    rows = iter(report.rows)
    assert next(rows)[1:] == ("cat", 8)
    with pytest.raises(SourceError, match=r"cut\.scap"):
        list(rows)


def test_a_row_is_a_line(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "bash", cwd="/")
    b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": "/a\nb\x1b[2J"}, tid=7)
    b.add_event("read", {"res": 1, "fd": 3}, tid=7)
    b.save(tmp_path / "c.scap")
    assert text(tmp_path / "c.scap", "topfiles_bytes")[-1].endswith("/a\\nb\\u001b[2J")


def test_mistakes_are_said_before_anything_is_read(capture: Path) -> None:
    with pytest.raises(RulekitError, match="do you mean topprocs_file"):
        summary("topproc_file")
    with pytest.raises(RulekitError, match="no field"):
        operand("proc.nosuch")
    with pytest.raises(RulekitError, match="no field"):
        operand("proc.name and more")
    with pytest.raises(RuleError, match="nosuch"):
        table(capture, "topscalls", "evt.nosuch = 1")


@pytest.mark.parametrize("name", summaries())
def test_every_summary_runs_over_an_empty_world(name: str, tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "cat")
    b.add_event("getcwd", {"res": 0}, tid=7)
    b.save(tmp_path / "c.scap")
    values = {
        "field": "proc.name",
        "number": 1,
        "text": "127.0.0.1",
        "condition": "proc.name = cat",
    }
    given = {a.name: values[a.kind] for a in summary(name).arguments}
    for containers in (False, True):
        request = Request(tmp_path / "c.scap", values=given, containers=containers)
        for line in report_lines(summary(name).run(request)):
            assert isinstance(line, str)
        report = summary(name).run(request)
        for row in report.rows:
            assert len(row) == len(report.columns)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        *((0, "0B"), (1024, "1024B"), (1025, "1.00KB"), (1664, "1.63KB"), (3 << 20, "3.00M")),
        *((5 << 30, "5.00G"), (1 << 42, "4.00T"), (1 << 62, "4096.00P")),
    ],
)
def test_sizes(size: int, shown: str) -> None:
    assert bytes_text(size) == shown


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        *((7, "7ns"), (1500, "1.50us"), (26_000, "26us"), (3_120_000, "3.12ms")),
        *((96_500_000, "96ms"), (1_050_000_000, "1.05s"), (98_620_000_000, "98.62s")),
    ],
)
def test_durations(ns: int, shown: str) -> None:
    assert time_text(ns) == shown


def test_losses_are_noted(tmp_path: Path) -> None:
    b = Builder()
    b.add_process(7, "cat")
    b.add_event("getcwd", {"res": 0}, tid=7)
    b.add_event("drop", {"ratio": 2}, tid=7)
    b.save(tmp_path / "c.scap")
    for name in ("topscalls", "ps"):
        report = summary(name).run(Request(tmp_path / "c.scap", "evt.num = 2"))
        list(report.rows)
        assert report.notes == ["1 drop record: the recorder lost or skipped events"], name
