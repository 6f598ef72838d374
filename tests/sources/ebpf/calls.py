"""A workload that makes system calls of many types and writes down what it did.

python calls.py FOLDER   prints a line of JSON per call: event type, and the values of parameters as
                         `rulekit.capture.encode` takes them

It uses nothing but the standard library, so that what it says does not come from what is tested.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import mmap
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
TRUTH: list[dict[str, Any]] = []

# Numbers of x86_64; asm/unistd_64.h.
NR = {
    "read": 0, "write": 1, "open": 2, "close": 3, "stat": 4, "fstat": 5, "lstat": 6, "poll": 7,
    "lseek": 8, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "ioctl": 16, "pread64": 17,
    "pwrite64": 18, "readv": 19, "writev": 20, "access": 21, "pipe": 22, "dup": 32, "dup2": 33,
    "nanosleep": 35, "sendfile": 40, "fcntl": 72, "flock": 73, "getcwd": 79, "chdir": 80,
    "fchdir": 81, "rename": 82, "mkdir": 83, "rmdir": 84, "creat": 85, "link": 86, "unlink": 87,
    "symlink": 88, "chmod": 90, "fchmod": 91, "chown": 92, "fchown": 93, "lchown": 94,
    "getrlimit": 97, "getuid": 102, "getgid": 104, "geteuid": 107, "getegid": 108, "setpgid": 109,
    "setresuid": 117, "getresuid": 118, "setresgid": 119, "getresgid": 120, "mknod": 133,
    "mlock": 149, "munlock": 150, "prctl": 157, "setrlimit": 160, "mount": 165, "umount2": 166,
    "quotactl": 179, "tkill": 200, "futex": 202, "epoll_create": 213, "getdents64": 217,
    "epoll_wait": 232, "tgkill": 234, "openat": 257, "mkdirat": 258, "mknodat": 259,
    "fchownat": 260, "newfstatat": 262, "unlinkat": 263, "renameat": 264, "linkat": 265,
    "symlinkat": 266, "fchmodat": 268, "ppoll": 271, "splice": 275, "signalfd": 282,
    "timerfd_create": 283, "eventfd": 284, "signalfd4": 289, "eventfd2": 290, "epoll_create1": 291,
    "dup3": 292, "pipe2": 293, "inotify_init1": 294, "preadv": 295, "pwritev": 296,
    "prlimit64": 302, "process_vm_readv": 310, "finit_module": 313, "renameat2": 316,
    "seccomp": 317, "memfd_create": 319, "bpf": 321, "userfaultfd": 323, "mlock2": 325,
    "copy_file_range": 326, "io_uring_setup": 425, "io_uring_enter": 426,
    "io_uring_register": 427, "fsconfig": 431, "pidfd_open": 434, "close_range": 436,
    "openat2": 437, "pidfd_getfd": 438, "keyctl": 250, "semget": 64, "semop": 65, "semctl": 66,
    "delete_module": 176, "init_module": 175, "inotify_init": 253,
    "mlockall": 151, "munlockall": 152, "kill": 62, "capset": 126, "setns": 308, "unshare": 272,
    "open_by_handle_at": 304, "name_to_handle_at": 303, "sched_yield": 24, "select": 23,
}  # fmt: skip


def did(event: str, **params: Any) -> None:
    """Write down what was done."""
    TRUTH.append({"event": event, "params": params})


def call(name: str, *args: Any) -> int:
    """Make a system call; the result, negative as in the kernel when it fails."""
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    ctypes.set_errno(0)
    done: int = libc.syscall(ctypes.c_long(NR[name]), *wide)
    return -ctypes.get_errno() if done == -1 else done


def text(value: str) -> ctypes.c_char_p:
    return ctypes.c_char_p(value.encode())


def words(layout: str, *values: int) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(struct.pack(layout, *values))


def files(folder: Path) -> None:
    at = -100
    path = str(folder / "file")
    flags = "O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC|O_F_CREATED"
    fd = call("openat", at, text(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    status = os.stat(path)
    dev = os.minor(status.st_dev) & 0xFF | os.major(status.st_dev) << 8
    did("openat", fd=fd, dirfd="AT_FDCWD", name=path, flags=flags, mode=0o640, dev=dev,
        ino=status.st_ino)  # fmt: skip
    again = call("openat", at, text(path), os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o640)
    did("openat", fd=again, name=path, flags="O_RDONLY|O_CREAT|O_EXCL", mode=0o640, dev=0, ino=0)
    old = call("open", text(path), os.O_WRONLY | os.O_APPEND)
    did("open", fd=old, name=path, flags="O_WRONLY|O_APPEND", mode=0, dev=dev, ino=status.st_ino)
    how = words("<QQQ", os.O_RDONLY, 0, 0x08 | 0x04)
    two = call("openat2", at, text("."), how, 24)
    did("openat2", fd=two, dirfd="AT_FDCWD", name=".", flags="O_RDONLY",
        resolve="RESOLVE_BENEATH|RESOLVE_NO_SYMLINKS", mode=0)  # fmt: skip
    made = str(folder / "made")
    new = call("creat", text(made), 0o600)
    did("creat", fd=new, name=made, mode=0o600, ino=os.stat(made).st_ino, creat_flags=0)
    long = str(folder / ("x" * 200)) + "/" + "y" * 200
    did("openat", fd=call("openat", at, text(long), 0), name=long)
    did("openat", fd=call("openat", at, None, 0), name=None)
    data = bytes(range(256)) * 2
    did("write", res=call("write", fd, ctypes.c_char_p(data), 512), data=data[:80].hex(), fd=fd,
        size=512)  # fmt: skip
    did("pwrite", res=call("pwrite64", fd, text("pos"), 3, 100), data=b"pos".hex(), fd=fd, size=3,
        pos=100)  # fmt: skip
    did("lseek", res=call("lseek", fd, 98, 0), fd=fd, offset=98, whence="SEEK_SET")
    into = ctypes.create_string_buffer(10)
    did("read", res=call("read", fd, into, 10), data=into.raw.hex(), fd=fd, size=10)
    did("pread", res=call("pread64", fd, into, 10, 99), data=into.raw.hex(), fd=fd, size=10, pos=99)
    did("read", res=call("read", 999, into, 10), data="", fd=999, size=10)
    one, other = ctypes.create_string_buffer(b"one", 3), ctypes.create_string_buffer(b"other", 5)
    vector = words("<QQQQ", ctypes.addressof(one), 3, ctypes.addressof(other), 5)
    did("writev", res=call("writev", fd, vector, 2), data=b"oneother".hex(), fd=fd, size=8)
    did("pwritev", res=call("pwritev", fd, vector, 2, 7, 0), data=b"oneother".hex(), fd=fd, size=8,
        pos=7)  # fmt: skip
    did("preadv", res=call("preadv", fd, vector, 2, 7, 0), size=8, data=b"oneother".hex(), fd=fd,
        pos=7)  # fmt: skip
    call("lseek", fd, 7, 0)
    did("readv", res=call("readv", fd, vector, 2), size=8, data=b"oneother".hex(), fd=fd)
    out = call("openat", at, text(str(folder / "copy")), os.O_RDWR | os.O_CREAT, 0o600)
    did("sendfile", res=call("sendfile", out, fd, None, 4), offset=0, out_fd=out, in_fd=fd, size=4)
    did("copy_file_range", res=call("copy_file_range", fd, words("<Q", 0), out, words("<Q", 0), 5,
        0), fdout=out, fdin=fd, len=5)  # fmt: skip
    did("stat", res=call("stat", text(path), ctypes.create_string_buffer(200)), path=path)
    did("lstat", res=call("lstat", text(path + "-"), ctypes.create_string_buffer(200)),
        path=path + "-")  # fmt: skip
    did("fstat", res=call("fstat", fd, ctypes.create_string_buffer(200)), fd=fd)
    did("newfstatat", res=call("newfstatat", at, text(path), ctypes.create_string_buffer(200),
        0x100), dirfd="AT_FDCWD", path=path, flags="AT_SYMLINK_NOFOLLOW")  # fmt: skip
    did("access", res=call("access", text(path), 6), name=path, mode="R_OK|W_OK")
    did("chmod", res=call("chmod", text(path), 0o4711), filename=path, mode=0o4711)
    did("fchmod", res=call("fchmod", fd, 0o640), fd=fd, mode=0o640)
    did("fchmodat", res=call("fchmodat", at, text(path), 0o600), dirfd="AT_FDCWD", filename=path,
        mode=0o600)  # fmt: skip
    did("chown", res=call("chown", text(path), 12, 34), path=path, uid=12, gid=34)
    did("lchown", res=call("lchown", text(path), 12, 35), path=path, uid=12, gid=35)
    did("fchown", res=call("fchown", fd, 0, 0), fd=fd, uid=0, gid=0)
    did("fchownat", res=call("fchownat", at, text(path), 1, 2, 0x100), dirfd="AT_FDCWD",
        pathname=path, uid=1, gid=2, flags="AT_SYMLINK_NOFOLLOW")  # fmt: skip
    did("flock", res=call("flock", fd, 6), fd=fd, operation="LOCK_EX|LOCK_NB")
    did("fcntl", res=call("fcntl", fd, fcntl.F_GETFL, 0), fd=fd, cmd="F_GETFL", arg=0)
    did("fcntl", res=call("fcntl", fd, 1030, 100), fd=fd, cmd="F_DUPFD_CLOEXEC", arg=100)
    did("dup", res=call("dup", fd), oldfd=fd)
    did("dup2", res=call("dup2", fd, 201), oldfd=fd, newfd=201)
    did("dup3", res=call("dup3", fd, 202, os.O_CLOEXEC), oldfd=fd, newfd=202, flags="O_CLOEXEC")
    did("close_range", res=call("close_range", 100, 202, 0), first=100, last=202, flags=0)
    did("ioctl", res=call("ioctl", fd, 0x5401, 7), fd=fd, request=0x5401, argument=7)
    directory = call("openat", at, text(str(folder)), os.O_RDONLY | os.O_DIRECTORY)
    did("openat", fd=directory, name=str(folder), flags="O_RDONLY|O_DIRECTORY")
    did("mkdirat", res=call("mkdirat", directory, text("d"), 0o750), dirfd=directory, path="d",
        mode=0o750)  # fmt: skip
    did("mkdir", res=call("mkdir", text(str(folder / "e")), 0o700), path=str(folder / "e"),
        mode=0o700)  # fmt: skip
    did("rmdir", res=call("rmdir", text(str(folder / "e"))), path=str(folder / "e"))
    did("getdents64", res=call("getdents64", directory, ctypes.create_string_buffer(4096), 4096),
        fd=directory)  # fmt: skip
    did("link", res=call("link", text(made), text(made + "2")), oldpath=made, newpath=made + "2")
    did("linkat", res=call("linkat", directory, text("made"), directory, text("made3"), 0x400),
        olddir=directory, oldpath="made", newdir=directory, newpath="made3",
        flags="AT_SYMLINK_FOLLOW")  # fmt: skip
    did("symlink", res=call("symlink", text("to"), text(made + "4")), target="to",
        linkpath=made + "4")  # fmt: skip
    did("symlinkat", res=call("symlinkat", text("to"), directory, text("made5")), target="to",
        linkdirfd=directory, linkpath="made5")  # fmt: skip
    did("rename", res=call("rename", text(made + "2"), text(made + "6")), oldpath=made + "2",
        newpath=made + "6")  # fmt: skip
    did("renameat", res=call("renameat", directory, text("made6"), directory, text("made7")),
        olddirfd=directory, oldpath="made6", newdirfd=directory, newpath="made7")  # fmt: skip
    did("renameat2", res=call("renameat2", directory, text("made7"), directory, text("made8"), 1),
        olddirfd=directory, oldpath="made7", newdirfd=directory, newpath="made8",
        flags="RENAME_NOREPLACE")  # fmt: skip
    did("unlink", res=call("unlink", text(made)), path=made)
    did("unlinkat", res=call("unlinkat", directory, text("d"), 0x200), dirfd=directory, name="d",
        flags="AT_REMOVEDIR")  # fmt: skip
    did("mknod", res=call("mknod", text(made + "9"), 0o20600, os.makedev(1, 3)), path=made + "9",
        mode=0o20600, dev=1 << 20 | 3)  # fmt: skip
    did("mknodat", res=call("mknodat", directory, text("made10"), 0o10600, 0), dirfd=directory,
        path="made10", mode=0o10600, dev=0)  # fmt: skip
    did("chdir", res=call("chdir", text(str(folder))), path=str(folder))
    did("fchdir", res=call("fchdir", directory), fd=directory)
    where = ctypes.create_string_buffer(4096)
    did("getcwd", res=call("getcwd", where, 4096), path=where.value.decode())
    did("close", res=call("close", directory), fd=directory)
    did("close", res=call("close", 999), fd=999)


def descriptors() -> None:
    ends = (ctypes.c_int * 2)()
    res = call("pipe2", ends, os.O_CLOEXEC | os.O_NONBLOCK)
    did("pipe2", res=res, fd1=ends[0], fd2=ends[1], ino=os.fstat(ends[0]).st_ino,
        flags="O_CLOEXEC|O_NONBLOCK")  # fmt: skip
    did("splice", res=call("splice", ends[0], None, ends[1], None, 9, 3), fd_in=ends[0],
        fd_out=ends[1], size=9, flags="SPLICE_F_MOVE|SPLICE_F_NONBLOCK")  # fmt: skip
    res = call("pipe", ends)
    did("pipe", res=res, fd1=ends[0], fd2=ends[1], ino=os.fstat(ends[0]).st_ino)
    os.write(ends[1], b"x")
    polled = words("<ihhihh", ends[0], select.POLLIN, 0, 999, select.POLLOUT, 0)
    did("poll", res=call("poll", polled, 2, 500), fds=[[ends[0], 1], [999, 0x40]], timeout=500)
    did("ppoll", res=call("ppoll", polled, 1, None, words("<Q", 1 << 9), 8), fds=[[ends[0], 1]],
        timeout=(1 << 64) - 1, sigmask=1 << 9)  # fmt: skip
    did("select", res=call("select", 0, None, None, None, words("<QQ", 0, 1)))
    did("eventfd", res=call("eventfd", 5), initval=5, flags=0)
    did("eventfd2", res=call("eventfd2", 6, os.O_CLOEXEC), flags="O_CLOEXEC", initval=6)
    fd = call("signalfd4", -1, words("<Q", 1 << 9), 8, os.O_NONBLOCK)
    did("signalfd4", res=fd, flags="O_NONBLOCK", fd=-1, mask=1 << 9)
    did("signalfd", res=call("signalfd", fd, words("<Q", 1 << 11), 8), fd=fd, mask=1 << 11, flags=0)
    did("timerfd_create", res=call("timerfd_create", 1, os.O_NONBLOCK), clockid=1,
        flags=0x40)  # fmt: skip
    did("inotify_init", res=call("inotify_init"), flags=0)
    did("inotify_init1", res=call("inotify_init1", os.O_CLOEXEC), flags="O_CLOEXEC")
    fd = call("epoll_create1", os.O_CLOEXEC)
    did("epoll_create1", res=fd, flags="EPOLL_CLOEXEC")
    did("epoll_create", res=call("epoll_create", 3), size=3)
    did("epoll_wait", res=call("epoll_wait", fd, ctypes.create_string_buffer(64), 4, 0),
        maxevents=4)  # fmt: skip
    did("userfaultfd", res=call("userfaultfd", os.O_CLOEXEC | 1), flags="O_CLOEXEC")
    did("memfd_create", fd=call("memfd_create", text("name of it"), 3), name="name of it",
        flags="MFD_CLOEXEC|MFD_ALLOW_SEALING")  # fmt: skip
    pid = os.getpid()
    fd = call("pidfd_open", pid, os.O_NONBLOCK)
    did("pidfd_open", fd=fd, pid=pid, flags="PIDFD_NONBLOCK")
    did("pidfd_getfd", fd=call("pidfd_getfd", fd, 1, 0), pid_fd=fd, target_fd=1, flags=0)


def memory() -> None:
    res = call("mmap", 0, 8192, mmap.PROT_READ | mmap.PROT_WRITE,
               mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)  # fmt: skip
    did("mmap", res=res, addr=0, length=8192, prot="PROT_READ|PROT_WRITE",
        flags="MAP_PRIVATE|MAP_ANONYMOUS", fd=-1, offset=0)  # fmt: skip
    did("mprotect", res=call("mprotect", res, 4096, mmap.PROT_READ | mmap.PROT_EXEC), addr=res,
        length=4096, prot="PROT_READ|PROT_EXEC")  # fmt: skip
    did("mlock", res=call("mlock", res, 4096), addr=res, len=4096)
    did("munlock", res=call("munlock", res, 4096), addr=res, len=4096)
    did("mlock2", res=call("mlock2", res, 4096, 1), addr=res, len=4096, flags="MLOCK_ONFAULT")
    did("munmap", res=call("munmap", res, 8192), addr=res, length=8192)
    did("mlockall", res=call("mlockall", 0), flags=0)
    did("munlockall", res=call("munlockall"))
    did("brk", res=call("brk", 0), addr=0)


def processes() -> None:
    pid = os.getpid()
    did("getuid", uid=call("getuid"))
    did("geteuid", euid=call("geteuid"))
    did("getgid", gid=call("getgid"))
    did("getegid", egid=call("getegid"))
    three = [ctypes.c_uint32() for _ in range(3)]
    did("getresuid", res=call("getresuid", *map(ctypes.byref, three)), ruid=0, euid=0, suid=0)
    did("getresgid", res=call("getresgid", *map(ctypes.byref, three)), rgid=0, egid=0, sgid=0)
    did("setresuid", res=call("setresuid", -1, 0, -1), ruid=0xFFFFFFFF, euid=0, suid=0xFFFFFFFF)
    did("setresgid", res=call("setresgid", 0, 0, 0), rgid=0, egid=0, sgid=0)
    did("kill", res=call("kill", pid, 0), pid=pid, sig=0)
    did("tkill", res=call("tkill", pid, 0), tid=pid, sig=0)
    did("tgkill", res=call("tgkill", pid, pid, 0), pid=pid, tid=pid, sig=0)
    did("setpgid", res=call("setpgid", 0, 0), pid=0, pgid=0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    two = words("<QQ", 0, 0)
    did("getrlimit", res=call("getrlimit", 7, two), cur=soft, max=hard, resource="RLIMIT_NOFILE")
    did("setrlimit", res=call("setrlimit", 7, words("<QQ", soft - 1, hard)), cur=soft - 1, max=hard,
        resource="RLIMIT_NOFILE")  # fmt: skip
    did("prlimit", res=call("prlimit64", 0, 7, words("<QQ", soft, hard), two), newcur=soft,
        newmax=hard, oldcur=soft - 1, oldmax=hard, pid=0, resource="RLIMIT_NOFILE")  # fmt: skip
    did("prctl", res=call("prctl", 15, text("renamed"), 0, 0, 0), option="PR_SET_NAME",
        arg2_str="renamed", arg2_int=0)  # fmt: skip
    did("prctl", res=call("prctl", 36, 1, 0, 0, 0), option="PR_SET_CHILD_SUBREAPER", arg2_str=None,
        arg2_int=1)  # fmt: skip
    got = ctypes.c_int()
    did("prctl", res=call("prctl", 37, ctypes.byref(got), 0, 0, 0), arg2_int=1,
        option="PR_GET_CHILD_SUBREAPER")  # fmt: skip
    did("nanosleep", res=call("nanosleep", words("<QQ", 0, 1234), None), interval=1234)
    did("futex", res=call("futex", ctypes.byref(got), 129, 1, 0, 0, 0), addr=ctypes.addressof(got),
        op="FUTEX_WAKE|FUTEX_PRIVATE_FLAG", val=1)  # fmt: skip
    did("seccomp", res=call("seccomp", 3, 0, 0), op=3, flags=0)
    did("unshare", res=call("unshare", 0x400), flags="CLONE_FILES")
    did("setns", res=call("setns", 999, 0x40000000), fd=999, nstype="CLONE_NEWNET")
    here, there = ctypes.create_string_buffer(b"0123456789", 10), ctypes.create_string_buffer(10)
    local, remote = (
        words("<QQ", ctypes.addressof(there), 10),
        words("<QQ", ctypes.addressof(here), 10),
    )
    did("process_vm_readv", res=call("process_vm_readv", pid, local, 1, remote, 1, 0), pid=pid,
        data=b"0123456789".hex())  # fmt: skip
    sem = call("semget", 0, 1, 0o1600)
    did("semget", res=sem, key=0, nsems=1, semflg=0o600 | 0x2000)
    did("semctl", res=call("semctl", sem, 0, 16, 3), semid=sem, semnum=0, cmd="SETVAL", val=3)
    did("semop", res=call("semop", sem, words("<Hhh", 0, -1, 0x1800), 1), nsops=1, sem_num_0=0,
        sem_op_0=-1, sem_flg_0="IPC_NOWAIT|SEM_UNDO", semid=sem)  # fmt: skip
    did("semctl", res=call("semctl", sem, 0, 0, 0), semid=sem, cmd="IPC_RMID")
    did("keyctl", res=call("keyctl", 0, -3, 0, 0, 0), operation="KEYCTL_GET_KEYRING_ID",
        arg2=[0, -3], arg3=[0, 0])  # fmt: skip
    did("keyctl", res=call("keyctl", 10, -3, text("user"), text("nothing"), 0),
        operation="KEYCTL_SEARCH", arg3=[1, "user"], arg4=[1, "nothing"])  # fmt: skip
    did("syscall", res=call("sched_yield"), nativeID=24)


def system(folder: Path) -> None:
    where = str(folder / "mounted")
    os.mkdir(where)
    did("mount", res=call("mount", text("none"), text(where), text("nofs"), 0x4002, text("x")),
        dev="none", dir=where, type="nofs", flags="NOSUID|REC")  # fmt: skip
    did("umount2", res=call("umount2", text(where), 2), name=where, flags="DETACH")
    did("bpf", fd=call("bpf", 999, None, 0), cmd=999)
    did("init_module", res=call("init_module", text("no module"), 9, text("arg=1")),
        img=b"no module".hex(), length=9, uargs="arg=1")  # fmt: skip
    did("finit_module", res=call("finit_module", 999, text("a=2"), 2), fd=999, uargs="a=2",
        flags="MODULE_INIT_IGNORE_VERMAGIC")  # fmt: skip
    did("delete_module", res=call("delete_module", text("no_such_module"), os.O_NONBLOCK),
        name="no_such_module", flags="O_NONBLOCK")  # fmt: skip
    did("fsconfig", res=call("fsconfig", 999, 1, text("key"), text("value"), 0), fd=999,
        cmd="FSCONFIG_SET_STRING", key="key", value_charbuf="value", aux=0)  # fmt: skip
    params = ctypes.create_string_buffer(120)
    ring = call("io_uring_setup", 4, params)
    entries = struct.unpack_from("<IIIIII", params.raw)
    did("io_uring_setup", res=ring, entries=4, sq_entries=entries[0], cq_entries=entries[1],
        flags=0, features=entries[5] & 0x7FF)  # fmt: skip
    did("io_uring_enter", res=call("io_uring_enter", ring, 0, 0, 1, None, 0), fd=ring, to_submit=0,
        min_complete=0, flags="IORING_ENTER_GETEVENTS", sig=0)  # fmt: skip
    did("io_uring_register", res=call("io_uring_register", ring, 1, 0, 0), fd=ring,
        opcode="IORING_UNREGISTER_BUFFERS", arg=0, nr_args=0)  # fmt: skip


def sockets(folder: Path) -> None:
    server = socket.socket()
    did("socket", fd=server.fileno(), domain="AF_INET", type=socket.SOCK_STREAM | os.O_CLOEXEC,
        proto=0, flags="O_CLOEXEC")  # fmt: skip
    server.bind(("127.0.0.1", 0))
    port = server.getsockname()[1]
    did("bind", res=0, addr=["127.0.0.1", 0], fd=server.fileno())
    server.listen(7)
    did("listen", res=0, fd=server.fileno(), backlog=7)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    did("setsockopt", res=0, fd=client.fileno(), level="SOL_SOCKET", optname="SO_REUSEADDR",
        val=[2, 1], optlen=4)  # fmt: skip
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("<QQ", 3, 4))
    did("setsockopt", optname="SO_RCVTIMEO", val=[4, 3_000_004_000], optlen=16)
    client.connect(("127.0.0.1", port))
    own = client.getsockname()
    did("connect", res=0, tuple=[list(own), ["127.0.0.1", port]], fd=client.fileno(),
        addr=["127.0.0.1", port])  # fmt: skip
    taken, _ = server.accept()
    did("accept4", fd=taken.fileno(), tuple=[list(own), ["127.0.0.1", port]], queuemax=7,
        flags=0x1000)  # fmt: skip
    client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    did("getsockopt", res=0, fd=client.fileno(), optname="SO_ERROR", val=[1, 0], optlen=4)
    client.send(b"hello")
    did("sendto", res=5, data=b"hello".hex(), fd=client.fileno(), size=5,
        tuple=[list(own), ["127.0.0.1", port]])  # fmt: skip
    taken.recv(100)
    did("recvfrom", res=5, data=b"hello".hex(), fd=taken.fileno(), size=100,
        tuple=[list(own), ["127.0.0.1", port]])  # fmt: skip
    taken.sendmsg([b"two", b"parts"])
    did("sendmsg", res=8, data=b"twoparts".hex(), fd=taken.fileno(), size=8,
        tuple=[["127.0.0.1", port], list(own)])  # fmt: skip
    client.recvmsg(64)
    did("recvmsg", res=8, size=64, data=b"twoparts".hex(), msgcontrol="", fd=client.fileno(),
        tuple=[["127.0.0.1", port], list(own)])  # fmt: skip
    client.shutdown(socket.SHUT_WR)
    did("shutdown", res=0, fd=client.fileno(), how="SHUT_WR")
    server.close()
    refused = socket.socket()
    done = refused.connect_ex(("127.0.0.1", port))
    did("connect", res=-done, tuple=None, fd=refused.fileno(), addr=["127.0.0.1", port])
    one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    other = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    one.bind(("::1", 0))
    there = ["::1", one.getsockname()[1]]
    other.sendto(b"datagram", ("::1", there[1]))
    sender = ["::", other.getsockname()[1]]
    did("sendto", res=8, data=b"datagram".hex(), fd=other.fileno(), size=8,
        tuple=[sender, there])  # fmt: skip
    one.recvfrom(20)
    did("recvfrom", res=8, data=b"datagram".hex(), fd=one.fileno(), size=20,
        tuple=[["::1", sender[1]], there])  # fmt: skip
    path = str(folder / "socket")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    did("bind", res=0, addr=path, fd=listening.fileno())
    listening.listen()
    caller = socket.socket(socket.AF_UNIX)
    caller.connect(path)
    did("connect", res=0, fd=caller.fileno(), addr=path)
    hidden = socket.socket(socket.AF_UNIX)
    hidden.bind("\0hidden name")
    did("bind", res=0, addr="hidden name", fd=hidden.fileno())
    ends = (ctypes.c_int * 2)()
    done = libc.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM, 0, ends)
    did("socketpair", res=done, fd1=ends[0], fd2=ends[1], domain="AF_UNIX", type=2, proto=0)


def main() -> None:
    folder = Path(sys.argv[1])
    os.umask(0)
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    files(folder)
    descriptors()
    memory()
    processes()
    system(folder)
    sockets(folder)
    time.sleep(0)
    for line in TRUTH:
        print(json.dumps(line))


if __name__ == "__main__":
    main()
