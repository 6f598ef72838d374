"""Shows that memory stays flat however long a stream is.

python benchmarks/endless.py [--events N] [--rules FILE ...] [--record]

Events are made here and go through a pipe into `rulekit run -e -`, whose resident memory is
looked at once a second. Processes start, execute programs with names and arguments never seen
before, open, duplicate and close files, pipes and sockets, and end; some leave files open, and of
one in a hundred the end is lost. Numbers of processes come back after 30,000, as under Linux.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, BinaryIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import ROOT, record
from rulekit.capture import Builder

N_SHELLS = 40
FIRST_TID, N_TIDS = 2000, 30_000
N_TOGETHER = 4  # processes that live at the same time
STEP_NS = 100_000
_TIDS = [0x7E57_0000_0000_0001 + i for i in range(N_TOGETHER)]
_SHELL = 0x7E57_0000_0000_00FF
_NAME = "@@@@@@@@@@"  # becomes the number of the process
RULE = """\
- rule: never
  desc: Matches nothing, and looks at every event.
  condition: proc.name = no-such-program or fd.name = /no/such/file or proc.pname = no-such-parent
  output: never
  priority: INFO
"""
LIFE = (
    "spawn", "openat", "read", "mmap", "close", "socket", "connect", "sendto", "recvfrom",
    "pipe", "dup", "openat", "write", "fcntl", "close", "close", "chdir", "openat", "exit",
)  # fmt: skip


def _act(b: Builder, name: str, tid: int, turn: int) -> None:
    """Add what a process does in one turn."""
    where = (("10.0.0.1", 40000), ("10.0.0.2", 443))
    if name == "spawn":
        b.spawn(tid, "prog", parent=_SHELL, exepath=f"/usr/bin/p{_NAME}", args=["-c", f"x{_NAME}"])
    elif name == "exit":
        b.exit(tid)
    elif name == "openat":
        path = f"/tmp/{turn}/{_NAME}"
        params: dict[str, Any] = {"fd": 3 + turn % 3, "dirfd": "AT_FDCWD", "name": path, "flags": 1}
        b.add_event("openat", params, tid=tid)
    elif name == "mmap":
        b.add_event("mmap", {"res": 1 << 30, "vm_size": 9, "vm_rss": 9, "vm_swap": 0}, tid=tid)
    elif name == "socket":
        b.add_event("socket", {"fd": 7, "domain": 2, "type": 1, "proto": 6}, tid=tid)
    elif name == "connect":
        b.add_event("connect", {"res": 0, "tuple": where, "fd": 7}, tid=tid)
    elif name in ("sendto", "recvfrom"):
        b.add_event(name, {"res": 5, "fd": 7, "tuple": where, "size": 5, "data": "hello"}, tid=tid)
    elif name == "pipe":
        b.add_event("pipe", {"res": 0, "fd1": 8, "fd2": 9, "ino": 77}, tid=tid)
    elif name == "dup":
        b.add_event("dup", {"res": 10, "oldfd": 3}, tid=tid)
    elif name == "fcntl":
        b.add_event("fcntl", {"res": 11, "fd": 7, "cmd": "F_DUPFD"}, tid=tid)
    elif name == "chdir":
        b.add_event("chdir", {"res": 0, "path": f"/srv/{_NAME}"}, tid=tid)
    elif name == "close":
        b.add_event("close", {"res": 0, "fd": 3 + turn % 8}, tid=tid)
    else:
        b.add_event(name, {"res": 4, "fd": 3, "size": 4, "data": "data"}, tid=tid)


class Template:
    """Bytes of some lives at the same time, with places for what differs from time to time."""

    def __init__(self, *, ends: bool) -> None:
        b = Builder()
        b.add_process(_SHELL, "bash")
        head = b.build()
        start_ns = b.now_ns
        for turn, name in enumerate(LIFE):
            for tid in _TIDS:
                if name != "exit" or ends or tid != _TIDS[0]:
                    _act(b, name, tid, turn)
        self.n_events = (b.now_ns - start_ns) // 1_000_000
        places: list[tuple[int, int, str]] = []
        data = b.build()[len(head) :]
        marks = [(struct.pack("<q", tid), f"t{i}") for i, tid in enumerate(_TIDS)]
        marks.append((struct.pack("<q", _SHELL), "shell"))
        marks.append((_NAME.encode(), "name"))
        marks += [(struct.pack("<Q", start_ns + i * 1_000_000), "ts") for i in range(self.n_events)]
        for mark, what in marks:
            at = data.find(mark)
            while at >= 0:
                places.append((at, len(mark), what))
                at = data.find(mark, at + len(mark))
        pieces, self.order, done = [], [], 0
        for at, size, what in sorted(places):
            pieces.append(data[done:at].replace(b"%", b"%%") + b"%b")
            self.order.append(what)
            done = at + size
        self.form = b"".join(pieces) + data[done:].replace(b"%", b"%%")

    def fill(self, n: int, ts_ns: int) -> bytes:
        """Return the bytes of the n-th lives."""
        first = n * N_TOGETHER
        values = {
            "ts": struct.pack("<Q", ts_ns),
            "shell": struct.pack("<q", 1000 + n % N_SHELLS),
            "name": b"%010d" % n,
        }
        for i in range(N_TOGETHER):
            values[f"t{i}"] = struct.pack("<q", FIRST_TID + (first + i) % N_TIDS)
        return self.form % tuple([values[what] for what in self.order])


def stream(target: BinaryIO, n_events: int, sent: list[int]) -> None:
    """Write a capture of at least so many events; `sent` holds how many were."""
    shells = Builder()
    for i in range(N_SHELLS):
        shells.add_process(1000 + i, "bash", ptid=1)
    target.write(shells.build())
    usual, lost = Template(ends=True), Template(ends=False)
    ts_ns, n = shells.now_ns, 0
    while sent[0] < n_events:
        pieces = []
        for _ in range(50):
            template = lost if n % 25 == 0 else usual  # one of a hundred processes
            pieces.append(template.fill(n, ts_ns))
            sent[0] += template.n_events
            ts_ns += STEP_NS
            n += 1
        target.write(b"".join(pieces))


def resident_kb(pid: int) -> int:
    """Return the resident memory of a process of ours."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def measure(n_events: int, rules: list[Path]) -> dict[str, Any]:
    """Run the stream and return its figures."""
    command = [sys.executable, "-m", "rulekit", "run", "-e", "-"]
    for path in rules:
        command += ["-r", str(path)]
    sent = [0]
    samples: list[list[float]] = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        writer = threading.Thread(target=stream, args=(process.stdin, n_events, sent), daemon=True)
        started = time.monotonic()
        writer.start()
        while writer.is_alive():
            writer.join(1.0)
            elapsed_s = round(time.monotonic() - started, 1)
            samples.append([elapsed_s, sent[0], resident_kb(process.pid)])
        output, messages = process.communicate()
    settled = [kb for _, sent_so_far, kb in samples if sent_so_far > n_events / 10] or [0]
    return {
        "events": sent[0],
        "exit_code": process.returncode,
        "alerts": output.count(b"\n"),
        "messages": messages.decode().splitlines(),
        "elapsed_s": round(time.monotonic() - started, 1),
        "rss_kb_after_a_tenth": {"least": min(settled), "most": max(settled)},
        "seconds_events_rss_kb": samples[:: max(1, len(samples) // 60)],
    }


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000_000)
    parser.add_argument("--rules", type=Path, nargs="+", default=[])
    parser.add_argument("--record", action="store_true", help="keep the result in record/")
    args = parser.parse_args()
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(RULE)
        file.flush()
        result = measure(args.events, [Path(file.name), *(p.resolve() for p in args.rules)])
    result["rules"] = ["one that never matches", *(f"{p.parent.name}/{p.name}" for p in args.rules)]
    print(json.dumps(result, indent=2))
    if args.record:
        print(record("endless", result), file=sys.stderr)
    return 0 if result["exit_code"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
