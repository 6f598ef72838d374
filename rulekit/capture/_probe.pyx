"""Shows the snapshot of a capture: what its metadata blocks left in the state."""

from libc.stdint cimport int64_t, uint32_t

from rulekit.capture._blocks cimport (
    NEXT_END, NEXT_ERROR, NEXT_EVENT, NEXT_NEED_DATA, NEXT_SECTION, decoder_next,
)
from rulekit.capture._reader cimport CaptureReader
from rulekit.native._event cimport EventView
from rulekit.native._strings cimport Str
from rulekit.state._state cimport Account, Fd, Interface, State, Thread, state_free, state_new


cdef bytes _bytes(const Str* text):
    return b"" if text == NULL else text.ptr[:text.len]


cdef str _text(const Str* text):
    return _bytes(text).decode("utf-8", "surrogateescape")


cdef list _list(const Str* text):
    parts = _text(text).split("\0")
    parts.pop()              # what follows the last element's own NUL
    return parts


cdef dict _fd(const Fd* fd):
    return {
        "num": fd.num, "type": fd.type, "name": _text(fd.name), "flags": fd.flags,
        "open_flags": fd.open_flags, "ino": fd.ino, "dev": fd.dev, "l4proto": fd.l4proto,
        "sip": <bytes> (<const char*> fd.sip)[:16], "sport": fd.sport,
        "dip": <bytes> (<const char*> fd.dip)[:16], "dport": fd.dport,
        "unix": (fd.unix_src, fd.unix_dst),
    }


cdef dict _thread(Thread* t):
    cdef uint32_t i
    fds = {}
    for i in range(t.fds.n_slots):
        if t.fds.slots[i] != NULL:
            fds[t.fds.slots[i].num] = _fd(t.fds.slots[i])
    return {
        "tid": t.tid, "pid": t.pid, "ptid": t.ptid, "sid": t.sid, "vpgid": t.vpgid,
        "pgid": t.pgid, "vtid": t.vtid, "vpid": t.vpid, "comm": _text(t.comm),
        "exe": _text(t.exe), "exepath": _text(t.exepath), "args": _list(t.args),
        "env": _list(t.env), "cgroups": _list(t.cgroups), "cwd": _text(t.cwd),
        "root": _text(t.root), "flags": t.flags, "uid": t.uid, "gid": t.gid,
        "loginuid": t.loginuid, "tty": t.tty, "fdlimit": t.fdlimit, "vm_size": t.vm_size,
        "vm_rss": t.vm_rss, "vm_swap": t.vm_swap, "pf_major": t.pf_major, "pf_minor": t.pf_minor,
        "pidns_init_start_ts": t.pidns_init_start_ts, "cap_inheritable": t.cap_inheritable,
        "cap_permitted": t.cap_permitted, "cap_effective": t.cap_effective, "exe_ino": t.exe_ino,
        "exe_ino_ctime": t.exe_ino_ctime, "exe_ino_mtime": t.exe_ino_mtime,
        "exe_writable": bool(t.exe_writable), "exe_upper_layer": bool(t.exe_upper_layer),
        "exe_lower_layer": bool(t.exe_lower_layer), "exe_from_memfd": bool(t.exe_from_memfd),
        "fds": fds,
    }


cdef dict _snapshot(State* state):
    cdef uint32_t i
    cdef Thread* thread
    cdef Account* account
    cdef const Interface* interface
    threads, users, groups, interfaces = {}, {}, {}, []
    for i in range(state.n_thread_buckets):
        thread = state.thread_buckets[i]
        while thread != NULL:
            threads[thread.tid] = _thread(thread)
            thread = thread.hash_next
    for i in range(state.n_account_buckets):
        account = state.account_buckets[i]
        while account != NULL:
            row = {"name": _text(account.name)}
            if not account.is_group:
                row.update(gid=account.gid, home=_text(account.home), shell=_text(account.shell))
            (groups if account.is_group else users)[account.id] = row
            account = account.hash_next
    for i in range(state.n_interfaces):
        interface = &state.interfaces[i]
        size = 16 if interface.v6 else 4
        interfaces.append({
            "name": _text(interface.name), "link_speed": interface.link_speed,
            "address": <bytes> (<const char*> interface.addr)[:size],
            "netmask": <bytes> (<const char*> interface.mask)[:size],
            "broadcast": <bytes> (<const char*> interface.bcast)[:size],
        })
    return {
        "hostname": (<bytes> state.hostname).decode("utf-8", "surrogateescape"),
        "n_cpus": state.n_cpus, "boot_ns": state.boot_ns,
        "threads": threads, "users": users, "groups": groups, "interfaces": interfaces,
    }


def read_snapshots(source):
    """Yield the snapshot of each section of a capture as dicts, sockets and parents resolved.

    A section without events counts, too.

    Raises:
        SourceError: The capture is damaged.
    """
    cdef CaptureReader reader = CaptureReader(source)
    cdef State* state = state_new(NULL)
    cdef EventView ev
    cdef int result
    if state == NULL:
        raise MemoryError
    try:
        while True:
            result = decoder_next(reader.decoder, state, &ev)
            if result == NEXT_SECTION:
                yield _snapshot(state)
            elif result == NEXT_NEED_DATA:
                reader.refill()
            elif result == NEXT_END:
                return
            elif result == NEXT_ERROR:
                raise reader.error()
    finally:
        state_free(state)
        reader.close()
