"""Whatever a log holds, it is counted and never fatal; and what is sound in it is found."""

from __future__ import annotations

import io
import os
import random
import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rulekit.capture._reader import iter_events
from rulekit.sources.linux_audit._stream import AuditDecoder
from tests.sources.linux_audit.formats import auditbeat, go_audit
from tests.sources.linux_audit.logs import Log, counters, decode, fields, shown, text
from tests.sources.linux_audit.test_messages import message, messages

EXECVE = 59
OPENAT = 257


def some_log() -> Log:
    """Return a log with a record of nearly every type."""
    log = Log(node="")
    log.call(EXECVE, pid=10, argv=("bash", "-c", "a b", b"\xff\x00\n"), paths=("/usr/bin/bash",),
             cwd="/", comm="bash", title=b"bash\0-c\0a b",
             records=(("BPRM_FCAPS", "fver=0 fp=0 fi=0 fe=0 pp=1ff pi=0 pe=1ff"),))  # fmt: skip
    log.call(56, pid=10, args=(0x1200011, 0, 0, 0), exit=11)
    log.call(OPENAT, pid=11, ppid=10, args=(0xFFFFFF9C, 0, 0o102, 0o600), exit=3, cwd="/srv",
             paths=(("/srv", "PARENT"), ("x \xe4", "CREATE")))  # fmt: skip
    log.call(42, pid=11, ppid=10, args=(3, 0, 16, 0), exit=-115,
             records=(("SOCKADDR", "saddr=020001BB0A000001" + "00" * 8),))  # fmt: skip
    log.call(22, pid=11, ppid=10, records=(("FD_PAIR", "fd0=4 fd1=5"),))
    log.call(9, pid=11, ppid=10, records=(("MMAP", "fd=3 flags=0x2"),), title=None)
    log.record("USER_LOGIN", log.next(), "pid=7 uid=0 auid=0 ses=1 msg='op=login res=failed'")
    log.call(231, pid=11, ppid=10, exit=None)
    return log


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def survive(data: bytes, step: int = 0) -> AuditDecoder:
    """Decode a log, and what it became as a capture."""
    made, decoder = decode(data, step)
    for _ in iter_events(io.BytesIO(made)):
        pass
    return decoder


def test_a_log_that_ends_at_any_byte() -> None:
    data = bytes(some_log())
    whole = len(shown(data))
    for end in range(len(data)):
        assert survive(data[:end]).stats()["audit_lines_rejected"] <= 1
    for start in range(0, len(data), 7):
        found = len(shown(data[start:]))
        assert found <= whole


def test_a_log_without_any_of_its_lines() -> None:
    log = some_log()
    for i in range(len(log.lines)):
        rest = [*log.lines[:i], *log.lines[i + 1 :]]
        decoder = survive("".join(f"{line}\n" for line in rest).encode("utf-8", "surrogateescape"))
        assert decoder.stats()["audit_lines_rejected"] == 0
        if " PATH " in log.lines[i]:
            assert decoder.stats()["audit_events_incomplete"] == 1


def test_lines_in_any_order() -> None:
    log = some_log()
    for seed in range(50):
        lines = list(log.lines)
        random.Random(seed).shuffle(lines)
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
        assert survive(data).stats()["audit_lines_rejected"] == 0


def test_the_clock_jumps_at_every_event() -> None:
    log = Log()
    rng = random.Random(3)
    for i in range(3000):
        ms = rng.choice((0, 1, 1_700_000_000_000 + i, 8_999_999_999_999, 1_700_000_000_000 - i))
        title = rng.choice(("x", None))
        log.call(OPENAT, args=(0xFFFFFF9C, 0, 0, 0), exit=3, paths=(f"/{i}",), ms=ms, title=title)
    assert len(shown(log)) == 3000
    assert counters(log)["events"] == 3000
    assert "audit_lines_rejected" not in counters(log)


def many_arguments(n: int, per_record: int = 700) -> Log:
    """Return an exec with so many arguments, over as many records as the kernel makes of it."""
    log = Log()
    event = log.call(EXECVE, pid=10, argv=("x",), comm="x", exe="/x", title=None)
    call, _ = log.lines
    log.lines = [call]
    for first in range(0, n, per_record):
        head = f"argc={n} " if first == 0 else ""
        arguments = (f"a{i}={text(f'arg{i}')}" for i in range(first, min(n, first + per_record)))
        log.record("EXECVE", event, head + " ".join(arguments))
    log.record("PROCTITLE", event, f"proctitle={text('x')}")
    return log


def test_a_hundred_thousand_arguments() -> None:
    log = many_arguments(100_000)
    assert len(log.lines) > 140
    (event,) = shown(log)
    assert event.params["args"].startswith(b"arg1\0arg2\0")
    assert 40_000 < len(event.params["args"]) < 60_000
    assert counters(log) == {"events": 1, "audit_arguments_cut": 1}
    (row,) = fields(log, "proc.name", "proc.cmdline")
    assert row[0] == "x"
    assert row[1].startswith("x arg1 arg2 ")
    del log.lines[50]
    assert counters(log)["audit_events_incomplete"] == 1


def test_a_hundred_thousand_arguments_mixed_with_others() -> None:
    log = many_arguments(100_000)
    lines: list[str] = []
    other = Log(serial=10)
    for line in log.lines:
        other.lines = []
        other.call(3, pid=11)
        lines += [line, *other.lines]
    assert [e.type for e in shown("\n".join(lines).encode() + b"\n")].count("execve") == 1


def test_one_argument_of_many_megabytes() -> None:
    """In pieces, as the kernel writes them, and in one line, as it never does."""
    log = Log()
    event = log.call(EXECVE, pid=10, argv=("x",), comm="x", exe="/x", title=None)
    log.lines.pop()
    log.record("EXECVE", event, 'argc=2 a0="x" a1_len=4000000')
    for i in range(1000):
        log.record("EXECVE", event, f"a1[{i}]={'41' * 4000}")
    log.record("PROCTITLE", event, 'proctitle="x"')
    (found,) = shown(log)
    assert set(found.params["args"].rstrip(b"\0")) == {0x41}
    assert counters(log)["audit_arguments_cut"] == 1
    line = f"type=EXECVE msg=audit(1.0:1): argc=1 a0={'42' * (3 << 20)}\n".encode()
    survive(line)
    survive(line.replace(b"EXECVE", b"PATH").replace(b"a0=", b"name="))


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="sanitizers keep what was freed")
def test_long_arguments_of_many_events_do_not_stay_in_memory() -> None:
    decoder = AuditDecoder()
    before = resident_mb()
    argument = b"42" * (2 << 20)
    for serial in range(60):
        decoder.feed(b"type=EXECVE msg=audit(1.0:%d): argc=1 a0=%s\n" % (serial, argument))
    assert resident_mb() - before < 60  # a line of the log, and little of each event
    decoder.pause()
    assert decoder.stats()["events"] == 60


def test_an_event_does_not_wait_behind_lines_that_are_none() -> None:
    decoder = AuditDecoder()
    decoder.feed(b"type=PATH msg=audit(1.0:1): item=0\n")
    for _ in range(17):
        assert decoder.open_from == 0
        decoder.feed(b"x" * (1 << 20) + b"\n")
    assert decoder.open_from is None
    assert decoder.stats()["audit_events_without_end"] == 1


@pytest.mark.parametrize("writer", ["auditd", "laurel"])
def test_paths_beyond_the_limit_are_counted(writer: str) -> None:
    log = Log()
    if writer == "auditd":
        log.call(3, paths=("/x",) * 70)
        data = bytes(log)
    else:
        path = '{"item":0,"name":"/x"}'
        data = (
            b'{"ID":"1.000:1","SYSCALL":{"syscall":3,"items":70},"PATH":[%s]}\n'
            % ",".join([path] * 70).encode()
        )
    assert survive(data).stats()["audit_records_beyond_limits"] == 6


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ('"plain"', "plain"),
        ("2F6120620A", "/a b\n"),
        ("2f61", "/a"),
        ("2F6", "2F6"),  # odd
        ("2F6G", "2F6G"),
        ('"2F61"', "2F61"),
        ('"no end', None),
        ('"', None),
        ("", ""),
        ("(null)", None),
        ("00", ""),
        ("2F6100FF", None),
    ],
)
def test_hostile_texts(value: str, name: str | None) -> None:
    log = Log()
    log.call(OPENAT, args=(0xFFFFFF9C, 0, 0, 0), exit=3, paths=("/x",))
    data = bytes(log).replace(b'name="/x"', b"name=" + value.encode())
    (event,) = shown(data)
    if name is not None:
        assert event.text("name") == name
    assert fields(data, "fd.name", "proc.name")[0][1] == "bash"


@pytest.mark.parametrize(
    "pair",
    [
        "pid=99999999999999999999999", "pid=-5", "pid=x", "pid=", "ppid=4294967295", "pid=10",
        "a0=ffffffffffffffffffffffff", "a0=-1", "exit=-99999", "exit=9223372036854775808",
        "arch=zz", "arch=", "syscall=-1", "syscall=99999999999", "items=4294967295", "items=-1",
        "auid=-1", "tty=" + "x" * 70000, "comm=" + "41" * 70000, "exe=(null)", "key=" + "6B01" * 99,
        "success=maybe", "success=", "a0==1", "=", "==", "x", " ", "\t", "\x1d", "\x1dAUID=",
    ],
)  # fmt: skip
def test_hostile_fields(pair: str) -> None:
    log = some_log()
    key = pair.partition("=")[0]
    data = "".join(f"{line}\n" for line in log.lines)
    changed = re.sub(rf" {key}=\S*", lambda _: f" {pair}", data) if key else f"{data[:-1]} {pair}\n"
    for each in (changed, data.replace(" pid=", f" {pair} pid=", 1)):
        survive(each.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    "stamp",
    ["(0.0:0)", "(9000000000.999:18446744073709551616)", "(99999999999.0:1)", "(1.1:)", "(.1:1)",
     "(1:1)", "(-1.0:1)", "(1.0:-1)", "()", "(1.0000000000000001:5)", "(1.0:5"],
)  # fmt: skip
def test_hostile_stamps(stamp: str) -> None:
    log = some_log()
    data = bytes(log)
    survive(re.sub(rb"audit\([^)]*\)", f"audit{stamp}".encode(), data))
    AuditDecoder().feed_messages(message(1300, f"audit{stamp}: pid=1".encode()))


WRITERS: list[Callable[[bytes], bytes]] = [bytes, go_audit, auditbeat]


@given(
    st.sampled_from(range(len(WRITERS))),
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 5), st.binary(max_size=12)),
        min_size=1,
        max_size=12,
    ),
    st.integers(0, 700),
)
def test_damaged_logs(writer: int, damages: list[tuple[float, int, bytes]], step: int) -> None:
    """Bytes changed, inserted, cut out, repeated; in every format."""
    data = bytearray(_WRITTEN[writer])
    for place, kind, piece in damages:
        at = int(place * len(data))
        if kind == 0:
            data[at : at + len(piece)] = piece
        elif kind == 1:
            data[at:at] = piece
        elif kind == 2:
            del data[at : at + 1 + 20 * len(piece)]
        elif kind == 3:
            data[at:at] = data[at : at + 300]
        elif kind == 4:
            data[at : at + 1] = b'"'
        else:
            data[at : at + 1] = b"\\"
        if not data:
            data += b"x"
    decoder = survive(bytes(data), step)
    assert decoder.n_events < 100


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_messages_that_are_none(parts: list[bytes]) -> None:
    decoder = AuditDecoder()
    good = messages(some_log())
    made = b""
    for i, part in enumerate(parts):
        made += decoder.feed_messages(part)
        made += decoder.feed_messages(message(1300 + i, part))
        made += decoder.feed_messages(good[i % len(good)] + part)
    made += decoder.finish()
    for _ in iter_events(io.BytesIO(made)):
        pass


@given(st.binary(max_size=400), st.integers(0, 50))
def test_anything_at_all(data: bytes, step: int) -> None:
    survive(data, step)
    survive(b'{"ID":"1.000:1","SYSCALL":' + data + b"}\n", step)
    survive(b"type=SYSCALL msg=audit(1.000:1): " + data + b"\n", step)
    survive(b"type=EXECVE msg=audit(1.000:1): argc=3 a0=" + data + b"\n", step)


def _laurel(raw: bytes) -> bytes:
    """Return a few events as laurel writes them."""
    return (
        b'{"ID":"1700000000.001:1","NODE":"n\\u0041","SYSCALL":{"arch":"0xc000003e","syscall":59,'
        b'"success":"yes","exit":0,"items":2,"ppid":1,"pid":10,"auid":4294967295,"uid":0,"gid":0,'
        b'"euid":0,"egid":0,"tty":"pts0","ses":1,"comm":"b%20sh","exe":"/bin/b%e4sh","key":null,'
        b'"ARGV":["0x1","0x2","0x0","0x8"],"PPID":{"comm":"sh","x":[{"y":"\\\\"}]}},'
        b'"EXECVE":{"argc":3,"ARGV":["bash","-c","a \\"b\\" %00"],"LD_PRELOAD":"x"},'
        b'"BPRM_FCAPS":{"pp":"1ff"},"CWD":{"cwd":"/"},"PATH":[{"item":0,"name":"/bin/bash",'
        b'"inode":7,"dev":"fe:01","mode":"0o100755","nametype":"NORMAL"},{"item":1}],'
        b'"PROCTITLE":{"ARGV":["bash","-c"]}}\n'
        b'{"ID":"1700000000.002:2","SYSCALL":{"arch":"0xc000003e","syscall":42,"exit":-115,'
        b'"pid":10,"ARGV":["0x3"]},"SOCKADDR":[{"saddr_fam":"inet","SADDR":{"addr":"10.0.0.1",'
        b'"port":443}}],"OBJ_PID":[{"opid":1}],"AVC":{"pid":10,"a":"b"}}\n'
    )


WRITERS.append(_laurel)
_WRITTEN = [write(bytes(some_log())) for write in WRITERS]
