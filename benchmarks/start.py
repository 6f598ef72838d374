"""Times from nothing to the first event: import, loading, compiling, compiled before.

python benchmarks/start.py CAPTURE RULES.yaml ... [--many 10000] [--runs 5] [--record]

Each figure is the least CPU time of some fresh processes, after the start of the interpreter.
`import` ends when a capture is opened and one compiled condition saw its first event; `cold`
reads, resolves, checks and compiles the rules, `compile` is its last part; `cached` finds the
program of the same files and makes the engine of it. `many` compiles copies of the rules.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import ROOT, record
from benchmarks.many_rules import many_rules
from rulekit.engine.pipeline import Engine, bind
from rulekit.rules.loader import load_files

FIRST = """
import sys, time
start = time.process_time()
from rulekit.engine.compiled import load_compiled
from rulekit.engine.pipeline import Engine
engine = Engine(load_compiled(sys.argv[1]))
print(next(engine.run(sys.argv[2])).rule, time.process_time() - start)
"""
COLD = """
import sys, time
from rulekit.rules.loader import load_files
from rulekit.engine.pipeline import Engine
import rulekit.compiler.program, rulekit.rules.parser
start = time.process_time()
ruleset = load_files(sys.argv[1:]).require()
loaded = time.process_time()
engine = Engine(ruleset, all_rules=True)
compiled = time.process_time()
print(len(engine.rules), compiled - start, compiled - loaded)
"""
CACHED = """
import sys, time
from pathlib import Path
from rulekit.engine.pipeline import Engine
from rulekit.engine.program_cache import ProgramCache, cache_folder
start = time.process_time()
cache = ProgramCache(sys.argv[1:], "start", cache_folder())
found = cache.find()
if found is None:
    from rulekit.rules.loader import load_files
    engine = Engine(load_files(sys.argv[1:]).require(), all_rules=True)
    cache.keep(engine.compiled())
    print("kept")
else:
    engine = Engine(found)
    print(len(engine.rules), time.process_time() - start)
"""


def least(code: str, arguments: list[str], runs: int, environment: dict[str, str]) -> list[float]:
    """Return the least of each figure that a process prints, over some runs."""
    seen = []
    for _ in range(runs):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True, text=True, cwd=ROOT, env=environment, check=True,
        )  # fmt: skip
        seen.append([float(word) for word in done.stdout.split()[1:]])
    return [min(column) for column in zip(*seen, strict=True)]


def main() -> int:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("rules", type=Path, nargs="+")
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    files = [str(path.resolve()) for path in given.rules]
    result: dict[str, Any] = {"load": round(os.getloadavg()[0], 1), "runs": given.runs}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "RULEKIT_CACHE": str(Path(folder, "cache"))}
        first, rules = Path(folder, "first.rkc"), Path(folder, "first.yaml")
        rules.write_text(
            "- rule: first\n  desc: d\n  condition: evt.num > 0\n  output: o\n  priority: INFO\n"
        )
        assert bind("evt.num > 0")
        Engine(load_files([rules]).require()).compiled().save(first)
        (result["import_to_first_event_s"],) = least(
            FIRST, [str(first), str(given.capture.resolve())], given.runs, environment
        )
        cold, compiling = least(COLD, files, given.runs, environment)
        result |= {"cold_s": cold, "compile_s": compiling}
        least(CACHED.replace('print("kept")', 'print("kept", 0)'), files, 1, environment)
        (result["cached_s"],) = least(CACHED, files, given.runs, environment)
        if given.many:
            many = Path(folder, "many.yaml")
            many.write_text(many_rules(given.rules, given.many), "utf-8")
            runs = min(2, given.runs)
            all_s, compile_s = least(COLD, [str(many)], runs, environment)
            result |= {"many": given.many, "many_cold_s": all_s, "many_compile_s": compile_s}
    result = {k: round(v, 4) if isinstance(v, float) else v for k, v in result.items()}
    print(json.dumps(result, indent=2))
    if given.record:
        print(record("start", result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
