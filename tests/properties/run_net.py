"""The correctness net, in numbers: reference, compiled, compiled without caches, caches dropped.

python tests/properties/run_net.py [--pairs 1000000] [--captures FOLDER] [--record]

Random rules meet random events of a few threads whose processes change (the strategies of
`conditions.py`, drawn by hypothesis, combined at random from its seed); every (rule, event) pair is
answered by the plain evaluator of unoptimised conditions and by three matchers. Then the upstream
rules run over every capture of a folder with caches, without, and with caches that are dropped all
the time. Exit 1 at a difference.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.machine import record
from rulekit._fastmatch import Matcher
from rulekit.compiler import compile
from rulekit.compiler.program import compile_ruleset
from rulekit.compiler.reference import evaluate
from rulekit.errors import SourceError
from rulekit.rules.loader import load_files
from rulekit.testing._probe import Probe, replay
from tests.properties import conditions as c

FIELDS = c.PROCESS_FIELDS + c.EVENT_FIELDS + c.TYPE_FIELDS
EVENTS = 150  # per example
THREADS = (None, 10, 11, 12, 13)


class Net:
    """Counts what was compared and what differed."""

    def __init__(self) -> None:
        self.pairs = self.matches = self.examples = 0
        self.differences: list[str] = []

    def example(self, rules: list[Any], processes: list[Any], values: list[Any], at: int) -> None:
        """Compare all answers for one sequence of events."""
        rng = random.Random(at)
        program = compile_ruleset([(f"r{i}", rule, None) for i, rule in enumerate(rules)])
        probes = {
            "caches": Probe(program),
            "no caches": Probe(program, caches=False),
            "dropped caches": Probe(program, max_cache_bytes=400),
        }
        self.examples += 1
        now: dict[int, tuple[int, int]] = {}
        slots = sorted(c.SLOTS)
        for number in range(1, EVENTS + 1):
            slot, thread = rng.choice(slots), rng.choice(THREADS)
            event = dict(rng.choice(values))
            kinds = zip(c.TYPE_FIELDS, c.SLOTS[slot], strict=True)
            event |= {key: value for key, value in kinds if value is not None}
            if thread is None:
                event |= rng.choice(processes)
            else:
                # A thread shows other values only under another version.
                if thread not in now or rng.random() < 0.15:
                    now[thread] = rng.randrange(len(processes)), number
                event |= processes[now[thread][0]]
            want = [
                i
                for i, rule in enumerate(rules)
                if evaluate(rule, lambda f, v=event: v.get((f.field.name, f.index, f.key)))
            ]
            self.pairs += len(rules)
            self.matches += len(want)
            version = 0 if thread is None else now[thread][1]
            interned = rng.random() < 0.5
            for name, probe in probes.items():
                got = probe.match(slot, event, tid=thread, version=version, interned=interned)
                if got != want and len(self.differences) < 20:
                    self.differences.append(f"{name}: {got} for {want}: {rules!r} {event!r}")


def generated(pairs: int, start: int) -> Net:
    """Compare at least so many pairs."""
    net = Net()
    while net.pairs < pairs and not net.differences:

        @seed(start + net.examples)
        @settings(
            max_examples=50,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(
            rules=st.lists(c.conditions(FIELDS), min_size=8, max_size=24),
            processes=st.lists(c.values(c.PROCESS_FIELDS), min_size=3, max_size=6),
            values=st.lists(c.values(c.EVENT_FIELDS), min_size=6, max_size=16),
            at=st.integers(0, 2**32),
        )
        def run(rules: Any, processes: Any, values: Any, at: int) -> None:
            net.example(rules, processes, values, at)

        run()
    return net


def captures(folder: Path, rules: list[Path]) -> list[dict[str, Any]]:
    """Return events, matches and differences of every capture below a folder."""
    program = compile(load_files(rules).require())
    found = []
    for path in sorted(p for p in folder.rglob("*.scap*") if p.suffix != ".jsonl"):
        ways = [
            Matcher(program),
            Matcher(program, caches=False),
            Matcher(program, max_cache_bytes=20_000),
        ]
        try:
            (cached, plain, forgetful), headers, _ = replay(path, ways)
        except SourceError as error:
            found.append({"capture": path.name, "unreadable": str(error).split(": ", 1)[-1]})
            continue
        wrong = len(set(plain) ^ set(cached)) + len(set(plain) ^ set(forgetful))
        row = {"capture": path.name, "events": headers, "matches": len(plain), "differences": wrong}
        found.append(row)
        print(row, flush=True)
    return found


def main() -> int:
    """Compare, print, record; 1 at a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shared", type=Path, help="reference material: rules and captures")
    parser.add_argument("--record", action="store_true")
    given_ = parser.parse_args()
    started = time.process_time()
    net = generated(given_.pairs, given_.seed)
    result: dict[str, Any] = {
        "pairs": net.pairs,
        "matches": net.matches,
        "examples": net.examples,
        "ways": ["reference", "caches", "no caches", "dropped caches"],
        "differences": len(net.differences),
        "seed": given_.seed,
    }
    print(result, flush=True)
    for difference in net.differences:
        print(difference)
    wrong = bool(net.differences)
    if given_.shared is not None:
        upstream = given_.shared / "rules/upstream"
        names = ("falco", "falco-incubating", "falco-sandbox")
        rules = [upstream / f"{name}_rules.yaml" for name in names]
        result["captures"] = captures(given_.shared / "captures", rules)
        wrong |= any(row.get("differences") for row in result["captures"])
    result["cpu_s"] = round(time.process_time() - started, 1)
    if given_.record:
        print(record("net", result))
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
