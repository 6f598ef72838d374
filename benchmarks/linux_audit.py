"""Assembled events a second from logs of Linux audit, with rules, beside ``ausearch``.

    python benchmarks/linux_audit.py RAW.log LAUREL.jsonl -r RULES ... [--times 20] [--rounds 5]
        [--record]

Every log is repeated with later times and other serial numbers, as if its events went on and on.
Times are CPU seconds: of the loop from bytes to alerts, in a process of its own with all rules,
also those that are not enabled; for ``ausearch`` of the whole process, looking for a program that
does not occur. The commands alternate; the best of the rounds counts, for others use this machine
too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import record

_STAMPS = {
    "raw": re.compile(rb"(?<=msg=audit\()(\d+)(\.\d+:)(\d+)(?=\))"),
    "laurel": re.compile(rb'(?<="ID":")(\d+)(\.\d+:)(\d+)(?=")'),
}


def repeat(source: Path, target: Path, kind: str, times: int) -> None:
    """Write a log so many times, each time later than the time before."""
    data = source.read_bytes()
    found = _STAMPS[kind].findall(data)
    span = max(int(f[0]) for f in found) - min(int(f[0]) for f in found) + 10
    serials = max(int(f[2]) for f in found) - min(int(f[2]) for f in found) + 1
    with target.open("wb") as out:
        for i in range(times):

            def later(match: re.Match[bytes], i: int = i) -> bytes:
                seconds, serial = int(match[1]) + i * span, int(match[3]) + i * serials
                return b"%d%s%d" % (seconds, match[2], serial)

            out.write(_STAMPS[kind].sub(later, data))


def work(log: str, rules: list[str]) -> dict[str, float]:
    """Run rules over a log in this process; return what was seen, and CPU seconds."""
    from rulekit._fastmatch import Matcher
    from rulekit.engine._loop import EventLoop
    from rulekit.engine.pipeline import Engine
    from rulekit.rules.loader import load_files
    from rulekit.sources.linux_audit.log import AuditSource

    matcher = None
    if rules:
        engine = Engine(load_files([Path(name) for name in rules]).require(), all_rules=True)
        matcher = Matcher(engine.program, first_match=True)
    source = AuditSource(log)
    started = time.process_time()
    matches = 0
    if matcher is None:
        # Assembly and conversion alone.
        stream = source.open()
        stream.close()
        from rulekit.sources.linux_audit._stream import AuditDecoder

        decoder = AuditDecoder()
        with open(log, "rb") as file:
            while chunk := file.read(256 * 1024):
                decoder.feed(chunk)
        decoder.finish()
        return {"events": decoder.n_events, "matches": 0, "cpu_s": time.process_time() - started}
    loop = EventLoop(source.open(), matcher)
    while (found := loop.next()) is not None:
        matches += found
    cpu_s = time.process_time() - started
    return {"events": source.stats()["events"], "matches": matches, "cpu_s": cpu_s}


def measured(command: list[str]) -> tuple[float, str]:
    """Run a command; return its CPU seconds, user and system, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, done.stdout


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("raw", type=Path)
    parser.add_argument("laurel", type=Path)
    parser.add_argument("-r", "--rules", action="append", default=[])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    results: dict[str, Any] = {"rules": [Path(name).name for name in args.rules], "load": []}
    with tempfile.TemporaryDirectory() as name:
        logs = {kind: Path(name) / kind for kind in ("raw", "laurel")}
        for kind, log in logs.items():
            repeat(getattr(args, kind), log, kind, args.times)
            results[kind] = {"bytes": log.stat().st_size, "cpu_s": [], "assembly_cpu_s": []}
        ausearch = shutil.which("ausearch")
        if ausearch:
            results["ausearch"] = {"cpu_s": []}
        for _ in range(args.rounds):
            results["load"].append(round(os.getloadavg()[0], 1))
            for kind, log in logs.items():
                for rules, key in ((args.rules, "cpu_s"), ([], "assembly_cpu_s")):
                    command = [sys.executable, __file__, "--work", str(log), *rules]
                    found = json.loads(measured(command)[1])
                    results[kind][key].append(round(found["cpu_s"], 4))
                    results[kind]["events"] = found["events"]
                    if rules:
                        results[kind]["matches"] = found["matches"]
            if ausearch:
                command = [ausearch, "-if", str(logs["raw"]), "-x", "/no/such/program"]
                results["ausearch"]["cpu_s"].append(round(measured(command)[0], 4))
    for kind in logs:
        one = results[kind]
        for key, label in (("cpu_s", "events_per_s"), ("assembly_cpu_s", "assembled_per_s")):
            one[label] = round(one["events"] / min(one[key]))
            one[f"{label}_median"] = round(one["events"] / statistics.median(one[key]))
    if "ausearch" in results:
        events = results["raw"]["events"]
        results["ausearch"]["events_per_s"] = round(events / min(results["ausearch"]["cpu_s"]))
        print(f"ausearch: {results['ausearch']['events_per_s']:,} events/s")
    for kind in logs:
        one = results[kind]
        print(
            f"{kind}: {one['events_per_s']:,} events/s with rules,"
            f" {one['assembled_per_s']:,} without; {one['matches']} matches"
        )
    if args.record:
        print(record("linux-audit", results))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        print(json.dumps(work(sys.argv[2], sys.argv[3:])))
    else:
        main()
