"""What watching costs: the reader per event, the watched process, and everybody else.

    python benchmarks/live.py [--record]

Every figure is CPU time of one thread, so that other work on the machine does not count. Each is
the smallest of several rounds; what is compared with one another is measured in turns. Only
processes that this program starts are watched. Needs root (or CAP_BPF and CAP_PERFMON), libbpf and
gcc.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from machine import record

from rulekit.sources.ebpf.loader import DEFAULT_RING_BYTES, LOSSES, Probe
from rulekit.sources.ebpf.routes import all_events
from rulekit.sources.ebpf.scope import Scope
from rulekit.sources.ebpf.stream import RingStream

ROUNDS = 9
CALLS = {"close": 200_000, "getuid": 200_000, "open": 60_000}
FLOOD = 3_000_000


class Caller:
    """A process that makes calls and says what they cost."""

    def __init__(self, program: Path, call: str, cpu: int | None = None) -> None:
        self._process = subprocess.Popen(
            [str(program), call], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        if cpu is not None:
            os.sched_setaffinity(self.pid, {cpu})
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def make(self, n: int) -> int:
        """Make so many calls; return nanoseconds of CPU time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{n}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def caller(program: Path, call: str, cpu: int | None = None) -> Iterator[Caller]:
    one = Caller(program, call, cpu)
    try:
        yield one
    finally:
        one.end()


@contextlib.contextmanager
def drained(pid: int) -> Iterator[RingStream]:
    """Watch a tree, and throw away what comes of it."""
    probe = Probe(Scope("tree", pid), all_events())
    stream = RingStream(probe, b"", "ebpf:benchmark")

    def read() -> None:
        while stream.next_chunk() is not None:
            pass

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield stream
    finally:
        stream.stop()
        thread.join()
        stream.close()
        probe.close()


def drain(program: Path) -> dict[str, Any]:
    """Fill a ring, then empty it: nanoseconds of the reader per event."""
    found = []
    buffer = bytearray(DEFAULT_RING_BYTES)
    with caller(program, "close") as one:
        probe = Probe(Scope("tree", one.pid), all_events())
        try:
            for _ in range(ROUNDS):
                one.make(FLOOD // 20)
                before = probe.ring.n_records
                started = time.thread_time_ns()
                while probe.ring.drain(buffer):
                    pass
                elapsed = time.thread_time_ns() - started
                n = probe.ring.n_records - before
                found.append((elapsed / n, n))
            size = probe.ring.n_bytes / probe.ring.n_records
        finally:
            probe.close()
    return {
        "drain_ns_per_event": round(min(found)[0], 1),
        "drain_events": min(found)[1],
        "drain_bytes_per_event": round(size, 1),
    }


def costs(program: Path) -> dict[str, Any]:
    """One call bare, watched, and beside somebody who is watched."""
    found: dict[str, Any] = {}
    for call, n in CALLS.items():
        best = {"bare": float("inf"), "watched": float("inf"), "beside": float("inf")}
        with caller(program, call) as one, caller(program, "close") as other:
            for _ in range(ROUNDS):
                best["bare"] = min(best["bare"], one.make(n) / n)
                with drained(one.pid):
                    best["watched"] = min(best["watched"], one.make(n) / n)
                with drained(other.pid):
                    best["beside"] = min(best["beside"], one.make(n) / n)
        found[call] = {f"{name}_ns": round(value, 1) for name, value in best.items()} | {
            "watched_times_bare": round(best["watched"] / best["bare"], 2),
            "beside_times_bare": round(best["beside"] / best["bare"], 2),
        }
    return {"calls": found}


def flood(program: Path) -> dict[str, Any]:
    """As many events as one core can make, through the default ring to a reader on another one."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, set(cpus[1:]) or set(cpus))
    try:
        with caller(program, "close", cpus[0]) as one, drained(one.pid) as stream:
            started = time.monotonic()
            one.make(FLOOD)
            elapsed_s = time.monotonic() - started
    finally:
        os.sched_setaffinity(0, set(cpus))
    return {
        "flood_events": FLOOD,
        "flood_events_per_s": round(FLOOD / elapsed_s),
        "flood_ring_bytes": DEFAULT_RING_BYTES,
        "flood_drops": sum(stream.losses[name] for name in LOSSES),
    }


def commands(program: Path, folder: Path) -> dict[str, Any]:
    """The same flood through the commands: a recording on disk, and a rule that looks at each."""
    (folder / "rules.yaml").write_text(
        "- rule: R\n  desc: d\n  output: o\n  priority: INFO\n"
        "  condition: evt.type = close and fd.num = 77777 and proc.name = nobody\n"
    )
    (folder / "flood.sh").write_text(f"echo {FLOOD} | {program} close\n")
    launch = ["--", "sh", str(folder / "flood.sh")]
    found: dict[str, Any] = {}
    for name, args in {
        "record": ["-w", str(folder / "flood.scap")],
        "run": ["--source", "ebpf", "-r", str(folder / "rules.yaml")],
    }.items():
        done = subprocess.run(
            [sys.executable, "-m", "rulekit", name, *args, *launch],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        events, drops = re.findall(r"(\d+) events?\b.*?(\d+) drops?", done.stderr)[0]
        found |= {f"{name}_events": int(events), f"{name}_drops": int(drops)}
    return found


def stopped(program: Path) -> dict[str, Any]:
    """A reader that stands still: what it finds later, and what the probe counted as lost."""
    with caller(program, "getuid") as one:
        probe = Probe(Scope("tree", one.pid), all_events())
        try:
            one.make(FLOOD // 10)
            counted = probe.counters()
            while probe.ring.drain(bytearray(DEFAULT_RING_BYTES)):
                pass
        finally:
            probe.close()
    return {
        "stopped_produced": counted["produced"],
        "stopped_kept": probe.ring.n_records,
        "stopped_lost": sum(counted[name] for name in LOSSES),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--record", action="store_true", help="keep the result")
    args = parser.parse_args()
    with contextlib.suppress(PermissionError):
        os.nice(-20)  # the figures are of this program and not of its neighbours
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "live"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["gcc", "-O2", "-o", program, source], check=True)
        result = drain(program) | costs(program) | flood(program) | stopped(program)
        result |= commands(program, Path(folder))
    print(json.dumps(result, indent=2))
    if args.record:
        print(record("live", result), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
