"""What rule files of sizes that nobody writes by hand cost: CPU, memory, or what refuses them.

python benchmarks/bad_input.py [--only NAME] [--record]

Each file is loaded and compiled by a process of its own, whose CPU time and peak memory count.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import ROOT, record

CHILD = """
import json, resource, sys, time
started = time.process_time()
from rulekit.engine.pipeline import Engine
from rulekit.errors import RuleError
from rulekit.rules.loader import load_files
outcome = "runs"
try:
    ruleset = load_files(sys.argv[1:]).require()
    loaded = time.process_time()
    engine = Engine(ruleset)
except RuleError as error:
    loaded = time.process_time()
    outcome = str(error)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
total = time.process_time() - started
print(json.dumps({"outcome": outcome, "load_cpu_s": round(loaded - started, 2),
                  "cpu_s": round(total, 2), "peak_mb": peak}))
"""


def rule(condition: str, name: str = "r") -> str:
    """Return a rule as text of a rule file."""
    return (
        f"- rule: {name}\n  desc: d\n  condition: {condition}\n"
        "  output: 'a file %fd.name by %proc.name'\n  priority: INFO\n"
    )


def many_rules(count: int) -> Iterator[str]:
    """Yield rules that differ in the values they look for."""
    for i in range(count):
        yield rule(
            f"evt.type in (open, openat) and proc.name in (p{i}, q{i % 977}) and "
            f"not fd.name startswith /var/lib/{i % 4999}/ and fd.num > {i % 31}",
            f"rule {i}",
        )


def list_of(count: int) -> Iterator[str]:
    """Yield a list of paths and a rule that looks into it."""
    rng = random.Random(count)
    yield "- list: paths\n  items:\n"
    for _ in range(count):
        yield f"    - /x{rng.getrandbits(88):022x}\n"
    yield rule("fd.name in (paths)")


def list_chain() -> Iterator[str]:
    """Yield lists that each name the next one twice: their text doubles while it is put in."""
    for i in range(40):
        yield f"- list: l{i}\n  items: [l{i + 1}, l{i + 1}]\n"
    yield "- list: l40\n  items: [a, b]\n" + rule("proc.name in (l0)")


def macro_chain() -> Iterator[str]:
    """Yield macros that each name the one before twice."""
    yield "- macro: m0\n  condition: proc.name = a\n"
    for i in range(40):
        yield f"- macro: m{i + 1}\n  condition: m{i} or m{i}\n"
    yield rule("m40")


INPUTS: dict[str, Callable[[], Iterator[str]]] = {
    "10,000 small rules": lambda: many_rules(10_000),
    "100,000 small rules": lambda: many_rules(100_000),
    "600,000 small rules, 115 MB": lambda: many_rules(600_000),
    "a list of 10,000 items": lambda: list_of(10_000),
    "a list of 1,000,000 items": lambda: list_of(1_000_000),
    "10,000 items in 300 rules": lambda: iter(
        [
            "- list: names\n  items: [" + ", ".join(f"name{i}" for i in range(10_000)) + "]\n",
            *(rule(f"evt.type = open and proc.name in (names) and fd.num = {i}", f"r{i}")
              for i in range(300)),
        ]
    ),
    "a condition 90 levels deep": lambda: iter(
        [rule("(" * 90 + "proc.name = a" + ")" * 90)]
    ),
    "a condition 1,000 levels deep": lambda: iter(
        [rule("(" * 1_000 + "proc.name = a" + ")" * 1_000)]
    ),
    "a condition of 100,000 levels": lambda: iter(
        [rule("(" * 100_000 + "proc.name = a" + ")" * 100_000)]
    ),
    "a regex that explodes when it is tried": lambda: iter([rule("proc.name regex '(a*)*b'")]),
    "a regex that explodes when it is compiled": lambda: iter(
        [rule("proc.name regex '((((a{1000}){1000}){1000}){1000})'")]
    ),
    "40 lists that double": list_chain,
    "40 macros that double": macro_chain,
}  # fmt: skip


def measure(make: Callable[[], Iterator[str]], folder: Path) -> dict[str, Any]:
    """Return what became of a file, and what that took."""
    path = folder / "rules.yaml"
    with path.open("w") as file:
        file.writelines(make())
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    found: dict[str, Any] = {"mb": round(path.stat().st_size / 1e6, 2), **json.loads(done.stdout)}
    found["outcome"] = found["outcome"].replace(str(folder), "")
    return found


def main() -> int:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="part of the name of an input")
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in INPUTS.items():
            if given.only is None or given.only in name:
                results[name] = measure(make, Path(folder))
                print(name, json.dumps(results[name]), flush=True)
    if given.record:
        print(record("bad-input", {"inputs": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
