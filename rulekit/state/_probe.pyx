"""The state engine as Python objects, for tests and for looking into it."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy, memset

from rulekit.native._event cimport EventView, MAX_PARAMS, N_EVENT_TYPES, event_infos
from rulekit.native._strings cimport Str, intern, strtab_look, strtab_wants_collection
from rulekit.state._containers cimport (
    address_is_local, container_id_of, find_account, find_container
)
from rulekit.state._fds cimport add_fd, find_fd
from rulekit.state._paths cimport concat_path
from rulekit.state._process cimport cgroups_text
from rulekit.state._state cimport (
    Account, Container, Context, Fd, FDF_FROM_PROC, FdTable, Interface, Label, Limits, State, Thread,
    default_limits, state_collect, state_free, state_new, state_reset
)
from rulekit.state._threads cimport (
    add_thread, fd_table, find_thread, in_pidns, is_invalid, main_thread
)
from rulekit.state._update cimport state_event, state_event_done, state_import_done


cdef bytes _bytes(const Str* text):
    return None if text == NULL else text.ptr[:text.len]


cdef list _parts(const Str* text):
    parts = _bytes(text).split(b"\0")
    parts.pop()              # each part has a NUL behind it
    return parts


cdef dict _fd_facts(const Fd* fd):
    return {
        "num": fd.num,
        "type": fd.type,
        "flags": fd.flags,
        "open_flags": fd.open_flags,
        "version": fd.version,
        "name": _bytes(fd.name),
        "name_raw": _bytes(fd.name_raw),
        "old_name": _bytes(fd.old_name),
        "ino": fd.ino,
        "dev": fd.dev,
        "pid": fd.pid,
        "l4proto": fd.l4proto,
        "sip": (<const char*> fd.sip)[:16],
        "dip": (<const char*> fd.dip)[:16],
        "sport": fd.sport,
        "dport": fd.dport,
        "unix_src": fd.unix_src,
        "unix_dst": fd.unix_dst,
    }


cdef dict _thread_facts(Thread* t):
    cdef Thread* main = main_thread(t)
    return {
        "tid": t.tid,
        "pid": t.pid,
        "ptid": t.ptid,
        "vtid": t.vtid,
        "vpid": t.vpid,
        "sid": t.sid,
        "pgid": t.pgid,
        "vpgid": t.vpgid,
        "reaper_tid": t.reaper_tid,
        "flags": t.flags,
        "version": t.version,
        "comm": _bytes(t.comm),
        "exe": _bytes(t.exe),
        "exepath": _bytes(t.exepath),
        "args": _parts(t.args),
        "env": _parts(t.env),
        "cgroups": _parts(t.cgroups),
        "cwd": None if main == NULL else _bytes(main.cwd),
        "root": _bytes(t.root),
        "container_id": _bytes(t.container_id),
        "uid": t.uid,
        "gid": t.gid,
        "loginuid": t.loginuid,
        "tty": t.tty,
        "caps": (t.cap_inheritable, t.cap_permitted, t.cap_effective),
        "exe_ino": (t.exe_ino, t.exe_ino_ctime, t.exe_ino_mtime),
        "durations": (t.exe_ino_ctime_duration_clone_ts, t.exe_ino_ctime_duration_pidns_start),
        "exe_flags": (
            bool(t.exe_writable),
            bool(t.exe_upper_layer),
            bool(t.exe_lower_layer),
            bool(t.exe_from_memfd),
        ),
        "clone_ts": t.clone_ts,
        "lastexec_ts": t.lastexec_ts,
        "pidns_init_start_ts": t.pidns_init_start_ts,
        "fdlimit": t.fdlimit,
        "vm": (t.vm_size, t.vm_rss, t.vm_swap),
        "pf": (t.pf_major, t.pf_minor),
        "exectime": (t.exectime, t.total_exectime),
        "main": None if main == NULL else main.tid,
        "parent": None if t.parent == NULL else t.parent.tid,
        "n_threads": 0 if t.group == NULL else t.group.n_threads,
        "n_alive": 0 if t.group == NULL else t.group.n_alive,
        "reaper": False if t.group == NULL else bool(t.group.reaper),
        "invalid": bool(is_invalid(t)),
        "in_pidns": bool(in_pidns(t)),
        "own_fds": t.fds.n_fds,
    }


cdef class StateProbe:
    """A state that is fed events as plain values.

    Args:
        limits: Overrides of the limits by name, for example ``max_threads=10``.
    """

    cdef State* _state         # owned

    def __cinit__(self, **limits):
        cdef Limits wanted
        default_limits(&wanted)
        wanted.max_threads = limits.pop("max_threads", wanted.max_threads)
        wanted.max_fds = limits.pop("max_fds", wanted.max_fds)
        wanted.max_fds_total = limits.pop("max_fds_total", wanted.max_fds_total)
        wanted.max_containers = limits.pop("max_containers", wanted.max_containers)
        wanted.max_accounts = limits.pop("max_accounts", wanted.max_accounts)
        if limits:
            raise TypeError(f"unknown limits: {', '.join(limits)}")
        self._state = state_new(&wanted)
        if self._state == NULL:
            raise MemoryError

    def __dealloc__(self):
        state_free(self._state)

    cdef Str* _intern(self, object text):
        cdef bytes raw = text
        return intern(self._state.strings, raw, len(raw))

    def limit_strings(self, uint64_t soft_bytes, uint64_t hard_bytes):
        """Set the limits of the string table, in bytes."""
        self._state.strings.first_soft_limit_bytes = soft_bytes
        self._state.strings.soft_limit_bytes = soft_bytes
        strtab_look(self._state.strings)
        self._state.strings.hard_limit_bytes = hard_bytes

    def add_thread(self, int64_t tid, int64_t pid, int64_t ptid, **facts):
        """Put a thread into the initial process list."""
        cdef Thread* t = add_thread(self._state, tid)
        if t == NULL:
            return False
        t.pid = pid
        t.ptid = ptid
        t.vtid = facts.pop("vtid", tid)
        t.vpid = facts.pop("vpid", pid)
        t.flags |= <uint32_t> facts.pop("flags", 0)
        t.comm = self._intern(facts.pop("comm", b""))
        t.exe = self._intern(facts.pop("exe", b""))
        t.exepath = self._intern(facts.pop("exepath", b""))
        t.cwd = self._intern(facts.pop("cwd", b""))
        t.cgroups = self._intern(facts.pop("cgroups", b""))
        t.env = self._intern(facts.pop("env", b""))
        t.uid = facts.pop("uid", 0)
        t.gid = facts.pop("gid", 0)
        if facts:
            raise TypeError(f"unknown facts: {', '.join(facts)}")
        return True

    def add_fd(self, int64_t tid, int64_t num, int type, bytes name=b"", **facts):
        """Put an fd into the initial list of a thread."""
        cdef Thread* t = find_thread(self._state, tid)
        cdef Fd* fd = NULL if t == NULL else add_fd(self._state, &t.fds, num)
        cdef bytes raw
        if fd == NULL:
            return False
        fd.type = type
        fd.flags = FDF_FROM_PROC
        fd.name = self._intern(name)
        fd.name_raw = fd.name
        raw = facts.pop("sip", b"")
        memcpy(fd.sip, <const char*> raw, min(len(raw), 16))
        raw = facts.pop("dip", b"")
        memcpy(fd.dip, <const char*> raw, min(len(raw), 16))
        fd.sport = facts.pop("sport", 0)
        fd.dport = facts.pop("dport", 0)
        fd.l4proto = facts.pop("l4proto", 0)
        fd.open_flags = facts.pop("open_flags", 0)
        if facts:
            raise TypeError(f"unknown facts: {', '.join(facts)}")
        return True

    def add_interface(self, bytes addr, bytes mask, bytes name=b"eth0"):
        """Put a network interface into the list; addresses of 4 or 16 bytes."""
        cdef State* s = self._state
        cdef Interface* grown = <Interface*> realloc(s.interfaces, (s.n_interfaces + 1) * sizeof(Interface))
        if grown == NULL:
            raise MemoryError
        s.interfaces = grown
        memset(&grown[s.n_interfaces], 0, sizeof(Interface))
        grown[s.n_interfaces].v6 = len(addr) == 16
        memcpy(grown[s.n_interfaces].addr, <const char*> addr, min(len(addr), 16))
        memcpy(grown[s.n_interfaces].mask, <const char*> mask, min(len(mask), 16))
        grown[s.n_interfaces].name = self._intern(name)
        s.n_interfaces += 1

    def import_done(self):
        """Link the initial threads and fix their sockets."""
        state_import_done(self._state)

    def feed(self, int type, int64_t tid, uint64_t ts_ns, params=(), *, uint32_t block_flags=0, int cpu=0):
        """Apply one event of the current form.

        Args:
            params: Bytes of each parameter, None or ``b""`` for an empty one.

        Returns:
            What the event is attached to, as rules would see it.
        """
        cdef EventView ev
        cdef Context c
        cdef uint32_t i
        cdef bytes raw
        if not 0 <= type < N_EVENT_TYPES:
            raise ValueError(f"{type} is no event type")
        if len(params) > MAX_PARAMS:
            raise ValueError("too many parameters")
        held = [b"" if p is None else bytes(p) for p in params]
        memset(&ev, 0, sizeof(ev))
        ev.ts_ns = ts_ns
        ev.tid = tid
        ev.type = <uint16_t> type
        ev.cpu = <uint16_t> cpu
        ev.block_flags = block_flags
        ev.info = &event_infos[type]
        ev.nparams = len(held)
        for i in range(ev.nparams):
            raw = held[i]
            ev.params[i].ptr = <const uint8_t*> <const char*> raw
            ev.params[i].len = <uint32_t> len(raw)
        with nogil:
            state_event(self._state, &ev, &c)
        seen = {
            "thread": None if c.thread == NULL else c.thread.tid,
            "fd": None if c.fd == NULL else _fd_facts(c.fd),
            "fd_num": c.fd_num,
            "retval": c.retval if c.has_retval else None,
            "visible": bool(c.visible),
            "enter": None if c.enter == NULL else c.enter.type,
            "container": None if c.event_container == NULL else _bytes(c.event_container.id),
        }
        with nogil:
            state_event_done(self._state, &c)
            if strtab_wants_collection(self._state.strings):
                state_collect(self._state)
        return seen

    def collect(self):
        """Free the strings that nothing names."""
        state_collect(self._state)

    def reset(self):
        """Start a new section."""
        state_reset(self._state)

    def thread(self, int64_t tid):
        """Return the facts of a thread, or None."""
        cdef Thread* t = find_thread(self._state, tid)
        return None if t == NULL else _thread_facts(t)

    def threads(self):
        """Return the tids of all threads."""
        cdef uint32_t i
        cdef Thread* t
        found = []
        for i in range(self._state.n_thread_buckets):
            t = self._state.thread_buckets[i]
            while t != NULL:
                found.append(t.tid)
                t = t.hash_next
        return sorted(found)

    def fd(self, int64_t tid, int64_t num):
        """Return the facts of an fd of the thread's process, or None."""
        cdef Thread* t = find_thread(self._state, tid)
        cdef FdTable* table = NULL if t == NULL else fd_table(self._state, t)
        cdef Fd* fd = NULL if table == NULL else find_fd(table, num)
        return None if fd == NULL else _fd_facts(fd)

    def fds(self, int64_t tid):
        """Return the numbers of all fds of the thread's process."""
        cdef Thread* t = find_thread(self._state, tid)
        cdef FdTable* table = NULL if t == NULL else fd_table(self._state, t)
        cdef uint32_t i
        found = []
        if table != NULL:
            for i in range(table.n_slots):
                if table.slots[i] != NULL:
                    found.append(table.slots[i].num)
        return sorted(found)

    def account(self, bytes container_id, uint32_t id, bint is_group=False):
        """Return name, home and shell of a user or group, or None."""
        cdef Account* a = find_account(self._state, self._intern(container_id), id, is_group)
        return None if a == NULL else (_bytes(a.name), _bytes(a.home), _bytes(a.shell))

    def container(self, bytes id):
        """Return the metadata of a container, or None."""
        cdef Container* c = find_container(self._state, self._intern(id))
        cdef uint32_t i
        if c == NULL:
            return None
        return {
            "id": _bytes(c.id),
            "full_id": _bytes(c.full_id),
            "type": c.type,
            "name": _bytes(c.name),
            "image": _bytes(c.image),
            "image_repo": _bytes(c.image_repo),
            "ip": _bytes(c.ip),
            "user": _bytes(c.user),
            "privileged": bool(c.privileged),
            "labels": {_bytes(c.labels[i].key): _bytes(c.labels[i].value) for i in range(c.n_labels)},
            "pod_labels": {
                _bytes(c.pod_labels[i].key): _bytes(c.pod_labels[i].value) for i in range(c.n_pod_labels)
            },
            "mounts": [
                (_bytes(c.mounts[i].source), _bytes(c.mounts[i].dest), bool(c.mounts[i].rw))
                for i in range(c.n_mounts)
            ],
        }

    def container_id_of(self, bytes cgroups):
        """Return the container id for NUL-ended ``subsystem=path`` entries."""
        return _bytes(container_id_of(self._state, self._intern(cgroups)))

    def cgroups_text(self, bytes cgroups):
        """Return the entries with canonical subsystem names."""
        return _bytes(cgroups_text(self._state, cgroups, len(cgroups)))

    def concat_path(self, bytes directory, bytes path):
        """Join and normalise."""
        return _bytes(concat_path(self._state, directory, len(directory), path, len(path)))

    def address_is_local(self, bytes addr):
        """Tell whether an address of 4 or 16 bytes belongs to the machine."""
        if len(addr) not in (4, 16):
            raise ValueError("an address has 4 or 16 bytes")
        return bool(address_is_local(self._state, <const uint8_t*> <const char*> addr, len(addr) == 16))

    def versions(self):
        """Return the counters that tell caches what changed."""
        return {
            "ancestry": self._state.ancestry_version,
            "account": self._state.account_version,
            "container": self._state.container_version,
        }

    def counters(self):
        """Return refusals and sizes."""
        cdef State* s = self._state
        return {
            "threads_refused": s.counters.threads_refused,
            "fds_refused": s.counters.fds_refused,
            "containers_refused": s.counters.containers_refused,
            "accounts_refused": s.counters.accounts_refused,
            "placeholders": s.counters.placeholders,
            "bad_params": s.counters.bad_params,
            "enters_refused": s.counters.enters_refused,
            "strings_refused": s.strings.n_refused,
            "strings_collected": s.strings.n_collected,
            "n_threads": s.n_threads,
            "n_groups": s.n_groups,
            "n_fds": s.n_fds_total,
            "n_strings": s.strings.n_strings,
            "string_bytes": s.strings.n_bytes,
            "enter_bytes": s.enter_bytes_held,
            "n_containers": s.n_containers,
            "n_accounts": s.n_accounts,
        }

    def check(self):
        """Verify the links between threads, groups and fd tables; raise AssertionError if broken."""
        cdef State* s = self._state
        cdef uint32_t i, j, n_threads = 0, n_fds = 0, n_table, n_members = 0, n
        cdef int32_t n_alive
        cdef Thread* t
        cdef Thread* other
        for i in range(s.n_thread_buckets):
            t = s.thread_buckets[i]
            while t != NULL:
                n_threads += 1
                assert find_thread(s, t.tid) == t, "a thread is not found by its tid"
                assert t.version != 0
                n_table = 0
                for j in range(t.fds.n_slots):
                    if t.fds.slots[j] != NULL:
                        n_table += 1
                        assert find_fd(&t.fds, t.fds.slots[j].num) == t.fds.slots[j], "an fd is lost"
                assert n_table == t.fds.n_fds, "an fd table counts wrongly"
                n_fds += n_table
                other = t.first_child
                while other != NULL:
                    assert other.parent == t, "a child names another parent"
                    assert find_thread(s, other.tid) == other, "a child is gone"
                    other = other.next_sibling
                if t.parent != NULL:
                    assert find_thread(s, t.parent.tid) == t.parent, "a parent is gone"
                    assert t.ptid == t.parent.tid, "ptid and parent differ"
                if t.group != NULL:
                    n_members += 1
                t = t.hash_next
        assert n_threads == s.n_threads, "threads are counted wrongly"
        assert n_fds == s.n_fds_total, "fds are counted wrongly"
        n = 0
        for i in range(s.n_group_buckets):
            group = s.group_buckets[i]
            while group != NULL:
                n += 1
                n_table = 0
                n_alive = 0
                t = group.first
                while t != NULL:
                    n_table += 1
                    assert t.group == group
                    if not t.flags & (1 << 18):
                        n_alive += 1
                    t = t.group_next
                assert n_table == group.n_threads and n_table > 0, "a group counts wrongly"
                assert n_alive == group.n_alive, "a group counts its live threads wrongly"
                n_members -= n_table
                group = group.hash_next
        assert n == s.n_groups
        assert n_members == 0, "a thread names a group that does not list it"
