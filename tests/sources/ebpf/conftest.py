"""Workloads under the probe: each in a pid namespace of its own, which is all that is watched.

Beside every workload runs a decoy outside the scope; whatever a test recorded must not know it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sources.ebpf.live import Command, Decoy, Workload, require_probe


@pytest.fixture(scope="session")
def bpf() -> None:
    """Skip where the kernel or its rights do not allow a probe, unless it is required."""
    require_probe()


@pytest.fixture
def workload(bpf: None, tmp_path: Path) -> Iterator[Callable[..., Workload]]:
    """Return a function that starts a workload from a command."""
    started: list[Workload] = []

    def start(*command: str) -> Workload:
        started.append(Workload(list(command), tmp_path))
        return started[-1]

    yield start
    for each in started:
        each.end()


@pytest.fixture(scope="session")
def bystander(bpf: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decoy]:
    """Return a decoy that runs during all tests."""
    one = Decoy(tmp_path_factory.mktemp("bystander") / "bystander-file-of-nobody")
    yield one
    one.end()


@pytest.fixture(autouse=True)
def nobody_else(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Assert after every live test that nobody outside its scope is in what it made."""
    if "bpf" not in request.fixturenames:
        yield
        return
    bystander: Decoy = request.getfixturevalue("bystander")
    Command.told.clear()
    yield
    bystander.absent_from(*Command.told)
    for path in tmp_path.rglob("*.scap*"):
        bystander.absent_from_blocks(path)


@pytest.fixture
def decoy(tmp_path: Path) -> Iterator[Decoy]:
    """Return a decoy that runs during the test."""
    one = Decoy(tmp_path / "decoy-file-of-nobody")
    yield one
    one.end()


@pytest.fixture
def command(bpf: None) -> Iterator[Callable[..., Command]]:
    """Return a function that starts `rulekit` with arguments."""
    started: list[Command] = []

    def start(*args: str) -> Command:
        started.append(Command(*args))
        return started[-1]

    yield start
    for each in started:
        each.end()
