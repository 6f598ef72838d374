"""What a live source needs and does not find: each is told by its own message."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from rulekit.errors import SourceError
from rulekit.sources.ebpf.loader import BTF, read_object
from tests.sources.ebpf.live import require_probe
from tests.waiting import PATIENCE_S

RECORD = [sys.executable, "-m", "rulekit", "record", "-w", "/dev/null", "--", "true"]


def libbpf() -> str:
    """Return where the library lies that the source would open."""
    require_probe()
    with open("/proc/self/maps") as maps:
        (path,) = {line.split()[-1] for line in maps if "/libbpf.so" in line}
    return path


def said(*command: str) -> str:
    """Run `rulekit record` behind a command and return its complaint."""
    done = subprocess.run([*command, *RECORD], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def hidden(kind: str, path: str) -> str:
    """Return the complaint when a file or folder is hidden in a mount namespace of its own."""
    hide = {
        "folder": 'mount -t tmpfs none "$0"',
        "file": 'mount --bind /dev/null "$0"',
    }
    script = f'mount --make-rprivate / && {hide[kind]} && exec "$@"'
    return said("unshare", "--mount", "sh", "-c", script, path)


def test_no_library(bpf: None) -> None:
    complaint = hidden("file", libbpf())
    assert "libbpf cannot be used: no libbpf.so.1" in complaint
    assert "apt-get install libbpf1" in complaint


def test_no_types_of_the_kernel(bpf: None) -> None:
    complaint = hidden("folder", str(Path(BTF).parent))
    assert f"{BTF} is missing" in complaint
    assert "CONFIG_DEBUG_INFO_BTF" in complaint


def test_no_probe_in_the_installation(bpf: None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rulekit.sources.ebpf.loader.files", lambda package: Path("/nonexistent"))
        with pytest.raises(SourceError, match="has no probe: it was built without clang"):
            read_object()
    folder = str(files("rulekit.sources.ebpf") / "probe")
    assert "this installation of rulekit has no probe" in hidden("folder", folder)


def test_a_damaged_probe(bpf: None, tmp_path: Path) -> None:
    folder = files("rulekit.sources.ebpf") / "probe"
    damaged = tmp_path / "probe.bpf.o"
    damaged.write_bytes(read_object()[:5000])
    script = 'mount --make-rprivate / && mount --bind "$0" "$1" && shift && exec "$@"'
    complaint = said("unshare", "--mount", "sh", "-c", script, str(damaged),
                     str(folder / "probe.bpf.o"))  # fmt: skip
    assert "the object cannot be opened" in complaint


def test_the_probe_compiles_for_the_other_architecture(tmp_path: Path) -> None:
    from rulekit.sources.ebpf.probe import build

    machine = "x86_64" if platform.machine() == "aarch64" else "aarch64"
    if not build.build(tmp_path / "probe.bpf.o", machine):
        pytest.skip("no clang or llvm-strip")
    assert (tmp_path / "probe.bpf.o").read_bytes()[:4] == b"\x7fELF"
    with pytest.raises(RuntimeError, match="does not know the architecture vax"):
        build.build(tmp_path / "probe.bpf.o", "vax")


def test_no_capability(bpf: None) -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("no setpriv")
    complaint = said(setpriv, "--bounding-set=-bpf,-perfmon,-sys_admin")
    assert "CAP_BPF and CAP_PERFMON are needed" in complaint
    assert "run as root" in complaint


def test_capabilities_that_are_enough(bpf: None, tmp_path: Path) -> None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("no setpriv")
    done = subprocess.run(
        [setpriv, "--bounding-set=-all,+bpf,+perfmon", *RECORD],
        capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    if done.returncode:
        assert "Operation not permitted" in done.stderr
        pytest.skip(f"this kernel wants more: {done.stderr}")
    assert "/dev/null: " in done.stderr
