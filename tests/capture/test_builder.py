"""Synthetic captures: what goes in comes out, and peers can read it."""

from __future__ import annotations

import io
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from rulekit.capture._probe import read_snapshots
from rulekit.capture._reader import iter_events
from rulekit.capture.builder import START_NS, STEP_NS, Builder, container_cgroup
from rulekit.capture.encode import ParamValue, encode_param, find_type
from rulekit.capture.writer import FdEntry, Group, Interface, Machine, User, encode_event
from rulekit.schema.events import Param, event_types
from rulekit.tools.lines import LineForm, event_lines


def only_event(event: str, params: dict[str, ParamValue], **options: bool) -> dict[str, bytes]:
    b = Builder()
    b.add_event(event, params, tid=5, **options)
    ((_, _, _, _, type_id, found),) = iter_events(io.BytesIO(b.build()))
    return dict(zip((p.name for p in event_types()[type_id].params), found, strict=True))


def test_events_come_out_as_they_went_in() -> None:
    b = Builder()
    first = b.add_event("openat", {"fd": 3, "name": "/etc/shadow"}, tid=7, cpu=2)
    second = b.add_event("procexit", {"status": 0}, tid=7, ts_ns=START_NS + 5)
    third = b.add_event("switch", {"next": 8}, tid=7, flags=1)
    events = list(iter_events(io.BytesIO(b.build())))
    assert (first, second, third) == (1, 2, 3)
    assert [e[:2] for e in events] == [(1, 1), (2, 2), (3, 3)]
    assert [e[2] for e in events] == [START_NS, START_NS + 5, START_NS + 5 + STEP_NS]
    assert [event_types()[e[4]].enum for e in events] == [
        "PPME_SYSCALL_OPENAT_2_X",
        "PPME_PROCEXIT_1_E",
        "PPME_SCHEDSWITCH_6_E",
    ]
    assert events[0][5][0] == struct.pack("<q", 3)
    assert events[0][5][2] == b"/etc/shadow\0"
    assert events[0][5][1] == b""


def test_an_enter_event_is_asked_for() -> None:
    assert find_type("connect").is_exit
    assert not find_type("connect", enter=True).is_exit
    assert find_type("PPME_SYSCALL_OPENAT_E").id == 102
    for wrong in ("nosuch", "PPME_NOSUCH"):
        with pytest.raises(ValueError, match="is called"):
            find_type(wrong)


@pytest.mark.parametrize(
    ("event", "param", "value", "encoded"),
    [
        ("openat", "dirfd", "AT_FDCWD", struct.pack("<q", -100)),
        ("openat", "flags", "O_RDWR|O_CREAT", struct.pack("<I", 7)),
        ("openat", "flags", 1, b"\1\0\0\0"),
        ("openat", "fd", -2, struct.pack("<q", -2)),
        ("openat", "name", "a\udcff", b"a\xff\0"),
        ("openat", "name", Path("/x"), b"/x\0"),
        ("openat", "name", b"raw", b"raw"),
        ("openat", "name", None, b""),
        ("chdir", "res", "ENOENT", struct.pack("<q", -2)),
        ("execve", "args", ["-a", "b c"], b"-a\0b c\0"),
        ("execve", "env", {"A": "1"}, b"A=1\0"),
        ("execve", "loginuid", -1, b"\xff" * 4),
        ("write", "data", "text", b"text"),
        ("connect", "addr", ("1.2.3.4", 258), b"\2\1\2\3\4\2\1"),
        ("connect", "addr", ("::1", 1), b"\x0a" + bytes(15) + b"\1\1\0"),
        ("connect", "addr", "/run/x", b"\1/run/x\0"),
        (
            "connect",
            "tuple",
            (("1.2.3.4", 1), ("5.6.7.8", 2)),
            b"\2\1\2\3\4\1\0\5\6\7\x08\2\0",
        ),
        ("connect", "tuple", (1, 2, "/s"), b"\1" + struct.pack("<QQ", 1, 2) + b"/s\0"),
        ("poll", "fds", [(3, 0x41)], struct.pack("<HqH", 1, 3, 0x41)),
        ("kill", "sig", "SIGKILL", b"\x09"),
        ("setsockopt", "val", (3, 7), b"\3" + struct.pack("<Q", 7)),
        ("syscall", "ID", "read", struct.pack("<H", 3)),
    ],
)
def test_values_are_encoded_by_the_type_of_the_parameter(
    event: str, param: str, value: ParamValue, encoded: bytes
) -> None:
    assert only_event(event, {param: value})[param] == encoded


@pytest.mark.parametrize(
    ("event", "param", "value"),
    [
        ("openat", "flags", "O_NOSUCH"),
        ("openat", "fd", "three"),
        ("openat", "name", 3),
        ("connect", "addr", ("1.2.3", 4)),
        ("connect", "tuple", (("1.2.3.4", 1), ("::1", 2))),
        ("kill", "sig", 300),
        ("setsockopt", "val", (99, 7)),
        ("openat", "nosuch", 1),
    ],
)
def test_what_does_not_fit_is_refused_with_the_name(
    event: str, param: str, value: ParamValue
) -> None:
    with pytest.raises(ValueError, match=param):
        Builder().add_event(event, {param: value}, tid=1)


def test_every_current_parameter_type_can_be_written_as_bytes_and_none() -> None:
    for event in event_types():
        for param in event.params:
            assert encode_param(param, b"xyz") == b"xyz"
            assert encode_param(param, None) == b""
    sigset = Param("s", "PT_SIGSET", "PF_DEC", None, None, None)
    assert encode_param(sigset, ["SIGHUP", "SIGINT"]) == b"\3\0\0\0"


def test_the_snapshot_comes_out_as_it_went_in() -> None:
    b = Builder(machine=Machine("node", 4, boot_ns=9))
    b.users = [User(1000, "me", 100, "/home/me", "/bin/sh")]
    b.groups = [Group(100, "users")]
    b.interfaces = [Interface("eth0", "10.0.0.1", "255.0.0.0", "10.255.255.255", 7)]
    b.add_process(1, "systemd", cgroups=container_cgroup("ab" * 32), sid=1)
    b.add_process(
        9, "worker", pid=1, ptid=0, args=["a", ""], env=["A=1"], exe_ino=3, cap_permitted=1 << 40
    )
    b.add_fd(1, FdEntry(3, "file", "/etc/passwd", ino=5, open_flags=1, dev=6))
    b.add_fd(1, FdEntry(4, "pidfd", "/proc/9"))
    b.add_event("switch", tid=1)
    (snapshot,) = read_snapshots(io.BytesIO(b.build(compress=True)))
    assert (snapshot["hostname"], snapshot["n_cpus"], snapshot["boot_ns"]) == ("node", 4, 9)
    assert snapshot["users"][1000]["home"] == "/home/me"
    assert snapshot["groups"] == {100: {"name": "users"}}
    assert snapshot["interfaces"][0]["broadcast"] == bytes([10, 255, 255, 255])
    main, worker = snapshot["threads"][1], snapshot["threads"][9]
    assert main["cgroups"] == container_cgroup("ab" * 32)
    assert main["fds"][3]["name"] == "/etc/passwd"
    assert (main["fds"][3]["ino"], main["fds"][3]["dev"]) == (5, 6)
    assert main["fds"][4]["type"] == 21
    assert (worker["pid"], worker["args"], worker["exe_ino"]) == (1, ["a", ""], 3)
    assert worker["cap_permitted"] == 1 << 40
    with pytest.raises(ValueError, match="no process"):
        b.add_fd(77, FdEntry(3, "file"))


def test_spawn_writes_clone_and_execve_of_a_child() -> None:
    b = Builder()
    b.add_process(1, "systemd", uid=0, cwd="/")
    b.spawn(2, "bash", parent=1, uid=1000, cwd="/home", args=["-c", "x"])
    b.spawn(3, "cat", parent=2, exepath="/bin/cat")
    b.exit(3, status=1)
    events = list(iter_events(io.BytesIO(b.build())))
    names = [event_types()[e[4]].name for e in events]
    assert names == ["clone", "chdir", "execve", "clone", "execve", "procexit"]
    clone, execve = events[3][5], events[4][5]
    assert (clone[1], clone[5], clone[16]) == (b"bash\0", struct.pack("<q", 2), b"\xe8\3\0\0")
    assert (execve[1], execve[27]) == (b"cat\0", b"/bin/cat\0")
    with pytest.raises(ValueError, match="no process"):
        b.spawn(4, "x", parent=3)


def test_a_container_is_announced_as_json() -> None:
    b = Builder()
    b.add_container("ab" * 32, "web", image="nginx")
    ((*_, params),) = iter_events(io.BytesIO(b.build()))
    assert params[1] == b"container\0"
    container = json.loads(params[2].rstrip(b"\0"))["container"]
    assert (container["id"], container["name"], container["image"]) == ("ab" * 6, "web", "nginx")


def test_a_parameter_over_its_length_field_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 65535"):
        encode_event(find_type("write").id, [bytes(8), bytes(65536)], ts_ns=1, tid=1)
    with pytest.raises(ValueError, match="does not fit"):
        encode_event(find_type("write").id, [bytes(65535), b""], ts_ns=1, tid=1)
    # The longest event that does fit can be read.
    data = Builder()
    data.add_raw(find_type("write").id, [bytes(8), bytes(65532 - 2 - 26 - 8 - 8), b"", b""], tid=1)
    assert len(list(iter_events(io.BytesIO(data.build())))) == 1


def test_files_are_compressed_by_their_name(tmp_path: Path) -> None:
    b = Builder()
    b.add_event("switch", tid=1)
    b.save(tmp_path / "a.scap")
    b.save(tmp_path / "a.scap.gz")
    assert (tmp_path / "a.scap").read_bytes() == b.build()
    assert (tmp_path / "a.scap.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert list(iter_events(tmp_path / "a.scap.gz")) == list(iter_events(tmp_path / "a.scap"))


def test_sysdig_reads_what_the_builder_writes(tmp_path: Path) -> None:
    if shutil.which("sysdig") is None:
        pytest.skip("sysdig is not installed")
    b = Builder()
    b.add_process(1, "systemd", exepath="/sbin/init")
    b.add_process(100, "bash", ptid=1, exepath="/bin/bash", cwd="/root", uid=0)
    b.add_fd(100, FdEntry(4, "file", "/var/log/x"))
    b.add_event("write", {"res": 3, "data": b"abc", "fd": 4, "size": 3}, tid=100)
    b.add_event("chdir", {"res": 0, "path": "/tmp"}, tid=100)
    b.save(tmp_path / "x.scap")
    text = subprocess.run(
        ["sysdig", "-r", tmp_path / "x.scap", "-p", "%evt.num %proc.name %proc.cwd %evt.type"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert text.splitlines() == ["1 bash /root/ write", "2 bash /tmp/ chdir"]


def test_the_guide_shows_what_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path(__file__).resolve().parent.parent.parent / "docs" / "guide" / "test-rules.md"
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.S | re.M)
    (block,) = [block for block in blocks if "Builder" in block]
    monkeypatch.chdir(tmp_path)
    exec(block, {})
    lines = event_lines(tmp_path / "shadow.scap.gz", LineForm("%proc.name %proc.pname %fd.name"))
    assert b"cat bash /etc/shadow" in list(lines)
