"""Metadata and event blocks of every age, written here by hand from the format's description."""

from __future__ import annotations

import io
import struct

import pytest

from rulekit.capture._probe import read_snapshots
from rulekit.capture._reader import iter_events
from rulekit.capture.writer import encode_block, encode_event, encode_section
from rulekit.schema.events import event_types

TYPES = {e.enum: e.id for e in event_types()}
EVENT = encode_event(TYPES["PPME_SYSCALL_GETCWD_X"], [bytes(8), b"/\0"], ts_ns=1, tid=1)


def text(value: bytes) -> bytes:
    return struct.pack("<H", len(value)) + value


def process(version: int, tail: bytes = b"", *, tid: int = 11) -> bytes:
    """Return an entry of a process list; everything in it is distinct."""
    out = struct.pack("<QQQ", tid, 10, 9)
    if version >= 6:
        out += struct.pack("<q", 8)
    if version >= 8:
        out += struct.pack("<q", 7)
    out += text(b"comm") + text(b"exe")
    if version >= 7:
        out += text(b"/bin/exe (deleted)")
    out += text(b"a\0b") + text(b"/home") + struct.pack("<qIII", 1024, 1, 1000, 1001)
    if version >= 2:
        out += struct.pack("<IIIQQ", 21, 22, 23, 24, 25)
    if version >= 3:
        out += text(b"X=1\0Y=2\0")
    if version >= 4:
        out += struct.pack("<qq", 31, 30) + text(b"cpu=/a\0memory=/b\0")
    if version >= 5:
        out += text(b"/root")
    out += tail
    return struct.pack("<I", len(out) + 4) + out if version >= 9 else out


def thread_of(block: int, body: bytes) -> dict[str, object]:
    data = encode_section() + encode_block(block, body) + EVENT
    (snapshot,) = read_snapshots(io.BytesIO(data))
    thread: dict[str, object] = snapshot["threads"][11]
    return thread


THREAD_BLOCKS = {
    1: (0x202, 0x8000ABCD), 2: (0x207, 0x8013ABCD), 3: (0x209, 0x8014ABCD), 4: (0x210,),
    5: (0x211,), 6: (0x212,), 7: (0x213,), 8: (0x214,), 9: (0x215,),
}  # fmt: skip


@pytest.mark.parametrize("version", range(1, 10))
def test_process_lists_of_every_version(version: int) -> None:
    for block in THREAD_BLOCKS[version]:
        # Child, then parent; the child once more.
        entries = process(version), process(version, tid=9), process(version)
        t = thread_of(block, b"".join(entries))
        assert (t["pid"], t["ptid"], t["comm"], t["exe"]) == (10, 9, "comm", "exe")
        assert (t["args"], t["cwd"], t["fdlimit"]) == (["a", "b"], "/home/", 1024)
        assert (t["uid"], t["gid"], t["loginuid"]) == (1000, 1001, 0xFFFFFFFF)
        assert t["sid"] == (8 if version >= 6 else -1)
        assert t["vpgid"] == (7 if version >= 8 else -1)
        assert t["exepath"] == ("/bin/exe" if version >= 7 else "")
        assert (t["vm_size"], t["pf_minor"]) == ((21, 25) if version >= 2 else (0, 0))
        assert t["env"] == (["X=1", "Y=2"] if version >= 3 else [])
        assert (t["vtid"], t["vpid"]) == ((31, 30) if version >= 4 else (-1, -1))
        assert t["cgroups"] == (["cpu=/a", "memory=/b"] if version >= 4 else [])
        assert t["root"] == ("/root" if version >= 5 else "")
        assert t["pgid"] == -1


OLD_TAIL = [("I", 500), ("B", 1), ("Q", 41), ("Q", 42), ("Q", 43)]
NEW_TAIL = [
    ("Q", 77), ("I", 78), *OLD_TAIL, ("B", 1), ("Q", 51), ("Q", 52), ("Q", 53), ("B", 1), ("B", 1),
    ("q", 61), ("Q", 99),
]  # fmt: skip
OLD_NAMES = ["loginuid", "exe_writable", "cap_inheritable", "cap_permitted", "cap_effective"]
NEW_NAMES = [
    "pidns_init_start_ts", "tty", *OLD_NAMES, "exe_upper_layer", "exe_ino", "exe_ino_ctime",
    "exe_ino_mtime", "exe_from_memfd", "exe_lower_layer", "pgid",
]  # fmt: skip
DEFAULTS = {"loginuid": 0xFFFFFFFF, "pgid": -1}


def check_tail(fields: list[tuple[str, int]], names: list[str], n: int) -> None:
    tail = struct.pack("<" + "".join(code for code, _ in fields[:n]), *[v for _, v in fields[:n]])
    thread = thread_of(0x215, process(9, tail))
    for i, name in enumerate(names):
        want = fields[i][1] if i < n else DEFAULTS.get(name, 0)
        assert thread[name] == want, (n, name)


@pytest.mark.parametrize("n", range(6))
def test_appended_process_fields_of_the_older_order(n: int) -> None:
    check_tail(OLD_TAIL, OLD_NAMES, n)


@pytest.mark.parametrize("n", range(6, 16))
def test_appended_process_fields_of_the_newer_order(n: int) -> None:
    # Fewer are at most as long as the older order, and are read as such.
    check_tail(NEW_TAIL, NEW_NAMES, n)


def fd_entry(version: int, num: int, kind: int, details: bytes) -> bytes:
    out = struct.pack("<qQB", num, num + 100, kind) + details
    return struct.pack("<I", len(out) + 4) + out if version == 2 else out


@pytest.mark.parametrize(("block", "version"), [(0x203, 1), (0x8001ABCD, 1), (0x218, 2)])
def test_fd_lists(block: int, version: int) -> None:
    entries = fd_entry(version, 1, 2, text(b"/dir"))
    dev = struct.pack("<I", 5) if version == 2 else b""
    entries += fd_entry(version, 2, 16, struct.pack("<I", 1) + text(b"/file") + dev)
    for kind in (1, 7, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21):
        entries += fd_entry(version, kind + 100, kind, text(b"name%d" % kind))
    entries += fd_entry(version, 3, 8, struct.pack("<QQ", 1, 2) + text(b"/run/socket"))
    if version == 2:
        entries += fd_entry(2, 4, 200, b"whatever")
        entries += fd_entry(2, 5, 16, struct.pack("<I", 1) + text(b"/old"))
    threads = process(9)
    body = struct.pack("<q", 11) + entries
    fd_block, thread_block = encode_block(block, body), encode_block(0x215, threads)
    for order in (thread_block + fd_block, fd_block + thread_block):
        (snapshot,) = read_snapshots(io.BytesIO(encode_section() + order + EVENT))
        assert list(snapshot["threads"]) == [11]
        fds = snapshot["threads"][11]["fds"]
        assert (fds[1]["type"], fds[1]["name"], fds[1]["ino"]) == (2, "/dir", 101)
        assert (fds[2]["type"], fds[2]["name"], fds[2]["open_flags"]) == (16, "/file", 1)
        assert fds[2]["dev"] == (5 if version == 2 else 0)
        assert (fds[3]["type"], fds[3]["unix"]) == (8, (1, 2))
        assert (fds[121]["type"], fds[121]["name"]) == (21, "name21")
        if version == 2:
            assert (fds[4]["type"], fds[4]["name"]) == (10, "unknown-type:[200]")
            assert (fds[5]["name"], fds[5]["dev"]) == ("/old", 0)


@pytest.mark.parametrize(("block", "sized"), [(0x205, False), (0x8011ABCD, False), (0x219, True)])
def test_interface_lists(block: int, sized: bool) -> None:
    entries = [
        struct.pack("<HH", 1, 4) + b"ABCDabcdEFGH" + struct.pack("<Q", 1000) + b"eth0",
        struct.pack("<HH", 2, 2) + bytes(48) + struct.pack("<Q", 9) + b"lo",
        struct.pack("<HH", 3, 1) + bytes(12) + b"x",
        struct.pack("<HH", 4, 1) + bytes(48) + b"y",
    ]
    body = b"".join((struct.pack("<I", len(e)) if sized else b"") + e for e in entries)
    # A later list replaces the first.
    data = encode_section() + encode_block(block, body) * 2 + EVENT
    (snapshot,) = read_snapshots(io.BytesIO(data))
    found = snapshot["interfaces"]
    assert [i["name"] for i in found] == ["eth0", "lo", "x", "y"]
    assert [i["link_speed"] for i in found] == [1000, 9, 0, 0]
    assert (found[0]["address"], found[0]["netmask"]) == (b"ABCD", b"abcd")
    assert [len(i["address"]) for i in found] == [4, 16, 4, 16]


@pytest.mark.parametrize(("block", "sized"), [(0x206, False), (0x8012ABCD, False), (0x220, True)])
def test_user_lists(block: int, sized: bool) -> None:
    def blocks(*entries: bytes) -> bytes:
        prefix = [struct.pack("<I", len(e) + 4) if sized else b"" for e in entries]
        return encode_block(block, b"".join(p + e for p, e in zip(prefix, entries, strict=True)))

    def user(uid: int, name: bytes) -> bytes:
        return struct.pack("<BII", 0, uid, 7) + text(name) + text(b"/h") + text(b"/sh")

    group = struct.pack("<BI", 1, 4) + text(b"adm")
    replaced = blocks(user(5, b"gone"))
    data = encode_section() + replaced + blocks(user(1, b"me"), group, user(2, b"+nis")) + EVENT
    (snapshot,) = read_snapshots(io.BytesIO(data))
    assert snapshot["users"] == {1: {"name": "me", "gid": 7, "home": "/h", "shell": "/sh"}}
    assert snapshot["groups"] == {4: {"name": "adm"}}


@pytest.mark.parametrize("block", [0x201, 0x8002ABCD])
def test_machine_info(block: int) -> None:
    body = (
        struct.pack("<IQQ", 8, 1, 2) + b"host".ljust(128, b"\0") + struct.pack("<QQQQ", 5, 0, 0, 0)
    )
    (snapshot,) = read_snapshots(io.BytesIO(encode_section() + encode_block(block, body) + EVENT))
    assert (snapshot["n_cpus"], snapshot["hostname"], snapshot["boot_ns"]) == (8, "host", 5)


def v1_event(type_id: int, params: list[bytes], *, flags: bool = False, extra: int = 0) -> bytes:
    lengths = struct.pack(f"<{len(params)}H", *map(len, params))
    payload = lengths + b"".join(params)
    header = struct.pack("<QqIH", 5, 77, 22 + len(payload) + extra, type_id)
    frame = struct.pack("<HI", 3, 1) if flags else struct.pack("<H", 3)
    return encode_block(0x208 if flags else 0x204, frame + header + payload + bytes(extra))


def test_v1_events_have_the_parameters_that_fill_them() -> None:
    kind = TYPES["PPME_SCHEDSWITCH_6_E"]
    known = len(event_types()[kind].params)
    for n in range(known + 1):
        for flags in (False, True):
            params = [bytes([i + 1] * (i + 1)) for i in range(n)]
            data = encode_section() + v1_event(kind, params, flags=flags)
            ((raw, num, ts_ns, tid, type_id, found),) = iter_events(io.BytesIO(data))
            assert (raw, num, ts_ns, tid, type_id) == (1, 1, 5, 77, kind)
            assert list(found) == params


@pytest.mark.parametrize("enum", ["PPME_NOTIFICATION_E", "PPME_INFRASTRUCTURE_EVENT_E"])
def test_two_v1_types_claim_three_bytes_too_many(enum: str) -> None:
    kind = event_types()[TYPES[enum]]
    params = [b"x\0"] * len(kind.params)
    data = encode_section() + v1_event(kind.id, params, extra=3)
    ((*_, found),) = iter_events(io.BytesIO(data))
    assert list(found) == params


def test_events_with_options_behind_them_are_read() -> None:
    option = struct.pack("<HH", 1, 7) + b"comment\0" + bytes(4)
    body = EVENT[8:-4] + option
    section = encode_section()
    section = encode_block(0x0A0D0D0A, section[8:-4] + option)
    events = list(iter_events(io.BytesIO(section + encode_block(0x216, body))))
    assert [e[5] for e in events] == [(bytes(8), b"/\0")]
