"""Events that lie: whatever they say, the tables keep to their limits and the truth stays known.

RULEKIT_FUZZ_LONG=1 makes the storms as large as they can be (minutes).
"""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from rulekit.capture._reader import CaptureReader
from rulekit.capture.builder import Builder
from rulekit.capture.writer import FdEntry
from rulekit.engine._loop import EventLoop
from rulekit.engine.stats import Stats
from rulekit.schema.events import event_types
from tests.state.rendered import program
from tests.state.test_fields_hostile import every_field

LONG = os.environ.get("RULEKIT_FUZZ_LONG") == "1"
ABSURD = (-1, -2, -100, -(2**31), -(2**63), 0, 2**31, 2**32 - 1, 2**32, 2**63 - 1)
MARK = 0x5EED5EED5EED
RULES = """
- rule: what an honest process opens
  desc: d
  condition: fd.name = /etc/shadow
  output: "%proc.name %proc.pname %fd.name"
  priority: NOTICE
"""


def run(b: Builder, **limits: int) -> tuple[list[str], Stats]:
    """Render every field of every event; return the last ones' names and the figures."""
    loop = EventLoop(CaptureReader(io.BytesIO(b.build())), None, **limits)
    everything = program("*" + every_field())
    few = program("*%proc.name %proc.pname %fd.name")
    texts = []
    while (step := loop.next()) is not None:
        if step:
            loop.render(everything)
            texts.append(loop.render(few)[0])
    stats = Stats()
    loop.fill(stats)
    return texts, stats


def honest(b: Builder) -> None:
    """Add a process that opens a file, and says the truth."""
    b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": "/etc/shadow"}, tid=77)


def world() -> Builder:
    b = Builder()
    b.add_process(1, "init")
    b.add_process(77, "honest", ptid=1)
    return b


TRUTH = "honest init /etc/shadow"


@pytest.mark.parametrize("tid", ABSURD)
def test_absurd_thread_ids(tid: int) -> None:
    b = world()
    clone = {"res": 0, "exe": "x", "comm": "x", "args": []}
    for other in ABSURD:
        b.add_event("clone", {**clone, "tid": tid, "pid": other, "ptid": other}, tid=tid)
        b.add_event("clone", {**clone, "res": other, "tid": tid, "pid": tid, "ptid": tid}, tid=tid)
        b.add_event("execve", {**clone, "tid": other, "pid": other, "ptid": tid}, tid=tid)
        b.add_event("openat", {"fd": 3, "dirfd": "AT_FDCWD", "name": "x"}, tid=tid)
        b.add_event("procexit", {"reaper_tid": other}, tid=tid)
        b.add_event("prctl", {"res": 0, "option": "PR_SET_CHILD_SUBREAPER"}, tid=tid)
    honest(b)
    texts, _ = run(b)
    assert texts[-1] == TRUTH
    assert len(texts) > len(ABSURD)


@pytest.mark.parametrize("fd", ABSURD)
def test_absurd_file_descriptors(fd: int) -> None:
    b = world()
    b.add_fd(77, FdEntry(fd, "file", "/lie"))
    for other in ABSURD:
        b.add_event("openat", {"fd": fd, "dirfd": other, "name": "lie"}, tid=77)
        b.add_event("dup3", {"res": fd, "oldfd": other, "newfd": fd}, tid=77)
        b.add_event("pipe2", {"res": 0, "fd1": fd, "fd2": other}, tid=77)
        b.add_event("fcntl", {"res": other, "fd": fd, "cmd": "F_DUPFD"}, tid=77)
        b.add_event("close", {"res": 0, "fd": other}, tid=77)
        b.add_event("read", {"res": other, "fd": fd, "data": b"x"}, tid=77)
    honest(b)
    texts, stats = run(b)
    assert texts[-1] == TRUTH
    assert stats.counters.get("fds_refused", 0) == 0


@pytest.mark.parametrize("length", [1, 2, 3, 500])
def test_loops_of_parents(length: int) -> None:
    b = world()
    ring = range(1000, 1000 + length)
    for tid in ring:
        b.add_process(tid, "ring", ptid=ring[(tid + 1) % length])
    for tid in ring:
        parent = ring[(tid + 1) % length]
        clone = {"res": 0, "tid": tid, "pid": tid, "ptid": parent, "exe": "r", "comm": "r"}
        b.add_event("clone", clone, tid=tid)
    for tid in ring[:20]:
        b.add_event("procexit", {"reaper_tid": tid}, tid=tid)
        b.add_event("getcwd", {"res": 0, "path": "/"}, tid=tid)
    honest(b)
    texts, _ = run(b)
    assert texts[-1] == TRUTH


def test_a_parent_that_comes_late_is_seen() -> None:
    # Number -1 is nobody until an event says so.
    b = world()
    b.add_event("getcwd", {"res": 0, "path": "/"}, tid=500)
    b.add_event("getcwd", {"res": 0, "path": "/"}, tid=-1)
    b.add_event("getcwd", {"res": 0, "path": "/"}, tid=500)
    output = program("*%proc.pvpid")
    loop = EventLoop(CaptureReader(io.BytesIO(b.build())))
    found = []
    while (step := loop.next()) is not None:
        if step:
            found.append(loop.render(output)[0])
    assert found[0] == "<NA>"
    assert found[2] == "-1"


@pytest.mark.parametrize("size", [1024, 4096, 60000])
def test_giant_strings(size: int) -> None:
    b = world()
    giant = "A" * (size - 1)
    b.add_event("chdir", {"res": 0, "path": giant}, tid=77)
    for n in range(20):
        b.add_event("openat", {"fd": 4 + n, "dirfd": "AT_FDCWD", "name": f"{n}{giant[9:]}"}, tid=77)
    long = giant[:15_000]  # a block holds 64 kB
    execve = {"res": 0, "tid": 9, "pid": 9, "ptid": 77, "comm": long, "exe": long}
    b.add_event("execve", {**execve, "trusted_exepath": long, "env": [long]}, tid=9)
    b.add_event("chdir", {"res": 0, "path": "/"}, tid=77)
    honest(b)
    texts, _ = run(b)
    assert texts[-1] == TRUTH
    # As the engine names a path that it has no room for.
    assert texts[1] == "honest init /DIR_TOO_LONG/FILENAME_TOO_LONG"


def test_wrong_sizes_of_parameters() -> None:
    b = world()
    kinds = {e.enum: e.id for e in event_types()}
    for n in (0, 1, 3, 5, 7, 9, 30):
        b.add_raw(kinds["PPME_SYSCALL_READ_X"], [b"\xff" * n, b"x", b"\1" * n, b""], tid=77)
        b.add_raw(kinds["PPME_SYSCALL_CLOSE_X"], [b"\xff" * n, b"\1" * n], tid=77)
    for broken in (b"", b"{", b"[]", b'{"container": 7}', b'{"container": {"id": [1]}}'):
        b.add_raw(kinds["PPME_CONTAINER_JSON_E"], [broken + b"\0"], tid=-1)
    honest(b)
    texts, stats = run(b)
    assert texts[-1] == TRUTH
    assert stats.counters["malformed_params"] >= 4


# -- storms -------------------------------------------------------------------------------------


def storm(b: Builder, numbers: Iterable[int], after: Builder) -> Iterator[bytes]:
    """Yield a capture whose last event comes once for each number, in place of the mark."""
    data = b.build()
    mark = struct.pack("<q", MARK)
    start = data.rindex(struct.pack("<I", 0x216), 0, data.index(mark))
    yield data[:start]
    pieces = data[start:].split(mark)
    batch = []
    for number in numbers:
        batch.append(struct.pack("<q", number).join(pieces))
        if len(batch) == 4096:
            yield b"".join(batch)
            batch.clear()
    yield b"".join(batch)
    tail = after.build()
    yield tail[tail.rindex(struct.pack("<I", 0x216), 0, tail.index(b"/etc/shadow")) :]


# Sanitizers keep what is freed.
SANITIZED = "ASAN_OPTIONS" in os.environ


def survive(tmp_path: Path, chunks: Iterable[bytes]) -> tuple[str, str, int]:
    """Stream a capture into ``rulekit run``; return output, messages and peak memory in MB."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    command = [sys.executable, "-m", "rulekit", "run", "-r", str(rules), "-e", "-"]
    with (tmp_path / "out").open("w+") as out, (tmp_path / "err").open("w+") as err:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=err)
        assert process.stdin is not None
        for chunk in chunks:
            process.stdin.write(chunk)
        # All but the last pipeful has been read. The peak that wait() reports would not do: it
        # begins with the memory of the process that started this one.
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak_kb = int(status.split("VmHWM:")[1].split()[0])
        process.stdin.close()
        process.wait()
        out.seek(0)
        err.seek(0)
        messages = err.read()
        assert process.returncode == 0, messages
        return out.read(), messages, peak_kb >> 10


def test_a_storm_of_threads_stays_within_the_limits(tmp_path: Path) -> None:
    n = 10_000_000 if LONG else 300_000
    b = world()
    clone = {"res": 0, "tid": MARK, "pid": MARK, "ptid": 77, "exe": "storm", "comm": "storm"}
    b.add_event("clone", {**clone, "cgroups": ["cpu=/"], "cwd": ""}, tid=MARK)
    after = world()
    honest(after)
    output, messages, peak_mb = survive(tmp_path, storm(b, range(1000, 1000 + n), after))
    assert "honest init /etc/shadow" in output
    refused = int(messages.split("threads refused: ")[1].split()[0])
    assert refused == n + 2 - 262144
    assert peak_mb < 700 or SANITIZED


def test_millions_of_files_of_a_process_stay_within_the_limits(tmp_path: Path) -> None:
    n = 5_000_000 if LONG else 300_000
    b = world()
    b.add_event("openat", {"fd": MARK, "dirfd": "AT_FDCWD", "name": "/lie"}, tid=77)
    after = world()
    honest(after)
    output, messages, peak_mb = survive(tmp_path, storm(b, range(10, 10 + n), after))
    assert "honest init" in output
    refused = int(messages.split("fds refused: ")[1].split()[0])
    assert refused >= n - 4096
    assert peak_mb < 120 or SANITIZED
