"""Takes away, one by one, what makes the matcher forget; each time a test must fail.

python tests/properties/run_invalidation.py [--only TEXT] [--jobs N] [--log FILE] [--record]

Works on copies of the tree. A mutant is one place of the code of invalidation changed: a condition
under which something kept counts as current taken out of the matcher, or a line of the state that
tells of a change, or forgets what was looked up, taken out. Its module is compiled again without
optimisation, and tests run until one fails; the record names it. The tests with a case for each
change come first, the one over random events (`test_lying_events.py`) last. Exit 1 when a mutant
lives. Some ten seconds of CPU per mutant. Mutants that the log of a run broken off knows as found,
in the same code, are not tried again.
"""

# ruff: noqa: E501 - a table
from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.machine import record  # noqa: E402

EVALUATE = "rulekit/_evaluate.pxi"
NET = "tests/properties/test_lying_events.py"
STATE_TESTS = (
    "tests/state/test_versions.py",
    "tests/state/test_cmdline.py",
    "tests/state/test_containers.py",
    "tests/state/test_threads.py",
    "tests/state/test_sockets.py",
    "tests/state/test_files.py",
    NET,
)
MATCHER_TESTS = ("tests/test_fastmatch_invalidation.py", "tests/properties/test_match.py", NET)

# What is taken out of the matcher: text, what stands there instead, which of several places.
MATCHER = [
    ("thread.words_epoch == m.generation and ", "", 1),
    (" and thread.words_version == thread.version", "", 1),
    ("and thread.ancestry_version == state.ancestry_version ", "", 1),
    (" and context.event_container == NULL):", "):", 1),
    ("if thread == NULL or context.event_container != NULL:", "if thread == NULL:", 1),
    ("state.account_version != m.account_version or ", "", 1),
    (" or state.container_version != m.container_version", "", 1),
    ("        m.generation = new_generation()\n    if thread", "    if thread", 1),
    ("thread.words_epoch == m.generation and ", "", 2),
    (" and thread.words_version == thread.version", "", 2),
    ("if thread.ancestry_version == state.ancestry_version:", "if True:", 1),
    ("chain != 0 and chain == thread.words_chain", "chain != 0", 1),
    ("    if main != thread and not _climb(state, &thread, &h):\n        return 0\n", "", 1),
    ("        h = (h ^ main.version) * 0xD1B54A32D192ED03ULL\n", "        pass\n", 1),
    ("            by_thread = by_main\n        elif", "            by_thread = NULL\n        elif", 1),
    ("            by_main = main_thread(by_main)\n", "            pass\n", 1),
    ("    if _unlinked(at[0]):\n        return False\n", "", 1),
    ("        h[0] = (h[0] ^ at[0].version) * 0x8CB92BA72F3D8DD7ULL\n", "", 1),
    ("(0 if main == NULL else main.version)", "0", 1),
    ("if text != NULL and text.facts_version == m.facts_version and text", "if text != NULL and text.facts != NULL and text", 1),
    ("elif text.facts_version == m.facts_version and text.facts[domain]", "elif text.facts != NULL and text.facts[domain]", 1),
    ("            memset(text.facts, 0, N_DOMAINS * sizeof(uint64_t))\n", "", 1),
    ("name != NULL and name.facts_version == m.facts_version and name", "name != NULL and name.facts != NULL and name", 1),
    ("source != NULL and source.facts_version == m.facts_version:", "source != NULL and source.facts != NULL:", 1),
    ("    if operand.seen_version != m.facts_version:\n", "    if operand.seen_version == 0:\n", 1),
    (" and operand.seen[i] == caps", "", 1),
    ("    m.generation = new_generation()\n    m.facts_version = m.generation\n", "    m.facts_version = new_generation()\n", 1),
    ("    m.facts_version = m.generation\n    m.cache", "    m.cache", 1),
    ("    if operand.epoch != m.epoch:\n        operand.epoch", "    if operand.epoch == 0:\n        operand.epoch", 1),
    ("    if operand.facts_epoch != m.epoch:\n", "    if operand.facts_epoch == 0:\n", 1),
    ("        if known >> 1 == m.epoch:\n", "        if known >> 1:\n", 1),
    ("    if known >> 1 == m.epoch:\n", "    if known >> 1:\n", 2),
]  # fmt: skip

# The same conditions once more, in front of the matcher; tried where they are inlined.
FEW_TESTS = ("tests/test_fastmatch_invalidation.py", "tests/properties/test_captures.py")
BEFORE = [
    (" or thread.words_epoch != m.generation", ""),
    ("or thread.words_version != thread.version or thread.ance", "or thread.ance"),
    (" or thread.ancestry_version != state.ancestry_version", ""),
    ("if name == NULL or name.facts_version != m.facts_version:", "if name == NULL or name.facts == NULL:"),
]  # fmt: skip

# What keeps an event from the short way of those that only their thread notices, and what that way
# does all the same.
QUICK_TESTS = ("tests/engine/test_quick.py", NET)
SHORT_WAY = [
    ("lengths & h.form.lengths or ", ""),
    (" or h.params + (sums >> 48) > h.end", ""),
    (" or h.flagged", ""),
    ("if (quick & QUICK_TRANSFER and", "if (False and"),
    (" or thread.enter_type != -1", ""),
    ("            if get_u16(enter.small) != 8:\n                return False\n", ""),
    ("            if lengths >> shift & 0xFFFF != 8:\n                return False\n", ""),
    ("        if lengths & 0xFFFF != 2:\n            return False\n", ""),
    ("        if not enter_joins(enter, tid, h.form):\n            return False\n", ""),
    ("quick & QUICK_NO_NAME != 0", "False"),
    ("GENERIC_BASE + slot if 0 < slot < N_SLOTS - GENERIC_BASE else 1", "GENERIC_BASE + slot if 0 < slot else 1"),
    ("    d.n_headers += 1\n", ""),
    ("    d.n_delivered += 1\n", ""),
    ("        enter.stamp = 0\n", "        pass\n"),
    ("    thread.last_event_fd = num\n", ""),
    ("    thread.last_event_ts = get_u64(h.event)\n", ""),
    ("    ev.ts_ns = thread.last_event_ts\n", ""),
    ("    ev.tid = tid\n", ""),
    ("    ev.raw = d.n_headers\n", ""),
    ("    ev.num = d.n_delivered\n", ""),
    ("not state.attention and ", ""),
]  # fmt: skip

# Texts that others have inlined: their changes, the module to compile, its tests.
INLINED = (
    ("rulekit/_fastmatch.pxd", BEFORE, "rulekit/testing/_probe.pyx", FEW_TESTS),
    ("rulekit/engine/_quick.pxd", SHORT_WAY, "rulekit/engine/_loop.pyx", QUICK_TESTS),
)

# Conditions of the state under which a change is told.
STATE = [
    ("rulekit/state/_state.pyx", "    forget_memo(state)\n", ""),
    ("rulekit/state/_threads.pyx", "(thread.first_child != NULL or -1 <= thread.tid <= 1\n", "(-1 <= thread.tid <= 1\n"),
    ("rulekit/state/_threads.pyx", "(thread.first_child != NULL or -1 <= thread.tid <= 1\n", "(thread.first_child != NULL\n"),
    ("rulekit/state/_threads.pyx", "\n            or (thread.group != NULL and thread.group.n_threads > 1 and is_main(thread))", ""),
    ("rulekit/state/_threads.pyx", "    if is_main(thread):\n        touch_group(state, thread)\n    else:\n        touch_thread(state, thread)\n", "    touch_thread(state, thread)\n"),
    ("rulekit/state/_threads.pyx", "    if main.group != NULL and main.group.n_threads > 1:\n        _touch_members(state, main.group)\n    else:\n        touch_thread(state, main)\n", "    touch_thread(state, main)\n"),
]  # fmt: skip

# Lines of the state that tell of a change or forget what was looked up: all are taken out in turn.
TELLS = re.compile(
    r"^ +(?:touch_thread\(state, .*\)|touch_group\(state, .*\)|_touch_members\(state, .*\)"
    r"|touch_fd\(state, .*\)"
    r"|state\.(?:ancestry|account|container)_version \+= 1"
    r"|(?:thread|child|fd)\.version = new_version\(state\)"
    r"|\w+\.cmdline = NULL|state\.last_thread = NULL|table\.last = NULL)$"
)
STATE_FILES = {
    **{f"rulekit/state/{name}.pyx": f"rulekit/state/{name}.pyx" for name in (
        "_process", "_threads", "_containers", "_update", "_state", "_fds", "_sockets")},
    "rulekit/state/_update.pxd": "rulekit/state/_probe.pyx",  # which has it inlined
}  # fmt: skip

# Far more than the tests of a mutant take, on whatever else the machine is busy with. A loop without
# end uses it up.
CPU_S = 300

BUILD = """
import sys
from Cython.Build import cythonize
from setuptools import Extension, setup
name, path = sys.argv[1:3]
sys.argv[1:] = ["-q", "build_ext", "--inplace"]
setup(packages=[], ext_modules=cythonize(
    [Extension(name, [path], extra_compile_args=["-O0", "-g0", "-w", "-fno-strict-aliasing"])],
    quiet=True, force=True, compiler_directives={
        "language_level": 3, "boundscheck": False, "wraparound": False, "cdivision": True,
        "initializedcheck": False, "embedsignature": False}))
"""


@dataclass(frozen=True)
class Mutant:
    """One change: `new` for `old` from an offset on in a file; the module to compile."""

    file: str
    at: int
    old: str
    new: str
    module: str
    tests: tuple[str, ...]
    place: str


def mutants() -> Iterator[Mutant]:
    """Yield everything that is to be taken out."""
    text = (ROOT / EVALUATE).read_text("utf-8")
    for old, new, nth in MATCHER:
        at = -1
        for _ in range(nth):
            at = text.find(old, at + 1)
            if at < 0:
                raise SystemExit(
                    f"{EVALUATE} changed: no longer has {old!r} ({nth}): mend the list"
                )
        line = text.count("\n", 0, at) + 1
        yield Mutant(EVALUATE, at, old, new, "rulekit/_fastmatch.pyx", MATCHER_TESTS,
                     f"{EVALUATE}:{line} {' '.join(old.split())[:70]}")  # fmt: skip
    for path, changes, module, tests in INLINED:
        text = (ROOT / path).read_text("utf-8")
        for old, new in changes:
            at = text.find(old)
            if at < 0:
                raise SystemExit(f"{path} changed: no longer has {old!r}: mend the list")
            number = text.count("\n", 0, at) + 1
            yield Mutant(path, at, old, new, module, tests,
                         f"{path}:{number} {' '.join(old.split())[:70]}")  # fmt: skip
    for path, old, new in STATE:
        text = (ROOT / path).read_text("utf-8")
        at = text.find(old)
        if at < 0:
            raise SystemExit(f"{path} changed: no longer has {old!r}: mend the list")
        number = text.count("\n", 0, at) + 1
        yield Mutant(path, at, old, new, path, STATE_TESTS,
                     f"{path}:{number} {' '.join(old.split())[:70]} -> {' '.join(new.split())[:50]}")  # fmt: skip
    for path, module in STATE_FILES.items():
        text, at = (ROOT / path).read_text("utf-8"), 0
        for number, words in enumerate(text.splitlines(keepends=True), 1):
            if TELLS.match(words.split("  #")[0].rstrip()):
                blank = words[: len(words) - len(words.lstrip())] + "pass\n"
                yield Mutant(path, at, words, blank, module, STATE_TESTS,
                             f"{path}:{number} {words.split('  #')[0].strip()}")  # fmt: skip
            at += len(words)


FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s[]+)", re.MULTILINE)  # without its parameters


def killer(mutant: Mutant, tree: Path) -> str:
    """Return the test that fails with a mutant, or ""; the tree is as before at the end."""
    path = tree / mutant.file
    before = path.read_text("utf-8")
    name = mutant.module.removesuffix(".pyx").replace("/", ".")
    (library,) = tree.glob(mutant.module.removesuffix(".pyx") + ".cpython*.so")
    kept = library.read_bytes()
    end = mutant.at + len(mutant.old)
    assert before[mutant.at : end] == mutant.old, mutant.place
    try:
        path.write_text(before[: mutant.at] + mutant.new + before[end:], "utf-8")
        built = subprocess.run(
            [sys.executable, "-c", BUILD, name, mutant.module],
            cwd=tree, capture_output=True, text=True,
        )  # fmt: skip
        if built.returncode:
            raise SystemExit(f"{mutant.place}: does not compile\n{built.stderr[-1500:]}")
        if library.read_bytes() == kept:
            raise SystemExit(f"{mutant.place}: nothing was compiled")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += ["-rfE", "--hypothesis-profile=short", *mutant.tests]
        # One that runs into a loop or a crash is found as well.
        done = subprocess.run(
            ["/bin/sh", "-c", f'ulimit -St {CPU_S}; exec "$@"', "sh", *command],
            cwd=tree, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode == -signal.SIGXCPU:
            return "no end"
        if done.returncode < 0:
            return f"signal {-done.returncode}"
        if done.returncode:
            found = FAILED.search(done.stdout)
            return found[1] if found else f"exit code {done.returncode}"
        return ""
    finally:
        path.write_text(before, "utf-8")
        library.write_bytes(kept)


def copy_tree(folder: Path) -> Path:
    """Return a copy of the tree with all that is compiled, and without what takes room."""
    ignored = shutil.ignore_patterns(".git", "build", ".venv*", "docs", "*.c", "__pycache__")
    return Path(shutil.copytree(ROOT, folder, ignore=ignored))


def fingerprint(mutant: Mutant) -> str:
    """Return what tells a mutant from the same place in other code."""
    seen = hashlib.sha256(f"{mutant.at} {mutant.old} {mutant.new}".encode())
    seen.update(Path(ROOT, mutant.file).read_bytes())
    return seen.hexdigest()[:16]


def main() -> int:
    """Try every mutant, print, record; 1 when one lives."""
    # Tests run in copies of the tree, beside which no reference material lies.
    os.environ.setdefault("RULEKIT_SHARED", str(ROOT.parent / "shared"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="mutants whose place has this text")
    parser.add_argument("--jobs", type=int, default=1, help="copies of the tree to work in")
    parser.add_argument("--log", type=Path, help="a line of JSON per mutant; read first if there")
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    chosen = [each for each in mutants() if given.only in each.place]
    known: dict[str, str] = {}
    if given.log and given.log.exists():
        lines = map(json.loads, given.log.read_text("utf-8").splitlines())
        known = {line["is"]: line["test"] for line in lines if line["test"]}
    trees: list[Path] = []
    held = threading.local()
    lock = threading.Lock()

    def examine(mutant: Mutant) -> str:
        key = fingerprint(mutant)
        test = known.get(key)
        if test is None:
            if not hasattr(held, "tree"):
                with lock:
                    held.tree = trees.pop()
            test = killer(mutant, held.tree)
            if given.log:
                with lock, given.log.open("a") as log:
                    log.write(json.dumps({"is": key, "place": mutant.place, "test": test}) + "\n")
        print(f"{test or 'LIVES'} <- {mutant.place}", flush=True)
        return test

    with tempfile.TemporaryDirectory() as folder:
        trees += [copy_tree(Path(folder, f"tree{i}")) for i in range(given.jobs)]
        with ThreadPoolExecutor(given.jobs) as pool:
            tests = list(pool.map(examine, chosen))
    living = [each.place for each, test in zip(chosen, tests, strict=True) if not test]
    tests = [test.split("[")[0] for test in tests]
    by_net = sum(NET in test for test in tests)
    print(f"{len(chosen)} mutants, {len(living)} live, {by_net} found by random events only")
    if given.record:
        result = {"mutants": len(chosen), "found": len(chosen) - len(living), "live": living,
                  "found_by_random_events_only": by_net,
                  "tests": {each.place: test for each, test in zip(chosen, tests, strict=True)}}  # fmt: skip
        print(record("invalidation", result))
    return int(bool(living))


if __name__ == "__main__":
    sys.exit(main())
