"""What is known when watching begins: this machine, its accounts, the processes of the scope."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from rulekit.capture.writer import (
    BLOCK_FDS,
    BLOCK_THREADS,
    Group,
    Interface,
    Machine,
    User,
    encode_accounts,
    encode_block,
    encode_interfaces,
    encode_machine,
    encode_section,
)
from rulekit.sources.ebpf._interfaces import addresses

_ENTRY = struct.Struct("<IQ")  # length of all, process
_MAX_TEXT = 255


def snapshot(tasks: bytes, descriptors: bytes) -> bytes:
    """Return the blocks that begin a capture.

    Args:
        tasks: What the iterator of that name wrote: entries of the process list.
        descriptors: What the iterator of that name wrote.
    """
    blocks = [
        encode_section(),
        encode_machine(machine()),
        encode_interfaces(interfaces()),
        encode_accounts(users(), groups()),
        encode_block(BLOCK_THREADS, tasks),
    ]
    by_process: dict[int, list[bytes]] = {}
    for process, entry in _entries(descriptors):
        by_process.setdefault(process, []).append(entry)
    for process, entries in by_process.items():
        blocks.append(encode_block(BLOCK_FDS, struct.pack("<Q", process) + b"".join(entries)))
    return b"".join(blocks)


def _entries(descriptors: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ENTRY.size <= len(descriptors):
        size, process = _ENTRY.unpack_from(descriptors, at)
        yield process, descriptors[at + _ENTRY.size : at + size]
        at += size


def machine() -> Machine:
    """Return what there is to know about this machine."""
    now_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)
    return Machine(
        hostname=os.environ.get("FALCO_HOSTNAME") or socket.gethostname(),
        n_cpus=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        max_pid=_number("/proc/sys/kernel/pid_max", 4194304),
        boot_ns=now_ns - time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    )


def _number(path: str, otherwise: int) -> int:
    try:
        return int(Path(path).read_text("ascii"))
    except (OSError, ValueError):
        return otherwise


def interfaces() -> list[Interface]:
    """Return the addresses of this machine's network interfaces."""
    try:
        return [Interface(*each) for each in addresses()]
    except OSError:
        return []


def users() -> Iterator[User]:
    """Yield the accounts of /etc/passwd; lines that are none are passed over."""
    for fields in _lines("/etc/passwd", 7):
        if fields[2].isdigit() and fields[3].isdigit():
            yield User(int(fields[2]), fields[0], int(fields[3]), fields[5], fields[6])


def groups() -> Iterator[Group]:
    """Yield the groups of /etc/group; lines that are none are passed over."""
    for fields in _lines("/etc/group", 4):
        if fields[2].isdigit():
            yield Group(int(fields[2]), fields[0])


def _lines(path: str, n: int) -> Iterator[list[str]]:
    try:
        text = Path(path).read_text("utf-8", "surrogateescape")
    except OSError:
        return
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) == n and all(len(os.fsencode(each)) <= _MAX_TEXT for each in fields):
            yield fields
