"""Damaged captures end in a clear error or in fewer events, never in a crash.

RULEKIT_FUZZ=N runs N damaged captures instead of a few.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COUNT = int(os.environ.get("RULEKIT_FUZZ", "40"))


@pytest.mark.parametrize("capture", ["tiny-host", "attack-docker"])
def test_damage_is_survived(capture: str) -> None:
    count = COUNT if capture == "tiny-host" else max(COUNT // 10, 1)
    command = [
        sys.executable,
        str(HERE / "run_mutations.py"),
        str(ROOT / "rulesets" / "captures" / f"{capture}.scap.gz"),
        os.environ.get("RULEKIT_FUZZ_FIRST", "0"),
        str(count),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-8:]
    assert done.returncode == 0, f"exit code {done.returncode} after {last}: {done.stdout}"
    assert "read to the end" in done.stdout
