"""What a long `in` list costs: memory per item, time to load, and per event against ten items.

python benchmarks/long_list.py CAPTURE [--items 1000000] [--record]

Per event instructions are counted by callgrind where it is there, else CPU time is taken; both
lists hold only values that no event has. Memory is that of a process that runs a compiled program
with the list, less that of one with ten items: what stays while events are looked at.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.counted import available, per_event
from benchmarks.machine import ROOT, record
from rulekit.engine.pipeline import Engine
from rulekit.rules.loader import load_files

LENGTH = 24  # characters of an item


def rules(count: int) -> str:
    """Return a rules file with a list of that many paths, and a rule that looks into it."""
    rng = random.Random(count)
    items = "".join(
        f"    - /x{rng.getrandbits(4 * (LENGTH - 2)):0{LENGTH - 2}x}\n" for _ in range(count)
    )
    return (
        f"- list: paths\n  items:\n{items}"
        "- rule: in a list\n  desc: d\n  condition: fd.name in (paths)\n"
        "  output: o\n  priority: INFO\n"
    )


def resident_mb(program: Path, capture: Path) -> tuple[float, float]:
    """Return memory at the end and CPU nanoseconds per event of a process that runs a program."""
    work = [sys.executable, str(ROOT / "benchmarks/work.py"), "rules", str(capture), str(program)]
    done = subprocess.run(work, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    return found["rss_mb"], found["cpu_s"] / found["events"] * 1e9


def measure(capture: Path, count: int, folder: Path) -> dict[str, Any]:
    """Return the figures of a list of so many items."""
    path, program = folder / f"{count}.yaml", folder / f"{count}.rkc"
    path.write_text(rules(count))
    started = time.process_time()
    engine = Engine(load_files([path]).require())
    load_s = time.process_time() - started
    engine.compiled().save(program)
    del engine
    peak_mb, ns = resident_mb(program, capture)
    row: dict[str, Any] = {"items": count, "load_cpu_s": round(load_s, 2), "rss_mb": peak_mb}
    row["ns_per_event"] = round(ns, 1)
    if available():
        row["instructions_per_event"] = round(per_event("rules", capture, [program]), 1)
    return row


def main() -> int:
    """Measure, print, record; 1 when a list costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few = measure(given.capture, 10, Path(folder))
        many = measure(given.capture, given.items, Path(folder))
    each = (many["rss_mb"] - few["rss_mb"]) * 1024 * 1024 / given.items
    result = {"capture": given.capture.name, "lists": [few, many], "bytes_per_item": round(each, 1)}
    print(json.dumps(result, indent=2))
    if given.record:
        print(record("long-list", result))
    slower = many.get("instructions_per_event", 0) > 1.03 * few.get("instructions_per_event", 1)
    return int(each >= 100 or slower)


if __name__ == "__main__":
    sys.exit(main())
