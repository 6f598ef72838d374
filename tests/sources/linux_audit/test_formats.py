"""The same events in every format: raw, enriched, laurel, go-audit, auditbeat."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from rulekit.capture._reader import iter_events
from rulekit.sources.detect import LINUX_AUDIT, detect_source, source_of_bytes
from tests.sources.linux_audit.formats import auditbeat, go_audit
from tests.sources.linux_audit.logs import Log, counters, decode, fields, shown


@pytest.fixture(scope="module")
def samples(shared: Path) -> dict[str, bytes]:
    folder = shared / "captures" / "linux_audit"
    return {
        "raw": (folder / "auditd-raw.log").read_bytes(),
        "enriched": (folder / "auditd-enriched.log").read_bytes(),
        "laurel": (folder / "laurel-0.5.1.jsonl").read_bytes(),
    }


def whole(data: bytes) -> list[tuple[object, ...]]:
    """Return all events of a log, also those that only the state sees."""
    return list(iter_events(io.BytesIO(decode(data)[0])))


def without_accounts(events: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [event[2:] for event in events if event[4] not in (354, 358)]


def test_no_record_of_a_sample_is_rejected(samples: dict[str, bytes]) -> None:
    for data in samples.values():
        assert set(counters(data)) == {"events", "audit_events_as_data"}


def test_laurel_has_the_events_of_the_raw_log(samples: dict[str, bytes]) -> None:
    raw, laurel = whole(samples["raw"]), whole(samples["laurel"])
    assert counters(samples["raw"])["events"] == counters(samples["laurel"])["events"] == 3558
    assert without_accounts(raw) == without_accounts(laurel)
    names = (
        "evt.type",
        "proc.name",
        "proc.cmdline",
        "proc.pname",
        "fd.name",
        "user.uid",
        "evt.res",
    )
    assert fields(samples["raw"], *names) == fields(samples["laurel"], *names)


def test_an_enriched_log_counts_like_the_raw_one(samples: dict[str, bytes]) -> None:
    serials = set(re.findall(rb"\d\.\d+:\d+(?=\):.* ses=1 )", samples["raw"]))
    first = b"".join(
        line
        for line in samples["raw"].splitlines(keepends=True)
        if re.search(rb"\d\.\d+:\d+(?=\))", line)[0] in serials  # type: ignore[index]
    )
    assert counters(first)["events"] == 2558
    kinds = Counter(event.type for event in shown(first))
    assert kinds == Counter(
        event.type
        for event in shown(samples["enriched"])
        if event.params.get("name") != b"DAEMON_START\0"
    )


def test_go_audit_has_the_events_of_the_raw_log(samples: dict[str, bytes]) -> None:
    raw = samples["raw"].partition(b"\n")[2]  # without DAEMON_START, which no kernel sends
    data = [e for e in shown(go_audit(raw)) if e.type != "asyncevent"]
    assert data == [e for e in shown(raw) if e.type != "asyncevent"]


def test_auditbeat_has_the_events_of_the_raw_log(samples: dict[str, bytes]) -> None:
    raw, beat = shown(samples["raw"]), shown(auditbeat(samples["raw"]))
    raw = [e for e in raw if e.type != "asyncevent"]
    assert [(e.type, e.tid, e.ts_ns) for e in raw] == [(e.type, e.tid, e.ts_ns) for e in beat]
    for one, other in zip(raw, beat, strict=True):
        # It drops BPRM_FCAPS.
        differing = {k for k, v in one.params.items() if v != other.params[k]}
        assert {k for k in differing if not k.startswith("cap_")} == set(), one.type


def test_names_of_accounts_are_those_of_the_log(samples: dict[str, bytes]) -> None:
    names = ("user.uid", "user.name", "user.loginname")
    raw = {row for row in fields(samples["raw"], *names) if row[0] == 65534}
    laurel = {row for row in fields(samples["laurel"], *names) if row[0] == 65534}
    assert raw == {(65534, "<NA>", "<NA>")}
    assert laurel == {(65534, "nobody", "<NA>")}
    enriched = {row for row in fields(samples["enriched"], *names) if row[0] == 65534}
    assert enriched == laurel


def test_names_of_accounts_are_those_that_go_audit_found() -> None:
    log = Log()
    log.call(3, pid=10, uid=1000, auid=1001)
    data = go_audit(bytes(log)).replace(
        b'"uid_map":{"0":"root"}', b'"uid_map":{"0":"root","1000":"eva","1001":"ada","x":1}'
    )
    nobody = data.replace(b"eva", b"UNKNOWN_USER")
    assert fields(nobody, "user.name") == [("<NA>",)]
    assert fields(data, "user.uid", "user.name", "user.loginuid", "user.loginname") == [
        (1000, "eva", 1001, "ada")
    ]


def test_the_beginning_tells_the_format(samples: dict[str, bytes]) -> None:
    for data in (*samples.values(), go_audit(samples["raw"]), auditbeat(samples["raw"])):
        assert source_of_bytes(data[:4096]) == LINUX_AUDIT
    assert source_of_bytes(b'{"kind": "Event"}') == "k8s_audit"
    assert source_of_bytes(b"type=x") == "syscall"


def test_a_compressed_log(tmp_path: Path, samples: dict[str, bytes]) -> None:
    zstandard = pytest.importorskip("zstandard")
    path = tmp_path / "log.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(samples["laurel"]))
    assert detect_source(path)[0] == LINUX_AUDIT
    path.write_bytes(zstandard.ZstdCompressor().compress(b'{"kind": "Event"}'))
    assert detect_source(path)[0] == "k8s_audit"


def laurel(**records: object) -> bytes:
    return json.dumps({"ID": "1700000000.001:7", "NODE": "vm", **records}).encode() + b"\n"


SYSCALL = {
    "arch": "0xc000003e", "syscall": 42, "success": "yes", "exit": 0, "items": 0, "ppid": 1,
    "pid": 9, "auid": 5, "uid": 0, "gid": 0, "euid": 0, "egid": 0, "tty": "pts1", "comm": "x%20y",
    "exe": "/x", "key": None, "ARGV": ["0x3", "0x7ffc", "0x10", "0x0"], "EUID": "root",
}  # fmt: skip


@pytest.mark.parametrize(
    ("sockaddr", "addr"),
    [
        ({"SADDR": {"saddr_fam": "inet6", "addr": "::1", "port": 80}},
         b"\x0a" + b"\0" * 15 + b"\x01\x50\0"),
        ({"SADDR": {"saddr_fam": "local", "path": "%00abc"}}, b"\x01abc\0"),
        ({"SADDR": {"saddr_fam": "netlink", "nlnk_fam": 16}}, b"\x10"),
        ({"SADDR": {"saddr_fam": "inet", "addr": "no address", "port": 1}}, b""),
        ({"SADDR": {"saddr_fam": "vsock"}}, b""),
        ({"saddr": "%02%00%00%50%7f%00%00%01%00%00"}, b"\x02\x7f\0\0\x01\x50\0"),
    ],
)  # fmt: skip
def test_addresses_that_laurel_took_apart(sockaddr: object, addr: bytes) -> None:
    (event,) = shown(laurel(SYSCALL=SYSCALL, SOCKADDR=[sockaddr]))
    assert event.type == "connect"
    assert event.params["addr"] == addr


def test_what_laurel_writes_about_programs() -> None:
    call = {**SYSCALL, "syscall": 59, "comm": 'a"b%0a', "PPID": {"EVENT_ID": "x", "comm": "sh"}}
    listed = laurel(
        SYSCALL=call,
        EXECVE={"argc": 3, "ARGV": ["/bin/x", "a%2bb", "\u00e9%e9"], "ENV": {"A": "b"}},
        CWD={"cwd": "/w%20"}, PATH=[{"item": 0, "name": "/bin/x", "nametype": "NORMAL"}],
        PROCTITLE={"ARGV": ["sh"]}, PARENT_INFO={"ARGV": ["no", "record"]},
    )  # fmt: skip
    (event,) = [e for e in shown(listed) if e.type == "execve"]
    assert event.params["args"] == b"a+b\0\xc3\xa9\xe9\0"
    assert event.params["comm"] == b'a"b\n\0'
    assert event.params["cwd"] == b"/w \0"
    words = laurel(SYSCALL=call, EXECVE={"argc": 2, "ARGV_STR": "/bin/x -v"})
    assert shown(words)[0].params["args"] == b"-v\0"


def test_lines_of_laurel_with_the_cookie_of_syslog(samples: dict[str, bytes]) -> None:
    data = b"".join(b"@cee: " + line for line in samples["laurel"].splitlines(keepends=True))
    assert source_of_bytes(data[:4096]) == LINUX_AUDIT
    assert shown(data) == shown(samples["laurel"])


def test_other_records_of_laurel_are_kept_as_text() -> None:
    login = {"pid": 7, "uid": 0, "op": "login", "acct": "r%00t", "res": "failed", "UID": "root"}
    names = ("evt.asynctype", "evt.arg.data", "proc.pid")
    assert fields(laurel(USER_LOGIN=login), *names)[0][:2] == (
        "USER_LOGIN",
        "pid=7 uid=0 op=login acct=r.t res=failed",
    )


def test_other_messages_of_auditbeat_are_kept_as_text() -> None:
    document = {
        "@timestamp": "2023-11-14T22:13:20.001Z",
        "auditd": {
            "data": {"acct": "root", "op": "login"}, "message_type": "user_login", "sequence": 5,
        },
        "process": {"pid": 12},
    }  # fmt: skip
    (event,) = shown(json.dumps(document).encode() + b"\n")
    assert event.params["name"] == b"USER_LOGIN\0"
    assert event.params["data"] == b"acct=root op=login"
    assert event.tid == 12


@pytest.mark.parametrize(
    "line",
    [
        b"{", b"{}", b"{]", b'{"ID"', b'{"ID":', b'{"ID":"x"}', b'{"ID":"1.2:3"',
        b'{"ID":"1.2:3"}x', b'{"ID":"1.2:3","SYSCALL":{', b'{"ID":"1.2:3","SYSCALL":{"a":"',
        b'{"ID":"1.2:3","PATH":[{}',
        b'{"ID":"1.2:3","X":' + b"[" * 200 + b"]" * 200 + b"}", b'{"sequence":1,"timestamp":"x"}',
        b'{"sequence":1,"timestamp":"1.002","messages":[{"type":1300}]}', b'{"@timestamp":"x"}',
        b'{"@timestamp":"2023-11-14T22:13:20.001Z","process":{}}', b'{"a":\\"', b'{"a":"\\',
        b'{"@timestamp":"2023-11-14T22:13:20.001Z","auditd":{},"user":' + b'{"effective":' * 50,
    ],
)  # fmt: skip
def test_lines_that_are_no_event_are_counted(line: bytes) -> None:
    good = laurel(SYSCALL=SYSCALL)
    assert counters(line + b"\n" + good) == {"events": 1, "audit_lines_rejected": 1}


def test_odd_values_are_survived() -> None:
    odd = laurel(
        SYSCALL={"pid": "x", "exit": {}, "ARGV": [1, None, {"a": []}, "0x3"], "comm": "\ud800%z"},
        PATH={"name": None}, EXECVE=[1, None], CWD=[[]], PROCTITLE={"ARGV": []},
        SOCKADDR=[{"SADDR": {}}],
    )  # fmt: skip
    assert counters(odd)["events"] == 1
    assert shown(odd)[0].type == "syscall"


def test_formats_may_be_mixed() -> None:
    log = Log()
    log.call(3)
    data = bytes(log) + laurel(SYSCALL=SYSCALL) + bytes(log).replace(b":1)", b":2)")
    assert [e.type for e in shown(data)] == ["close", "connect", "close"]
