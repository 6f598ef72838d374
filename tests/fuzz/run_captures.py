"""Fuzzes the reader of captures, the state, every field and a broad ruleset.

python tests/fuzz/run_captures.py --seconds 3600 --folder DIR [CAPTURE ...]

Any end of a damaged capture but events or a SourceError is a finding: a crash, a report of a
sanitizer, another exception, ten seconds of CPU, a gigabyte, an answer that depends on caches or on
where the chunks of the stream end. One process at a time does the work; when it dies, its input is
kept in ``DIR/findings`` and the next one goes on. What reaches new code is kept in ``DIR/inputs``
if the extensions were built for it:

    CFLAGS=-fsanitize-coverage=trace-pc RULEKIT_SANITIZE=1 python setup.py build_ext --inplace

``DIR/log.jsonl`` gets a line per process: executions, CPU seconds, peak memory.
"""

from __future__ import annotations

import argparse
import ctypes
import gzip
import hashlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(ROOT))

LIMIT_S = 10
LIMIT_MB = 1500
ROUND_S = 300  # CPU seconds of one process
LONGEST = 400_000
SANITIZERS = {
    # Leaks are Python's. Allocations that lies ask for fail, as on a small machine.
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=1024"
    f":quarantine_size_mb=32:hard_rss_limit_mb={LIMIT_MB}:abort_on_error=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:abort_on_error=1",
    "PYTHONMALLOC": "malloc",
}


class Pieces:
    """A stream in chunks of given sizes; each has memory of its own that ends where it ends."""

    path = "<fuzz>"
    cut = False

    def __init__(self, data: bytes, sizes: Iterator[int]) -> None:
        self._data = data
        self._sizes = sizes
        self._at = 0

    def next_chunk(self) -> memoryview | None:
        piece = self._data[self._at : self._at + next(self._sizes)]
        self._at += len(piece)
        if not piece:
            return None
        return memoryview((ctypes.c_char * len(piece)).from_buffer_copy(piece)).cast("B")

    def close(self) -> None:
        pass


class Target:
    """Runs inputs; raises what they bring to light."""

    def __init__(self) -> None:
        import rulekit.capture._reader as reader
        from rulekit.compiler import compile
        from rulekit.compiler.program import compile_ruleset
        from rulekit.engine.alerts import compile_output
        from rulekit.engine.pipeline import bind
        from rulekit.errors import RuleError
        from rulekit.rules.loader import load_files

        self.reader = reader
        self.open_chunks = reader.open_chunks
        files = sorted((ROOT / "rulesets").glob("*/rules.yaml"))
        ruleset = load_files(files).require()
        self.programs = [compile([r for r in ruleset.rules if r.source == "syscall"])]
        conditions = []
        for text in broad_conditions():
            try:
                conditions.append((text, bind(text), None))
            except RuleError:
                continue
        assert len(conditions) > 100, conditions
        self.programs.append(compile_ruleset(conditions))
        names = field_names()
        self.output = compile_output(" ".join(f"%{n}" for n in names))
        self.pieces = [compile_output(f"%{n}") for n in names]

    def run(self, data: bytes, seed: int) -> str:
        """Examine one input; return how it ended."""
        chance = random.Random(seed)
        limits = chance.choice(((0, 0), (0, 0), (0, 0), (3, 2), (8, 4)))
        program = chance.choice((0, 0, 0, 1))
        lenient = chance.random() < 0.5
        found = self._once(data, program, lenient, limits, True, self._sizes(chance), chance)
        if chance.random() < 0.15:
            again = self._once(data, program, lenient, limits, False, self._sizes(chance), None)
            assert again == found, f"caches or chunks change the answers: {_first(found, again)}"
        return "refused" if found and isinstance(found[-1], str) else "read"

    def _sizes(self, chance: random.Random) -> Iterator[int]:
        most = chance.choice((1 << 20, 1 << 20, 1 << 16, 4096, 100))
        while True:
            yield most if most > 1 << 16 else chance.randrange(1, most)

    def _once(self, data, program, lenient, limits, caches, sizes, chance):  # type: ignore[no-untyped-def]
        from rulekit._fastmatch import Matcher
        from rulekit.engine._loop import EventLoop
        from rulekit.engine.stats import Stats
        from rulekit.errors import SourceError

        answers: list[object] = []
        compressed = data[:2] == b"\x1f\x8b"
        stream = Pieces(data, sizes)
        self.reader.open_chunks = self.open_chunks if compressed else lambda _: stream
        try:
            reader = self.reader.CaptureReader(io.BytesIO(data), lenient=lenient)
            matcher = Matcher(self.programs[program], caches=caches)
            loop = EventLoop(reader, matcher, *limits)
            rendered = 0
            while (step := loop.next()) is not None:
                if not step:
                    continue
                answers.append((loop.raw, loop.matched()))
                if chance is not None and rendered < 12 and chance.random() < 0.4:
                    rendered += 1
                    if chance.random() < 0.2:
                        loop.render(self.output)
                    else:
                        loop.render_line(self.output, True)
                    loop.render(chance.choice(self.pieces))
            loop.fill(Stats())
        except SourceError as error:
            answers.append(f"{error} {error.offset}" if not compressed else "refused")
        return answers


def _first(a: list[object], b: list[object]) -> object:
    for one, two in zip(a, b, strict=False):
        if one != two:
            return one, two
    return len(a), len(b)


def field_names() -> list[str]:
    """Return every field of system calls, with an argument where one is needed."""
    from rulekit.schema.fields import current_fields

    needed = {"evt.arg": "0", "evt.rawarg": "res", "proc.env": "HOME", "proc.aenv": "PATH"}
    names = []
    for field in current_fields("syscall"):
        if field.restrictions & {"filter_only", "hidden"} or field.cls in ("json", "jevt"):
            continue
        if field.arg != "required":
            names.append(field.name)
        if field.arg == "optional":
            names += [f"{field.name}[1]", f"{field.name}[A]"]
        if field.name in needed:
            names.append(f"{field.name}[{needed[field.name]}]")
    from rulekit.engine.alerts import compile_output
    from rulekit.errors import RuleError

    good = []
    for name in [*names, "evt.arg.flags", "evt.arg.data", "evt.arg[5]", "evt.rawarg.fd"]:
        try:
            compile_output(f"%{name}")
        except RuleError:
            continue
        good.append(name)
    return good


def broad_conditions() -> Iterator[str]:
    """Yield conditions over every field and operator."""
    yield "evt.type exists"  # matches, so that fields are rendered
    for name in field_names():
        yield f"{name} exists"
        yield f"{name} = 1"
        yield f"{name} != a"
        yield f"{name} contains a"
        yield f"{name} in (a, b, 1)"
        yield f"{name} pmatch (/etc, /tmp/*)"
        yield f"{name} regex '.*[a-z]+/.*'"
        yield f"tolower({name}) startswith /"
    for field in ("fd.ip", "fd.net", "fd.port", "fd.proto", "fd.cnet", "fd.snet"):
        yield f"{field} = 10.0.0.0/8"
        yield f"{field} != 80"


class Coverage:
    """Edges of the code; says nothing new where the build cannot tell."""

    def __init__(self) -> None:
        try:
            self._new = ctypes.CDLL(None).rk_new_edges
        except AttributeError:
            self._new = lambda: 0

    def new(self) -> int:
        count: int = self._new()
        return count


def work(given: argparse.Namespace) -> int:
    """Examine inputs until the CPU time is used up."""
    from capture_mutations import everything, mutate, parse, seeds, window

    chance = random.Random(given.seed)
    target = Target()
    coverage = Coverage()
    folder: Path = given.folder
    originals = seeds(given.captures)
    corpus = sorted((folder / "inputs").glob("*"))
    chance.shuffle(corpus)
    pool = [p.read_bytes() for p in corpus[:400]]
    counts = {"read": 0, "refused": 0, "defect": 0, "kept": 0}
    known = {p.stem for p in (folder / "findings").glob("*.txt")}
    current: Path = given.current

    def examine(data: bytes) -> bool:
        """Return whether the input did what none did before."""
        seed = chance.getrandbits(32)
        current.write_bytes(seed.to_bytes(4, "little") + data)
        signal.setitimer(signal.ITIMER_PROF, LIMIT_S)  # its default action ends the process
        try:
            end = target.run(data, seed)
        except Exception as error:
            end = "defect"
            frames = [f"{f.name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
            kind = type(error).__name__ + "|".join(frames[-3:])
            key = hashlib.sha1(kind.encode()).hexdigest()[:12]
            if key not in known:
                known.add(key)
                (folder / "findings" / f"{key}.bin").write_bytes(current.read_bytes())
                text = "".join(traceback.format_exception(error)[-12:])
                (folder / "findings" / f"{key}.txt").write_text(text, "utf-8", "backslashreplace")
        signal.setitimer(signal.ITIMER_PROF, 0)
        counts[end] += 1
        return coverage.new() > 0

    def write(state: str) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        line = {
            "state": state,
            "seed": given.seed,
            "executions": counts["read"] + counts["refused"] + counts["defect"],
            **counts,
            "cpu_s": round(used.ru_utime + used.ru_stime, 1),
            "peak_mb": used.ru_maxrss >> 10,
        }
        given.current.with_suffix(".stats").write_text(json.dumps(line))

    for data in pool[:150]:
        examine(data)
    next_line = 0.0
    while time.process_time() < given.seconds:
        if time.monotonic() > next_line:
            next_line = time.monotonic() + 5
            write("running")
        if pool and chance.random() < 0.5:
            # What came last is the least explored.
            base = parse(pool[-1 - int(len(pool) * chance.random() ** 2)])
        elif chance.random() < 0.3:
            base = parse(everything(chance))
        else:
            base = window(chance.choice(originals), chance, chance.choice((20, 60, 200)))
        other = window(chance.choice(originals), chance, 60)
        data = mutate(base, other, chance)[:LONGEST]
        if chance.random() < 0.02:
            data = gzip.compress(data, 1)
            if chance.random() < 0.7:
                at = chance.randrange(len(data))
                data = data[:at] + chance.randbytes(chance.randrange(9)) + data[at + 4 :]
        if examine(data):
            counts["kept"] += 1
            pool.append(data)
            name = hashlib.sha1(data).hexdigest()[:16]
            (folder / "inputs" / name).write_bytes(data)
    write("done")
    return 0


def preloads(folder: Path) -> str:
    """Return what must be loaded before Python for a sanitized build; nothing for a plain one."""
    build = next((ROOT / "rulekit" / "capture").glob("_blocks*.so"))
    symbols = subprocess.run(["nm", "-D", build], capture_output=True, text=True).stdout
    libraries = []
    for word, library in (("__asan", "libasan.so"), ("__ubsan", "libubsan.so")):
        if word in symbols:
            command = ["gcc", f"-print-file-name={library}"]
            libraries.append(subprocess.run(command, capture_output=True, text=True).stdout.strip())
    if "__sanitizer_cov_trace_pc" in symbols:
        edges = folder / "coverage.so"
        command = ["gcc", "-O2", "-shared", "-fPIC", "-o", str(edges), str(HERE / "coverage.c")]
        subprocess.run(command, check=True)
        libraries.append(str(edges))
    return " ".join(libraries)


def main() -> int:
    """Run for some CPU time; exit code 1 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="*", type=Path, help="folders of captures to damage")
    parser.add_argument("--seconds", type=float, default=60, help="CPU seconds in all")
    parser.add_argument("--folder", type=Path, help="kept between runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replay", type=Path, nargs="+", help="examine kept inputs only")
    parser.add_argument("--current", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.captures = given.captures or [ROOT / "rulesets" / "captures"]
    if given.replay:
        target = Target()
        for path in given.replay:
            kept = path.read_bytes()
            print(path.name, target.run(kept[4:], int.from_bytes(kept[:4], "little")), flush=True)
        return 0
    if given.folder is None:
        parser.error("--folder is needed")
    if given.current:
        return work(given)
    (given.folder / "inputs").mkdir(parents=True, exist_ok=True)
    (given.folder / "findings").mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    environment = {**os.environ, **SANITIZERS, "LD_PRELOAD": preloads(given.folder.resolve())}
    used, found, executions, seed = 0.0, 0, 0, given.seed
    try:
        while used < given.seconds:
            seed += 1
            current = scratch / "input"
            command = [sys.executable, str(HERE / "run_captures.py"), *map(str, given.captures)]
            command += ["--folder", str(given.folder), "--current", str(current)]
            command += ["--seed", str(seed), "--seconds", str(min(ROUND_S, given.seconds - used))]
            worker = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
            assert worker.stderr is not None
            words = worker.stderr.read()
            _, status, usage = os.wait4(worker.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            worker.returncode = code
            used += usage.ru_utime + usage.ru_stime
            stats = current.with_suffix(".stats")
            line = json.loads(stats.read_text()) if stats.exists() else {}
            stats.unlink(missing_ok=True)
            line |= {
                "exit": code,
                "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
                "cpu_s_total": round(used, 1),
                "peak_mb": usage.ru_maxrss >> 10,
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
            executions += line.get("executions", 0)
            with (given.folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(line) + "\n")
            if code:
                found += 1
                name = given.folder / "findings" / f"crash-{seed}"
                if current.exists():
                    shutil.copyfile(current, name.with_suffix(".bin"))
                name.with_suffix(".txt").write_bytes(f"exit {code}\n".encode() + words[-20000:])
                if found > 20 or not current.exists():
                    break
    finally:
        shutil.rmtree(scratch)
    found += len([p for p in (given.folder / "findings").glob("*.txt") if "crash" not in p.name])
    print(json.dumps({"executions": executions, "findings": found, "cpu_s": round(used, 1)}))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
