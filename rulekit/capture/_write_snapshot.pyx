"""Writes a `State` as the metadata blocks of a capture: what `_snapshot` reads.

A capture that is cut into files needs at the start of each what the files before it told. What the
format has no place for is lost, as in any capture that begins in the middle of things: when a process
was started, whether a connection was made or taken where no listening socket tells, metadata of
containers.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from rulekit.native._scratch cimport buf_put, buf_reserve
from rulekit.native._strings cimport Str
from rulekit.state._state cimport (
    FD_IPV4_SERVSOCK, FD_IPV4_SOCK, FD_IPV6_SERVSOCK, FD_IPV6_SOCK, FD_FILE, FD_FILE_V2,
    FD_UNIX_SOCK, FD_UNKNOWN, FDF_ROLE_SERVER, Account, Fd, Interface, Thread,
)

cdef enum:
    MAX_PATH = 1024
    MAX_LIST = 4096
    MAX_FD_NAME = 1023
    MAX_ACCOUNT_TEXT = 255
    SECTION = 0x0A0D0D0A
    MACHINE = 0x201
    THREADS = 0x215
    FDS = 0x218
    INTERFACES = 0x219
    ACCOUNTS = 0x220
    EVENT = 0x216
    USER_ADDED = 354
    GROUP_ADDED = 358


cdef inline void _u8(Buf* out, uint8_t value) noexcept nogil:
    buf_put(out, <const char*> &value, 1)


cdef inline void _u16(Buf* out, uint16_t value) noexcept nogil:
    buf_put(out, <const char*> &value, 2)


cdef inline void _u32(Buf* out, uint32_t value) noexcept nogil:
    buf_put(out, <const char*> &value, 4)


cdef inline void _u64(Buf* out, uint64_t value) noexcept nogil:
    buf_put(out, <const char*> &value, 8)


cdef void _text(Buf* out, const Str* text, uint32_t longest) noexcept nogil:
    cdef uint32_t length = 0 if text == NULL else min(text.len, longest)
    _u16(out, <uint16_t> length)
    if length:
        buf_put(out, text.ptr, length)


cdef size_t _open(Buf* out, uint32_t block) noexcept nogil:
    """Begin a block and return where; its length is known when it is closed."""
    cdef size_t start = out.len
    _u32(out, block)
    _u32(out, 0)
    return start


cdef void _set_length(Buf* out, size_t at, uint32_t length) noexcept nogil:
    if not out.failed:
        memcpy(out.ptr + at, &length, 4)


cdef void _close(Buf* out, size_t start) noexcept nogil:
    cdef uint32_t zero = 0
    cdef uint32_t total
    buf_put(out, <const char*> &zero, (4 - (out.len - start) % 4) % 4)
    total = <uint32_t> (out.len - start + 4)
    _u32(out, total)
    _set_length(out, start + 4, total)


cdef void _put_thread(Buf* out, const Thread* t) noexcept nogil:
    cdef size_t start = out.len
    _u32(out, 0)
    _u64(out, <uint64_t> t.tid)
    _u64(out, <uint64_t> t.pid)
    _u64(out, <uint64_t> t.ptid)
    _u64(out, <uint64_t> t.sid)
    _u64(out, <uint64_t> t.vpgid)
    _text(out, t.comm, MAX_PATH)
    _text(out, t.exe, MAX_PATH)
    _text(out, t.exepath, MAX_PATH)
    _text(out, t.args, MAX_LIST)
    _text(out, t.cwd, MAX_PATH)
    _u64(out, <uint64_t> t.fdlimit)
    _u32(out, t.flags)
    _u32(out, t.uid)
    _u32(out, t.gid)
    _u32(out, t.vm_size)
    _u32(out, t.vm_rss)
    _u32(out, t.vm_swap)
    _u64(out, t.pf_major)
    _u64(out, t.pf_minor)
    _text(out, t.env, MAX_LIST)
    _u64(out, <uint64_t> t.vtid)
    _u64(out, <uint64_t> t.vpid)
    _text(out, t.cgroups, MAX_LIST)
    _text(out, t.root, MAX_PATH)
    _u64(out, t.pidns_init_start_ts)
    _u32(out, t.tty)
    _u32(out, t.loginuid)
    _u8(out, t.exe_writable)
    _u64(out, t.cap_inheritable)
    _u64(out, t.cap_permitted)
    _u64(out, t.cap_effective)
    _u8(out, t.exe_upper_layer)
    _u64(out, t.exe_ino)
    _u64(out, t.exe_ino_ctime)
    _u64(out, t.exe_ino_mtime)
    _u8(out, t.exe_from_memfd)
    _u8(out, t.exe_lower_layer)
    _u64(out, <uint64_t> t.pgid)
    _set_length(out, start, <uint32_t> (out.len - start))


cdef void _put_fd(Buf* out, const Fd* fd) noexcept nogil:
    cdef size_t start = out.len
    # In a list the source is the local end; in the state it is the client.
    cdef bint turned = fd.flags & FDF_ROLE_SERVER != 0
    cdef uint32_t width = 4 if fd.type == FD_IPV4_SOCK or fd.type == FD_IPV4_SERVSOCK else 16
    _u32(out, 0)
    _u64(out, <uint64_t> fd.num)
    _u64(out, fd.ino)
    _u8(out, <uint8_t> fd.type)
    if fd.type == FD_IPV4_SOCK or fd.type == FD_IPV6_SOCK:
        buf_put(out, <const char*> (&fd.dip[0] if turned else &fd.sip[0]), width)
        buf_put(out, <const char*> (&fd.sip[0] if turned else &fd.dip[0]), width)
        _u16(out, fd.dport if turned else fd.sport)
        _u16(out, fd.sport if turned else fd.dport)
        _u8(out, fd.l4proto)
    elif fd.type == FD_IPV4_SERVSOCK or fd.type == FD_IPV6_SERVSOCK:
        buf_put(out, <const char*> fd.dip, width)
        _u16(out, fd.dport)
        _u8(out, fd.l4proto)
    elif fd.type == FD_UNIX_SOCK:
        _u64(out, fd.unix_src)
        _u64(out, fd.unix_dst)
        _text(out, fd.name, MAX_FD_NAME)
    elif fd.type == FD_FILE_V2 or fd.type == FD_FILE:
        _u32(out, fd.open_flags)
        _text(out, fd.name, MAX_FD_NAME)
        _u32(out, fd.dev)
    else:
        _text(out, fd.name, MAX_FD_NAME)
    _set_length(out, start, <uint32_t> (out.len - start))


cdef void _put_fds(Buf* out, const Thread* thread) noexcept nogil:
    cdef size_t start = _open(out, FDS)
    cdef uint32_t i
    cdef const Fd* fd
    cdef size_t at
    _u64(out, <uint64_t> thread.tid)
    for i in range(thread.fds.n_slots):
        fd = thread.fds.slots[i]
        if fd != NULL and fd.type > FD_UNKNOWN:
            at = out.len
            _put_fd(out, fd)
            if fd.type == FD_FILE and not out.failed:
                (<uint8_t*> out.ptr)[at + 20] = FD_FILE_V2   # the older form has no flags
    _close(out, start)


cdef void _put_interfaces(Buf* out, const State* state) noexcept nogil:
    cdef size_t start = _open(out, INTERFACES)
    cdef size_t entry
    cdef uint32_t i, width
    cdef const Interface* face
    for i in range(state.n_interfaces):
        face = &state.interfaces[i]
        width = 16 if face.v6 else 4
        entry = out.len
        _u32(out, 0)
        _u16(out, 2 if face.v6 else 1)
        _u16(out, <uint16_t> min(face.name.len, <uint32_t> MAX_FD_NAME))
        buf_put(out, <const char*> face.addr, width)
        buf_put(out, <const char*> face.mask, width)
        buf_put(out, <const char*> face.bcast, width)
        _u64(out, face.link_speed)
        buf_put(out, face.name.ptr, min(face.name.len, <uint32_t> MAX_FD_NAME))
        _set_length(out, entry, <uint32_t> (out.len - entry - 4))
    _close(out, start)


cdef void _put_account(Buf* out, const Account* account) noexcept nogil:
    cdef size_t start = out.len
    _u32(out, 0)
    _u8(out, account.is_group)
    _u32(out, account.id)
    if not account.is_group:
        _u32(out, account.gid)
    _text(out, account.name, MAX_ACCOUNT_TEXT)
    if not account.is_group:
        _text(out, account.home, MAX_ACCOUNT_TEXT)
        _text(out, account.shell, MAX_ACCOUNT_TEXT)
    _set_length(out, start, <uint32_t> (out.len - start))


cdef void _put_ended(Buf* out, const Str* text) noexcept nogil:
    buf_put(out, text.ptr, min(text.len, <uint32_t> MAX_ACCOUNT_TEXT))
    _u8(out, 0)


cdef inline uint16_t _ended(const Str* text) noexcept nogil:
    return <uint16_t> (min(text.len, <uint32_t> MAX_ACCOUNT_TEXT) + 1)


cdef void _put_container_account(Buf* out, const Account* account, uint64_t ts_ns) noexcept nogil:
    """Accounts of containers have no list: events at the start tell of them."""
    cdef size_t start = _open(out, EVENT)
    cdef size_t event
    _u16(out, 0)
    event = out.len
    _u64(out, ts_ns)
    _u64(out, <uint64_t> -1)
    _u32(out, 0)
    _u16(out, GROUP_ADDED if account.is_group else USER_ADDED)
    _u32(out, 3 if account.is_group else 6)
    _u16(out, 4)
    if not account.is_group:
        _u16(out, 4)
    _u16(out, _ended(account.name))
    if not account.is_group:
        _u16(out, _ended(account.home))
        _u16(out, _ended(account.shell))
    _u16(out, _ended(account.container_id))
    _u32(out, account.id)
    if not account.is_group:
        _u32(out, account.gid)
    _put_ended(out, account.name)
    if not account.is_group:
        _put_ended(out, account.home)
        _put_ended(out, account.shell)
    _put_ended(out, account.container_id)
    _set_length(out, event + 16, <uint32_t> (out.len - event))
    _close(out, start)


cdef bint put_snapshot(const State* state, Buf* out) noexcept nogil:
    cdef size_t start
    cdef uint32_t i
    cdef const Thread* thread
    cdef const Account* account
    start = _open(out, SECTION)
    _u32(out, 0x1A2B3C4D)
    _u16(out, 1)
    _u16(out, 2)
    _u64(out, <uint64_t> -1)
    _close(out, start)
    start = _open(out, MACHINE)
    _u32(out, state.n_cpus)
    _u64(out, 0)
    _u64(out, 0)
    buf_put(out, state.hostname, 128)
    _u64(out, state.boot_ns)
    _u64(out, 0)
    _u64(out, 0)
    _u64(out, 0)
    _close(out, start)
    _put_interfaces(out, state)
    start = _open(out, ACCOUNTS)
    for i in range(state.n_account_buckets):
        account = state.account_buckets[i]
        while account != NULL:
            if account.container_id.len == 0:
                _put_account(out, account)
            account = account.hash_next
    _close(out, start)
    start = _open(out, THREADS)
    for i in range(state.n_thread_buckets):
        thread = state.thread_buckets[i]
        while thread != NULL:
            _put_thread(out, thread)
            thread = thread.hash_next
    _close(out, start)
    for i in range(state.n_thread_buckets):
        thread = state.thread_buckets[i]
        while thread != NULL:
            _put_fds(out, thread)
            thread = thread.hash_next
    for i in range(state.n_account_buckets):
        account = state.account_buckets[i]
        while account != NULL:
            if account.container_id.len:
                _put_container_account(out, account, state.first_event_ts_ns)
            account = account.hash_next
    return not out.failed
