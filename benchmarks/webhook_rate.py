"""How many audit events a second `rulekit k8s webhook` takes from real HTTP clients on 127.0.0.1.

python benchmarks/webhook_rate.py --rules RULES --log AUDIT_LOG [--seconds S] [--record]

Clients post batches of 400 events of the log, as an API server does, over connections that stay
open, and send what is answered with 429 again. The receiver is a process of its own and writes its
alerts to a file, which is synchronised before each answer. At the end the events it counted are
compared with those acknowledged, and its alerts with those of the same rules over the same events.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import urllib3

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import ROOT, record
from rulekit.engine.pipeline import Engine
from rulekit.rules.loader import load_files

BATCH = 400
CLIENTS = 2
HEADERS = {"Content-Type": "application/json"}


def batches(log: Path) -> list[bytes]:
    """Return the log as bodies of an API server."""
    lines = [line for line in log.read_bytes().splitlines() if line]
    head = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
    return [head + b",".join(lines[i : i + BATCH]) + b"]}" for i in range(0, len(lines), BATCH)]


def post(url: str, bodies: list[bytes], ends: float, first: int, sent: Counter[int]) -> None:
    """Post bodies in turn until the time is over; count those acknowledged, and refusals at -1."""
    pool = urllib3.PoolManager(retries=False, timeout=30)
    at = first
    while time.monotonic() < ends:
        response = pool.request("POST", url, body=bodies[at % len(bodies)], headers=HEADERS)
        if response.status == 200:
            sent[at % len(bodies)] += 1
            at += 1
        elif response.status == 429:
            sent[-1] += 1
            time.sleep(0.01)
        else:
            raise RuntimeError(f"answered with {response.status}: {response.data!r}")


def measure(rules: Path, log: Path, seconds: float) -> dict[str, Any]:
    """Return rates and what came of the comparison."""
    bodies = batches(log)
    engine = Engine(load_files([rules]).require(), source="k8s_audit")
    each = [engine.evaluate(body) for body in bodies]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "alerts.jsonl"
        server = subprocess.Popen(
            [sys.executable, "-m", "rulekit", "k8s", "webhook", "-r", rules, "-o", out,
             "--format", "json", "--listen", "127.0.0.1:0"],
            cwd=ROOT, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert server.stderr is not None
        url = ""
        for line in server.stderr:
            found = re.search(r"http://\S+", line)
            if found:
                url = found[0]
                break
        counts: list[Counter[int]] = [Counter() for _ in range(CLIENTS)]
        begun = time.monotonic()
        threads = [
            threading.Thread(target=post, args=(url, bodies, begun + seconds, i, counts[i]))
            for i in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        taken = time.monotonic() - begun
        cpu = _cpu_seconds(server.pid)
        server.send_signal(signal.SIGTERM)
        told = server.stderr.read()
        code = server.wait(60)
        alerts = Counter(json.loads(line)["rule"] for line in out.read_text().splitlines())
    sent: Counter[int] = sum(counts, Counter())
    refused = sent.pop(-1, 0)
    events = sum(each[i].events * n for i, n in sent.items())
    expected: Counter[str] = Counter()
    for i, n in sent.items():
        for alert in each[i].alerts:
            expected[alert.rule] += n
    counted = re.search(r"^\s+events: (\d+)$", told, re.M)
    return {
        "seconds": round(taken, 2),
        "batches": sum(sent.values()),
        "answers_429": refused,
        "events_acknowledged": events,
        "events_counted_by_the_receiver": int(counted[1]) if counted else None,
        "alerts_written": sum(alerts.values()),
        "alerts_equal_those_of_a_run": alerts == expected,
        "exit_code": code,
        "events_per_second": round(events / taken),
        "events_per_cpu_second_of_the_receiver": round(events / cpu),
        "load_average": os.getloadavg()[0],
    }


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure and print; with ``--record`` keep the result; 1 when something was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    result = measure(args.rules, args.log, args.seconds)
    print(json.dumps(result, indent=2))
    if args.record:
        print(record("webhook-rate", result), file=sys.stderr)
    same = result["events_acknowledged"] == result["events_counted_by_the_receiver"]
    return 0 if same and result["alerts_equal_those_of_a_run"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
