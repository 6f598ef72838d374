"""Waits for what other processes and threads do, on a machine that may be busy with much else."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PATIENCE_S = 120.0  # only a hang takes so long


def wait_until(condition: Callable[[], Any], what: object = "") -> Any:
    """Ask again and again until the answer is true, and return it; fail the test if it never is."""
    until_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < until_s, f"waited in vain: {what or condition}"
        time.sleep(0.02)
    return found


def wait_for_text(path: Path, text: str) -> None:
    """Wait until a file is there and has a text in it."""
    wait_until(lambda: path.exists() and text in path.read_text(), f"{text!r} in {path}")
