"""Why values of Debian's sysdig 0.29 and ours may differ: a table of narrow rules.

A difference that no rule allows fails the comparison. Sysdig 0.29 is of 2022; we mean what the
engine of July 2026 means, so most rules name what has changed since.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

NA = "<NA>"
NEW_FLAGS = (
    *("FD_UPPER_LAYER", "FD_LOWER_LAYER", "O_F_CREATED", "CLONE_CHILD_IN_PIDNS"),
    *("EXE_UPPER_LAYER", "EXE_LOWER_LAYER", "EXE_FROM_MEMFD"),
)
CALLS = (
    *(("accept", "accept4"), ("sigreturn", "rt_sigreturn")),
    *(("<unknown>", "fadvise64"), ("<unknown>", "unknown")),
)
THREADS = ("res", "tid", "pid", "ptid", "vtid", "vpid", "next")


@dataclass(slots=True)
class Shown:
    """One event as both show it."""

    type: str
    direction: str
    tid: str
    theirs: Mapping[str, str]
    mine: Mapping[str, str]
    field: str
    once: dict[str, int | str]  # what stays the same within a capture

    def mine_fd_category(self) -> str:
        """Return the category that the kind of the fd gives."""
        kind = self.mine["fd.type"]
        return "file" if kind in ("file", "directory") else "net" if "ipv" in kind else "ipc"


@dataclass(frozen=True, slots=True)
class Difference:
    """One cause of differences.

    Attributes:
        fields: What it concerns; a trailing ``*`` stands for the rest of the name.
        holds: Whether the cause explains two different values (theirs, ours) of an event.
    """

    name: str
    fields: str
    why: str
    holds: Callable[[Shown, str, str], bool]


def differences() -> dict[str, tuple[Difference, ...]]:
    """Return the rules by field name; those with a trailing ``*`` stay as they are written."""
    found: dict[str, list[Difference]] = {}
    for rule in TABLE:
        for field in rule.fields.split():
            found.setdefault(field, []).append(rule)
    return {field: tuple(rules) for field, rules in found.items()}


def explain(field: str, event: Shown, theirs: str, mine: str) -> Difference | None:
    """Return the first rule that allows the difference."""
    for rule in _rules(field):
        if rule.holds(event, theirs, mine):
            return rule
    return None


def _rules(field: str) -> tuple[Difference, ...]:
    if field not in _FOUND:
        by_name = differences()
        _FOUND[field] = by_name.get(field, ()) + tuple(
            rule
            for name, rules in by_name.items()
            if name.endswith("*") and field.startswith(name[:-1])
            for rule in rules
        )
    return _FOUND[field]


_FOUND: dict[str, tuple[Difference, ...]] = {}


def _pair(theirs: str, mine: str) -> Callable[[Shown, str, str], bool]:
    return lambda _, a, b: a == theirs and b == mine


def _number(text: str, base: int = 10) -> int | None:
    try:
        return int(text, base)
    except ValueError:
        return None


def _parameters(event: Shown, theirs: str, mine: str) -> bool:
    new = iter(_pairs(mine))
    # In the same order, each with the same value; what only we show lies between them or behind.
    return all(any(_same_parameter(event, old, one) for one in new) for old in _pairs(theirs))


def _pairs(text: str) -> list[str]:
    return re.split(r" (?=\w+=)", text.rstrip(" ")) if text.strip() else []


def _same_parameter(event: Shown, theirs: str, mine: str) -> bool:
    name, _, old = theirs.partition("=")
    same, _, new = mine.partition("=")
    if name != same and (name, same) != ("pgid", "vpgid"):
        return False
    old, new = old.rstrip(" "), new.rstrip(" ")
    return (
        old == new
        or ("(" not in old and new.startswith(f"{old}("))  # a number that is explained now
        # A thread without a name.
        or (name in THREADS and new in (old.split("(")[0], f"{old.split('(')[0]}(<NA>)"))
        or _same_value(event, old, new)
        or _flags(event, old, new)
        or _same_path(event, old, new)
        or _shortened(event, old, new)
        or _path(event, old, new)
        or _same_fd(event, old, new)
        or (name == "fds" and new == "NULL")
        or (name == "cwd" and new == NA)  # sysdig shows memory that nobody has written to
        or (name == "res" and _address(event, old, new))
    )


def _openat2(event: Shown, theirs: str, mine: str) -> bool:
    # Sysdig does not know this parameter of openat2.
    key = f"openat2 {event.mine['proc.pid']} {event.mine['fd.name']}"
    if event.type == "openat2":
        event.once[key] = 1
    return theirs == "0" and key in event.once


def _own_table(event: Shown, theirs: str, mine: str) -> bool:
    key = f"table of a thread {event.mine['proc.pid']}"
    if event.mine["thread.ismain"] == event.theirs["thread.ismain"] == "false":
        event.once[key] = 1
    if key not in event.once and f"namespace thread {event.mine['proc.pid']}" not in event.once:
        return False
    if event.field.startswith("fd."):
        return event.theirs["fd.type"] == NA
    return (_number(theirs) or 0) < (_number(mine) or 0)


def _out_of_sight(event: Shown, theirs: str, mine: str) -> bool:
    """Whether a path begins below a directory that the capture does not tell of."""
    old, new = (re.sub(r"^(\w*:|<.>)", "", text) for text in (theirs, mine))
    if new.startswith("<UNKNOWN>"):
        rest = os.path.normpath(f"/{new.removeprefix('<UNKNOWN>')}")
        return rest.lstrip("/") == old.lstrip("/")
    if old.startswith("//") and not new.startswith("/"):
        return old.removeprefix("//") == new
    return (old, new) in (("/", ""), ("/", ".."))


def _path(event: Shown, theirs: str, mine: str) -> bool:
    """Whether a number or name is the same, and what stands for it in brackets is explained."""
    old, _, there = theirs.partition("(")
    new, _, here = mine.partition("(")
    if old not in (new, re.sub(r"[^ -~]", "", new)):
        return False
    there, here = there.removesuffix(")"), here.removesuffix(")")
    causes = (_same_path, _out_of_sight, _other_bytes)
    return there == here or any(holds(event, there, here) for holds in causes)


def _same_fd(event: Shown, theirs: str, mine: str) -> bool:
    """Whether both show one fd, of which only sysdig thinks that it is a unix socket."""
    return theirs in (f"{mine}(<u>)", "<u>") and _number(mine) is not None


def _of_process(event: Shown, theirs: str, mine: str) -> bool:
    key = f"process by its own event {event.theirs['proc.pid']}"
    if event.type == "clone3" and "|CLONE_PARENT|" in event.mine["evt.args"]:
        event.once[key] = 1
    return key in event.once and (_number(theirs) or 0) > (_number(mine) or 0)


def _other_bytes(event: Shown, theirs: str, mine: str) -> bool:
    return re.sub(r"[^ -~]", ".", mine) == theirs.rstrip(" ")


def _same_in_container(event: Shown, theirs: str, mine: str) -> bool:
    id = event.mine["container.id"]
    theirs, mine = theirs.replace("://", ":/"), id + mine
    return theirs in (mine, mine.rstrip("\n")) or _other_bytes(event, theirs, mine)


def _shortened(event: Shown, theirs: str, mine: str) -> bool:
    return theirs.endswith("...") and mine.startswith(theirs[:-3])


def _flags(event: Shown, theirs: str, mine: str) -> bool:
    """Whether ours is theirs with flags that are newer than sysdig."""
    number, _, names = theirs.rpartition("(")
    same, _, known = mine.rpartition("(")
    if number != same:
        return False
    new = [name for name in known.rstrip(")").split("|") if name not in NEW_FLAGS]
    return "|".join(new) == names.rstrip(")") and len(known) > len(names)


def _same_path(event: Shown, theirs: str, mine: str) -> bool:
    """Whether theirs is ours but for the root directory, which sysdig joins to `//`."""
    return "//" in theirs and theirs.replace("//", "/") == mine


def _followed(event: Shown, theirs: str, mine: str) -> bool:
    # The same name leads to the same program, throughout a capture.
    return event.once.setdefault(f"exepath {theirs} {event.mine['proc.exe']}", mine) == mine


def _userfaultfd(event: Shown, theirs: str, mine: str) -> bool:
    key = f"userfaultfd {event.mine['proc.pid']}"
    known = event.mine["fd.type"] == "userfaultfd"
    if known:
        event.once[key] = 1
    if event.field.startswith("fd."):
        return known and event.theirs["fd.type"] == NA
    return key in event.once


def _namespace_thread(event: Shown, theirs: str, mine: str) -> bool:
    key = f"namespace thread {event.mine['proc.pid']}"
    if event.theirs["thread.ismain"] == "true" and event.mine["thread.ismain"] == "false":
        event.once[key] = 1
        return event.mine["thread.vtid"] != event.mine["proc.vpid"]
    return event.field == "proc.nthreads" and key in event.once


def _process_of_its_own(event: Shown, theirs: str, mine: str) -> bool:
    return (
        event.theirs["thread.ismain"] == "false"
        and event.mine["proc.pid"] == event.tid != event.theirs["proc.pid"]
    )


def _same_value(event: Shown, theirs: str, mine: str) -> bool:
    return (theirs, mine) in (
        *(("", "NULL"), ("NULL", NA), (NA, "NULL"), ("", NA)),
        ("INVALID DYNAMIC PARAMETER", "NULL"),
    )


def _address(event: Shown, theirs: str, mine: str) -> bool:
    if event.type not in ("mmap", "mmap2", "brk", "mremap"):
        return False
    return _number(theirs, 16) == _number(mine) is not None or (
        _number(theirs) == _number(mine, 16) is not None
    )


def _in_container(event: Shown) -> bool:
    return event.mine["container.id"] not in ("host", "", NA)


def _unknown(event: Shown) -> bool:
    # The capture says nothing of the thread: it has a number and no process.
    return event.mine["proc.pid"] == "-1" or event.mine["proc.name"] == NA


def _socket(event: Shown) -> bool:
    return event.mine["fd.type"] not in ("file", "directory")


def _unix(event: Shown) -> bool:
    return event.mine["fd.type"] == event.theirs["fd.type"] == "unix"


def _since_start(event: Shown, theirs: str, mine: str) -> bool:
    distance = int(event.theirs["evt.reltime"]) - _reltime(event.mine)
    if event.type == "container":  # a metaevent, too
        return True
    return event.once.setdefault("reltime", distance) == distance


def _reltime(cells: Mapping[str, str]) -> int:
    return int(cells["evt.reltime.s"]) * 10**9 + int(cells["evt.reltime.ns"])


def _gone_at_exec(event: Shown, theirs: str, mine: str) -> bool:
    count, ours = _number(event.theirs["proc.fdopencount"]), _number(event.mine["proc.fdopencount"])
    if count is None or ours is None or ours >= count:
        return False
    return event.field.startswith("proc.") or event.mine["fd.type"] == NA


def _upper_half(event: Shown, theirs: str, mine: str) -> bool:
    number = _number(theirs)
    return number is not None and number >> 32 != 0 and str(number & 0xFFFFFFFF) == mine


def _kept_id(event: Shown, theirs: str, mine: str) -> bool:
    what = "group.gid" if event.field.startswith("group") else "user.uid"
    return event.mine[what] == "4294967295" and mine in (NA, "4294967295")


ENTER = "parameters of the enter event follow those of the exit event"
NO_METADATA = "the host, and a container that nothing is told of, have empty values, not none"
PLUGIN = "of the engine's own container support; the plugin's field is empty"
NOTHING_KNOWN = "of a thread that the capture tells nothing of, sysdig shows what it starts from"
FOLLOWS_FD = "the exit event has its fd from the enter event; sysdig's has none"
SECOND_CONNECT = "a second connect keeps half of the first address in sysdig"

TABLE = (
    # -- parameters
    Difference("enter parameters", "evt.args evt.info", ENTER, _parameters),
    Difference("enter parameters", "evt.arg[*", ENTER, lambda e, a, b: a == NA),
    Difference(
        "result of mmap",
        "evt.arg[0] evt.rawarg.res",
        "mmap and brk return an address in hexadecimal or a negative number: the form has changed",
        _address,
    ),
    Difference(
        "no value",
        "evt.arg[*",
        "an empty buffer is NULL, an address of no bytes is not there",
        _same_value,
    ),
    Difference(
        "long texts",
        "evt.arg[*",
        "sysdig ends them after 80 bytes",
        _shortened,
    ),
    Difference(
        "newer flags",
        "evt.arg[*",
        "what the program that records has found out of an opened file or a child",
        _flags,
    ),
    Difference(
        "data of ptrace",
        "evt.buffer",
        "as bytes; sysdig shows the number in them",
        lambda e, a, b: e.type == "ptrace" and f"data={a} " in e.theirs["evt.args"],
    ),
    Difference(
        "system log",
        "evt.info",
        "sysdig takes messages to the system log apart",
        lambda e, a, b: a.startswith("syslog sev="),
    ),
    Difference(
        "length of the buffer",
        "evt.buflen",
        "of what was read or written, the enter event seen or not",
        lambda e, a, b: a == NA and _number(b) is not None,
    ),
    Difference(
        "names of calls",
        "evt.type syscall.type evt.arg[0]",
        "newer calls have got names, accept4 has its own, other events are no calls",
        lambda e, a, b: (a, b) in CALLS or (b == NA and a == e.type),
    ),
    Difference(
        "categories",
        "evt.category",
        "`other` for calls without an event of their own; where there is an fd, its kind",
        lambda e, a, b: b == "other" or (a == "unknown" and b == e.mine_fd_category()),
    ),
    Difference(
        "no result",
        "evt.failed",
        "an event without a result neither fails nor succeeds",
        lambda e, a, b: (a, b) == ("false", NA) and e.mine["evt.rawres"] == NA,
    ),
    Difference(
        "result of getuid",
        "evt.res evt.rawres",
        "the id that is returned is the result now",
        lambda e, a, b: a == NA and e.type in ("getuid", "geteuid", "getgid", "getegid"),
    ),
    Difference(
        "errors counted",
        "evt.count.error evt.count.error.*",
        "0 where sysdig has no value",
        lambda e, a, b: (a, b) == (NA, "0"),
    ),
    Difference(
        "time of the first event",
        "evt.reltime evt.reltime.s evt.reltime.ns",
        "sysdig counts from the first procinfo event, we from the first that is no metaevent",
        _since_start,
    ),
    # -- processes
    Difference(
        "container events",
        "proc.* thread.* user.* group.* fd.* evt.arg*",
        "sysdig makes a process of the name `container:…` for them",
        lambda e, a, b: e.type == "container",
    ),
    Difference(
        "unknown threads",
        "proc.* thread.* user.* group.*",
        NOTHING_KNOWN,
        lambda e, a, b: _unknown(e),
    ),
    Difference(
        "number of threads",
        "proc.nthreads",
        "a thread that ends is not counted any more",
        lambda e, a, b: e.type == "procexit" and _number(a) == (_number(b) or 0) + 1,
    ),
    Difference(
        "number of children",
        "proc.nchilds",
        "the threads of the process but the first, which sysdig counts from clone events only",
        lambda e, a, b: (_number(a) or 0) < (_number(b) or 0) < int(e.mine["proc.nthreads"]),
    ),
    Difference(
        "session leader",
        "proc.sname",
        "the oldest ancestor in the session; none where the session or the ancestors are not known",
        lambda e, a, b: b == "" or e.mine["proc.vpid"] != e.mine["proc.pid"],
    ),
    Difference(
        "ids in the namespace",
        "thread.vtid proc.vpid",
        "kept over execve where the capture is too old to have them",
        lambda e, a, b: a == NA and _number(b) is not None,
    ),
    Difference(
        "parent of a thread",
        "proc.pname proc.pcmdline proc.pexe",
        "the parent of the process, not the thread that made this one",
        lambda e, a, b: (
            e.mine["thread.ismain"] == "false"
            and a in (e.theirs["proc.name"], e.theirs["proc.cmdline"], NA)
        ),
    ),
    Difference(
        "parent out of sight",
        "proc.ppid proc.pname proc.pcmdline proc.apid[* proc.aname[* evt.arg[5]",
        "a parent that the capture does not tell of is none; sysdig makes one up from the child",
        lambda e, a, b: b == NA and e.mine["proc.pname"] == NA,
    ),
    Difference(
        "no arguments",
        "proc.pcmdline proc.cmdline proc.exeline",
        "no space behind a command without arguments",
        lambda e, a, b: a == f"{b} ",
    ),
    Difference(
        "login user",
        "user.loginuid user.loginname",
        "not known is -1; sysdig begins with root",
        lambda e, a, b: e.theirs["user.loginuid"] == "0" and e.mine["user.loginuid"] == "-1",
    ),
    Difference(
        "set ids",
        "user.uid user.name user.homedir user.shell group.gid group.name",
        "-1 given to setresuid and setresgid is taken as the id, as the engine does",
        _kept_id,
    ),
    Difference(
        "upper half",
        "group.gid user.uid",
        "sysdig shows 64 bits where 32 are set",
        _upper_half,
    ),
    Difference(
        "blank environment",
        "proc.env",
        "a process that writes over its environment leaves blanks, which sysdig drops",
        lambda e, a, b: a == b.strip(" "),
    ),
    Difference(
        "closed on exec",
        "proc.fdopencount proc.fdusage fd.* evt.category evt.count.error.*",
        "what is marked close-on-exec is gone after execve",
        _gone_at_exec,
    ),
    Difference(
        "time of clone",
        "proc.duration thread.pfminor thread.pfmajor",
        "the child's own event decides; in sysdig that of the parent, where it comes first",
        lambda e, a, b: (_number(a) or 0) > (_number(b) or 0),
    ),
    Difference(
        "child of clone",
        "evt.arg[0]",
        "no name before the child's own event",
        lambda e, a, b: (
            e.type in ("clone", "clone3", "fork", "vfork") and (b == NA or _number(b) is not None)
        ),
    ),
    Difference(
        "links followed",
        "proc.exepath",
        "newer captures hold the path that the kernel found; sysdig joins it of what was asked for",
        _followed,
    ),
    Difference(
        "thread in a namespace",
        "proc.* thread.*",
        "the ids of a clone3 tell that it made a thread, its flags do not",
        _namespace_thread,
    ),
    Difference(
        "process by its own event",
        "proc.* thread.* container.* evt.arg* evt.info fd.container*",
        "the child's event says so; sysdig made a thread of the parent's, which has CLONE_PARENT",
        _process_of_its_own,
    ),
    Difference(
        "process by its own event",
        "proc.nthreads proc.nchilds",
        "the child's event says so; sysdig made a thread of the parent's, which has CLONE_PARENT",
        _of_process,
    ),
    # -- fds
    Difference(
        "root directory",
        "fd.* evt.abspath* evt.arg[*",
        "what is below it has one slash; sysdig joins `//`",
        _same_path,
    ),
    Difference(
        "below an unknown directory",
        "fd.* evt.abspath* evt.arg[*",
        "the path begins with `<UNKNOWN>`; sysdig begins with nothing, or with `/`",
        _out_of_sight,
    ),
    Difference(
        "below an unknown directory",
        "fd.name_changed",
        "the path begins with `<UNKNOWN>`; sysdig begins with nothing, or with `/`",
        lambda e, a, b: _out_of_sight(e, e.theirs["fd.name"], e.mine["fd.name"]),
    ),
    Difference(
        "one fd for a pair",
        "fd.* evt.arg[*",
        "a socketpair of which a number is said twice has told nothing",
        lambda e, a, b: (
            _same_fd(e, a, b) or (e.type == "socketpair" and " fd2=0 " in e.mine["evt.args"])
        ),
    ),
    Difference(
        "no list",
        "fdlist.* evt.arg[*",
        "where a call has none; sysdig reads memory behind the event",
        lambda e, a, b: (
            e.type in ("poll", "ppoll") and b in (NA, "NULL") and "fds=NULL" in e.mine["evt.args"]
        ),
    ),
    Difference(
        "other bytes",
        "fd.* evt.abspath* evt.arg[*",
        "as they are; sysdig writes a dot for each that is not ASCII",
        _other_bytes,
    ),
    Difference(
        "userfaultfd",
        "fd.* proc.fdopencount proc.fdusage",
        "sysdig does not keep these fds",
        _userfaultfd,
    ),
    Difference(
        "fd of the enter event",
        "fd.* evt.count.error.* evt.buflen evt.category",
        FOLLOWS_FD,
        lambda e, a, b: (
            e.theirs["fd.type"] == NA
            and (e.theirs["fd.num"] in (NA, "-1") or e.theirs["fd.num"] != e.mine["fd.num"])
        ),
    ),
    Difference(
        "fd of a message",
        "fd.* evt.buflen evt.category",
        "the tuple of a message makes a socket known",
        lambda e, a, b: (
            e.theirs["fd.type"] == NA and e.type in ("sendmsg", "recvmsg", "sendto", "recvfrom")
        ),
    ),
    Difference(
        "devices",
        "fd.dev fd.dev.major fd.dev.minor",
        "0 where there is none; sysdig shows memory that nobody has written to",
        lambda e, a, b: b == "0" and _socket(e),
    ),
    Difference(
        "devices",
        "fd.dev fd.dev.major fd.dev.minor",
        "0 where there is none; sysdig shows memory that nobody has written to",
        _openat2,
    ),
    Difference(
        "containers of fds",
        "fd.containername fd.containerdirectory",
        "the place of the container stays empty",
        lambda e, a, b: b.startswith(":") and (a == NA or _same_in_container(e, a, b)),
    ),
    Difference(
        "failed openat",
        "fd.*",
        "sysdig takes the fd of the directory for the one that was not opened",
        lambda e, a, b: e.type.startswith("openat") and e.mine["evt.failed"] == "true",
    ),
    Difference(
        "failed open",
        "fd.typechar",
        "a failed open has no file",
        lambda e, a, b: (a, b) == ("f", "o") and e.mine["evt.failed"] == "true",
    ),
    Difference(
        "failed connect",
        "fd.name fd.containername",
        "a failed connect leaves no name",
        lambda e, a, b: (
            b in ("", ":")
            and e.mine["fd.connected"] != "true"
            and ((e.type == "connect" and e.mine["evt.failed"] == "true") or _unix(e))
        ),
    ),
    Difference(
        "failed connect",
        "fd.is_server",
        "a failed connect leaves no name",
        lambda e, a, b: b == "false" and e.mine["fd.name"] == "" and "ipv" in e.mine["fd.type"],
    ),
    Difference(
        "splice",
        "fd.* evt.category evt.count.error.*",
        "the fd that is written to; sysdig's is the one that is read from",
        lambda e, a, b: e.type == "splice" and f"fd_in={e.theirs['fd.num']}" in e.mine["evt.args"],
    ),
    Difference(
        "table of a thread",
        "fd.* proc.fdopencount",
        "all threads of a process share its fds; sysdig gives some threads their own",
        _own_table,
    ),
    Difference(
        "control characters",
        "fd.name fd.filename fd.containername evt.args evt.info evt.arg[*",
        "shown as they are",
        lambda e, a, b: re.sub(r"[\x00-\x1f\x7f]", "", b) == a.rstrip(" "),
    ),
    Difference(
        "ports that are not there",
        "fd.cport fd.cproto",
        "of unix sockets, and of those without a peer",
        lambda e, a, b: a in ("0", "") and b == NA,
    ),
    Difference(
        "service names",
        "fd.sproto fd.cproto fd.lproto fd.rproto",
        "the number where sysdig has no name",
        lambda e, a, b: a == "",
    ),
    Difference(
        "container addresses",
        "fd.is_server fd.lport fd.rport fd.lproto fd.rproto fd.lip fd.rip",
        "addresses of containers are not those of the machine",
        lambda e, a, b: _in_container(e),
    ),
    Difference(
        "second connect",
        "fd.sip fd.lip fd.rip fd.cip fd.is_server fd.name fd.containername",
        SECOND_CONNECT,
        lambda e, a, b: e.mine["fd.connected"] == "true" and e.mine["fd.l4proto"] == "udp",
    ),
    # -- containers
    Difference(
        "no metadata",
        "container.type container.privileged container.mounts",
        NO_METADATA,
        lambda e, a, b: b == NA and a in ("docker", "false", "") and e.mine["container.name"] == NA,
    ),
    Difference(
        "no metadata",
        "container.*",
        NO_METADATA,
        lambda e, a, b: a == NA and b in ("", "false"),
    ),
    Difference(
        "health checks",
        "container.healthcheck container.liveness_probe container.readiness_probe",
        PLUGIN,
        lambda e, a, b: (a, b) == ("NONE", NA),
    ),
    Difference(
        "health checks",
        "proc.is_container_*",
        PLUGIN,
        lambda e, a, b: (a, b) == ("false", NA),
    ),
    Difference(
        "no labels",
        "k8s.pod.labels",
        "a pod without labels, and no pod, has an empty list of them",
        lambda e, a, b: (a, b) == (NA, ""),
    ),
)
