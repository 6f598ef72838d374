"""Whatever becomes of a test, audit is off afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.sources.linux_audit.kernel import KernelAudit, auditctl, require_audit, status

ROOT = Path(__file__).resolve().parents[3]

KILLED = """\
import os, sys
from pathlib import Path
from tests.sources.linux_audit.kernel import KernelAudit, status
audit = KernelAudit(["-a always,exit -F arch=b64 -S execve"]).__enter__()
audit.auditd(Path(sys.argv[1]))
print(status()["enabled"], status()["pid"], flush=True)
os.kill(os.getpid(), 9)
"""


def test_audit_is_switched_off_when_the_tests_are_killed(tmp_path: Path) -> None:
    require_audit()
    with KernelAudit([]):
        pass  # nobody else uses it now, or this test is skipped
    child = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL
    enabled, daemon = child.stdout.split()
    assert enabled == "1"
    ends_s = time.monotonic() + 30
    while (
        status()["enabled"] == "1"
        or status()["backlog_limit"] != "64"
        or auditctl("-l").strip() != "No rules"
    ):
        assert time.monotonic() < ends_s
        time.sleep(0.05)
    assert status()["pid"] == "0"
    assert daemon != "0"
    state = Path(f"/proc/{daemon}/stat")
    assert not state.exists() or ") Z " in state.read_text()
