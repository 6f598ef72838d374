"""The kernel's audit, switched on for the processes of one test and for nobody else.

Audit is one for the whole machine. So the tests take a lock, leave a machine alone whose audit is
in use, have everything excluded that does not carry a loginuid which nobody else has, and switch
all of it off again: a process of its own does that as soon as this one ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pytest

from tests.sources.ebpf.live import REQUIRED
from tests.waiting import PATIENCE_S, wait_until

BACKLOG = 16384
_LOCK_WAIT_S = 300
_CLEANER = """\
trap '' INT TERM HUP QUIT
while read -r pid; do pids="$pids $pid"; done
for pid in $pids; do
    # Again and again: one that has just begun ignores it.
    for i in $(seq 200); do kill "$pid" || break; sleep 0.05; done
    [ "$i" != 200 ] || { kill -9 "$pid"; killed=1; }
done 2>/dev/null
auditctl -D
# The kernel takes a reader that was killed for alive until it has something for it.
[ -z "$killed" ] || auditctl -m killed
auditctl -e 0; auditctl -b 64
"""


def auditctl(*args: str) -> str:
    """Run auditctl and return what it printed."""
    done = subprocess.run(["auditctl", *args], capture_output=True, text=True)
    assert done.returncode == 0, f"auditctl {' '.join(args)}: {done.stderr}{done.stdout}"
    return done.stdout


def status() -> dict[str, str]:
    """Return what ``auditctl -s`` says."""
    words = (line.split(maxsplit=1) for line in auditctl("-s").splitlines())
    return {each[0]: each[1] for each in words if len(each) == 2}


def is_off() -> bool:
    """Return whether nothing is left of what tests do to the audit of this machine."""
    now = status()
    found = (now["enabled"], now["pid"], now["backlog_limit"], auditctl("-l").strip())
    return found == ("0", "0", "64", "No rules")


def missing() -> str:
    """Return what keeps the tests from using audit here, or nothing."""
    if os.geteuid() != 0:
        return "not root"
    if shutil.which("auditctl") is None:
        return "auditctl is not installed (package auditd)"
    done = subprocess.run(["auditctl", "-s"], capture_output=True, text=True)
    if done.returncode != 0 or not done.stdout.startswith("enabled"):
        return f"the kernel does not permit audit: {done.stderr.strip() or done.stdout.strip()}"
    return ""


def require_audit() -> None:
    """Skip the test where audit cannot be used; fail it where it is required."""
    reason = missing()
    if reason and "audit" in REQUIRED:
        pytest.fail(f"RULEKIT_REQUIRE=audit: {reason}")
    if reason:
        pytest.skip(f"no audit here: {reason}")


def _in_use() -> str:
    """Return who uses audit already, or nothing."""
    now = status()
    if now["enabled"] != "0":
        return f"it is switched on (enabled {now['enabled']})"
    if now["pid"] != "0":
        return f"a daemon reads it (pid {now['pid']})"
    if (rules := auditctl("-l").strip()) != "No rules":
        return f"it has rules: {rules}"
    return ""


def _unused_loginuid() -> int:
    """Return a number that is no account and that no process carries."""
    taken = {user.pw_uid for user in pwd.getpwall()}
    for path in Path("/proc").glob("[0-9]*/loginuid"):
        try:
            taken.add(int(path.read_text()))
        except OSError:
            continue
    while (number := random.randrange(1 << 30, (1 << 32) - 2)) in taken:
        pass
    return number


class KernelAudit:
    """Audit of what carries one loginuid; to be used in a ``with``.

    Args:
        rules: What is to be reported, as auditctl reads them, without the loginuid.

    Attributes:
        loginuid: Of the processes that are reported.
    """

    def __init__(self, rules: Sequence[str]) -> None:
        self.loginuid = _unused_loginuid()
        self._rules = rules
        self._lock: IO[str] | None = None
        self._cleaner: subprocess.Popen[bytes] | None = None
        self._daemons: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> KernelAudit:
        folder = Path("/run/lock")
        path = (folder if folder.is_dir() else Path(tempfile.gettempdir())) / "rulekit-audit.lock"
        self._lock = path.open("w")
        ends_s = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > ends_s:
                    self._lock.close()
                    pytest.skip(f"other tests hold {path}")
                time.sleep(0.1)
        if used := _in_use():
            self._lock.close()
            pytest.skip(f"the audit of this machine is in use: {used}")
        # It holds the lock as well, so that nobody goes on before everything is switched off.
        self._cleaner = subprocess.Popen(
            ["sh", "-c", _CLEANER], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, pass_fds=[self._lock.fileno()], start_new_session=True,
        )  # fmt: skip
        try:
            auditctl("-a", "always,exclude", "-F", f"auid!={self.loginuid}")
            for rule in self._rules:
                auditctl(*rule.split(), "-F", f"auid={self.loginuid}")
            auditctl("-b", str(BACKLOG))
            auditctl("-e", "1")
        except BaseException:
            self.__exit__()
            raise
        return self

    def command(self, *command: str) -> list[str]:
        """Return a command as one that is reported from its start on."""
        wear = f'echo {self.loginuid} >/proc/self/loginuid && exec "$@"'
        return ["sh", "-c", wear, "sh", *command]

    def settle(self) -> None:
        """Wait until the kernel has told everything that happened so far."""
        wait_until(lambda: status()["backlog"] == "0")
        time.sleep(0.2)  # the last record has left the queue, and may still be on its way

    def auditd(self, folder: Path, *, laurel: bool = False) -> None:
        """Start an auditd that writes ``audit.log`` in a folder, and with laurel ``laurel.log``."""
        plugins = folder / "plugins.d"
        plugins.mkdir(mode=0o750)
        (folder / "auditd.conf").write_text(
            f"log_file = {folder}/audit.log\nlog_format = RAW\nlocal_events = yes\n"
            "write_logs = yes\nflush = INCREMENTAL_ASYNC\nfreq = 50\nmax_log_file = 500\n"
            "max_log_file_action = IGNORE\nnum_logs = 2\nname_format = NONE\n"
            "space_left = 10\nspace_left_action = IGNORE\nadmin_space_left = 5\n"
            "admin_space_left_action = IGNORE\ndisk_full_action = IGNORE\n"
            f"disk_error_action = IGNORE\nq_depth = 20000\nplugin_dir = {plugins}\n"
        )
        if laurel:
            (folder / "laurel").mkdir()
            (folder / "laurel.toml").write_text(
                f'directory = "{folder}/laurel"\nstatusreport-period = 0\n[auditlog]\n'
                'file = "laurel.log"\nsize = 500000000\ngenerations = 2\n'
                "[transform]\nexecve-argv = [ 'array' ]\n"
            )
            program = shutil.which("laurel")
            (plugins / "laurel.conf").write_text(
                f"active = yes\ndirection = out\npath = {program}\ntype = always\n"
                f"args = --config {folder}/laurel.toml\nformat = string\n"
            )
        for path in (folder / "auditd.conf", *plugins.iterdir()):
            path.chmod(0o640)
        daemon = subprocess.Popen(
            ["auditd", "-n", "-s", "nochange", "-c", str(folder)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._daemons.append(daemon)
        assert self._cleaner is not None
        assert self._cleaner.stdin is not None
        self._cleaner.stdin.write(f"{daemon.pid}\n".encode())
        self._cleaner.stdin.flush()
        wait_until(lambda: daemon.poll() is not None or status()["pid"] == str(daemon.pid))
        assert daemon.poll() is None, "auditd does not run"

    def __exit__(self, *exc: object) -> None:
        assert self._lock is not None
        with self._lock:  # what is seen is ours: others begin when it is closed
            if self._cleaner is not None:
                assert self._cleaner.stdin is not None
                self._cleaner.stdin.close()
                for daemon in self._daemons:
                    daemon.wait(PATIENCE_S)  # or it stays a zombie, and the cleaner waits for ever
                self._cleaner.wait(PATIENCE_S)
            wait_until(is_off, "audit is as it was")
