"""The sdist builds anywhere, the wheel holds what runs and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "rulekit"
SOURCES = ("*.py", "*.pyx", "*.pxd", "*.pxi", "*.pyi", "*.lark", "*.json", "py.typed")


def tree(*patterns: str) -> set[str]:
    """Return the files of the package that fit, relative to the repository."""
    return {str(p.relative_to(ROOT)) for pattern in patterns for p in PACKAGE.rglob(pattern)}


def rulesets() -> set[str]:
    return {
        str(p.relative_to(ROOT / "rulesets")) for p in (ROOT / "rulesets").rglob("*") if p.is_file()
    }


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from the sdist, from a copy without anything built."""
    folder = tmp_path_factory.mktemp("dist")
    copy = folder / "tree"
    ignore = shutil.ignore_patterns(
        ".git", ".venv*", "build", "dist", "*.so", "_*.c", "*.bpf.o", "__pycache__", "*.egg-info",
        ".*_cache",
    )  # fmt: skip
    shutil.copytree(ROOT, copy, ignore=ignore)
    run(sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check",
        "--outdir", folder, copy, cwd=folder)  # fmt: skip
    return folder


@pytest.mark.slow
def test_the_sdist_holds_every_source_and_nothing_generated(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert tree(*SOURCES) <= names
    assert {f"rulesets/{name}" for name in rulesets()} <= names
    assert {"pyproject.toml", "setup.py", "README.md", "LICENSE"} <= names
    made = {name for name in names if name.endswith((".c", ".cpp", ".so", ".o"))}
    made = {name for name in made if not re.match(r"tests/.*\.c$", name)}
    assert made == {"rulekit/sources/ebpf/probe/probe.bpf.c"}
    assert tree("probe/*.h", "probe/build.py") <= names


@pytest.mark.slow
def test_the_wheel_holds_extensions_tables_and_rulesets_but_no_c(dist: Path) -> None:
    (path,) = dist.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
    assert tree(*SOURCES) - tree("probe/build.py") <= names  # that one serves setup.py only
    assert {f"rulekit/_rulesets/{name}" for name in rulesets()} <= names
    built = {name.partition(".")[0] for name in names if name.endswith(".so")}
    probes = tree("_probe.pyx")  # let tests look inside; only builds in place have them
    assert built == {name.removesuffix(".pyx") for name in tree("*.pyx") - probes}
    assert not [name for name in names if name.endswith((".c", ".cpp"))]
    probe = "rulekit/sources/ebpf/probe/probe.bpf.o"
    assert (probe in names) == (shutil.which("clang") is not None)
    assert {name.partition("/")[0] for name in names if "dist-info" not in name} == {"rulekit"}


@pytest.mark.slow
def test_what_the_sdist_builds_installs_into_a_fresh_environment(
    dist: Path, tmp_path: Path
) -> None:
    (path,) = dist.glob("*.whl")  # which was built from the sdist alone
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    bin_ = tmp_path / "venv" / "bin"
    run(bin_ / "python", "-m", "pip", "install", "-q", path, cwd=tmp_path)
    assert run(bin_ / "rulekit", "--version", cwd=tmp_path).stdout.startswith("rulekit ")
    cases = run(bin_ / "rulekit", "test", cwd=tmp_path)
    assert " passed in " in cases.stdout
    assert "failed" not in cases.stdout


def test_runtime_dependencies_stay_few() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.S | re.M)
    assert block is not None
    names = set(re.findall(r'^  "([\w-]+)', block[1], re.M))
    allowed = {"lark", "PyYAML", "google-re2", "msgspec", "tenacity", "tomli"}
    assert names <= allowed  # tomli: before 3.11


def test_the_version_is_written_once() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.search(r'^dynamic = \["version"\]$', text, re.M)
    assert not re.search(r"^version = \"", text, re.M)
