"""Rules over a log of Kubernetes audit, beside parsers of JSON that only parse it.

python benchmarks/audit_speed.py --rules RULES --log AUDIT_LOG [--events N] [--runs N] [--record]

The log is replicated until it has so many events, 30 % of them by others than the API server itself
(`system:apiserver`), drawn with a fixed seed. One process, one core; each way is run in turn, and
of the runs of each the one with the least CPU time counts. `matches` runs all rules and counts what
matches, `alerts` also makes the alerts (as `rulekit.Engine.run` yields them). The parsers make one
object of each line and throw it away; those that are not installed are left out.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import record
from rulekit._fastmatch import Matcher
from rulekit.engine.pipeline import Engine, open_loop
from rulekit.rules.loader import load_files

PARSERS = {
    "orjson": ("orjson", "loads"),
    "json": ("json", "loads"),
    "msgspec": ("msgspec.json", "decode"),
    "pysimdjson": ("simdjson", "loads"),
}
OTHERS = 0.3


def mixed(log: Path, events: int) -> list[bytes]:
    """Return lines of a log, `OTHERS` of them not by the API server itself."""
    lines = [line for line in log.read_bytes().splitlines() if line]
    own, others = [], []
    for line in lines:
        user = json.loads(line).get("user", {}).get("username")
        (own if user == "system:apiserver" else others).append(line)
    draw = random.Random(1)
    return [draw.choice(others if draw.random() < OTHERS else own) for _ in range(events)]


def ways(rules: list[Path], lines: list[bytes], log: Path) -> dict[str, Callable[[], int]]:
    """Return what is timed, by name; each returns a count that shows that it worked."""
    engine = Engine(load_files(rules).require(), source="k8s_audit")

    def matches() -> int:
        matcher = Matcher(engine.program, first_match=True)
        loop = open_loop(log, matcher, "k8s_audit")
        found = 0
        while (is_match := loop.next()) is not None:
            found += is_match
        loop.close()
        return found

    def alerts() -> int:
        return sum(1 for _ in engine.run(log))

    def parser(parse: Callable[[bytes], object]) -> Callable[[], int]:
        def run() -> int:
            for line in lines:
                parse(line)
            return len(lines)

        return run

    found: dict[str, Callable[[], int]] = {"matches": matches, "alerts": alerts}
    for name, (module, function) in PARSERS.items():
        try:
            found[name] = parser(getattr(import_module(module), function))
        except ImportError:
            print(f"{name} is not installed: left out", file=sys.stderr)
    return found


def measure(rules: list[Path], log: Path, events: int, runs: int) -> dict[str, Any]:
    """Return events per second of CPU for each way, and as multiples of orjson."""
    lines = mixed(log, events)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.log"
        path.write_bytes(b"\n".join(lines) + b"\n")
        timed = ways(rules, lines, path)
        best: dict[str, float] = {}
        counts: dict[str, int] = {}
        for _ in range(runs):
            for name, way in timed.items():
                begun = time.process_time()
                counts[name] = way()
                taken = time.process_time() - begun
                best[name] = min(best.get(name, taken), taken)
    rates = {name: round(events / taken) for name, taken in best.items()}
    result: dict[str, Any] = {
        "events": events,
        "bytes": sum(map(len, lines)) + len(lines),
        "events_that_match": counts["matches"],
        "events_per_cpu_second": rates,
    }
    if "orjson" in rates:
        result["times_orjson"] = {
            name: round(rate / rates["orjson"], 2) for name, rate in rates.items()
        }
    return result


def main() -> int:
    """Measure and print; with ``--record`` keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rules", type=Path, action="append", required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    result = measure(args.rules, args.log, args.events, args.runs)
    print(json.dumps(result, indent=2))
    if args.record:
        print(record("audit-speed", result), file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
