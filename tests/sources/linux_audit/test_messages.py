"""Messages of the kernel: the same records as in a log, and what their numbers say is missing."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Iterable

from rulekit.schema.linux_audit import record_types
from rulekit.sources.linux_audit._stream import AuditDecoder
from tests.sources.linux_audit.logs import Log, decode

_LINE = re.compile(rb"type=(\S+) msg=(audit\(.*)", re.S)
_NUMBERS = {name.encode(): number for number, name in record_types().items()}


def message(number: int, text: bytes) -> bytes:
    """Return a message as it is received, and aligned as `drain` leaves it."""
    data = struct.pack("=IHHII", 16 + len(text), number, 0, 0, 0) + text
    return data + bytes(-len(data) % 4)


def messages(log: Log | bytes) -> list[bytes]:
    """Return the records of a raw log as messages."""
    found = []
    for line in bytes(log).splitlines():
        match = _LINE.fullmatch(line)
        assert match is not None
        found.append(message(_NUMBERS[match[1]], match[2]))
    return found


def lost(serials: Iterable[int], settle_every: int = 0) -> int:
    """Return how many events are missed when those of these numbers come, in this order."""
    decoder = AuditDecoder()
    for i, serial in enumerate(serials):
        decoder.feed_messages(message(1320, b"audit(1700000000.000:%d): " % serial))
        if settle_every and i % settle_every == 0:
            decoder.settle()
    decoder.finish()
    return decoder.n_lost


def some_log() -> Log:
    log = Log()
    log.call(59, pid=10, argv=("bash", "-c", "a b"), paths=("/usr/bin/bash",), cwd="/")
    log.call(56, pid=10, args=(0x1200011, 0, 0, 0), exit=11)
    log.call(257, pid=11, ppid=10, args=(0xFFFFFF9C, 0, 0, 0), exit=3, paths=("x y",), cwd="/srv")
    log.record("USER_LOGIN", log.next(), "pid=7 uid=0 auid=0 ses=1 msg='op=login'")
    return log


def test_messages_are_the_records_of_a_log() -> None:
    log = some_log()
    whole, _ = decode(bytes(log))
    for step in (1, 3, 100):
        decoder = AuditDecoder()
        parts = messages(log)
        made = b""
        for i in range(0, len(parts), step):
            made += decoder.feed_messages(b"".join(parts[i : i + step]))
        assert made + decoder.finish() == whole
        assert decoder.n_lost == 0


def test_answers_and_half_messages_are_left_out() -> None:
    decoder = AuditDecoder()
    good = b"".join(messages(some_log()))
    decoder.feed_messages(message(1000, b"\0" * 40) + message(2, b"\0" * 20) + good + good[:30])
    decoder.feed_messages(message(1300, b"no stamp"))
    decoder.finish()
    assert decoder.n_events == 4
    assert decoder.stats()["audit_lines_rejected"] == 1


def test_the_host_of_messages_is_known() -> None:
    decoder = AuditDecoder("web1")
    assert b"web1" in decoder.feed_messages(b"".join(messages(some_log())))


def test_a_type_without_a_name() -> None:
    decoder = AuditDecoder()
    made = decoder.feed_messages(message(1999, b"audit(1700000000.000:5): a=b"))
    assert b"UNKNOWN[1999]" in made + decoder.finish()


def test_missing_numbers_are_lost_events() -> None:
    assert lost(range(100, 200)) == 0
    assert lost([100, 100, 101, 101]) == 0
    assert lost([100, 103]) == 2
    assert lost([100, 103, 101]) == 1
    assert lost([n for n in range(1000) if n % 10]) == 99, "0 was not for us"
    assert lost([5, 4, 3, 6]) == 0, "so were those before the first one"


def test_numbers_come_in_any_order() -> None:
    numbers = list(range(50_000, 53_000))
    rest = numbers[1:]
    random.Random(1).shuffle(rest)
    assert lost([numbers[0], *rest]) == 0
    assert lost([numbers[0], *rest], settle_every=2500) == 0
    assert lost([numbers[0], *rest[: len(rest) - 50]]) in range(40, 51)


def test_numbers_begin_again_after_the_last_one() -> None:
    start = (1 << 32) - 3
    assert lost((start + i) % (1 << 32) for i in range(10)) == 0
    assert lost([start, 2]) == 4


def test_more_is_missing_than_can_be_remembered() -> None:
    assert lost([1, 1_000_001]) == 999_999
    assert lost([1, 3, 1_000_001, 1_000_000]) == 999_997
    assert lost([1, 65_537]) == 65_535
    assert lost([1, 65_538]) == 65_536
    assert lost([1, *range(3, 200_000)]) == 1
    assert lost([1, 200_000, 400_000]) == 399_997


def test_what_is_missing_is_told_soon() -> None:
    decoder = AuditDecoder()

    def come(serial: int) -> None:
        decoder.feed_messages(message(1320, b"audit(1700000000.000:%d): " % serial))

    come(10)
    come(15)
    assert decoder.n_lost == 0
    decoder.settle()
    come(12)
    assert decoder.n_lost == 0, "it may still come"
    decoder.settle()
    assert decoder.n_lost == 3
    come(13)
    come(16)
    decoder.settle()
    assert decoder.n_lost == 3
