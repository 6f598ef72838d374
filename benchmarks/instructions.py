"""Instructions per event of the loop over events, by callgrind.

python benchmarks/instructions.py CAPTURE [--stable RULES.yaml] [--all RULES.yaml ...] [--record]

The capture is read once, caches cold at the start; what is done before the first event, the state
of the start of the capture among it, is not counted. Nothing is taken off for filling caches, so
the figures are at most what differencing two lengths of the capture would give.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.counted import available, per_event, toolchain
from benchmarks.machine import record


def main() -> int:
    """Count, print, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("--stable", type=Path, nargs="*", default=[])
    parser.add_argument("--all", type=Path, nargs="*", default=[])
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    if not available():
        print("valgrind is not installed")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "capture.scap")
        data = given.capture.read_bytes()
        plain.write_bytes(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
        found = {"decode + state": per_event("never", plain, [])}
        for name, rules in (("stable rules", given.stable), ("all rules", given.all)):
            if rules:
                found[name] = per_event("rules", plain, rules)
    found = {name: round(count, 1) for name, count in found.items()}
    result = {"capture": given.capture.name, "toolchain": toolchain(), "per_event": found}
    print(json.dumps(result, indent=2))
    if given.record:
        print(record("instructions", result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
