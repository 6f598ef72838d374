"""Engines of our own, started when the first test wants them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sources.containers.daemons import Containerd, Daemon, Docker, Missing, Podman, need
from tests.sources.ebpf.conftest import bpf, command, decoy  # noqa: F401 - fixtures

KINDS: dict[str, type[Daemon]] = {"docker": Docker, "podman": Podman, "cri": Containerd}


@pytest.fixture(scope="session")
def engines() -> Iterator[Callable[[str], Daemon]]:
    """Return a function that gives the engine of a kind, or skips the test."""
    running: dict[str, Daemon | str] = {}
    # Not in pytest's own folder: podman refuses paths of over 50 characters.
    folder = Path(tempfile.mkdtemp(prefix="rulekit-"))

    def get(kind: str) -> Daemon:
        if kind not in running:
            try:
                (folder / kind).mkdir()
                running[kind] = KINDS[kind](folder / kind)
            except Missing as missing:
                running[kind] = str(missing)
        found = running[kind]
        if isinstance(found, str):
            need(kind, found)
        assert isinstance(found, Daemon)
        return found

    yield get
    for each in running.values():
        if isinstance(each, Daemon):
            each.end()
    shutil.rmtree(folder, ignore_errors=True)
