"""Shows that a pass takes constant memory and makes no Python object per event.

python benchmarks/pass_memory.py CAPTURE [--rules FILE ...] [--record]

Counts during one pass: peak of resident memory; live blocks of Python's allocator, looked at
every 131,072 events; and, from the first of these looks on, every call that the interpreter
makes, of Python and of C functions (before it, the matcher is set up). The loop over events does
not hold the interpreter's lock, so it can make an object only by way of such a call: far fewer
calls than events means no object per event.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import record
from rulekit.engine._loop import EventLoop
from rulekit.engine.pipeline import Engine
from rulekit.rules.loader import load_files

# Never true, and looks at every event.
RULE = """\
- rule: never
  desc: Matches nothing.
  condition: proc.name = no-such-program or fd.name = /no/such/file
  output: never
  priority: INFO
"""


def measure(capture: str, rules: list[Path], count_calls: bool) -> dict[str, Any]:
    """Return the figures of one pass."""
    engine = Engine(load_files(rules).require())
    live: list[int] = []
    calls = 0
    uncounted = 0

    def look(loop: EventLoop) -> None:
        nonlocal uncounted
        live.append(sys.getallocatedblocks())
        if count_calls and not uncounted:
            uncounted = loop.n_events
            sys.setprofile(called)

    def called(frame: object, event: str, arg: object) -> None:
        nonlocal calls
        if event in ("call", "c_call"):
            calls += 1

    gc.collect()
    before = sys.getallocatedblocks()
    started = time.perf_counter()
    if count_calls:
        threading.setprofile(called)  # for threads to come: the one that inflates
    try:
        alerts = sum(1 for _ in engine.run(capture, progress=look))
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    elapsed_s = time.perf_counter() - started
    gc.collect()
    after = sys.getallocatedblocks()
    return {
        "events": engine.stats.events,
        "counted_events": engine.stats.events - uncounted,
        "alerts": alerts,
        "elapsed_s": round(elapsed_s, 3),
        "cpu_s": round(engine.stats.cpu_s, 3),
        "calls": calls,
        "live_blocks_before": before,
        "live_blocks_largest": max(live, default=after),
        "live_blocks_after": after,
    }


def main() -> int:
    """Measure, print, and record when asked; 1 when a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("capture")
    parser.add_argument("--rules", type=Path, nargs="*", default=[])
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        never = Path(folder) / "never.yaml"
        never.write_text(RULE)
        rules = args.rules or [never]
        plain = measure(args.capture, rules, count_calls=False)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        counted = measure(args.capture, rules, count_calls=True)
    events, alerts = plain["events"], plain["alerts"]
    result = {
        "capture": Path(args.capture).name,
        "rules": [f"{path.parent.name}/{path.name}" for path in args.rules]
        or ["one rule that never matches"],
        "events": events,
        "alerts": alerts,
        "elapsed_s": plain["elapsed_s"],
        "cpu_s": plain["cpu_s"],
        "events_per_s": round(events / plain["elapsed_s"]),
        "peak_rss_mb": round(peak_mb, 1),
        "live_blocks": {key[12:]: v for key, v in plain.items() if key.startswith("live_blocks_")},
        "interpreter_calls": counted["calls"],
        "interpreter_calls_per_event": round(
            counted["calls"] / max(counted["counted_events"], 1), 5
        ),
    }
    print(json.dumps(result, indent=2))
    if args.record:
        print(record("pass-memory", result))
    grown = plain["live_blocks_largest"] - plain["live_blocks_before"]
    good = peak_mb < 200 and grown < 5000 + 50 * alerts
    good = good and counted["calls"] < events / 100 + 100 * alerts + 2000
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
