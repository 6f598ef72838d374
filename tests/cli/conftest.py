"""Runs the command line as a user does: a process of its own, at the top of the repository."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def cli() -> Cli:
    """Return a function that runs ``rulekit`` with arguments; a traceback fails the test."""

    def run(*args: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "TZ": "UTC", "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
        environment.pop("RULEKIT_TRACEBACK", None)
        done = subprocess.run(
            [sys.executable, "-m", "rulekit", *map(str, args)],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            **{"cwd": ROOT, "env": environment, "timeout": 120, **options},  # type: ignore[call-overload]
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert "internal error" not in done.stderr, done.stderr
        assert done.returncode in (0, 1, 2), f"exit code {done.returncode}: {done.stderr}"
        return done

    return run
