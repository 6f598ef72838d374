"""One piece of work in a process of its own: what the benchmarks time and count.

python benchmarks/work.py WORK CAPTURE [RULES.yaml ...]

WORK is `walk` (headers and inflating only), `never` or `always` (one condition that holds for no
event, for each), or `rules`, which may be one file of `rulekit compile`. Prints JSON: event
headers read, matches, CPU time of the loop, peak of resident memory.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rulekit._fastmatch import Matcher
from rulekit.capture._reader import CaptureReader, time_decode
from rulekit.engine._loop import EventLoop
from rulekit.engine.compiled import is_compiled, load_compiled
from rulekit.engine.pipeline import Engine, bind

NEVER = "proc.name = nosuch_zzz or fd.name = /nosuch_zzz"
ALWAYS = "evt.num > 0"


def resident_mb(what: str) -> float:
    """Return resident memory, or its peak; that of getrusage begins with the parent's."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition(f"{what}:")[2].split()[0]) / 1024


def main(work: str, capture: str, rules: list[Path]) -> dict[str, float]:
    """Do the work and return the figures."""
    if work not in ("walk", "never", "always", "rules"):
        raise SystemExit(f"{work}: no such work")
    matcher = None
    started = time.perf_counter()
    if work == "rules":
        if is_compiled(rules[0]):
            program = load_compiled(rules[0]).program
        else:
            from rulekit.rules.loader import load_files

            program = Engine(load_files(rules).require(), all_rules=True).program
        matcher = Matcher(program, first_match=True)
    elif work != "walk":
        from rulekit.compiler.program import compile_ruleset

        condition = NEVER if work == "never" else ALWAYS
        matcher = Matcher(compile_ruleset([(work, bind(condition), None)]))
    compile_s = time.perf_counter() - started
    matches = 0
    cpu = time.process_time()
    if matcher is None:
        events = time_decode(capture)
    else:
        loop = EventLoop(CaptureReader(capture), matcher)
        while (found := loop.next()) is not None:
            matches += found
        events = loop.n_events
    return {
        "events": events,
        "matches": matches,
        "cpu_s": time.process_time() - cpu,
        "compile_s": compile_s,
        "peak_rss_mb": resident_mb("VmHWM"),
        "rss_mb": resident_mb("VmRSS"),
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], [Path(name) for name in sys.argv[3:]])))
