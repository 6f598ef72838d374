"""Holds instructions per event to what they were, on a bundled capture.

python benchmarks/gate.py            exit with 1 when more than 3 % from the baseline
python benchmarks/gate.py --update   write the baseline for this toolchain

The rules are `gate_rules.yaml`, so that new bundled rules change nothing here; the events of the
capture follow one another five times, so that what is kept counts as much as making it.

Instructions depend on the compiler: baselines are kept by toolchain, and an unknown one is said
and skipped. So is a machine without valgrind.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.against_sysdig import repeat_events
from benchmarks.counted import available, per_event, toolchain
from benchmarks.machine import ROOT

BASELINE = ROOT / "benchmarks" / "baseline.json"
LIMIT = 0.03
CAPTURE = ROOT / "rulesets/captures/attack-host.scap.gz"
RULES = ROOT / "benchmarks" / "gate_rules.yaml"
REPEATS = 5
WORKS = ("never", "rules")


def verdict(found: dict[str, float], known: dict[str, float]) -> list[str]:
    """Return a line per work that is off its baseline by more than the limit."""
    return [
        f"{work}: {found[work]:.1f} instructions per event, baseline {known[work]:.1f}"
        f" ({found[work] / known[work] - 1:+.1%}, limit {LIMIT:.0%})"
        for work in known
        if abs(found[work] / known[work] - 1) > LIMIT
    ]


def main(update: bool) -> int:
    """Measure and compare, or write the baseline."""
    if not available():
        print("instructions per event: skipped, valgrind is not installed")
        return 0
    key = toolchain()
    baselines = json.loads(BASELINE.read_text("utf-8")) if BASELINE.exists() else {}
    if key not in baselines and not update:
        print(f"instructions per event: skipped, no baseline for this toolchain ({key})")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        plain, capture = Path(folder, "once.scap"), Path(folder, "capture.scap")
        plain.write_bytes(gzip.decompress(CAPTURE.read_bytes()))
        repeat_events(plain, capture, REPEATS)
        found = {
            work: per_event(work, capture, [RULES] if work == "rules" else []) for work in WORKS
        }
    for work, count in found.items():
        print(f"instructions per event: {work} {count:.1f}")
    if update:
        baselines[key] = {work: round(count, 1) for work, count in found.items()}
        BASELINE.write_text(json.dumps(baselines, indent=2, sort_keys=True) + "\n", "utf-8")
        return 0
    wrong = verdict(found, baselines[key])
    print("\n".join(wrong) or f"within {LIMIT:.0%} of the baseline")
    if wrong:
        print("if this is meant, run: python benchmarks/gate.py --update, and commit the baseline")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main("--update" in sys.argv[1:]))
