"""Logs of auditd: records, their assembly, what they say about calls and processes."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import pytest

from tests.sources.linux_audit.logs import START_MS, Log, counters, decode, fields, shown

OPENAT, EXECVE, CONNECT, CLONE, EXIT_GROUP, SETRESUID = 257, 59, 42, 56, 231, 117
AT_FDCWD = 0xFFFFFF9C


def test_every_record_of_the_sample_is_used(shared: Path) -> None:
    data = (shared / "captures/linux_audit/auditd-raw.log").read_bytes()
    _, decoder = decode(data)
    assert decoder.n_records == 14141
    assert {n: c for n, c in decoder.stats().items() if c} == {
        "events": 3558,
        "audit_events_as_data": 3,
    }
    kinds = Counter(event.type for event in shown(data))
    assert kinds["openat"] == 2951
    assert kinds["execve"] == 362
    assert kinds["procexit"] == 92
    assert kinds["vfork"] == 4
    assert kinds["connect"] == kinds["socket"] == 16
    assert kinds["asyncevent"] == 3
    assert kinds.total() == 3560


def test_a_capture_comes_out_however_the_bytes_come_in(shared: Path) -> None:
    data = (shared / "captures/linux_audit/auditd-raw.log").read_bytes()[:200_000]
    whole = shown(data)
    assert shown(data, step=4097) == whole
    assert shown(data[:20_000], step=1) == shown(data[:20_000])


def test_open() -> None:
    log = Log()
    log.call(
        OPENAT, args=(AT_FDCWD, 0x7F00, 0o2000101, 0o600), exit=3, cwd="/root",
        paths=(("/root/", "PARENT"), ("new", "CREATE")),
    )  # fmt: skip
    log.call(OPENAT, args=(AT_FDCWD, 0x7F00, 0, 0o777), exit=-2, paths=(("gone", "UNKNOWN", " "),))
    first, second = shown(log)
    assert first.type == "openat"
    assert first.tid == 100
    assert first.ts_ns == (START_MS + 1) * 1_000_000
    assert first.number("fd") == 3
    assert first.number("dirfd") == -100
    assert first.text("name") == "new"
    # O_WRONLY | O_CREAT | O_CLOEXEC, and: made by this call
    assert first.number("flags") == 2 | 4 | 4096 | 16384
    assert first.number("mode") == 0o600
    assert first.number("ino") == 77
    assert first.number("dev") == 0xFE01
    assert second.number("fd") == -2
    assert second.number("mode") == 0, "the call could not create anything"
    assert second.params["ino"] == b""
    assert fields(log, "fd.name", "proc.cwd")[0] == ("/root/new", "/root/")


def test_texts_in_hexadecimal_digits() -> None:
    log = Log()
    log.call(OPENAT, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=('/tmp/a "b"\n\xe9',), comm="a b")
    (event,) = shown(log)
    assert event.text("name") == '/tmp/a "b"\n\xe9'
    assert fields(log, "proc.name", "fd.name") == [("a b", '/tmp/a "b"\n\xe9')]


def test_execve() -> None:
    log = Log()
    log.call(
        EXECVE, comm="work.sh", exe="/usr/bin/dash", cwd="/srv",
        argv=("/bin/sh", "./work.sh", "a b"),
        paths=("./work.sh", ("/bin/sh", "NORMAL", "inode=260 dev=fe:00"), "/lib64/ld-linux.so.2"),
        records=(("BPRM_FCAPS", "fver=0 fp=0 pp=1ff pi=0 pe=ff pa=0"),), tty="pts3", euid=0, uid=5,
    )  # fmt: skip
    (event,) = shown(log)
    assert event.text("exe") == "/bin/sh"
    assert event.params["args"] == b"./work.sh\0a b\0"
    assert event.text("filename") == "./work.sh"
    assert event.text("trusted_exepath") == "/usr/bin/dash"
    assert event.number("exe_ino") == 260, "the interpreter, not the script, not the loader"
    assert event.number("cap_permitted") == 0x1FF
    assert event.number("tty") == 136 << 8 | 3
    assert event.params["env"] == b""
    names = ("proc.name", "proc.exepath", "proc.cmdline", "proc.cwd", "user.uid", "user.loginuid")
    assert fields(log, *names) == [
        ("work.sh", "/usr/bin/dash", "work.sh ./work.sh a b", "/srv/", 0, 1000)
    ]


def test_a_script_of_a_static_interpreter() -> None:
    log = Log()
    log.call(
        EXECVE, argv=("/bin/busybox", "x"), paths=("x", ("/bin/busybox", "NORMAL", "inode=9 "))
    )
    assert shown(log)[0].number("exe_ino") == 9


def test_a_failed_execve_leaves_the_process_as_it_was() -> None:
    log = Log()
    log.call(EXECVE, argv=("cat",), comm="cat", exe="/bin/cat", paths=("/bin/cat",))
    log.call(EXECVE, exit=-13, comm="cat", exe="/bin/cat", paths=("/tmp/x",))
    assert shown(log)[1].text("filename") == "/tmp/x"
    assert shown(log)[1].number("res") == -13
    assert fields(log, "proc.name", "evt.res")[1] == ("cat", "EACCES")


def test_arguments_over_many_records() -> None:
    log = Log()
    n = 100_000
    event = log.next()
    log.record("SYSCALL", event, "arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=1 pid=9")
    for start in range(0, n, 500):
        head = f"argc={n} " if start == 0 else ""
        rest = " ".join(f'a{i}="{i}"' for i in range(start, min(start + 500, n)))
        log.record("EXECVE", event, head + rest)
    log.record("PROCTITLE", event, 'proctitle="x"')
    (exec_event,) = shown(log)
    args = exec_event.params["args"].split(b"\0")
    assert args[:3] == [b"1", b"2", b"3"]
    assert 40_000 < len(exec_event.params["args"]) <= 48_000
    assert counters(log) == {"events": 1, "audit_arguments_cut": 1}


def test_an_argument_in_pieces() -> None:
    log = Log()
    event = log.next()
    log.record("SYSCALL", event, "arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=1 pid=9")
    log.record("EXECVE", event, 'argc=3 a0="sh" a1_len=11 a1[0]="hello "')
    log.record("EXECVE", event, "a1[1]=776F a1[2]=726C a1[3]=64")
    log.record("EXECVE", event, 'a2="end"')
    log.record("PROCTITLE", event, 'proctitle="x"')
    assert shown(log)[0].params["args"] == b"hello world\0end\0"
    assert counters(log) == {"events": 1}


def test_missing_arguments_are_counted() -> None:
    log = Log()
    log.call(EXECVE, argv=("a", "b"), paths=("/bin/a",), items=2)
    log.lines[1] = log.lines[1].replace("argc=2", "argc=5")
    assert counters(log) == {"events": 1, "audit_events_incomplete": 1}


@pytest.mark.parametrize(
    ("saddr", "addr", "name"),
    [
        ("020001BB7F000001" + "00" * 8, b"\x02\x7f\0\0\x01\xbb\x01", "0.0.0.0:0->127.0.0.1:443"),
        ("0A0001BB00000000" + "00" * 15 + "0100000000", None, ":::0->::1:443"),
        ("01002F72756E2F78" + "0041", b"\x01/run/x\0", "0->0 /run/x"),
        ("010000" + b"abstract".hex(), b"\x01abstract\0", "0->0 abstract"),
        ("100000000000000000000000", b"\x10", ""),
        ("0200", b"", ""),
    ],
)
def test_addresses(saddr: str, addr: bytes | None, name: str) -> None:
    domain = int(saddr[:2], 16)
    log = Log()
    log.call(41, args=(domain, 1, 0, 0), exit=3)
    log.call(CONNECT, args=(3, 0, 16, 0), exit=0, records=(("SOCKADDR", f"saddr={saddr}"),))
    event = shown(log)[1]
    if addr is not None:
        assert event.params["addr"] == addr
    assert fields(log, "fd.name")[1][0] == name


def test_processes_inherit_from_the_parent_that_forked_them() -> None:
    log = Log()
    long = "x" * 300
    log.call(
        EXECVE, pid=10, ppid=1, comm="sh", exe="/bin/dash", argv=("sh", "-c", long), cwd="/srv"
    )
    log.call(OPENAT, pid=10, args=(AT_FDCWD, 0, 0, 0), exit=7, paths=("/etc/hosts",), comm="sh",
             exe="/bin/dash")  # fmt: skip
    # The caller's record comes behind the child's first one, or before it.
    log.call(3, pid=11, ppid=10, args=(7, 0, 0, 0), comm="sh", exe="/bin/dash")
    log.call(
        CLONE, pid=10, args=(0x1200011, 0, 0, 0), exit=11, comm="sh", exe="/bin/dash", ms=log.ms - 1
    )
    log.call(CLONE, pid=10, args=(0x1200011, 0, 0, 0), exit=12, comm="sh", exe="/bin/dash")
    log.call(3, pid=12, ppid=10, args=(7, 0, 0, 0), comm="sh", exe="/bin/dash")
    names = ("evt.type", "proc.pid", "fd.name", "proc.pname", "proc.cmdline", "proc.cwd")
    rows = [row for row in fields(log, *names) if row[1] == 12]
    assert rows == [("close", 12, "/etc/hosts", "sh", f"sh -c {long}", "/srv/")]
    clone = next(e for e in shown(log) if e.type == "clone")
    assert clone.number("res") == 11
    assert clone.number("flags") == 0x800000 | 0x1000000


def test_a_thread_is_no_process() -> None:
    log = Log()
    log.call(CLONE, pid=10, args=(0x3D0F00, 0, 0, 0), exit=11)
    log.call(EXECVE, pid=11, ppid=3, argv=("x",), comm="x", exe="/x", paths=("/x",))
    assert fields(log, "proc.pid", "proc.pname")[1] == (11, None)


def test_a_process_that_was_there_before() -> None:
    log = Log()
    log.call(OPENAT, pid=50, ppid=40, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=("x",), cwd="/var",
             comm="nginx", exe="/usr/sbin/nginx", title=b"nginx\0-g\0daemon off;", tty="(none)",
             uid=33, auid=0xFFFFFFFF)  # fmt: skip
    log.call(OPENAT, pid=40, ppid=1, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=("/y",), comm="init")
    log.call(OPENAT, pid=50, ppid=40, args=(AT_FDCWD, 0, 0, 0), exit=4, paths=("z",), cwd="/var",
             comm="nginx", exe="/usr/sbin/nginx", title=b"nginx\0-g\0daemon off;", tty="(none)",
             uid=33, auid=0xFFFFFFFF)  # fmt: skip
    names = (
        "fd.name",
        "proc.name",
        "proc.exepath",
        "proc.cmdline",
        "proc.pname",
        "proc.tty",
        "user.uid",
    )
    rows = fields(log, *names)
    assert rows[0] == ("/var/x", "nginx", "/usr/sbin/nginx", "nginx -g daemon off;", None, 0, 33)
    assert rows[2][4] == "init", "the parent was seen meanwhile"
    assert fields(log, "user.loginuid", "proc.duration")[0] == (-1, None)


def test_a_program_that_nobody_reported() -> None:
    log = Log()
    log.call(3, pid=10, comm="sh", exe="/bin/dash", title="sh -c x")
    log.call(3, pid=10, comm="cat", exe="/bin/cat", title="sh -c x")
    log.call(3, pid=10, comm="renamed", exe="/bin/cat", title="sh -c x")
    assert fields(log, "proc.name", "proc.exepath", "proc.args") == [
        ("sh", "/bin/dash", ""),
        ("cat", "/bin/cat", ""),
        ("cat", "/bin/cat", ""),
    ]


def test_users_change() -> None:
    log = Log()
    log.call(3, pid=10, uid=1000)
    log.call(SETRESUID, pid=10, args=(2**64 - 1, 0, 2**64 - 1, 0), uid=1000, euid=0)
    log.call(3, pid=10, uid=1000, euid=0)
    log.call(3, pid=10, uid=1000, euid=33, gid=44, auid=5)
    assert [row[0] for row in fields(log, "user.uid")] == [1000, 0, 0, 33]
    assert fields(log, "group.gid", "user.loginuid")[3] == (44, 5)


def test_exit() -> None:
    log = Log()
    log.call(EXECVE, pid=10, argv=("x",), comm="x", exe="/x", paths=("/x",))
    log.call(EXIT_GROUP, pid=10, args=(3, 0, 0, 0), exit=None, comm="x", exe="/x")
    log.call(3, pid=10, ppid=2, comm="y", exe="/y")
    event = shown(log)[1]
    assert event.type == "procexit"
    assert event.number("status") == 3 << 8
    assert event.number("ret") == 3
    assert fields(log, "proc.name") == [("x",), ("x",), ("y",)]


def test_interleaved_records() -> None:
    log = Log()
    log.call(OPENAT, pid=10, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=("/a",), cwd="/")
    first, log.lines = log.lines, []
    log.call(OPENAT, pid=11, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=("/b",), cwd="/")
    second, log.lines = log.lines, []
    for pair in zip(first, second, strict=True):
        log.lines += pair
    assert [(e.tid, e.text("name")) for e in shown(log)] == [(10, "/a"), (11, "/b")]
    assert counters(log) == {"events": 2}


def test_events_end_without_proctitle() -> None:
    log = Log()
    for i in range(5000):
        log.call(OPENAT, pid=i + 2, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=(f"/{i}",), title=None)
    events = shown(log)
    assert [e.text("name") for e in events] == [f"/{i}" for i in range(5000)]
    assert counters(log) == {"events": 5000, "audit_events_without_end": 5000}


def test_eoe_ends_an_event() -> None:
    log = Log()
    event = log.call(OPENAT, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=("/a",), title=None)
    log.record("EOE", event, "")
    event = log.call(OPENAT, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=("/b",))
    log.record("EOE", event, "")
    assert [e.text("name") for e in shown(log)] == ["/a", "/b"]
    assert counters(log) == {"events": 2}


def test_late_and_orphaned_records_are_counted() -> None:
    log = Log()
    event = log.call(3)
    log.record("PATH", event, 'item=0 name="/late"')
    log.record("PATH", log.next(), 'item=0 name="/orphan"')
    assert counters(log) == {
        "events": 2,
        "audit_records_late": 1,
        "audit_events_without_end": 1,
        "audit_events_without_syscall": 1,
    }


def test_a_clock_that_jumps() -> None:
    log = Log()
    log.call(OPENAT, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=("/a",))
    log.call(OPENAT, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=("/b",), ms=START_MS + 10**10)
    log.call(OPENAT, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=("/c",), ms=START_MS - 10**9)
    log.call(OPENAT, args=(AT_FDCWD, 0, 0, 0), exit=3, paths=("/d",), ms=START_MS)
    assert [e.text("name") for e in shown(log)] == ["/a", "/b", "/c", "/d"]
    assert counters(log) == {"events": 4}


def test_lines_that_are_no_record_are_counted() -> None:
    log = Log()
    log.call(3)
    good = bytes(log)
    bad = b"\n\r\nhello\ntype=\ntype=PATH msg=audit(x): \ntype=PATH msg=audit(1.2:3) x\n\x00\xff\n"
    assert counters(bad + good + b"type=SYSCALL msg=audit(17000") == {
        "events": 1,
        "audit_lines_rejected": 6,
    }
    assert len(shown(bad + good)) == 1


def test_other_types_are_kept_as_text() -> None:
    log = Log()
    body = "pid=7 uid=0 auid=0 ses=1 msg='op=login acct=\"root\" res=failed'"
    log.record("USER_LOGIN", log.next(), body)
    log.record("SOMETHING_NEW", log.next(), "a=b")
    event = log.call(3, pid=9, title=None)
    log.record("AVC", event, "avc:  denied  { read } for  pid=9 comm=x")
    log.record("PROCTITLE", event, 'proctitle="x"')
    names = ("evt.type", "evt.asynctype", "evt.arg.data")
    rows = fields(log, *names)
    assert ("USER_LOGIN", "USER_LOGIN", body) in rows
    assert ("SOMETHING_NEW", "SOMETHING_NEW", "a=b") in rows
    assert ("AVC", "AVC", "avc:  denied  { read } for  pid=9 comm=x") in rows
    assert counters(log)["audit_events_as_data"] == 3


def test_other_machines_and_calls() -> None:
    log = Log()
    log.call(5, arch="40000003", args=(0x7F00, 0, 0, 0), exit=3, paths=("/i386",))
    log.call(56, arch="c00000b7", args=(AT_FDCWD, 0, 0o40000, 0), exit=3, paths=("/arm",))
    log.call(102, arch="40000003", args=(3, 0, 0, 0),
             records=(("SOCKETCALL", "nargs=3 a0=5 a1=0 a2=10"),
                      ("SOCKADDR", "saddr=020000507F000001" + "00" * 8)))  # fmt: skip
    log.call(10_000, args=(1, 2, 3, 4))
    log.call(1, arch="deadbeef")
    first, second, third, fourth, fifth = shown(log)
    assert (first.type, first.text("name")) == ("open", "/i386")
    assert second.type == "openat"
    assert second.number("flags") == 1 | 1024, "O_DIRECTORY has another number there"
    assert (third.type, third.number("fd")) == ("connect", 5)
    assert fourth.type == fifth.type == "syscall"
    assert counters(log)["audit_calls_unknown"] == 2


def test_two_hosts_in_one_log() -> None:
    log = Log(node="one")
    log.call(3)
    log.node = "two"
    log.call(3)
    assert counters(log)["audit_records_of_other_hosts"] == 2
    assert fields(log, "evt.hostname")[0] == ("one",)


def test_two_hosts_with_one_number() -> None:
    lines = []
    for pid in (100, 200):
        log = Log(node=f"host-{pid}")
        log.call(3, pid=pid, title=None)
        log.record("EOE", f"{log.ms // 1000}.{log.ms % 1000:03d}:{log.serial}", "")
        lines.append(log.lines)
    mixed = "".join(f"{line}\n" for pair in zip(*lines, strict=True) for line in pair)
    assert [event.tid for event in shown(mixed.encode())] == [100, 200]


def test_the_kernels_own_lines() -> None:
    line = (
        b"audit: type=1300 audit(1700000000.001:5): arch=c000003e syscall=3 success=yes exit=0"
        b' a0=3 a1=0 a2=0 a3=0 items=0 ppid=1 pid=9 comm="x" exe="/x"\n'
        b'type=UNKNOWN[1327] msg=audit(1700000000.001:5): proctitle="x"\n'
    )
    (event,) = shown(line)
    assert (event.type, event.number("fd")) == ("close", 3)


def test_an_empty_log() -> None:
    assert shown(b"") == []
    assert counters(b"") == {}


def test_numbers_of_every_width() -> None:
    log = Log()
    log.call(101, args=(16, 77, 0, 0))  # ptrace(PTRACE_ATTACH, 77)
    log.call(9, args=(0, 4096, 5, 0x22), exit=0x7F0000000000)
    log.call(160, args=(7, 0, 0, 0))
    log.call(72, args=(4, 1030, 10, 0), exit=10)
    attach, mapped, limit, fcntl = shown(log)
    assert attach.number("request") == 11
    assert attach.number("pid") == 77
    assert attach.params["addr"] == b"\0" + struct.pack("<Q", 0)
    assert mapped.number("prot") == 5
    assert mapped.number("flags") == 2 | 8
    assert mapped.number("res") == 0x7F0000000000
    assert limit.number("resource") == 7
    assert limit.params["cur"] == b""
    assert fcntl.number("cmd") == 26


def test_what_audit_cannot_know_is_null() -> None:
    log = Log()
    log.call(EXECVE, argv=("x",), comm="x", exe="/x", paths=("/x",))
    log.call(435, args=(0x7F00, 88, 0, 0), exit=200, comm="x", exe="/x")
    names = (
        "container.id", "container.image.repository", "k8s.pod.name", "proc.sid", "proc.sname",
        "proc.env", "proc.is_exe_upper_layer", "proc.is_exe_writable", "proc.vpid", "evt.cpu",
        "proc.nthreads", "thread.cap_effective", "user.shell", "proc.is_sid_leader", "proc.aenv[A]",
        "evt.arg.flags", "evt.arg.env", "thread.cgroups",
    )  # fmt: skip
    for row in fields(log, *names):
        assert row == (None,) * len(names)
    assert [row[0] for row in fields(log, "evt.arg.res")] == ["0", "200"]


def test_the_own_end_of_a_connection_is_null() -> None:
    log = Log()
    peer = (("SOCKADDR", "saddr=020001BB0A000001" + "00" * 8),)
    log.call(41, args=(2, 1, 0, 0), exit=3)
    log.call(CONNECT, args=(3, 0, 16, 0), exit=-115, records=peer)
    log.call(43, args=(9, 0, 0, 0), exit=4, records=peer)
    log.call(41, args=(2, 2, 0, 0), exit=5)
    log.call(44, args=(5, 0, 10, 0), exit=10, records=peer)
    log.call(45, args=(5, 0, 10, 0), exit=10, records=peer)
    names = (
        "fd.cip",
        "fd.cport",
        "fd.sip",
        "fd.sport",
        "fd.lip",
        "fd.rip",
        "fd.rport",
        "fd.is_server",
    )
    rows = fields(log, *names)
    client = (None, None, "10.0.0.1", 443, None, "10.0.0.1", 443, False)
    assert rows[1] == client
    assert rows[2] == ("10.0.0.1", 443, None, None, None, "10.0.0.1", 443, True)
    assert rows[4] == client
    assert rows[5] == client
    assert fields(log, "fd.l4proto")[4] == ("udp",)


def test_a_program_without_a_file() -> None:
    log = Log()
    log.call(EXECVE, argv=("x",), comm="3", exe="/memfd:x (deleted)", paths=("/proc/self/fd/3",))
    log.call(EXECVE, argv=("y",), comm="y", exe="/usr/bin/y", paths=("/usr/bin/y",))
    assert fields(log, "proc.is_exe_from_memfd", "proc.exepath") == [
        (True, "/memfd:x"),
        (False, "/usr/bin/y"),
    ]
