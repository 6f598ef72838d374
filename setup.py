"""Build of the extension modules and of the probe of the live source; everything else about the
package is in pyproject.toml. Without clang the probe is left out, and the live source says so.

RULEKIT_SANITIZE=1            address and undefined-behaviour sanitizers, no optimisation
RULEKIT_PGO=generate|use      profile-guided optimisation (profiles live in build/pgo)
"""

import gc
import os
import runpy
from pathlib import Path

from Cython.Build import cythonize
from Cython.Compiler import Options
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

JOBS = os.cpu_count() or 1
ROOT = Path(__file__).parent.resolve()
SANITIZE = os.environ.get("RULEKIT_SANITIZE") == "1"
PGO = os.environ.get("RULEKIT_PGO", "")
if PGO not in ("", "generate", "use"):
    raise SystemExit(f"RULEKIT_PGO={PGO}: say generate or use")
if PGO and SANITIZE:
    raise SystemExit("RULEKIT_PGO and RULEKIT_SANITIZE do not go together")

HOT_ARGS = ["-O3"]  # the others: -Og, which compiles in two thirds of the time of -O1
compile_args = ["-Og", "-g0", "-fno-strict-aliasing", "-Wno-unused-function"]
compile_args += ["-Wno-unused-variable", "-Wno-sign-compare"]
link_args: list[str] = []
if SANITIZE:
    flags = ["-fsanitize=address,undefined", "-fno-sanitize=alignment", "-fno-omit-frame-pointer"]
    compile_args = ["-O1", "-g", "-fno-strict-aliasing", "-Wno-sign-compare", *flags]
    link_args = list(flags)
    HOT_ARGS = []
if PGO:
    profiles = ROOT / "build" / "pgo"
    flags = [f"-fprofile-{PGO}={profiles}", "-fprofile-update=atomic"]
    if PGO == "use":
        flags = [f"-fprofile-use={profiles}", "-fprofile-partial-training", "-Wno-missing-profile"]
    compile_args += flags
    link_args += flags

# A first installation waits for these modules to be translated and compiled: nothing goes into the
# C that nobody reads, and only those that every event passes are optimised to the limit.
Options.emit_code_comments = False

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "embedsignature": False,
    "binding": False,
    "auto_pickle": False,
}


def is_hot(path: Path) -> bool:
    """Whether a module says in its first line that every event passes there."""
    with path.open(encoding="utf-8") as file:
        return file.readline().startswith("# hot:")


extensions = [
    Extension(
        ".".join(path.relative_to(ROOT).with_suffix("").parts),
        [str(path.relative_to(ROOT))],
        extra_compile_args=[*compile_args, *(HOT_ARGS if is_hot(path) else [])],
        extra_link_args=link_args,
    )
    # The largest first: the last to be compiled are then small, and no processor idles.
    for path in sorted((ROOT / "rulekit").rglob("*.pyx"), key=lambda p: -p.stat().st_size)
]

PROBE = Path("rulekit", "sources", "ebpf", "probe")


class BuildExt(build_ext):
    """Translates the modules, compiles them, then builds the probe.

    Modules `_probe` let tests look inside; only a build in place, for development, has them.
    """

    def run(self) -> None:
        """Build everything into the place of the extensions."""
        if not self.inplace:
            self.extensions = [e for e in self.extensions if not e.name.endswith("._probe")]
        # Here, because each step of an installation runs this file and only one of them builds.
        # A quarter of the time of a translation would go into looking for garbage.
        gc.set_threshold(100_000, 50, 50)
        translated = cythonize(self.extensions, nthreads=JOBS, compiler_directives=DIRECTIVES)
        for extension, made in zip(self.extensions, translated, strict=True):
            extension.sources = made.sources
        super().run()
        build = runpy.run_path(str(ROOT / PROBE / "build.py"))["build"]
        target = ROOT if self.inplace else Path(self.build_lib)
        if not build(target / PROBE / "probe.bpf.o"):
            print("no clang or llvm-strip: rulekit is built without its eBPF probe")


setup(
    cmdclass={"build_ext": BuildExt},
    # The rulesets stand at the top of the repository, where people look for them, and travel
    # inside the package, where the installed command finds them.
    packages=[*find_packages(include=["rulekit", "rulekit.*"]), "rulekit._rulesets"],
    package_dir={"rulekit._rulesets": "rulesets"},
    ext_modules=extensions,
    options={"build_ext": {"parallel": JOBS}},
)
