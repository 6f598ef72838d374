"""Damaged captures end in a clear error or in fewer events, never in a crash.

RULEKIT_FUZZ=N runs N damaged captures instead of a few, RULEKIT_FUZZ_CAPTURES=S mutates with an eye
on what is new for S seconds of CPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COUNT = int(os.environ.get("RULEKIT_FUZZ", "20"))


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


def test_what_was_found_stays_mended() -> None:
    kept = sorted((HERE / "regressions" / "captures").glob("*.bin"))
    command = [sys.executable, str(HERE / "run_captures.py"), "--replay", *map(str, kept)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.count("\n") == len(kept) > 0


def test_guided_mutation_finds_nothing(tmp_path: Path) -> None:
    seconds = os.environ.get("RULEKIT_FUZZ_CAPTURES", "4")
    command = [sys.executable, str(HERE / "run_captures.py"), "--seconds", seconds]
    done = subprocess.run([*command, "--folder", str(tmp_path)], capture_output=True, text=True)
    found = [path.read_text("utf-8", "replace") for path in (tmp_path / "findings").glob("*.txt")]
    assert done.returncode == 0, "\n".join([done.stdout, done.stderr[-2000:], *found])
    line = (tmp_path / "log.jsonl").read_text().splitlines()[-1]
    assert json.loads(line)["executions"] > 10
