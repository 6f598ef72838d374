"""Captures to be damaged: as lists of blocks and events, changed so that something in them lies."""

from __future__ import annotations

import gzip
import json
import random
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rulekit.capture.builder import Builder, container_cgroup
from rulekit.capture.writer import FdEntry, Interface, encode_block
from rulekit.schema.events import EventType, Param, event_types

TYPES = event_types()
SECTION = 0x0A0D0D0A
# Event blocks: bytes before the event, whether the event has the first header form.
FRAMES = {
    0x204: (2, True),
    0x208: (6, True),
    0x216: (2, False),
    0x217: (6, False),
    0x221: (2, False),
    0x222: (6, False),
}
METADATA = (
    *range(0x201, 0x204),
    *(0x205, 0x206, 0x207, 0x209),
    *range(0x210, 0x216),
    *(0x218, 0x219, 0x220),
    *(0x8000ABCD, 0x8001ABCD, 0x8002ABCD, 0x8012ABCD, 0x8013ABCD, 0x8014ABCD),
)
NUMBERS = (
    *(0, 1, 2, 3, 7, 8, 9, 63, 64, 127, 128, 255, 256, 1023, 1024, 1025, 4095, 4096, 4097),
    *(0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 1 << 32),
    *((1 << 63) - 1, 1 << 63, (1 << 64) - 1, (1 << 64) - 2, (1 << 64) - 100, (1 << 64) - 115),
)
TEXTS = (
    *(b"", b"/", b".", b"..", b"a", b"/etc/passwd", b"../../x", b"//a//../b/./", b"(NULL)"),
    *(b"\xff\xfe\xc0\x80", b"\xf0\x9f\x98", "/tmp/\u00e9\u2028".encode(), b"\n\x1b[2J", b"a\0b"),
    *(b"x" * 255, b"/" + b"y" * 1023, b"../" * 400, b"/z" * 2040, b"%s%n", b"/dev/log", b"memfd:a"),
    *(b"/docker/" + b"ab" * 32, b"/lxc/x", b"cpu=/docker/" + b"0" * 64 + b"\0", b"/crio-", b"bpm-"),
    *(b"user.slice/libpod-" + b"c" * 64 + b".scope", b"=", b"a=b\0" * 40, b"\0" * 100),
)
WIDTHS = {
    **dict.fromkeys(("INT8", "UINT8", "FLAGS8", "ENUMFLAGS8", "SIGTYPE", "L4PROTO"), 1),
    **dict.fromkeys(("SOCKFAMILY",), 1),
    **dict.fromkeys(("INT16", "UINT16", "FLAGS16", "ENUMFLAGS16", "SYSCALLID", "PORT"), 2),
    **dict.fromkeys(("INT64", "UINT64", "ERRNO", "FD", "PID", "RELTIME", "ABSTIME", "DOUBLE"), 8),
}


@dataclass(slots=True)
class Event:
    """An event that can be written again; `params` are the stored ones."""

    block: int
    cpu: int
    flags: int
    ts_ns: int
    tid: int
    type: int
    params: list[bytes]

    def encode(self) -> bytes:
        before, first_form = FRAMES[self.block]
        large = self.type < len(TYPES) and "LARGE_PAYLOAD" in TYPES[self.type].flags
        mask = 0xFFFFFFFF if large else 0xFFFF
        lengths = [min(len(p), mask) for p in self.params]
        payload = struct.pack(f"<{len(lengths)}{'I' if large else 'H'}", *lengths)
        payload += b"".join(self.params)
        head = struct.pack("<H", self.cpu & 0xFFFF)
        if before == 6:
            head += struct.pack("<I", self.flags)
        size = len(payload) + (22 if first_form else 26)
        head += struct.pack("<QQIH", self.ts_ns, self.tid, size, self.type)
        if not first_form:
            head += struct.pack("<I", len(self.params))
        return encode_block(self.block, head + payload)


@dataclass(slots=True)
class Block:
    """Any other block, or what could not be read."""

    kind: int
    body: bytes

    def encode(self) -> bytes:
        return self.body if self.kind < 0 else encode_block(self.kind, self.body)


Items = list[Event | Block]


def plain(data: bytes) -> bytes:
    """Return the bytes of a capture, inflated."""
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def parse(data: bytes) -> Items:
    """Return blocks and events; what follows the first unsound block is one piece."""
    items: Items = []
    at = 0
    while at < len(data):
        if at + 12 > len(data):
            break
        kind, total = struct.unpack_from("<II", data, at)
        if total < 12 or total % 4 or at + total > len(data):
            break
        body = data[at + 8 : at + total - 4]
        items.append(_event(kind, body) or Block(kind, body))
        at += total
    if at < len(data):
        items.append(Block(-1, data[at:]))
    return items


def _event(kind: int, body: bytes) -> Event | None:
    if kind not in FRAMES:
        return None
    at, first_form = FRAMES[kind]
    if len(body) < at + 26:
        return None
    ts_ns, tid, length, type_id = struct.unpack_from("<QQIH", body, at)
    large = type_id < len(TYPES) and "LARGE_PAYLOAD" in TYPES[type_id].flags
    width, code = (4, "I") if large else (2, "H")
    if first_form:
        counts = list(range(len(TYPES[type_id].params) if type_id < len(TYPES) else 0, -1, -1))
        header = 22
    else:
        counts = list(struct.unpack_from("<I", body, at + 22))
        header = 26
    for n in counts:
        start = at + header
        if n > 100 or start + n * width > len(body):
            continue
        sizes = struct.unpack_from(f"<{n}{code}", body, start)
        if header + n * width + sum(sizes) != length or at + length > len(body):
            continue
        start += n * width
        params = []
        for size in sizes:
            params.append(body[start : start + size])
            start += size
        flags = struct.unpack_from("<I", body, 2)[0] if at == 6 else 0
        cpu = struct.unpack_from("<H", body, 0)[0]
        return Event(kind, cpu, flags, ts_ns, tid, type_id, params)
    return None


def encode(items: Items) -> bytes:
    """Return the bytes of a capture."""
    return b"".join(item.encode() for item in items)


def window(items: Items, chance: random.Random, most: int) -> Items:
    """Return the metadata, thinned where that is easy, and some events in a row."""
    metadata = [i for i in items if isinstance(i, Block)]
    events = [i for i in items if isinstance(i, Event)]
    start = chance.randrange(max(len(events) - most, 0) + 1)
    chosen = events[start : start + chance.randrange(2, most)]
    tids = {e.tid for e in chosen}
    kept: Items = []
    for block in metadata:
        if block.kind == 0x215:
            entries = [
                e
                for e in _entries(block.body, 0)
                if int.from_bytes(e[4:12], "little") in tids or chance.random() < 0.1
            ]
            kept.append(Block(block.kind, b"".join(entries)))
        elif block.kind not in (0x203, 0x218) or (
            int.from_bytes(block.body[:8], "little") in tids or chance.random() < 0.05
        ):
            kept.append(block)
    return kept + chosen


def _entries(body: bytes, start: int, extra: int = 0) -> list[bytes]:
    """Return the entries of a list whose entries begin with their length."""
    found, at = [], start
    while at + 4 <= len(body):
        size = int.from_bytes(body[at : at + 4], "little") + extra
        if size < 4 or at + size > len(body):
            break
        found.append(body[at : at + size])
        at += size
    return found


def everything(chance: random.Random) -> bytes:
    """Return a built capture with containers, sockets and every form of every event type."""
    b = Builder()
    b.interfaces += [
        Interface("lo", "127.0.0.1", "255.0.0.0", "127.255.255.255"),
        Interface("eth0", "10.0.0.1", "255.255.255.0", "10.0.0.255"),
        Interface("lo", "::1", "ffff::", "::"),
    ]
    b.add_process(1, "systemd", args=["--x"], env=["A=b"])
    b.add_process(7, "web", ptid=1, vtid=2, vpid=2, cgroups=container_cgroup("cd" * 32))
    b.add_process(8, "web", pid=7, ptid=1, vtid=3, vpid=2)
    b.add_fd(1, FdEntry(3, "file", "/etc/passwd"))
    b.add_fd(1, FdEntry(4, "ipv4", local=("10.0.0.1", 22), peer=("10.0.0.2", 40000)))
    b.add_fd(7, FdEntry(5, "ipv6_server", local=("::", 80)))
    b.add_fd(7, FdEntry(6, "unix", "/run/x", unix_source=1))
    b.add_fd(7, FdEntry(9, "directory", "/tmp"))
    b.add_container("cd" * 32, "web", image="a:b", labels={"io.kubernetes.pod.name": "p"})
    b.spawn(9, "cat", parent=7)
    for _ in range(chance.randrange(4, 120)):
        event = random_event(chance, (1, 7, 8, 9, 10))
        if len(event.params) <= 64:
            b.add_raw(event.type, event.params, tid=_signed(event.tid), flags=event.flags)
    return b.build()


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def random_event(chance: random.Random, tids: tuple[int, ...]) -> Event:
    """Return an event of any type with parameters of the right kind."""
    kind: EventType = chance.choice(TYPES)
    n = len(kind.params)
    if n and chance.random() < 0.3:
        n = chance.randrange(n + 1)
    params = [random_param(p, chance) for p in kind.params[:n]]
    large = "LARGE_PAYLOAD" in kind.flags
    return Event(
        block=0x221 if large else 0x216,
        cpu=chance.randrange(4),
        flags=0,
        ts_ns=1_700_000_000_000_000_000 + chance.randrange(1 << 33),
        tid=chance.choice(tids),
        type=kind.id,
        params=params,
    )


def random_param(param: Param, chance: random.Random) -> bytes:
    """Return a value of about the right form."""
    kind = param.type.removeprefix("PT_")
    if chance.random() < 0.06:
        return b""
    if kind in ("CHARBUF", "FSPATH", "FSRELPATH"):
        if param.name in ("json", "data") and chance.random() < 0.8:
            return json_text(chance)
        return chance.choice(TEXTS)[:60000] + (b"\0" if chance.random() < 0.95 else b"")
    if kind == "BYTEBUF":
        return b"".join(chance.choice(TEXTS) + b"\0" for _ in range(chance.randrange(4)))[:60000]
    if kind in ("SOCKADDR", "SOCKTUPLE"):
        return _address(kind == "SOCKTUPLE", chance)
    if kind == "FDLIST":
        n = chance.randrange(4)
        pairs = b"".join(struct.pack("<QH", _number(chance), 0x41) for _ in range(n))
        return struct.pack("<H", chance.choice((n, n, n, 65535))) + pairs
    if kind == "DYN":
        return bytes([chance.randrange(6)]) + _number(chance).to_bytes(8, "little")
    if kind in ("IPADDR", "IPV6ADDR"):
        return chance.randbytes(chance.choice((4, 16)))
    width = WIDTHS.get(kind, 4)
    if kind in ("FD", "PID", "ERRNO", "INT64") and chance.random() < 0.7:
        value = chance.choice((0, 1, 3, 4, 5, 6, 7, 8, 9, 10, (1 << 64) - 100, (1 << 64) - 2))
    else:
        value = _number(chance)
    if chance.random() < 0.03:
        width = chance.choice((1, 2, 3, 4, 8))
    return (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")


def _number(chance: random.Random) -> int:
    if chance.random() < 0.3:
        return 1 << chance.randrange(64)
    return chance.choice(NUMBERS) if chance.random() < 0.6 else chance.randrange(32)


def _address(is_tuple: bool, chance: random.Random) -> bytes:
    ends = 2 if is_tuple else 1
    family = chance.choice((1, 2, 2, 10, 10, 16, 255))
    port = struct.pack("<H", chance.choice((0, 22, 53, 80, 40000)))
    if family == 2:
        ips = (b"\x7f\0\0\1", b"\x0a\0\0\1", b"\x0a\0\0\2", bytes(4))
        body = b"".join(chance.choice(ips) + port for _ in range(ends))
    elif family == 10:
        ips = (bytes(16), bytes(15) + b"\1", bytes(10) + b"\xff\xff\x0a\0\0\1", b"\xfe\x80" * 8)
        body = b"".join(chance.choice(ips) + port for _ in range(ends))
    else:
        body = chance.randbytes(16 if is_tuple else 0) + chance.choice(TEXTS)[:200] + b"\0"
    return bytes([family]) + body[: None if chance.random() < 0.9 else chance.randrange(40)]


def json_text(chance: random.Random) -> bytes:
    """Return container metadata, right, wrong or broken."""
    wrong: tuple[Any, ...] = (None, True, -1, 1e300, "", "x" * 300, [], {}, [[]], {"a": {"b": []}})
    value: dict[str, Any] = {
        "id": "cd" * 6,
        "full_id": "cd" * 32,
        "type": chance.choice((0, 6, 7, 11, 65534, 99)),
        "name": "web",
        "image": "a/b:c@sha256:0",
        "imagerepo": "a/b",
        "imagetag": "c",
        "privileged": True,
        "ip": "10.0.0.1",
        "labels": {"io.kubernetes.pod.name": "p", "io.kubernetes.pod.uid": "u", "x": "y"},
        "pod_sandbox_id": "ef" * 32,
        "pod_sandbox_labels": None,
        "cni_json": '{"cni": []}',
        "User": "me",
        "Mounts": [{"Source": "/a", "Destination": "/b", "Mode": "rw", "RW": True}],
        "port_mappings": [{"HostIp": 1, "HostPort": 2, "ContainerPort": 3}],
        "Healthcheck": {"exe": "a", "args": ["b"]},
        "env": ["A=b"],
    }
    for _ in range(chance.choice((0, 0, 1, 3))):
        value[chance.choice(list(value))] = chance.choice(wrong)
    text = json.dumps({"container": value} if chance.random() < 0.8 else value).encode()
    if chance.random() < 0.25:
        text = bytes(blind(bytearray(text), chance, (), chance.choice((1, 2, 5))))
    if chance.random() < 0.03:
        text = b'{"container":' * 3000 + b"[" * chance.choice((0, 5000))
    return text + b"\0"


def mutate(items: Items, other: Items, chance: random.Random) -> bytes:
    """Return the bytes of a damaged capture; the lists given stay as they are."""
    items = list(items)
    for _ in range(chance.choice((1, 1, 2, 4, 8, 20))):
        _one(items, other, chance)
        if not items:
            items = list(other)
    data = bytearray(encode(items))
    if chance.random() < 0.35:
        starts, at = [], 0
        for item in items:
            starts.append(at)
            at += len(item.encode())
        data = blind(data, chance, tuple(starts), chance.choice((1, 1, 2, 10)))
    if chance.random() < 0.05:
        del data[chance.randrange(len(data) + 1) :]
    return bytes(data)


def _one(items: Items, other: Items, chance: random.Random) -> None:
    events = [i for i, item in enumerate(items) if isinstance(item, Event)]
    if chance.random() < 0.15 or not events:
        _metadata(items, other, chance)
        return
    at = chance.choice(events)
    event = items[at]
    assert isinstance(event, Event)
    kind = chance.randrange(13)
    tids = tuple({e.tid for e in items if isinstance(e, Event)})
    if kind == 0:
        del items[at]
    elif kind == 1:
        items.insert(chance.choice(events), event)
    elif kind == 2:
        b = chance.choice(events)
        items[at], items[b] = items[b], event
    elif kind == 3:
        start = chance.randrange(len(other)) if other else 0
        items[at:at] = other[start : start + chance.randrange(1, 12)]
    elif kind == 4:
        new = random_event(chance, tids)
        items.insert(at, replace(new, ts_ns=event.ts_ns))
    elif kind == 5:
        tid = chance.choice(tids) if chance.random() < 0.7 else chance.choice(NUMBERS)
        items[at] = replace(event, tid=tid)
    elif kind == 6:
        step = chance.choice((1, -1)) * chance.choice((1, 10**9, 3 * 10**9, 1 << 62))
        items[at] = replace(event, ts_ns=(event.ts_ns + step) & ((1 << 64) - 1))
    elif kind == 7:
        new_type = chance.choice((event.type ^ 1, chance.randrange(460), 65535))
        items[at] = replace(event, type=new_type)
    elif kind == 8:
        change = {"flags": chance.choice((0, 1, 2, 4, 0xFFFFFFFF)), "cpu": chance.choice(NUMBERS)}
        items[at] = replace(event, block=chance.choice(tuple(FRAMES)), **change)
    else:
        items[at] = replace(event, params=_params(event, items, chance))


def _params(event: Event, items: Items, chance: random.Random) -> list[bytes]:
    params = list(event.params)
    declared = TYPES[event.type].params if event.type < len(TYPES) else ()
    kind = chance.randrange(8)
    if not params or kind == 0:
        rest = declared[len(params) :] or declared
        return [*params, *(random_param(p, chance) for p in rest[: chance.randrange(4)])]
    i = chance.randrange(len(params))
    if kind == 1:
        return params[: chance.randrange(len(params) + 1)]
    if kind == 2:
        params[i] = bytes(blind(bytearray(params[i]), chance, (), 1))
    elif kind == 3:
        params[i] = params[i][: chance.randrange(len(params[i]) + 1)]
    elif kind == 4:
        giver = chance.choice(items)
        if isinstance(giver, Event) and giver.params:
            params[i] = chance.choice(giver.params)
    elif kind == 5 and params[i]:
        # Longer than the format allows for its kind, up to what a length field can say.
        size = chance.choice((256, 1025, 4097, 30000, 65535))
        params[i] = (params[i] * (size // len(params[i]) + 1))[:size]
    elif i < len(declared):
        params[i] = random_param(declared[i], chance)
    return params


def _metadata(items: Items, other: Items, chance: random.Random) -> None:
    blocks = [i for i, item in enumerate(items) if isinstance(item, Block)]
    if not blocks:
        return
    at = chance.choice(blocks)
    block = items[at]
    assert isinstance(block, Block)
    kind = chance.randrange(8)
    if kind == 0:
        del items[at]
    elif kind == 1:
        items.insert(chance.choice(blocks), block)
    elif kind == 2:
        items.insert(chance.randrange(len(items)), block)
    elif kind == 3:
        items[at] = Block(chance.choice((*METADATA, 0x999, 0)), block.body)
    elif kind == 4:
        givers = [b for b in other if isinstance(b, Block)]
        if givers:
            items.insert(at, chance.choice(givers))
    elif kind == 5 and block.kind in (0x215, 0x218, 0x219, 0x220):
        start = 8 if block.kind == 0x218 else 0
        entries = _entries(block.body, start, 4 if block.kind == 0x219 else 0)
        if entries:
            i = chance.randrange(len(entries))
            entry = bytearray(entries[i])
            body = blind(entry[4:], chance, (), chance.choice((1, 2)))
            if chance.random() < 0.7:  # its length stays right
                entry[:4] = struct.pack("<I", len(body) + (0 if block.kind == 0x219 else 4))
            entries[i] = bytes(entry[:4] + body)
            items[at] = Block(block.kind, block.body[:start] + b"".join(entries))
    else:
        items[at] = Block(block.kind, bytes(blind(bytearray(block.body), chance, (), 1)))


def blind(data: bytearray, chance: random.Random, places: tuple[int, ...], n: int) -> bytearray:
    """Change bytes without knowing what they are; half of the time near one of `places`."""
    for _ in range(n):
        if not data:
            return bytearray(chance.randbytes(chance.randrange(9)))
        if places and chance.random() < 0.5:
            at = min(chance.choice(places) + chance.randrange(60), len(data) - 1)
        else:
            at = chance.randrange(len(data))
        kind = chance.randrange(5)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            size = chance.choice((1, 2, 4, 8))
            value = chance.choice(NUMBERS) & ((1 << 8 * size) - 1)
            data[at : at + size] = value.to_bytes(size, "little")
        elif kind == 2:
            del data[at : at + chance.randrange(1, 64)]
        elif kind == 3:
            data[at:at] = chance.randbytes(chance.randrange(1, 64))
        else:
            source = chance.randrange(len(data))
            size = chance.randrange(1, 256)
            data[at : at + size] = data[source : source + size]
    return data


def seeds(folders: list[Path]) -> list[Items]:
    """Return the captures under the folders, in order of their names, parsed."""
    paths = [p for f in folders for p in sorted(f.glob("*.scap*"))]
    return [parse(plain(path.read_bytes())) for path in paths]
