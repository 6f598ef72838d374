"""Reads the metadata blocks of a capture into a `State`.

Everything is stored as the file has it: the state links threads, turns sockets round and finds
containers once all blocks are there, because blocks and entries come in any order.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from rulekit.native._strings cimport Str, intern
from rulekit.state._containers cimport add_account, remove_account
from rulekit.state._fds cimport add_fd
from rulekit.state._state cimport (
    CL_ACTIVE, FD_BPF, FD_DIRECTORY, FD_EVENT, FD_EVENTPOLL, FD_FIFO, FD_FILE, FD_FILE_V2,
    FD_INOTIFY, FD_IOURING, FD_IPV4_SERVSOCK, FD_IPV4_SOCK, FD_IPV6_SERVSOCK, FD_IPV6_SOCK,
    FD_MEMFD, FD_NETLINK, FD_PIDFD, FD_SIGNALFD, FD_TIMERFD, FD_UNIX_SOCK, FD_UNSUPPORTED,
    FD_USERFAULTFD, FDF_FROM_PROC, Account, Fd, Interface, State, Thread,
)
from rulekit.state._threads cimport add_thread, find_thread

cdef enum:                   # longest texts in bytes
    MAX_PATH = 1024          # also of comm and exe
    MAX_LIST = 4096          # args, env, cgroups
    MAX_FD_NAME = 1023
    MAX_ACCOUNT_TEXT = 255
    MAX_INTERFACE_NAME = 1023
    OLD_TAIL = 29            # bytes after `root` of an entry that begins with loginuid at most

cdef struct Cursor:          # over one entry; reads beyond `end` give 0 and set `error`
    const uint8_t* data
    uint64_t at
    uint64_t end
    const char* error        # first thing that was wrong, or NULL
    uint64_t error_at

cdef struct Span:
    const char* ptr
    uint32_t len


cdef inline void _fail(Cursor* c, const char* what) noexcept nogil:
    if c.error == NULL:
        c.error = what
        c.error_at = c.at


cdef inline const uint8_t* _take(Cursor* c, uint64_t length) noexcept nogil:
    """Return the next bytes, or NULL with the error set."""
    cdef const uint8_t* taken
    if c.error != NULL or length > c.end - c.at:
        _fail(c, b"an entry reads past its end")
        return NULL
    taken = c.data + c.at
    c.at += length
    return taken


cdef inline uint8_t _u8(Cursor* c) noexcept nogil:
    cdef const uint8_t* p = _take(c, 1)
    return 0 if p == NULL else p[0]


cdef inline uint16_t _u16(Cursor* c) noexcept nogil:
    cdef uint16_t value = 0
    cdef const uint8_t* p = _take(c, 2)
    if p != NULL:
        memcpy(&value, p, 2)
    return value


cdef inline uint32_t _u32(Cursor* c) noexcept nogil:
    cdef uint32_t value = 0
    cdef const uint8_t* p = _take(c, 4)
    if p != NULL:
        memcpy(&value, p, 4)
    return value


cdef inline uint64_t _u64(Cursor* c) noexcept nogil:
    cdef uint64_t value = 0
    cdef const uint8_t* p = _take(c, 8)
    if p != NULL:
        memcpy(&value, p, 8)
    return value


cdef inline bint _fits(const Cursor* c, uint64_t length) noexcept nogil:
    return c.error == NULL and length <= c.end - c.at


cdef Span _bytes(Cursor* c, uint32_t length, uint32_t longest, const char* what) noexcept nogil:
    cdef Span span
    cdef const uint8_t* p
    span.ptr = b""
    span.len = 0
    if length > longest:
        _fail(c, what)
        return span
    p = _take(c, length)
    if p != NULL:
        span.ptr = <const char*> p
        span.len = length
    return span


cdef Span _text(Cursor* c, uint32_t longest) noexcept nogil:
    return _bytes(c, _u16(c), longest, b"a text is longer than the format allows")


# --- processes ----------------------------------------------------------------------------------

cdef struct ThreadEntry:
    uint64_t tid, pid, ptid, sid, vpgid, pgid, vtid, vpid
    Span comm, exe, exepath, args, cwd, env, cgroups, root
    int64_t fdlimit
    uint32_t flags, uid, gid, loginuid, tty
    uint32_t vm_size, vm_rss, vm_swap
    uint64_t pf_major, pf_minor, pidns_init_start_ts
    uint64_t cap_inheritable, cap_permitted, cap_effective
    uint64_t exe_ino, exe_ino_ctime, exe_ino_mtime
    bint exe_writable, exe_upper_layer, exe_lower_layer, exe_from_memfd


cdef void _appended_fields(Cursor* c, ThreadEntry* e) noexcept nogil:
    """Read what writers appended over time, each field while it still fits."""
    # Two fields were once inserted before loginuid, the first of the older tail; only the room tells.
    if c.end - c.at > OLD_TAIL:
        if not _fits(c, 8):
            return
        e.pidns_init_start_ts = _u64(c)
        if not _fits(c, 4):
            return
        e.tty = _u32(c)
    if not _fits(c, 4):
        return
    e.loginuid = _u32(c)
    if not _fits(c, 1):
        return
    e.exe_writable = _u8(c) != 0
    if not _fits(c, 8):
        return
    e.cap_inheritable = _u64(c)
    if not _fits(c, 8):
        return
    e.cap_permitted = _u64(c)
    if not _fits(c, 8):
        return
    e.cap_effective = _u64(c)
    if not _fits(c, 1):
        return
    e.exe_upper_layer = _u8(c) != 0
    if not _fits(c, 8):
        return
    e.exe_ino = _u64(c)
    if not _fits(c, 8):
        return
    e.exe_ino_ctime = _u64(c)
    if not _fits(c, 8):
        return
    e.exe_ino_mtime = _u64(c)
    if not _fits(c, 1):
        return
    e.exe_from_memfd = _u8(c) != 0
    if not _fits(c, 1):
        return
    e.exe_lower_layer = _u8(c) != 0
    if not _fits(c, 8):
        return
    e.pgid = _u64(c)


cdef void _thread_entry(Cursor* c, ThreadEntry* e, int version) noexcept nogil:
    cdef uint64_t none = <uint64_t> -1
    memset(e, 0, sizeof(ThreadEntry))
    e.sid = e.vpgid = e.pgid = e.vtid = e.vpid = none
    e.loginuid = 0xffffffff
    e.exepath.ptr = e.env.ptr = e.cgroups.ptr = e.root.ptr = b""
    e.tid = _u64(c)
    e.pid = _u64(c)
    e.ptid = _u64(c)
    if version >= 6:
        e.sid = _u64(c)
    if version >= 8:
        e.vpgid = _u64(c)
    e.comm = _text(c, MAX_PATH)
    e.exe = _text(c, MAX_PATH)
    if version >= 7:
        e.exepath = _text(c, MAX_PATH)
    e.args = _text(c, MAX_LIST)
    e.cwd = _text(c, MAX_PATH)
    e.fdlimit = <int64_t> _u64(c)
    e.flags = _u32(c)
    e.uid = _u32(c)
    e.gid = _u32(c)
    if version >= 2:
        e.vm_size = _u32(c)
        e.vm_rss = _u32(c)
        e.vm_swap = _u32(c)
        e.pf_major = _u64(c)
        e.pf_minor = _u64(c)
    if version >= 3:
        e.env = _text(c, MAX_LIST)
    if version >= 4:
        e.vtid = _u64(c)
        e.vpid = _u64(c)
        e.cgroups = _text(c, MAX_LIST)
    if version >= 5:
        e.root = _text(c, MAX_PATH)
    if version >= 9:
        _appended_fields(c, e)


cdef Str* _intern(State* state, Span text) noexcept nogil:
    return intern(state.strings, text.ptr, text.len)


cdef Str* _intern_ended(State* state, Span text, char end) noexcept nogil:
    """Intern a text of at most MAX_LIST bytes; a missing final `end` is added unless it is empty."""
    cdef char[MAX_LIST + 1] copy
    if end == 0 and text.len == 1 and text.ptr[0] == 0:
        text.len = 0         # a lone end is no element
    if text.len == 0 or text.len > MAX_LIST or text.ptr[text.len - 1] == end:
        return _intern(state, text)
    memcpy(copy, text.ptr, text.len)
    copy[text.len] = end
    return intern(state.strings, copy, text.len + 1)


cdef Span _without_deleted(Span path) noexcept nogil:
    """Cut the mark that the kernel puts behind the path of a deleted program."""
    cdef const char* ending = b" (deleted)"
    cdef uint32_t i
    if path.len > 10:
        for i in range(10):
            if path.ptr[path.len - 10 + i] != ending[i]:
                return path
        path.len -= 10
    return path


cdef void _store_thread(State* state, const ThreadEntry* e) noexcept nogil:
    # An fd list may come before its process: do not replace what it has filled.
    cdef Thread* t = find_thread(state, <int64_t> e.tid)
    if t == NULL:
        t = add_thread(state, <int64_t> e.tid)
    if t == NULL:
        return               # limit reached; the table counted it
    t.pid = <int64_t> e.pid
    t.ptid = <int64_t> e.ptid
    t.sid = <int64_t> e.sid
    t.vpgid = <int64_t> e.vpgid
    t.pgid = <int64_t> e.pgid
    t.vtid = <int64_t> e.vtid
    t.vpid = <int64_t> e.vpid
    t.comm = _intern(state, e.comm)
    t.exe = _intern(state, e.exe)
    t.exepath = _intern(state, _without_deleted(e.exepath))
    t.args = _intern_ended(state, e.args, 0)
    t.cwd = _intern_ended(state, e.cwd, c'/')
    t.env = _intern_ended(state, e.env, 0)
    t.cgroups = _intern_ended(state, e.cgroups, 0)
    t.root = _intern(state, e.root)
    t.fdlimit = e.fdlimit
    t.flags |= e.flags | CL_ACTIVE
    t.uid = e.uid
    t.gid = e.gid
    t.loginuid = e.loginuid
    t.tty = e.tty
    t.vm_size = e.vm_size
    t.vm_rss = e.vm_rss
    t.vm_swap = e.vm_swap
    t.pf_major = e.pf_major
    t.pf_minor = e.pf_minor
    t.pidns_init_start_ts = e.pidns_init_start_ts
    t.cap_inheritable = e.cap_inheritable
    t.cap_permitted = e.cap_permitted
    t.cap_effective = e.cap_effective
    t.exe_ino = e.exe_ino
    t.exe_ino_ctime = e.exe_ino_ctime
    t.exe_ino_mtime = e.exe_ino_mtime
    t.exe_writable = e.exe_writable
    t.exe_upper_layer = e.exe_upper_layer
    t.exe_lower_layer = e.exe_lower_layer
    t.exe_from_memfd = e.exe_from_memfd


# --- fds ----------------------------------------------------------------------------------------

cdef bint _named_type(int kind) noexcept nogil:
    return (kind == FD_FILE or kind == FD_DIRECTORY or kind == FD_FIFO or kind == FD_EVENT
            or kind == FD_UNSUPPORTED or kind == FD_SIGNALFD or kind == FD_EVENTPOLL
            or kind == FD_INOTIFY or kind == FD_TIMERFD or kind == FD_NETLINK or kind == FD_BPF
            or kind == FD_USERFAULTFD or kind == FD_IOURING or kind == FD_MEMFD or kind == FD_PIDFD)


cdef void _address(Cursor* c, uint8_t* target, uint32_t length) noexcept nogil:
    cdef const uint8_t* p = _take(c, length)
    if p != NULL:
        memcpy(target, p, length)


cdef void _fd_entry(State* state, Thread* thread, Cursor* c, int version) noexcept nogil:
    cdef Fd entry
    cdef Fd* fd
    cdef Span name
    cdef char[32] made
    cdef uint32_t length
    memset(&entry, 0, sizeof(Fd))
    name.ptr = b""
    name.len = 0
    entry.num = <int64_t> _u64(c)
    entry.ino = _u64(c)
    entry.type = _u8(c)
    if entry.type == FD_IPV4_SOCK or entry.type == FD_IPV6_SOCK:
        length = 4 if entry.type == FD_IPV4_SOCK else 16
        _address(c, entry.sip, length)
        _address(c, entry.dip, length)
        entry.sport = _u16(c)
        entry.dport = _u16(c)
        entry.l4proto = _u8(c)
    elif entry.type == FD_IPV4_SERVSOCK or entry.type == FD_IPV6_SERVSOCK:
        length = 4 if entry.type == FD_IPV4_SERVSOCK else 16
        _address(c, entry.dip, length)
        entry.dport = _u16(c)
        entry.l4proto = _u8(c)
    elif entry.type == FD_UNIX_SOCK:
        entry.unix_src = _u64(c)
        entry.unix_dst = _u64(c)
        name = _text(c, MAX_FD_NAME)
    elif entry.type == FD_FILE_V2:
        entry.open_flags = _u32(c)
        name = _text(c, MAX_FD_NAME)
        if version >= 2 and _fits(c, 4):
            entry.dev = _u32(c)
    elif _named_type(entry.type):
        name = _text(c, MAX_FD_NAME)
    elif version >= 2:
        name.ptr = made
        name.len = snprintf(made, sizeof(made), b"unknown-type:[%d]", entry.type)
        entry.type = FD_UNSUPPORTED
    else:
        _fail(c, b"an fd has a type whose size is not known")
    if c.error != NULL or thread == NULL or entry.num < 0:
        return
    fd = add_fd(state, &thread.fds, entry.num)
    if fd == NULL:
        return               # limit reached; the table counted it
    fd.type = entry.type
    fd.ino = entry.ino
    fd.dev = entry.dev
    fd.open_flags = entry.open_flags
    fd.flags = FDF_FROM_PROC
    fd.l4proto = entry.l4proto
    fd.sport = entry.sport
    fd.dport = entry.dport
    fd.unix_src = entry.unix_src
    fd.unix_dst = entry.unix_dst
    memcpy(fd.sip, entry.sip, 16)
    memcpy(fd.dip, entry.dip, 16)
    fd.name = _intern(state, name)
    fd.name_raw = fd.name


# --- interfaces, accounts, machine --------------------------------------------------------------

cdef void _interface_entry(State* state, Cursor* c) noexcept nogil:
    cdef Interface entry
    cdef Interface* grown
    cdef Span name
    cdef uint16_t name_length
    cdef uint32_t length
    cdef uint16_t kind = _u16(c)
    memset(&entry, 0, sizeof(Interface))
    name_length = _u16(c)
    if c.error == NULL and (kind < 1 or kind > 4):
        _fail(c, b"an interface has an unknown type")
        return
    entry.v6 = kind == 2 or kind == 4
    length = 16 if entry.v6 else 4
    _address(c, entry.addr, length)
    _address(c, entry.mask, length)
    _address(c, entry.bcast, length)
    if kind <= 2:
        entry.link_speed = _u64(c)
    name = _bytes(c, name_length, MAX_INTERFACE_NAME, b"an interface name is too long")
    if c.error != NULL or state == NULL:
        return
    grown = <Interface*> realloc(state.interfaces, (state.n_interfaces + 1) * sizeof(Interface))
    if grown == NULL:
        return
    entry.name = _intern(state, name)
    state.interfaces = grown
    state.interfaces[state.n_interfaces] = entry
    state.n_interfaces += 1


cdef void _account_entry(State* state, Cursor* c) noexcept nogil:
    cdef bint is_group = _u8(c) != 0
    cdef uint32_t id = _u32(c)
    cdef uint32_t gid = id
    cdef Span name, home, shell
    cdef Account* account
    home.ptr = shell.ptr = b""
    home.len = shell.len = 0
    if is_group:
        name = _text(c, MAX_ACCOUNT_TEXT)
    else:
        gid = _u32(c)
        name = _text(c, MAX_ACCOUNT_TEXT)
        home = _text(c, MAX_ACCOUNT_TEXT)
        shell = _text(c, MAX_ACCOUNT_TEXT)
    if c.error != NULL or state == NULL:
        return
    if name.len and (name.ptr[0] == c'+' or name.ptr[0] == c'-'):
        return               # compat entries of an account database, not accounts
    account = add_account(state, state.strings.empty, id, is_group)
    if account == NULL:
        return               # limit reached; the table counted it
    account.gid = gid
    account.name = _intern(state, name)
    account.home = _intern(state, home)
    account.shell = _intern(state, shell)


cdef void _forget_host_accounts(State* state) noexcept nogil:
    cdef uint32_t i = 0
    cdef Account* account
    while i < state.n_account_buckets:
        account = state.account_buckets[i]
        while account != NULL and account.container_id != state.strings.empty:
            account = account.hash_next
        if account == NULL:
            i += 1
        else:
            remove_account(state, account.container_id, account.id, account.is_group)


cdef void _machine(State* state, Cursor* c) noexcept nogil:
    cdef uint32_t n_cpus = _u32(c)
    cdef uint64_t boot_ns
    cdef const uint8_t* hostname
    cdef uint32_t i
    _u64(c)                  # memory size
    _u64(c)                  # largest pid
    hostname = _take(c, 128)
    boot_ns = _u64(c)
    _take(c, 24)             # flags, reserved
    if c.error != NULL or state == NULL:
        return
    state.n_cpus = n_cpus
    state.boot_ns = boot_ns
    memcpy(state.hostname, hostname, 128)
    state.hostname[128] = 0


cdef const char* import_block(State* state, int kind, int version, const uint8_t* body, uint64_t size,
                              uint64_t* offset) noexcept nogil:
    cdef Cursor block
    cdef Cursor entry
    cdef ThreadEntry parsed
    cdef Thread* thread = NULL
    cdef uint64_t length
    cdef bint sized = version >= (9 if kind == SNAP_THREADS else 2)
    cdef uint64_t tid
    memset(&block, 0, sizeof(Cursor))
    block.data = body
    block.end = size
    if kind == SNAP_MACHINE:
        _machine(state, &block)
        offset[0] = block.error_at
        return block.error
    if kind == SNAP_FDS:
        tid = _u64(&block)
        if state != NULL and block.error == NULL and block.end - block.at >= 4:
            thread = find_thread(state, <int64_t> tid)
            if thread == NULL:
                thread = add_thread(state, <int64_t> tid)
    elif kind == SNAP_INTERFACES and state != NULL:
        free(state.interfaces)
        state.interfaces = NULL
        state.n_interfaces = 0
    elif kind == SNAP_ACCOUNTS and state != NULL:
        _forget_host_accounts(state)
    while block.error == NULL and block.end - block.at >= 4:
        entry = block
        if sized:
            length = _u32(&entry)
            if kind == SNAP_INTERFACES:
                length += 4  # the only one that does not count itself
            if length < 4 or length > block.end - block.at:
                _fail(&block, b"an entry is longer than its block")
                break
            entry.end = block.at + length
        if kind == SNAP_THREADS:
            _thread_entry(&entry, &parsed, version)
            if entry.error == NULL and state != NULL:
                _store_thread(state, &parsed)
        elif kind == SNAP_FDS:
            _fd_entry(state, thread, &entry, version)
        elif kind == SNAP_INTERFACES:
            _interface_entry(state, &entry)
        else:
            _account_entry(state, &entry)
        block.error = entry.error
        block.error_at = entry.error_at
        block.at = entry.end if sized else entry.at
    offset[0] = block.error_at
    return block.error
