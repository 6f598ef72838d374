"""A process that has things open when watching begins, and touches each once a line comes in.

python held.py FOLDER   prints "ready", then what it had open: number, type and name
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import socket
import sys
from pathlib import Path


def name(bound: socket.socket) -> str:
    """Return an address as it is printed."""
    host, port = bound.getsockname()[:2]
    return f"{host}:{port}"


def main() -> None:
    folder = Path(sys.argv[1])
    os.chdir(folder)
    (folder / "data").write_text("x")
    libc = ctypes.CDLL(None)
    server = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(server.getsockname())
    taken, _ = server.accept()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    six = socket.create_server(("::1", 0), family=socket.AF_INET6)
    local = socket.socket(socket.AF_UNIX)
    local.bind(str(folder / "listening"))
    here, there = (name(each) for each in (client, server))
    pipe, _ = os.pipe()
    held = {
        os.open("data", os.O_RDWR | os.O_APPEND | os.O_CLOEXEC): ("file", str(folder / "data")),
        os.open(".", os.O_RDONLY): ("directory", str(folder)),
        server.fileno(): ("ipv4", there),
        client.fileno(): ("ipv4", f"{here}->{there}"),
        taken.fileno(): ("ipv4", f"{here}->{there}"),
        datagrams.fileno(): ("ipv4", name(datagrams)),
        six.fileno(): ("ipv6", name(six)),
        local.fileno(): ("unix", str(folder / "listening")),
        pipe: ("pipe", os.readlink(f"/proc/self/fd/{pipe}")),
        libc.eventfd(0, 0): ("event", "[eventfd]"),
        select.epoll().fileno(): ("eventpoll", "[eventpoll]"),
        libc.inotify_init1(0): ("inotify", "inotify"),
        libc.timerfd_create(1, 0): ("timerfd", "[timerfd]"),
        os.pidfd_open(os.getpid()): ("pidfd", ""),
        os.memfd_create("held memory"): ("memfd", "/memfd:held memory"),
    }  # fmt: skip
    print("ready", flush=True)
    sys.stdin.readline()
    for fd in held:
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_GETFD)
    print(json.dumps({"pid": os.getpid(), "cwd": str(folder), "held": held}))


if __name__ == "__main__":
    main()
