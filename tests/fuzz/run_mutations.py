"""Runs rules over damaged captures; any end but alerts or a SourceError is a defect.

python tests/fuzz/run_mutations.py CAPTURE FIRST COUNT

The rule matches every event and prints every field, so that each extractor meets the damage. The
seed is written before each run: a crash names its input.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from mutate import block_starts, mutate, plain

from rulekit.engine.pipeline import Engine
from rulekit.errors import SourceError
from rulekit.formats.json import JsonFormatter
from rulekit.rules.loader import load_files
from rulekit.schema.fields import current_fields

LIMIT_S = 20.0
LIMIT_MB = 1500


def every_field() -> str:
    """Return a rules file with one rule that prints every field of system calls."""
    names = []
    for field in current_fields("syscall"):
        if field.restrictions & {"filter_only", "hidden"} or field.cls in ("json", "jevt"):
            continue
        if field.arg == "none":
            names.append(field.name)
        elif field.arg == "optional":
            names += [field.name, f"{field.name}[1]"]
    names += ["evt.arg[0]", "evt.arg.flags", "evt.arg.data", "evt.rawarg.res", "proc.env[HOME]"]
    output = " ".join(f"%{name}" for name in names)
    return (
        "- rule: everything\n  desc: Matches every event.\n  condition: evt.type exists\n"
        f"  output: '{output}'\n  priority: DEBUG\n"
    )


def main() -> int:
    """Run `COUNT` seeds from `FIRST` on."""
    capture, first, count = sys.argv[1:4]
    data = plain(Path(capture))
    starts = block_starts(data)
    formatter = JsonFormatter()
    ends = {"read": 0, "refused": 0}
    with tempfile.NamedTemporaryFile(suffix=".scap") as file:
        Path(file.name).write_text(every_field())
        engine = Engine(load_files([Path(file.name)]).require())
        for seed in range(int(first), int(first) + int(count)):
            print(f"seed {seed}", file=sys.stderr, flush=True)
            Path(file.name).write_bytes(mutate(data, starts, seed))
            started = time.monotonic()
            try:
                for alert in engine.run(file.name):
                    formatter.format(alert)
                ends["read"] += 1
            except SourceError:
                ends["refused"] += 1
            if time.monotonic() - started > LIMIT_S:
                print(f"seed {seed} took longer than {LIMIT_S} s")
                return 1
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{ends['read']} read to the end, {ends['refused']} refused, {peak_mb:.0f} MB at most")
    return 0 if peak_mb < LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
