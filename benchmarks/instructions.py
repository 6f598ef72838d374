"""Instructions per event of the loop over events, by callgrind.

python benchmarks/instructions.py CAPTURE [--stable RULES.yaml] [--all RULES.yaml ...] [--record]
    [--repeats 10]

The capture is read once, caches cold at the start; what is done before the first event, the state
of the start of the capture among it, is not counted. Nothing is taken off for filling caches. With
`--repeats N` there is a second figure: of the capture with its events N times, less that of the
capture as it is, so that what is done once falls out.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.against_sysdig import repeat_events
from benchmarks.counted import available, per_event, toolchain
from benchmarks.machine import record


def main() -> int:
    """Count, print, record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("--stable", type=Path, nargs="*", default=[])
    parser.add_argument("--all", type=Path, nargs="*", default=[])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    if not available():
        print("valgrind is not installed")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder, "capture.scap")
        data = given.capture.read_bytes()
        plain.write_bytes(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
        often = Path(folder, "often.scap")
        repeat_events(plain, often, given.repeats)
        found, further = {}, {}
        works: list[tuple[str, str, list[Path]]] = [("decode + state", "never", [])]
        works += [("stable rules", "rules", given.stable), ("all rules", "rules", given.all)]
        for name, work, rules in works:
            if work == "rules" and not rules:
                continue
            once = per_event(work, plain, rules)
            found[name] = round(once, 1)
            if given.repeats > 1:
                many = per_event(work, often, rules) * given.repeats
                further[name] = round((many - once) / (given.repeats - 1), 1)
    result: dict[str, Any] = {
        "capture": given.capture.name,
        "toolchain": toolchain(),
        "per_event": found,
    }
    if further:
        result |= {"repeats": given.repeats, "per_further_event": further}
    print(json.dumps(result, indent=2))
    if given.record:
        print(record("instructions", result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
