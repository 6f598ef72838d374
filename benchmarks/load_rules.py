"""Times the loading of rule files in processes that have loaded nothing before.

python benchmarks/load_rules.py [--runs N] [--record] FILE ... [+ FILE ...]

Files are loaded together, in order, by one process; `+` begins another load. Each load runs in
`--runs` fresh interpreters, and its fastest is what counts: other work on the machine only adds
(`load_average` says how much there was; seconds of CPU suffer less of it than those of the clock).
Timed from before the first import of rulekit to the checked ruleset: imports, reading, resolving,
checking. The start of the interpreter itself, 10 to 20 ms, is not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import ROOT, record

CHILD = """
import json, sys, time
wall, cpu = time.perf_counter(), time.process_time()
from rulekit.rules.loader import load_files
result = load_files(sys.argv[1:])
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
rules = len(result.require().rules)
print(json.dumps({"wall_s": wall, "cpu_s": cpu, "rules": rules}))
"""


def measure(files: list[str], runs: int) -> dict[str, Any]:
    """Return the figures of one load."""
    command = [sys.executable, "-c", CHILD, *files]
    seen = []
    for _ in range(runs):
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        if done.returncode:
            raise SystemExit(f"{' '.join(files)}: {done.stderr.strip().splitlines()[-1]}")
        seen.append(json.loads(done.stdout))
    return {
        "files": [Path(name).name for name in files],
        "bytes": sum(Path(name).stat().st_size for name in files),
        "rules": seen[0]["rules"],
        "cpu_s": round(min(run["cpu_s"] for run in seen), 3),
        "wall_s": round(min(run["wall_s"] for run in seen), 3),
        "wall_s_median": round(sorted(run["wall_s"] for run in seen)[runs // 2], 3),
    }


def main() -> int:
    """Measure, print, record when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    loads: list[list[str]] = [[]]
    for name in given.files:
        if name == "+":
            loads.append([])
        else:
            loads[-1].append(str(Path(name).resolve()))
    results = [measure(files, given.runs) for files in loads if files]
    for result in results:
        print(json.dumps(result))
    if given.record:
        busy = {"load_average": round(os.getloadavg()[0], 1)}
        print(record("load-rules", {"runs": given.runs, **busy, "loads": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
