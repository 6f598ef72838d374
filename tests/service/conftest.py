"""Services that a test starts end with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.running import Running
from tests.sources.ebpf.conftest import bpf, decoy, workload  # noqa: F401 - fixtures


@pytest.fixture
def run() -> Iterator[Callable[..., Running]]:
    """Return a function that starts a service."""
    started: list[Running] = []

    def start(config: Path, *args: str, **options: dict[str, str]) -> Running:
        started.append(Running(config, *args, **options))
        return started[-1]

    yield start
    for each in started:
        each.end()
