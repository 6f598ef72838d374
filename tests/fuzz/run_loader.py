"""Fuzzes the loader of rule files and the condition parser.

python tests/fuzz/run_loader.py --seconds 600 --corpus DIR --log FILE [--engine own]
python tests/fuzz/run_loader.py --seconds 600 --corpus DIR --log FILE --sanitized

Guided by coverage where atheris is installed (Linux, CPython), else by blind mutation of the
seeds. With extensions that were built with RULEKIT_SANITIZE=1 it is blind, and a report of a
sanitizer ends it. Findings do not stop the run: each new one is written to ``DIR/findings``, one
input per kind of failure. The log gets a JSON line every 15 seconds, totals of its process:
executions, CPU seconds, peak memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent.parent))

MEMORY_BYTES = 1 << 30

try:
    import atheris
except ImportError:
    atheris = None


class Run:
    """Counts, keeps one input per kind of failure, writes the log."""

    def __init__(self, folder: Path, log: Path, engine: str, slowness: float) -> None:
        self.folder = folder
        self.findings = folder / "findings"
        self.findings.mkdir(parents=True, exist_ok=True)
        self.log = log
        self.engine = engine
        self.slowness = slowness
        self.ends = {"ok": 0, "refused": 0, "defect": 0}
        self.known: set[str] = {path.stem for path in self.findings.iterdir()}
        self.new = 0
        self.next_line = time.monotonic() + 15

    def one(self, data: bytes) -> None:
        """Examine one input; never raises."""
        from loader_target import examine

        # What is not about loading costs as much again, so not every input pays for it.
        more = len(data) % 4 == 0
        try:
            end = examine(data, slowness=self.slowness, more=more)
        except Exception as error:
            end = "defect"
            self.keep(error, data)
        self.ends[end.partition(" ")[0]] += 1
        if time.monotonic() > self.next_line:
            self.next_line = time.monotonic() + 15
            self.write("running")

    def keep(self, error: Exception, data: bytes) -> None:
        """Write the input unless one with the same trace is there."""
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f"{Path(f.filename).name}:{f.name}:{f.lineno}" for f in frames]
        words = str(error) if type(error).__name__ == "Defect" else ""
        kind = "".join(c for c in f"{type(error).__name__} {words[:40]}" if not c.isdigit())
        key = hashlib.sha1((kind + "|".join(ours[-3:])).encode()).hexdigest()[:12]
        if key in self.known or len(self.known) > 500:
            return
        self.known.add(key)
        self.new += 1
        (self.findings / f"{key}.bin").write_bytes(data)
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__)[-14:])
        (self.findings / f"{key}.txt").write_text(text, "utf-8", "backslashreplace")

    def write(self, state: str) -> None:
        """Add a line to the log."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        line = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "pid": os.getpid(),
            "state": state,
            "engine": self.engine,
            "executions": sum(self.ends.values()),
            **self.ends,
            "new_findings": self.new,
            "cpu_s": round(used.ru_utime + used.ru_stime, 1),
            "peak_mb": used.ru_maxrss // 1024,
        }
        with self.log.open("a") as stream:
            stream.write(json.dumps(line) + "\n")


def guided(run: Run, corpus: Path, seconds: int, longest: int) -> None:
    """Let atheris choose the inputs; ends the process."""
    with atheris.instrument_imports(include=["rulekit.rules", "rulekit.text", "rulekit.tools"]):
        import loader_target  # noqa: F401
    import rule_seeds

    words = corpus.parent / "dictionary.txt"
    words.write_text(rule_seeds.dictionary())
    chance = random.Random(time.time_ns())
    pool = [path.read_bytes() for path in sorted(corpus.iterdir())[:3000]]

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        if chance.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        return rule_seeds.mutate(data, chance.choice(pool), chance, most)

    arguments = [
        sys.argv[0],
        str(corpus),
        f"-dict={words}",
        f"-max_total_time={seconds}",
        f"-max_len={longest}",
        "-timeout=60",
        f"-rss_limit_mb={MEMORY_BYTES >> 20}",
        "-print_final_stats=1",
        f"-artifact_prefix={run.findings}/",
        "-verbosity=0",
    ]
    atheris.Setup(arguments, run.one, custom_mutator=mutate)
    atheris.Fuzz()


def blind(run: Run, corpus: Path, seconds: float, longest: int, seed: int) -> None:
    """Mutate seeds, and what became of them, by chance."""
    import rule_seeds

    chance = random.Random(seed)
    pool = [path.read_bytes() for path in sorted(corpus.iterdir())]
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        data = rule_seeds.mutate(chance.choice(pool), chance.choice(pool), chance, longest)
        run.one(data)
        # Damage upon damage, but the undamaged stays in reach.
        if chance.random() < 0.02:
            pool.append(data)


def main() -> int:
    """Run for some time; exit code 1 when something new was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", type=Path, required=True, help="folder to keep between runs")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--engine", choices=("atheris", "own"))
    parser.add_argument("--longest", type=int, default=8192, help="bytes of an input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sanitized", action="store_true", help="as the extensions were built")
    given = parser.parse_args()
    if given.sanitized and "ASAN_OPTIONS" not in os.environ:
        from run_captures import SANITIZERS, preloads

        given.corpus.mkdir(parents=True, exist_ok=True)
        loaded = {**SANITIZERS, "LD_PRELOAD": preloads(given.corpus.resolve())}
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **loaded})
    engine = given.engine or ("own" if given.sanitized or atheris is None else "atheris")
    corpus = given.corpus / "inputs"
    import rule_seeds

    shared = Path(os.environ.get("RULEKIT_SHARED", rule_seeds.ROOT.parent / "shared"))
    rule_seeds.fill(corpus, shared if shared.is_dir() else None)
    # Python objects of a few kilobytes of text: a gigabyte is far more than any input needs.
    # Sanitizers reserve far more, and have a limit of their own.
    if not given.sanitized:
        resource.setrlimit(resource.RLIMIT_AS, (2 * MEMORY_BYTES, 2 * MEMORY_BYTES))
    run = Run(given.corpus, given.log, engine, 4.0)
    if engine == "atheris":
        import atexit

        atexit.register(run.write, "done")
        guided(run, corpus, given.seconds, given.longest)
    else:
        blind(run, corpus, given.seconds, given.longest, given.seed)
        run.write("done")
    print(json.dumps({"engine": engine, **run.ends, "new_findings": run.new}))
    return 1 if run.new else 0


if __name__ == "__main__":
    sys.exit(main())
