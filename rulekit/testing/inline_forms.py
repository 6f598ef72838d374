"""How each inline event is written: what a lone value means, readable names, defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Form:
    """How an event is written.

    Attributes:
        main: What a lone value means; several for a list.
        names: Readable names of parameters, or more than one parameter's way to say it.
        defaults: Parameters that have a value unless one is given.
    """

    main: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)


_PATH = Form(("name",), {"path": "name"})
_OPEN = Form(("name",), {"path": "name"}, {"flags": "O_RDONLY", "mode": 0, "dev": 0, "ino": 0})
_FROM_TO = {"from": "oldpath", "to": "newpath"}
_TWO_PATHS = Form(("oldpath", "newpath"), _FROM_TO)
_DUP = Form(("oldfd", "newfd"), {"from": "oldfd", "to": "newfd"})
_DATA = Form((), {}, {"size": 0})
_ADDRESS = Form(("to",))

FORMS: dict[str, Form] = {
    "open": _OPEN,
    "openat": _OPEN,
    "openat2": _OPEN,
    "creat": Form(("name",), {"path": "name"}, {"mode": 0o644}),
    "open_by_handle_at": Form(("path",), {}, {"flags": "O_RDONLY"}),
    "connect": _ADDRESS,
    "bind": Form(("addr",), {"on": "addr"}),
    "accept": Form(("from",)),
    "accept4": Form(("from",), {}, {"flags": 0}),
    "listen": Form(("backlog",)),
    "socket": Form(("domain", "type"), {}, {"proto": 0, "flags": 0}),
    **dict.fromkeys(("send", "sendto", "sendmsg", "sendmmsg"), Form(("to",), {}, {"size": 0})),
    **dict.fromkeys(("recv", "recvfrom", "recvmsg", "recvmmsg"), Form(("from",), {}, {"size": 0})),
    **dict.fromkeys(("read", "readv", "pread", "preadv"), Form(("fd",), {}, {"size": 0})),
    **dict.fromkeys(("write", "writev", "pwrite", "pwritev"), Form(("fd",), {}, {"size": 0})),
    "close": Form(("fd",)),
    "dup": Form(("oldfd",), {"from": "oldfd"}),
    "dup2": _DUP,
    "dup3": Form(("oldfd", "newfd"), {"from": "oldfd", "to": "newfd"}, {"flags": 0}),
    "unlink": Form(("path",)),
    "unlinkat": Form(("name",), {"path": "name"}, {"flags": 0}),
    "rename": _TWO_PATHS,
    "renameat": _TWO_PATHS,
    "renameat2": Form(("oldpath", "newpath"), _FROM_TO, {"flags": 0}),
    "link": _TWO_PATHS,
    "linkat": Form(("oldpath", "newpath"), _FROM_TO, {"flags": 0}),
    "symlink": Form(("target", "linkpath"), {"path": "linkpath"}),
    "symlinkat": Form(("target", "linkpath"), {"path": "linkpath"}),
    "mkdir": Form(("path",), {}, {"mode": 0o755}),
    "mkdirat": Form(("path",), {}, {"mode": 0o755}),
    "rmdir": Form(("path",)),
    "chmod": Form(("filename", "mode"), {"path": "filename"}),
    "fchmodat": Form(("filename", "mode"), {"path": "filename"}),
    "fchmod": Form(("fd", "mode")),
    **dict.fromkeys(("chown", "lchown"), Form(("path", "uid", "gid"))),
    "fchownat": Form(("pathname", "uid", "gid"), {"path": "pathname"}, {"flags": 0}),
    "fchown": Form(("fd", "uid", "gid")),
    "mknod": Form(("path", "mode"), {}, {"dev": 0}),
    "mknodat": Form(("path", "mode"), {}, {"dev": 0}),
    "mount": Form(("dev", "dir"), {"path": "dir"}, {"type": "", "flags": 0}),
    "umount": _PATH,
    "umount2": Form(("name",), {"path": "name"}, {"flags": 0}),
    "access": Form(("name",), {"path": "name"}, {"mode": 0}),
    "stat": Form(("path",)),
    "chdir": Form(("path",)),
    "chroot": Form(("path",)),
    "setuid": Form(("uid",)),
    "setgid": Form(("gid",)),
    "setreuid": Form(("ruid", "euid")),
    "setresuid": Form(("ruid", "euid", "suid")),
    "setregid": Form(("rgid", "egid")),
    "setresgid": Form(("rgid", "egid", "sgid")),
    "ptrace": Form(("request", "pid")),
    "kill": Form(("sig", "pid")),
    "tgkill": Form(("sig", "pid", "tid")),
    "tkill": Form(("sig", "tid")),
    "bpf": Form(("cmd",)),
    "setns": Form(("nstype",), {}, {"fd": -1}),
    "unshare": Form(("flags",)),
    "prctl": Form(("option", "arg2_str"), {"name": "arg2_str"}),
    "memfd_create": Form(("name",), {}, {"flags": 0}),
    "init_module": Form(("uargs",), {"options": "uargs"}),
    "finit_module": Form(("uargs",), {"options": "uargs"}, {"flags": 0}),
    "delete_module": Form(("name",), {}, {"flags": 0}),
    "ioctl": Form(("request",)),
    "fcntl": Form(("cmd", "arg")),
    "pipe": Form(),
    "setsid": Form(),
    "getuid": Form(),
}  # fmt: skip

# Events that are more than one record, or whose effect the world must know.
SPECIAL = ("proc", "spawn", "execve", "execveat", "clone", "clone3", "fork", "vfork", "exit")
