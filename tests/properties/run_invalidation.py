"""Takes away, one by one, what makes the matcher forget; each time a test must fail.

python tests/properties/run_invalidation.py [--only TEXT] [--record]

Works on a copy of the tree. A mutant is one place of the code of invalidation changed: a condition
under which something kept counts as current taken out of the matcher, or a line that tells of a
change taken out of the state. Its module is compiled again without optimisation, and the tests of
invalidation run. Exit 1 when a mutant lives. Some ten seconds of CPU per mutant.
"""

# ruff: noqa: E501 - a table
from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.machine import record  # noqa: E402

EVALUATE = "rulekit/_evaluate.pxi"
STATE_TESTS = (
    "tests/state/test_versions.py",
    "tests/state/test_containers.py",
    "tests/test_fastmatch_invalidation.py",
)
MATCHER_TESTS = ("tests/test_fastmatch_invalidation.py", "tests/properties/test_match.py")

# What is taken out of the matcher: text, what stands there instead, which of several places.
MATCHER = [
    ("thread.words_epoch == m.generation and ", "", 1),
    (" and thread.words_version == thread.version", "", 1),
    ("            and thread.ancestry_version == state.ancestry_version\n", "", 1),
    ("            and state.account_version == m.account_version\n            and state.", "            and state.", 1),
    ("and state.container_version == m.container_version ", "", 1),
    (" and context.event_container == NULL):", "):", 1),
    ("if thread == NULL or context.event_container != NULL:", "if thread == NULL:", 1),
    ("state.account_version != m.account_version or ", "", 1),
    (" or state.container_version != m.container_version", "", 1),
    ("        m.generation = new_generation()\n    if thread", "    if thread", 1),
    ("thread.words_epoch == m.generation and ", "", 2),
    (" and thread.words_version == thread.version", "", 2),
    ("if thread.ancestry_version == state.ancestry_version:", "if True:", 1),
    ("chain != 0 and chain == thread.words_chain", "chain != 0", 1),
    ("        h = (h ^ main.version) * 0xD1B54A32D192ED03ULL\n", "        pass\n", 1),
    ("                h = (h ^ by_thread.version) * 0x8CB92BA72F3D8DD7ULL\n", "                pass\n", 1),
    ("                h = (h ^ (<uint64_t> by_main.version << 32)) * 0x9E3779B97F4A7C15ULL\n", "", 1),
    ("0 if by_main == NULL else by_main.version", "0", 1),
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
    ("    if known >> 1 == m.epoch:\n", "    if known >> 1:\n", 1),
]  # fmt: skip

# Lines of the state that tell of a change: all of them are taken out in turn.
TELLS = re.compile(
    r"^ +(?:touch_thread\(state, .*\)|touch_group\(state, .*\)|_touch_members\(state, .*\)"
    r"|state\.(?:ancestry|account|container)_version \+= 1"
    r"|(?:thread|child)\.version = new_version\(state\))$"
)
STATE_FILES = ("_process.pyx", "_threads.pyx", "_containers.pyx", "_update.pyx", "_state.pyx")

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
    for name in STATE_FILES:
        path = f"rulekit/state/{name}"
        text, at = (ROOT / path).read_text("utf-8"), 0
        for number, line in enumerate(text.splitlines(keepends=True), 1):
            if TELLS.match(line.split("  #")[0].rstrip()):
                blank = line[: len(line) - len(line.lstrip())] + "pass\n"
                yield Mutant(path, at, line, blank, path, STATE_TESTS,
                             f"{path}:{number} {line.split('  #')[0].strip()}")  # fmt: skip
            at += len(line)


def lives(mutant: Mutant, tree: Path) -> bool:
    """Return whether all tests pass with a mutant; the tree is as before at the end."""
    path = tree / mutant.file
    before = path.read_text("utf-8")
    name = mutant.module.removesuffix(".pyx").replace("/", ".")
    (library,) = tree.glob(mutant.module.removesuffix(".pyx") + ".cpython*.so")
    kept = library.read_bytes()
    end = mutant.at + len(mutant.old)
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
        command += ["--hypothesis-profile=short", *mutant.tests]
        # One that runs into a loop or a crash is found as well.
        try:
            done = subprocess.run(command, cwd=tree, capture_output=True, timeout=600)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0
    finally:
        path.write_text(before, "utf-8")
        library.write_bytes(kept)


def main() -> int:
    """Try every mutant, print, record; 1 when one lives."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="mutants whose place has this text")
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    chosen = [each for each in mutants() if given.only in each.place]
    living = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        shutil.copytree(
            ROOT, tree, ignore=shutil.ignore_patterns(".git", "build", ".venv*", "docs", "*.c")
        )
        for number, mutant in enumerate(chosen, 1):
            alive = lives(mutant, tree)
            living += [mutant.place] * alive
            word = "LIVES" if alive else "found"
            print(f"{number}/{len(chosen)} {word}: {mutant.place}", flush=True)
    print(f"{len(chosen)} mutants, {len(living)} live")
    if given.record:
        result = {"mutants": len(chosen), "found": len(chosen) - len(living), "live": living,
                  "places": [each.place for each in chosen]}  # fmt: skip
        print(record("invalidation", result))
    return int(bool(living))


if __name__ == "__main__":
    sys.exit(main())
