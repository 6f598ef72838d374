"""Fixtures shared by all tests."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no reason to fail: no limit of time per example.
settings.register_profile("default", deadline=None)
settings.register_profile("short", deadline=None, max_examples=20)
settings.register_profile("long", deadline=None, max_examples=1000)
settings.load_profile("default")

# Programs that commands keep are no business of who runs the tests, and stay from run to run.
os.environ.setdefault(
    "RULEKIT_CACHE", os.path.join(tempfile.gettempdir(), f"rulekit-tests-{os.getuid()}")
)

# A shell that starts something in the background lets it ignore Ctrl-C, and so would the commands
# that tests interrupt. (Only a main thread may say so, and only there it matters.)
with contextlib.suppress(ValueError):
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of reference material; skip the test where it is absent."""
    folder = Path(os.environ.get("RULEKIT_SHARED", ROOT.parent / "shared"))
    if not (folder / "reference").is_dir():
        pytest.skip(f"no reference material at {folder} (set RULEKIT_SHARED to name it)")
    return folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Say what several workers (`-n 2 --dist loadgroup`) must leave together.

    The tests of a file share what they build; live tests share engines of containers, the audit of
    the kernel and the bystander that no other may see.
    """
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        file = item.nodeid.partition("::")[0]
        live = file.startswith("tests/sources/") or "bpf" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("live" if live else file))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that writes golden files instead of comparing with them."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the files under tests/golden from what the code gives now; review the diff",
    )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Return a function that compares a text with a file, or writes the file."""
    update = request.config.getoption("--update-golden")

    def compare(path: Path, text: str) -> None:
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8"))
            return
        assert path.exists(), f"no golden file {path.name}: run pytest --update-golden"
        assert text == path.read_bytes().decode("utf-8")

    return compare


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 256 KiB; skips where it cannot be mounted."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        yield folder
    finally:
        os.sync()
        subprocess.run(["umount", "-l", str(folder)], check=True)
