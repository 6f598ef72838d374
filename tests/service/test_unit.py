"""The systemd unit that comes with rulekit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rulekit.config.read import read_config
from tests.waiting import PATIENCE_S

FOLDER = Path(__file__).resolve().parents[2] / "packaging" / "systemd"


def test_systemd_accepts_the_unit() -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("no systemd-analyze here (Debian: systemd)")
    done = subprocess.run(
        [verifier, "verify", "--man=no", str(FOLDER / "rulekit.service")],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    # It also speaks of units of the machine it runs on; ours it would name.
    assert "rulekit.service" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def test_the_configuration_beside_it_can_be_used() -> None:
    config = read_config(FOLDER / "rulekit.yaml")
    assert config.options.service is not None
    assert config.options.live.whole_host
