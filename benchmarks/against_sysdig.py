"""Ratio of sysdig's time per event to rulekit's, over the same capture in the same run.

    python benchmarks/against_sysdig.py CAPTURE [-r RULES ...] [--whole] [--rounds 5]
        [--record [--name WORK]]

Without rules the work is one rule, ``proc.name = nosuch_zzz or fd.name = /nosuch_zzz``, that never
matches; sysdig always runs that condition as its filter. Both read plain (unzipped) captures on one
thread. Times are CPU seconds (user and system) of the whole process over the capture with its
events ten times, less those over the capture as it is: so start-up falls out. With ``--whole`` they
are those over the capture as it is, less those over the capture that ends with its first event. The
two commands alternate; medians are taken over the rounds.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.machine import record

CONDITION = "proc.name = nosuch_zzz or fd.name = /nosuch_zzz"
EVENT_BLOCKS = frozenset({0x204, 0x208, 0x216, 0x217, 0x221, 0x222, 0x8010ABCD})
REPEATS = 10


def repeat_events(source: Path, target: Path, times: int) -> int:
    """Write a capture whose event blocks follow one another `times` times; return their number.

    No times means the first event only.
    """
    data = source.read_bytes()
    at = first = second = n = 0
    while at + 8 <= len(data):
        block, total = struct.unpack_from("<II", data, at)
        if total < 12 or at + total > len(data):
            raise SystemExit(f"{source}: damaged at offset {at}")
        if block in EVENT_BLOCKS:
            first = first or at
            n += 1
            second = second or at + total
        elif n:
            raise SystemExit(f"{source}: more than one section; give one with a single section")
        at += total
    with target.open("wb") as out:
        out.write(data[:first])
        for _ in range(times):
            out.write(data[first:at])
        if not times:
            out.write(data[first:second])
    return n


def cpu_seconds(command: list[str]) -> float:
    """Run a command; return the CPU time of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(capture: Path, rules: list[str], rounds: int, whole: bool) -> dict[str, object]:
    """Return nanoseconds of CPU per event of both, and their ratio."""
    more, less = (1, 0) if whole else (REPEATS, 1)
    sysdig = shutil.which("sysdig")
    if sysdig is None:
        raise SystemExit("sysdig is not installed")
    with tempfile.TemporaryDirectory() as folder:
        once, often = Path(folder, f"{less}.scap"), Path(folder, f"{more}.scap")
        n = repeat_events(capture, once, less)
        repeat_events(capture, often, more)
        if not rules:
            rule = Path(folder, "never.yaml")
            rule.write_text(
                "- rule: never\n  desc: matches nothing\n  priority: INFO\n  output: x\n"
                f"  condition: {CONDITION}\n"
            )
            rules = [str(rule)]
        ours = [
            sys.executable,
            "-m",
            "rulekit",
            "run",
            *(a for r in rules for a in ("-r", r)),
            "-e",
        ]
        theirs = [sysdig, "-r"]
        found: dict[str, list[float]] = {"rulekit": [], "sysdig": []}
        for _ in range(rounds):
            for name, command, rest in (
                ("rulekit", ours, []),
                ("sysdig", theirs, [CONDITION]),
            ):
                spent = [cpu_seconds([*command, str(path), *rest]) for path in (often, once)]
                found[name].append((spent[0] - spent[1]) / (n * (more - less)) * 1e9)
    ns = {name: statistics.median(values) for name, values in found.items()}
    ratios = [b / a for a, b in zip(found["rulekit"], found["sysdig"], strict=True)]
    return {
        "capture": capture.name,
        "events": n,
        "rules": rules if len(rules) > 1 else [Path(rules[0]).name],
        "ns_per_event": ns,
        "all_ns_per_event": found,
        "ratio": ns["sysdig"] / ns["rulekit"],
        "ratios": ratios,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("-r", "--rules", action="append", default=[])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--name", default="", help="added to the name of the record")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    options = parser.parse_args()
    result = measure(options.capture, options.rules, options.rounds, options.whole)
    if options.record:
        name = f"against-sysdig-{options.name}" if options.name else "against-sysdig"
        print("written to", record(name, result).name)
    if options.format == "json":
        print(json.dumps(result, indent=2))
        return
    ns = result["ns_per_event"]
    assert isinstance(ns, dict)
    print(f"{result['capture']}: {result['events']} events, {options.rounds} rounds")
    print(f"rulekit {ns['rulekit']:.1f} ns/event, sysdig {ns['sysdig']:.1f} ns/event")
    print(f"ratio {result['ratio']:.2f}")


if __name__ == "__main__":
    main()
