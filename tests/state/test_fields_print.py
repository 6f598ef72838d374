"""How parameters and fields print, on built captures."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rulekit.capture.builder import START_NS, STEP_NS, Builder, container_cgroup
from rulekit.capture.writer import FdEntry, Interface
from tests.state.rendered import fields, program, render, render_all

CONTAINER = "0123456789ab" + "c" * 52


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    os.environ.pop("TZ", None)
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.fixture
def b() -> Builder:
    builder = Builder()
    builder.add_process(1, "systemd", exepath="/sbin/init", cwd="/")
    builder.add_process(
        100, "bash", ptid=1, exe="-bash", exepath="/bin/bash", cwd="/root",
        args=["-l", "a b", ""], env=["HOME= /root ", "EMPTY=", "PATH=/bin"], vtid=100, vpid=100,
        sid=100, pgid=100, vpgid=100,
    )  # fmt: skip
    return builder


def ev(builder: Builder, event: str, tid: int = 100, **params: Any) -> Builder:
    builder.add_event(event, params, tid=tid)
    return builder


# name, parameters, one parameter, its text in evt.args, alone
PARAMS = [
    ("close", {"res": -9, "fd": 3}, "res", "-9(EBADF)", "EBADF"),
    ("close", {"res": 0, "fd": 3}, "res", "0", "0"),
    ("close", {"res": -100000, "fd": 3}, "res", "-100000", "-100000"),
    ("close", {"res": 0, "fd": 77}, "fd", "77", "77"),
    ("close", {"res": 0, "fd": -100}, "fd", "-100(AT_FDCWD)", "AT_FDCWD"),
    ("close", {"res": 0}, "fd", "<NA>", "<NA>"),
    ("kill", {"res": 0, "pid": 100, "sig": 9}, "pid", "100(bash)", "bash"),
    ("kill", {"res": 0, "pid": 4242, "sig": 9}, "pid", "4242", "4242"),
    ("kill", {"res": 0, "pid": 100, "sig": 9}, "sig", "9(SIGKILL)", "SIGKILL"),
    ("kill", {"res": 0, "pid": 100, "sig": 0}, "sig", "0", "0"),
    ("setuid", {"res": 0, "uid": 0}, "uid", "0(root)", "root"),
    ("setuid", {"res": 0, "uid": 77}, "uid", "77(<NA>)", "<NA>"),
    ("setuid", {"res": 0, "uid": 0xFFFFFFFF}, "uid", "-1(<NONE>)", "<NONE>"),
    ("lseek", {"res": 0, "fd": 0, "offset": 2**64 - 71}, "offset", "-71", "-71"),
    ("nanosleep", {"res": 0, "interval": 1_500_000_000}, "interval", "1500000000(1.5s)", "1.5s"),
    ("nanosleep", {"res": 0, "interval": 2**64 - 1}, "interval", "none", "none"),
    ("mkdir", {"res": 0, "path": "/x", "mode": 0o777}, "mode", "1FF", "1FF"),
    ("creat", {"fd": -2, "name": "/x", "mode": 0o644}, "mode", "0644", "0644"),
    ("creat", {"fd": -2, "name": "/x", "mode": 0}, "mode", "0", "0"),
    ("open", {"fd": -2, "name": "/x", "flags": 3}, "flags", "3(O_RDWR)", "O_RDWR"),
    ("open", {"fd": -2, "name": "/x", "flags": 0}, "flags", "0(O_NONE)", "O_NONE"),
    ("open", {"fd": -2, "name": "/x", "flags": 1 << 30}, "flags", "1073741824", "1073741824"),
    ("socket", {"fd": -1, "domain": 1}, "domain", "1(AF_LOCAL|AF_UNIX)", "AF_LOCAL|AF_UNIX"),
    ("chdir", {"res": 0, "path": b"(NULL)\0"}, "path", "<NA>", "<NA>"),
    ("chdir", {"res": 0, "path": b"/a\0b\0"}, "path", "/a", "/a"),
    ("open", {"fd": -2, "name": "../etc//x"}, "name", "../etc//x(/etc/x)", "/etc/x"),
    ("open", {"fd": -2, "name": "/a/../b"}, "name", "/a/../b", "/a/../b"),
    ("open", {"fd": -2, "name": b"\0"}, "name", "", ""),
    ("read", {"res": 2, "data": b"a\n\x80~", "fd": 0}, "data", "a..~", "a..~"),
    ("read", {"res": 0, "fd": 0}, "data", "NULL", "NULL"),
    ("bind", {"res": 0, "addr": ("1.2.3.4", 80), "fd": 3}, "addr", "1.2.3.4:80", "1.2.3.4:80"),
    ("bind", {"res": 0, "addr": ("::1", 80), "fd": 3}, "addr", "::1:80", "::1:80"),
    ("bind", {"res": 0, "addr": b"\x01/run/x\0", "fd": 3}, "addr", "/run/x", "/run/x"),
    ("bind", {"res": 0, "addr": b"\x02\x01", "fd": 3}, "addr", "INVALID IPv4", "INVALID IPv4"),
    ("bind", {"res": 0, "addr": b"\x2a", "fd": 3}, "addr", "family 42", "family 42"),
    ("bind", {"res": 0, "addr": b"\x01", "fd": 3}, "addr", "INVALID PATH", "INVALID PATH"),
    ("connect", {"res": -2, "fd": 3}, "tuple", "NULL", "NULL"),
    ("connect", {"res": -2, "tuple": b"\x0a" * 9}, "tuple", "INVALID IPv6", "INVALID IPv6"),
    (
        "connect", {"res": -2, "tuple": (10, 0xFFFF8800, "/run/x"), "fd": 3}, "tuple",
        "a->ffff8800 /run/x", "a->ffff8800 /run/x",
    ),
    (
        "connect", {"res": -2, "tuple": (("::ffff:1.2.3.4", 1), ("::ffff:5.6.7.8", 2)), "fd": 3},
        "tuple", "1.2.3.4:1->5.6.7.8:2", "1.2.3.4:1->5.6.7.8:2",
    ),
    ("poll", {"res": 1, "fds": [(0, 0x41), (-1, 1)]}, "fds", "0:f41 18446744073709551615:?1", None),
    ("poll", {"res": 1, "fds": b"\xff\xff\0"}, "fds", "", None),
    ("fchmod", {"res": 0, "fd": 0, "mode": 0o111}, "mode", "0111(S_IXOTH|S_IXGRP|S_IXUSR)", None),
    ("ioctl", {"res": 0, "fd": 0, "request": 0x5413, "argument": 0}, "request", "5413", "5413"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "params", "param", "both", "alone"), PARAMS)
def test_parameters(
    b: Builder, name: str, params: dict[str, Any], param: str, both: str, alone: str | None
) -> None:
    b.add_fd(100, FdEntry(0, "file", "/dev/null"))
    ev(b, name, **params)
    args = render(b, "%evt.args")
    if both:
        assert f"{param}={both}" in args
    else:
        assert args.endswith(f"{param}=") or f"{param}= " in args
    if alone is not None:
        assert render(b, f"%evt.arg.{param}") == alone


def test_a_dynamic_parameter_prints_as_what_its_first_byte_says(b: Builder) -> None:
    ev(b, "setsockopt", res=0, fd=3, level=1, optname=2, val=b"\x02\x05\0\0\0", optlen=4)
    assert "val=5 " in render(b, "%evt.args")
    assert fields(b, "%evt.rawarg.val") == {"evt.rawarg.val": 5}
    ev(b, "setsockopt", res=0, fd=3, level=1, optname=2, val=b"\x63\x05\0\0\0", optlen=4)
    assert "val=INVALID DYNAMIC PARAMETER " in render(b, "%evt.args")


def test_relative_paths_start_from_the_directory_fd(b: Builder) -> None:
    b.add_fd(100, FdEntry(5, "directory", "/srv"))
    ev(b, "mkdirat", res=0, dirfd=5, path="a/../b", mode=0)
    assert "path=a/../b(/srv/b) " in render(b, "%evt.args")
    assert render(b, "%evt.abspath|%fs.path.name|%fs.path.nameraw") == "/srv/b|/srv/b|a/../b"
    ev(b, "mkdirat", res=0, dirfd=9, path="b", mode=0)
    assert render(b, "%evt.abspath|%fs.path.name") == "<UNKNOWN>/b|<UNKNOWN>b"
    ev(b, "mkdirat", res=0, dirfd="AT_FDCWD", path="b", mode=0)
    assert render(b, "%evt.abspath|%fs.path.name") == "/root/b|/root/b"
    ev(b, "mkdirat", res=-13, dirfd=5, path="b", mode=0)
    assert render(b, "%fs.path.name") == "<NA>"
    ev(b, "mount", res=0, dev="", dir=".", type="", flags=0)
    assert render(b, "%fs.path.source|%fs.path.target") == "|/root"


def test_raw_parameters_keep_their_type(b: Builder) -> None:
    ev(b, "openat", fd=-2, dirfd=-100, name="/x", flags=4097, mode=0o666)
    text = "%evt.rawarg.fd %evt.rawarg.flags %evt.rawarg.mode %evt.rawarg.name %evt.rawarg.res"
    assert render_all(b, text)[-1] == (
        "-2 1001 666 /x <NA>",
        {
            "evt.rawarg.fd": -2,
            "evt.rawarg.flags": "1001",
            "evt.rawarg.mode": "666",
            "evt.rawarg.name": "/x",
            "evt.rawarg.res": None,
        },
    )


def test_numbered_parameters(b: Builder) -> None:
    ev(b, "chdir", res=0, path="/tmp")
    assert render(b, "%evt.arg[0]|%evt.arg[1]|%evt.arg[2]|%evt.arg[99999]") == "0|/tmp|<NA>|<NA>"


def test_byte_buffers(b: Builder) -> None:
    ev(b, "read", res=3, data=b"\x00ab" * 700, fd=0)
    assert render(b, "%evt.buffer") == (".ab" * 700)[:1023]
    assert render(b, "%evt.buffer", buffers="base64").startswith("AGFiAGFi")
    assert "data=AGFi" in render(b, "%evt.args", buffers="base64")
    ev(b, "chdir", res=0, path="/tmp")
    assert render(b, "%evt.buffer") == "<NA>"


def test_generic_calls_have_the_name_of_the_call(b: Builder) -> None:
    b.add_raw(1, [(0).to_bytes(2, "little"), (39).to_bytes(2, "little")], tid=100)
    assert render(b, "%evt.type|%syscall.type|%evt.args|%evt.res") == "getpid|getpid||<NA>"


def test_the_process(b: Builder) -> None:
    ev(b, "chdir", res=-2, path="/nowhere")
    text = (
        "%proc.name,%proc.exe,%proc.cmdline,%proc.exeline,%proc.args,%proc.args[1],%proc.args[2],"
        "%proc.args[9],%proc.cmdnargs,%proc.cmdlenargs,%proc.env[HOME],%proc.env[EMPTY],"
        "%proc.env[NO],%proc.cwd"
    )
    assert render(b, text) == (
        "bash,-bash,bash -l a b ,-bash -l a b ,-l a b ,a b,,,3,5,/root,,,/root/"
    )


def test_ancestors(b: Builder) -> None:
    b.spawn(200, "sh", parent=100)
    b.spawn(300, "id", parent=200)
    ev(b, "getcwd", tid=300, res=0, path="/root")
    text = (
        "%proc.pname,%proc.ppid,%proc.aname,%proc.aname[0],%proc.aname[2],%proc.aname[3],"
        "%proc.aname[4],%proc.aname[2147483647],%proc.apid,%proc.apid[2],%proc.aexepath[2],"
        "%proc.aenv[PATH],%proc.aenv[NO],%proc.sname,%proc.loginshellid"
    )
    assert render(b, text) == (
        "sh,200,sh bash systemd,id,bash,systemd,<NA>,<NA>,300,100,/bin/bash,/bin,,bash,100"
    )
    text = '%concat(proc.aname,"+")|%join("-",(proc.apid,"x"))|%proc.aargs|%toupper(proc.aargs)'
    assert render(b, text) == "sh bash systemd+|300-x|-l a b  |-L A B  "


def test_a_loop_of_parents_ends() -> None:
    b = Builder()
    b.add_process(10, "a", ptid=20)
    b.add_process(20, "b", ptid=30)
    b.add_process(30, "c", ptid=20)
    ev(b, "getcwd", tid=10, res=0, path="/")
    assert render(b, "%proc.aname").startswith("b c")
    assert render(b, "%proc.aname[5]") in ("b", "c", "<NA>")


def test_an_unknown_thread(b: Builder) -> None:
    ev(b, "getcwd", tid=999, res=0, path="/")
    text = "%proc.name|%proc.exepath|%proc.pid|%thread.tid|%proc.cwd|%proc.pname|%proc.nthreads"
    assert render(b, text) == "<NA>||-1|999|./|<NA>|0"
    assert fields(b, "%proc.name %proc.pname %proc.exe_ino") == {
        "proc.name": "<NA>",
        "proc.pname": None,
        "proc.exe_ino": None,
    }


def test_fds(b: Builder) -> None:
    ev(b, "openat", fd=3, dirfd=-100, name="notes//x", flags=1, mode=0, dev=0xFE00, ino=7)
    text = (
        "%fd.num|%fd.name|%fd.nameraw|%fd.directory|%fd.filename|%fd.type|%fd.typechar|%fd.dev|"
        "%fd.dev.major|%fd.ino|%fd.uid|%fd.types|%fd.is_server|%fd.sip|%fd.name_changed"
    )
    assert render(b, text) == (
        "3|/root/notes/x|notes/x|/root/notes|x|file|f|FE00|254|7|1003|(file)|false|<NA>|true"
    )
    ev(b, "openat", fd=-2, dirfd=-100, name="gone", flags=1, mode=0)
    assert render(b, "%fd.num|%fd.name|%fd.nameraw|%fd.filename|%fd.type|%fd.typechar") == (
        "-1|/root/gone|gone|<NA>|<NA>|f"
    )
    ev(b, "getcwd", res=0, path="/")
    assert render(b, "%fd.num|%fd.name|%fd.types") == "<NA>|<NA>|<NA>"


def test_kinds_of_fds_come_youngest_first(b: Builder) -> None:
    b.add_fd(100, FdEntry(0, "file", "/dev/null"))
    b.add_fd(100, FdEntry(1, "fifo", "pipe:[1]"))
    b.add_fd(100, FdEntry(2, "file", "/dev/null"))
    ev(b, "close", res=-9, fd=9)
    assert render_all(b, "%fd.types")[-1] == ("(file,pipe)", {"fd.types": ["file", "pipe"]})
    assert render(b, "%fd.types[1]|%fd.types[7]") == "(pipe)|<NA>"
    assert render(b, '%join("+",fd.types) %len(fd.types)') == "file+pipe 2"


def test_no_fd_at_all_is_an_empty_list(b: Builder) -> None:
    ev(b, "close", res=-9, fd=9)
    assert render_all(b, "%fd.types")[-1] == ("()", {"fd.types": None})


def test_ends_of_a_connection(b: Builder) -> None:
    b.interfaces.append(Interface("eth0", "10.0.0.1", "255.255.255.0", "10.0.0.255"))
    ev(b, "socket", fd=4, domain=2, type=1, proto=6)
    ev(b, "connect", res=0, tuple=(("10.0.0.1", 4000), ("1.2.3.4", 443)), fd=4)
    text = (
        "%fd.name|%fd.cip:%fd.cport|%fd.sip:%fd.sport|%fd.lip:%fd.lport|%fd.rip:%fd.rport|"
        "%fd.l4proto|%fd.sockfamily|%fd.is_server|%fd.connected|%fd.cproto|%evt.arg.fd"
    )
    assert render(b, text) == (
        "10.0.0.1:4000->1.2.3.4:443|10.0.0.1:4000|1.2.3.4:443|10.0.0.1:4000|1.2.3.4:443|"
        "tcp|ip|false|true|4000|<4t>10.0.0.1:4000->1.2.3.4:443"
    )
    assert fields(b, "%fd.sport %fd.sip") == {"fd.sport": 443, "fd.sip": "1.2.3.4"}


def test_a_listener_has_the_server_end_only(b: Builder) -> None:
    ev(b, "socket", fd=4, domain=2, type=1, proto=6)
    ev(b, "bind", res=0, addr=("0.0.0.0", 80), fd=4)
    text = "%fd.sip:%fd.sport|%fd.cip:%fd.cport|%fd.is_server|%fd.lport"
    assert render(b, text) == "0.0.0.0:80|<NA>:<NA>|true|<NA>"
    names = ("fd.snet", "fd.cnet", "fd.net", "fd.sproto", "fd.cproto", "evt.rawarg.addr")
    assert render_all(b, "|".join(f"%{name}" for name in names))[-1] == (
        "<IPNET>|<NA>|<NA>|||<NA>",
        dict(zip(names, ("<IPNET>", None, None, "", "", None), strict=True)),
    )


def test_protocols_and_networks_of_sockets(b: Builder) -> None:
    # As the peers print them: a network is there to be compared with, the port has its own field.
    text = "%fd.cproto|%fd.sproto|%fd.cnet|%fd.snet"
    ev(b, "socket", fd=4, domain=2, type=1, proto=6)
    assert render(b, text) == "<NA>|<NA>|<NA>|<NA>"
    ev(b, "bind", res=0, addr=("0.0.0.0", 80), fd=4)
    assert render(b, text) == "||<NA>|<IPNET>"
    ev(b, "accept4", fd=5, tuple=(("10.0.0.9", 999), ("10.0.0.1", 80)))
    assert render(b, text) == "999|80|<IPNET>|<IPNET>"
    assert fields(b, "%fd.cnet") == {"fd.cnet": "<IPNET>"}
    b.add_fd(100, FdEntry(6, "unix", "/run/x"))
    ev(b, "close", res=0, fd=6)
    assert render(b, text) == "|<NA>|<NA>|<NA>"


def test_names_of_sockets_without_ports(b: Builder) -> None:
    names = []
    for kind, proto in ((1, 6), (2, 17), (2, 1), (3, 255), (5, 132)):
        for domain, one, two in ((2, "10.0.0.1", "8.8.8.8"), (10, "2001:db8::1", "2001:db8::2")):
            ev(b, "socket", fd=4, domain=domain, type=kind, proto=proto)
            ev(b, "connect", res=0, tuple=((one, 1), (two, 2)), fd=4)
            names.append(render(b, "%fd.name"))
    assert names == [
        "10.0.0.1:1->8.8.8.8:2", "2001:db8::1:1->2001:db8::2:2",
        "10.0.0.1:1->8.8.8.8:2", "2001:db8::1:1->2001:db8::2:2",
        "10.0.0.1->8.8.8.8", "2001:db8::1->2001:db8::2",
        "10.0.0.1->8.8.8.8", "<unknown>",
        "<unknown>", "<unknown>",
    ]  # fmt: skip


def test_paths_that_are_no_paths(b: Builder) -> None:
    ev(b, "mount", res=0, dev=b"\0", dir="mnt", type="tmpfs", flags=0)
    text = "%fs.path.source|%fs.path.sourceraw|%fs.path.target|%fs.path.targetraw"
    assert render(b, text) == "||/root/mnt|mnt"
    b.add_fd(100, FdEntry(3, "fifo", "pipe:[7]"))
    ev(b, "fchmod", res=0, fd=3, mode=0)
    assert render(b, "%fs.path.name|%fs.path.nameraw") == "/root/pipe:[7]|pipe:[7]"
    ev(b, "openat", tid=77, fd=4, dirfd=-100, name="x/.", flags=1)
    assert render(b, "%fd.name|%fs.path.name|%fs.path.nameraw") == "./x|x|x/."


def test_a_name_changes_by_the_event_only(b: Builder) -> None:
    b.add_fd(100, FdEntry(3, "file", "/etc/x"))
    ev(b, "accept4", fd=3, tuple=b"")  # names the fd and has nothing to do with the entry
    assert render(b, "%fd.name|%fd.name_changed") == "/etc/x|false"


def test_leaders_are_looked_for_above_the_thread() -> None:
    b = Builder()
    b.add_process(1, "init", sid=1, vpgid=1, pgid=1, vtid=1, vpid=1)
    b.add_process(50, "shell", ptid=1, sid=5, vpgid=5, pgid=5, vtid=5, vpid=5)
    b.add_process(60, "main", ptid=1, sid=5, vpgid=5, pgid=77, vtid=6, vpid=6)
    b.add_process(61, "side", pid=60, ptid=50, sid=5, vpgid=5, pgid=77, vtid=7, vpid=6)
    ev(b, "getcwd", 61, res=0, path="/")
    assert render(b, "%proc.sname|%proc.vpgid.name|%proc.pgid.name") == "shell|shell|"
    ev(b, "getcwd", 60, res=0, path="/")
    assert render(b, "%proc.sname|%proc.vpgid.name|%proc.pgid.name") == "||"


def test_times(b: Builder) -> None:
    ev(b, "getcwd", res=0, path="/")
    ev(b, "getcwd", res=0, path="/")
    text = (
        "%evt.time|%evt.time.s|%evt.time.iso8601|%evt.datetime|%evt.datetime.s|%evt.rawtime|"
        "%evt.rawtime.s|%evt.rawtime.ns|%evt.reltime|%evt.reltime.ns|%evt.deltatime"
    )
    message, found = render_all(b, text)[-1]
    ns = START_NS + STEP_NS
    assert message == (
        "22:13:20.001000000|22:13:20|2023-11-14T22:13:20.001000000+0000|"
        f"2023-11-14 22:13:20.001000000|2023-11-14 22:13:20|{ns}|1700000000|001000000|"
        "001000000|001000000|1000000"
    )
    assert {found[f"evt.{k}"] for k in ("time", "time.iso8601", "datetime.s", "rawtime")} == {ns}
    assert found["evt.reltime"] == STEP_NS


def test_times_are_local(b: Builder) -> None:
    os.environ["TZ"] = "IST-5:30"
    time.tzset()
    ev(b, "getcwd", res=0, path="/")
    assert render(b, "%evt.time.s %evt.time.iso8601").startswith("03:43:20 2023-11-14T22:13:20")


def test_results(b: Builder) -> None:
    ev(b, "close", res=-9, fd=9)
    text = "%evt.res|%evt.rawres|%evt.failed|%evt.count.error|%evt.count.error.other"
    assert render(b, text) == "EBADF|-9|true|1|1"
    assert fields(b, "%evt.failed %evt.rawres") == {"evt.failed": True, "evt.rawres": -9}
    ev(b, "clone", res=-11)
    assert render(b, "%evt.res") == "-11"
    b.exit(100)
    assert render(b, "%evt.res|%evt.failed|%evt.dir") == "<NA>|<NA>|>"


def test_the_host_is_a_container_called_host(b: Builder) -> None:
    ev(b, "getcwd", res=0, path="/")
    text = (
        "%container.id|%container.name|%container.full_id|%container.type|%container.image|"
        "%container.privileged|%container.mounts|%container.label[x]|%k8s.pod.name|"
        "%k8s.rc.name|%k8smeta.pod.name|%container.healthcheck"
    )
    assert render(b, text) == "host|host|host|host||false||<NA>|<NA>|<NA>|<NA>|<NA>"


def test_containers(b: Builder) -> None:
    b.add_process(500, "nginx", ptid=1, cgroups=container_cgroup(CONTAINER))
    ev(b, "getcwd", tid=500, res=0, path="/")
    text = "%container.id|%container.name|%container.image|%container.privileged"
    assert render(b, text) == "0123456789ab|<NA>|<NA>|<NA>"
    b.add_container(
        CONTAINER, "web", image="nginx:1", imagerepo="nginx", imagetag="1", privileged=True,
        labels={"io.kubernetes.pod.name": "web-1", "team": "a"},
        Mounts=[
            {"Source": "/srv", "Destination": "/data", "Mode": "ro", "RW": False},
            {"Source": "/etc/x", "Destination": "/x", "Mode": "", "RW": True, "Propagation": "rp"},
        ],
    )  # fmt: skip
    ev(b, "getcwd", tid=500, res=0, path="/")
    assert render(b, text) == "0123456789ab|web|nginx:1|true"
    assert render(b, "%container.image.repository:%container.image.tag") == "nginx:1"
    assert render(b, "%container.label[team]|%container.labels|%k8s.pod.name") == "a|team:a|web-1"
    assert render(b, "%container.mounts") == "/srv:/data:ro:false:,/etc/x:/x::true:rp"
    assert render(b, "%container.mount[1]|%container.mount.dest[/etc]") == "/etc/x:/x::true:rp|/x"
    assert render(b, "%container.mount.source[^/data$]|%container.mount[9]") == "/srv|<NA>"


def test_widths_cut_and_fill(b: Builder) -> None:
    ev(b, "getcwd", res=0, path="/")
    assert render(b, "[%6proc.name][%2proc.name][%3proc.pid]") == "[bash  ][ba][100]"


def test_text_that_is_no_utf8_survives(b: Builder) -> None:
    ev(b, "chdir", res=0, path=b"/\xff\xc3\xa9\0")
    message, found = render_all(b, "%proc.cwd")[-1]
    assert message.encode("utf-8", "surrogateescape") == b"/\xff\xc3\xa9/"
    assert found["proc.cwd"] == message


def test_a_call_shows_its_field_untransformed(b: Builder) -> None:
    ev(b, "getcwd", res=0, path="/")
    assert render_all(b, "%toupper(proc.name) %len(proc.name)")[-1] == (
        "BASH 4",
        {"proc.name": "bash"},
    )


def test_a_program_knows_its_fields() -> None:
    assert program("a %proc.name %10fd.num %toupper(user.name) %proc.name").keys == (
        "proc.name",
        "fd.num",
        "user.name",
    )
