"""A workload that starts programs in unusual ways and writes down what each start should say.

python execs.py FOLDER   in a mount namespace of its own; prints lines of JSON: argv[0] of the
                         program that tells the start apart, then values of parameters of execve

It uses nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
TRUE = os.path.realpath("/bin/true")


def start(name: str, path: str, before: Callable[[], None] | None = None, **params: Any) -> None:
    """Run a program as `name`, and write down what it is known to be."""
    status = os.stat(path)
    report, told = os.pipe()
    child = os.fork()
    if child == 0:
        if before is not None:
            before()
        facts = {
            "tid": os.getpid(), "pid": os.getpid(), "ptid": os.getppid(), "vpgid": os.getpgid(0),
            "uid": os.geteuid(), "gid": os.getegid(), "loginuid": login(),
        }  # fmt: skip
        os.write(told, json.dumps(facts).encode())
        os.execve(path, [name, "one argument", ""], {"NAME": name, "EMPTY": ""})
    os.close(told)
    facts = json.loads(os.read(report, 4096))
    os.close(report)
    os.waitpid(child, 0)
    line = {
        "res": 0, "exe": name, "args": ["one argument", ""], "env": [f"NAME={name}", "EMPTY="],
        "comm": os.path.basename(path)[:15], "exe_ino": status.st_ino, "filename": path,
        "exe_ino_ctime": status.st_ctime_ns, "exe_ino_mtime": status.st_mtime_ns,
        "trusted_exepath": path, "tty": 0, **facts, **params,
    }  # fmt: skip
    print(json.dumps([name, line]), flush=True)


def login() -> int:
    """Return who logged in: -1 is nobody."""
    uid = int(Path("/proc/self/loginuid").read_text())
    return uid - (1 << 32 if uid >> 31 else 0)


def capabilities(which: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{which}:\t")[1].split("\n")[0], 16)


def overlay(folder: Path) -> None:
    """A program of the lower layer, and one that was written after the file system was made."""
    for name in ("lower", "upper", "work", "merged"):
        (folder / name).mkdir()
    shutil.copy2(TRUE, folder / "lower" / "old")
    options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
    done = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", options, folder / "merged"], check=False
    )
    if done.returncode:
        print(json.dumps(["no overlay", {}]), flush=True)
        return
    shutil.copy2(TRUE, folder / "merged" / "new")
    start("lower", str(folder / "merged" / "old"), flags="EXE_WRITABLE|EXE_LOWER_LAYER")
    start("upper", str(folder / "merged" / "new"), flags="EXE_WRITABLE|EXE_UPPER_LAYER")
    os.chmod(folder / "merged" / "old", 0o755)  # which brings it to the upper layer
    start("copied", str(folder / "merged" / "old"), flags="EXE_WRITABLE|EXE_UPPER_LAYER")


def memory() -> None:
    fd = os.memfd_create("payload", 0)
    os.write(fd, Path(TRUE).read_bytes())
    path = f"/proc/self/fd/{fd}"
    start("memory", path, flags="EXE_WRITABLE|EXE_FROM_MEMFD", comm=str(fd),
          trusted_exepath="/memfd:payload")  # fmt: skip


def terminal() -> None:
    _, slave = os.openpty()
    number = os.fstat(slave).st_rdev

    def take() -> None:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    start("terminal", TRUE, take, tty=number)


def users() -> None:
    everything = capabilities("CapPrm")

    def lower() -> None:
        os.setgid(54321)
        os.setuid(12345)

    def log_in() -> None:
        with contextlib.suppress(OSError):  # the kernel may know no logins
            Path("/proc/self/loginuid").write_text("1234")

    start("login", TRUE, log_in)
    start("root", TRUE, flags="EXE_WRITABLE", cap_permitted=everything, cap_effective=everything)
    start("nobody", TRUE, lower, flags=0, cap_permitted=0, cap_effective=0, cap_inheritable=0)


def groups() -> None:
    start("group", TRUE, lambda: os.setpgid(0, 0))


def main() -> None:
    folder = Path(sys.argv[1])
    overlay(folder)
    memory()
    terminal()
    users()
    groups()


if __name__ == "__main__":
    main()
