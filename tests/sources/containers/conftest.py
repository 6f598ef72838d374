"""Engines of our own, started when the first test wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.sources.containers.daemons import Containerd, Daemon, Docker, Missing, Podman, need
from tests.sources.ebpf.conftest import bpf, command, decoy  # noqa: F401 - fixtures

KINDS: dict[str, type[Daemon]] = {"docker": Docker, "podman": Podman, "cri": Containerd}


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Daemon]]:
    """Return a function that gives the engine of a kind, or skips the test."""
    running: dict[str, Daemon | str] = {}

    def get(kind: str) -> Daemon:
        if kind not in running:
            try:
                running[kind] = KINDS[kind](tmp_path_factory.mktemp(kind))
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
