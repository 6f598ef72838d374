"""Whatever becomes of a test, audit is off afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.sources.linux_audit.kernel import KernelAudit, is_off, require_audit
from tests.waiting import wait_until

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
    wait_until(is_off)
    assert daemon != "0"
    state = Path(f"/proc/{daemon}/stat")
    assert not state.exists() or ") Z " in state.read_text()
