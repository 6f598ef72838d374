# hot: every event passes here
"""Extractors of the classes fd and fdlist.

All are null for events that neither create, use nor destroy an fd, and without a thread.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memcmp, memcpy, memset

from rulekit.native._event cimport (
    EF_CREATES_FD, EF_DESTROYS_FD, EF_USES_FD, has_param, param_i64,
)
from rulekit.native._scratch cimport Buf, buf_i64, buf_put, buf_putc, buf_u64, scratch_alloc
from rulekit.native._strings cimport Str
from rulekit.state._containers cimport address_is_local
from rulekit.state._fds cimport fds_in_order, find_fd
from rulekit.state._fields cimport (
    SCOPE_EVENT, SCOPE_FD, FieldRef, Value, put_address, put_bool, put_cstr, put_int,
    put_list, put_str, put_text, put_uint, thread_of,
)
from rulekit.state._paramtext cimport (
    PARAM_BEST, cwd_of, fd_dir, fd_l4proto, fd_type_char, fd_type_name, join_path, param_text,
    render_param,
)
from rulekit.state._render cimport PT_INT32, put_buf, put_ipv4, put_ipv6
from rulekit.state._state cimport (
    FD_DIRECTORY, FD_FILE, FD_FILE_V2, FD_IPV4_SERVSOCK, FD_IPV4_SOCK, FD_IPV6_SERVSOCK,
    FD_IPV6_SOCK, FD_UNIX_SOCK, FDF_CONNECTED, FDF_LOWER, FDF_PARTIAL, FDF_ROLE_CLIENT,
    FDF_ROLE_SERVER, FDF_UPPER, L4_ICMP, L4_RAW, L4_TCP, L4_UDP, Context, Fd, FdTable, Thread,
)
from rulekit.state._threads cimport fd_table

cdef enum:
    E_OPEN_X = 3
    E_SOCKET_X = 19
    E_CONNECT_X = 23
    E_CREAT_X = 59
    E_PIPE_X = 61
    E_EVENTFD_X = 63
    E_POLL_X = 81
    E_SIGNALFD_X = 127
    E_TIMERFD_X = 137
    E_INOTIFY_X = 139
    E_ACCEPT_X = 247
    E_PPOLL_X = 255
    E_OPENAT_X = 307
    E_OPENAT2_X = 327
    E_OPEN_BY_HANDLE_AT_X = 337
    E_ACCEPT4_X = 389
    E_PIPE2_X = 393
    E_INOTIFY1_X = 395
    E_EVENTFD2_X = 397
    E_SIGNALFD4_X = 399
    AT_FDCWD = -100


cdef uint8_t[512] _nameless
for _type in range(512):
    _nameless[_type] = _type & 1 and _type not in (
        E_OPEN_X, E_CONNECT_X, E_CREAT_X, E_ACCEPT_X, E_OPENAT_X, E_OPENAT2_X,
        E_OPEN_BY_HANDLE_AT_X, E_ACCEPT4_X,
    )
nameless = _nameless

# --- Which fd ------------------------------------------------------------------------------------

cdef inline bint _applies(Context* c, Thread** thread) noexcept nogil:
    if not c.ev.info.flags & (EF_CREATES_FD | EF_USES_FD | EF_DESTROYS_FD):
        return False
    thread[0] = thread_of(c)
    return thread[0] != NULL


cdef inline Fd* _fd(Context* c, Thread* thread) noexcept nogil:
    cdef FdTable* table
    if c.fd != NULL:
        return c.fd
    if c.fd_num < 0:
        return NULL
    table = fd_table(c.state, thread)
    return find_fd(table, c.fd_num) if table != NULL else NULL


cdef inline Fd* _known(Context* c) noexcept nogil:
    cdef Thread* thread
    if not _applies(c, &thread):
        return NULL
    return _fd(c, thread)


cdef inline bint _is_file(const Fd* fd) noexcept nogil:
    return fd.type == FD_FILE or fd.type == FD_FILE_V2


# --- Names ---------------------------------------------------------------------------------------

cdef bint _name_from_event(Context* c, Thread* thread, bint raw, Value* out) noexcept nogil:
    # The fd is unknown: failed opens still say what they were about. See also `nameless`.
    cdef uint16_t kind = c.ev.type
    cdef const char* path
    cdef const char* dir = "<UNKNOWN>"
    cdef uint32_t path_len
    cdef uint32_t dir_len = 9
    cdef int64_t dirfd
    cdef Buf text
    if kind & 1 == 0:
        return False
    if kind == E_OPENAT_X or kind == E_OPENAT2_X:
        if not has_param(c.ev, 2):
            return False
        param_text(c.ev, 2, &path, &path_len)
        if raw:
            return put_text(out, path, path_len)
        if not has_param(c.ev, 1):
            return False
        dirfd = param_i64(c.ev, 1, 0)
        if path_len != 0 and path[0] == c'/':
            dir_len = 0
        elif dirfd == AT_FDCWD:
            cwd_of(c, thread, &dir, &dir_len)
        elif not fd_dir(c, thread, dirfd, &dir, &dir_len):
            dir = "<UNKNOWN>"
            dir_len = 9
        return put_str(out, join_path(c, dir, dir_len, path, path_len))
    if (kind == E_OPEN_X or kind == E_CREAT_X or kind == E_ACCEPT_X or kind == E_ACCEPT4_X
            or kind == E_CONNECT_X):
        memset(&text, 0, sizeof(text))
        render_param(c, 1, &text, PARAM_BEST, False)
        return put_buf(c, out, &text)
    if kind == E_OPEN_BY_HANDLE_AT_X and c.ev.nparams > 3:
        param_text(c.ev, 3, &path, &path_len)
        return put_text(out, path, path_len)
    return put_str(out, c.state.strings.empty)


cdef Str* fd_name_by_number(const Context* c) noexcept nogil:
    cdef FdTable* table
    cdef Fd* fd
    if c.fd_num >= 0:
        table = fd_table(c.state, c.thread)
        fd = find_fd(table, c.fd_num) if table != NULL else NULL
        if fd != NULL:
            return fd.name
    return c.state.strings.empty if c.ev.type < 512 and _nameless[c.ev.type] else NULL


cdef bint x_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread
    cdef Fd* fd
    if not _applies(c, &thread):
        return False
    fd = _fd(c, thread)
    if fd != NULL:
        return put_str(out, fd.name)
    return _name_from_event(c, thread, False, out)


cdef bint x_nameraw(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread
    cdef Fd* fd
    cdef const char* text
    cdef char* copy
    cdef uint32_t i
    cdef uint32_t n = 0
    if not _applies(c, &thread):
        return False
    fd = _fd(c, thread)
    if fd != NULL:
        if not put_str(out, fd.name_raw):
            return False
    elif not _name_from_event(c, thread, True, out):
        return False
    text = out.ptr
    for i in range(1, out.len):
        if text[i] == c'/' and text[i - 1] == c'/':
            break
    else:
        return True
    copy = <char*> scratch_alloc(&c.state.scratch, out.len)
    if copy == NULL:
        return False
    for i in range(out.len):
        if not (text[i] == c'/' and n != 0 and copy[n - 1] == c'/'):
            copy[n] = text[i]
            n += 1
    return put_text(out, copy, n)


cdef void _cut_directory(Value* value) noexcept nogil:
    cdef int64_t at = value.len
    while at > 0:
        at -= 1
        if value.ptr[at] == c'/':
            if at == 0:
                put_text(value, "/", 1)
            elif at < <int64_t> value.len - 1:
                put_text(value, value.ptr, <uint32_t> at)
            return
    put_text(value, "/", 1)


cdef bint x_directory(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread
    cdef Fd* fd
    if not _applies(c, &thread):
        return False
    fd = _fd(c, thread)
    if fd == NULL:
        if not _name_from_event(c, thread, False, out):
            return False
    elif _is_file(fd) or fd.type == FD_DIRECTORY:
        if not put_str(out, fd.name):
            return False
    else:
        return False
    if fd == NULL or _is_file(fd):
        _cut_directory(out)
    return True


cdef bint x_filename(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    cdef int64_t at
    if fd == NULL or not _is_file(fd) or not put_str(out, fd.name):
        return False
    at = out.len
    while at > 0:
        at -= 1
        if out.ptr[at] == c'/':
            if at < <int64_t> out.len - 1:
                put_text(out, out.ptr + at + 1, <uint32_t> (out.len - at - 1))
            return True
    return put_text(out, "/", 1)


cdef bint _in_container(Context* c, Value* out) noexcept nogil:
    # A colon and what `out` holds. The place before the colon stays empty, as in the recorded peers:
    # there the id of a container belongs to the fields `container.*`.
    cdef char* text = <char*> scratch_alloc(&c.state.scratch, <size_t> out.len + 1)
    if text == NULL:
        return False
    text[0] = c':'
    if out.len:
        memcpy(text + 1, out.ptr, out.len)
    return put_text(out, text, out.len + 1)


cdef bint x_containername(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return x_name(c, ref, out) and _in_container(c, out)


cdef bint x_containerdirectory(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return x_directory(c, ref, out) and _in_container(c, out)


cdef bint x_name_changed(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    if fd == NULL:
        return False
    # Only what the event itself is attached to can have changed by it.
    return put_bool(out, c.fd != NULL and fd.name != fd.old_name)


# --- Numbers and kinds ---------------------------------------------------------------------------

cdef bint x_num(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread
    return _applies(c, &thread) and put_int(out, c.fd_num)


cdef bint x_uid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread
    cdef Buf text
    if not _applies(c, &thread):
        return False
    memset(&text, 0, sizeof(text))
    buf_i64(&text, thread.tid)
    buf_i64(&text, c.fd_num)
    return put_buf(c, out, &text)


cdef bint x_type(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    return fd != NULL and put_cstr(out, fd_type_name(fd))


cdef char _char_from_event(uint16_t kind) noexcept nogil:
    kind |= 1
    if kind == E_OPENAT_X or kind == E_OPENAT2_X or kind == E_CREAT_X:
        return c'f'
    if kind == E_SOCKET_X or kind == E_ACCEPT_X or kind == E_ACCEPT4_X:
        return c'4'
    if kind == E_PIPE_X or kind == E_PIPE2_X:
        return c'p'
    if kind == E_EVENTFD_X or kind == E_EVENTFD2_X:
        return c'e'
    if kind == E_SIGNALFD_X or kind == E_SIGNALFD4_X:
        return c's'
    if kind == E_TIMERFD_X:
        return c't'
    if kind == E_INOTIFY_X or kind == E_INOTIFY1_X:
        return c'i'
    return c'o'


cdef bint x_typechar(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread
    cdef Fd* fd
    cdef char* text
    if not _applies(c, &thread):
        return False
    fd = _fd(c, thread)
    text = <char*> scratch_alloc(&c.state.scratch, 1)
    if text == NULL:
        return False
    text[0] = fd_type_char(fd) if fd != NULL else _char_from_event(c.ev.type)
    return put_text(out, text, 1)


cdef bint x_types(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # Each kind once, in the order in which its first fd is met; also an empty list is a value.
    cdef Thread* thread
    cdef FdTable* table
    cdef Fd* fd
    cdef Fd** fds
    cdef const char* name
    cdef uint32_t i, j, n
    if not _applies(c, &thread):
        return False
    table = fd_table(c.state, thread)
    if ref.index >= 0:
        fd = find_fd(table, ref.index) if table != NULL else NULL
        if fd == NULL or not put_list(c, out, 1):
            return False
        out.n_items = 1
        return put_cstr(&out.items[0], fd_type_name(fd))
    n = table.n_fds if table != NULL else 0
    if not put_list(c, out, 32):
        return False
    fds = <Fd**> scratch_alloc(&c.state.scratch, (n + 1) * sizeof(Fd*))
    if fds == NULL:
        return False
    n = fds_in_order(c.state, table, fds) if n else 0
    for i in range(n):
        name = fd_type_name(fds[i])
        for j in range(out.n_items):
            if out.items[j].ptr == name:
                break
        else:
            if out.n_items < 32:
                put_cstr(&out.items[out.n_items], name)
                out.n_items += 1
    return True


cdef bint x_dev(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    return fd != NULL and put_int(out, <int> fd.dev) and _narrow(out)


cdef inline bint _narrow(Value* out) noexcept nogil:
    out.pt = PT_INT32
    return True


cdef bint x_dev_major(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    return fd != NULL and put_int(out, (fd.dev & 0xfff00) >> 8)


cdef bint x_dev_minor(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    return fd != NULL and put_int(out, (fd.dev & 0xff) | ((fd.dev >> 12) & 0xfff00))


cdef bint x_ino(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    return fd != NULL and put_int(out, <int64_t> fd.ino)


cdef bint x_is_upper(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    return fd != NULL and put_bool(out, fd.flags & FDF_UPPER != 0)


cdef bint x_is_lower(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    return fd != NULL and put_bool(out, fd.flags & FDF_LOWER != 0)


cdef bint x_connected(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    return fd != NULL and put_bool(out, fd.flags & FDF_CONNECTED != 0)


cdef bint x_l4proto(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    cdef int proto
    if fd == NULL:
        return False
    proto = fd_l4proto(fd)
    if proto == L4_TCP:
        return put_text(out, "tcp", 3)
    if proto == L4_UDP:
        return put_text(out, "udp", 3)
    if proto == L4_ICMP:
        return put_text(out, "icmp", 4)
    if proto == L4_RAW:
        return put_text(out, "raw", 3)
    return put_text(out, "<NA>", 4)


cdef bint x_sockfamily(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    if fd == NULL:
        return False
    if FD_IPV4_SOCK <= fd.type <= FD_IPV6_SERVSOCK:
        return put_text(out, "ip", 2)
    if fd.type == FD_UNIX_SOCK:
        return put_text(out, "unix", 4)
    return False


# --- Ends of sockets -----------------------------------------------------------------------------

cdef inline const uint8_t* _end(const Fd* fd, bint source) noexcept nogil:
    if source:
        return fd.sip
    return fd.dip


cdef inline bint _v6(const Fd* fd) noexcept nogil:
    return fd.type == FD_IPV6_SOCK or fd.type == FD_IPV6_SERVSOCK


cdef inline bint _connection(const Fd* fd) noexcept nogil:
    return ((fd.type == FD_IPV4_SOCK or fd.type == FD_IPV6_SOCK)
            and fd.flags & (FDF_ROLE_CLIENT | FDF_ROLE_SERVER) != 0)


cdef inline bint _listener(const Fd* fd) noexcept nogil:
    return fd.type == FD_IPV4_SERVSOCK or fd.type == FD_IPV6_SERVSOCK


cdef bint _local(Context* c, const uint8_t* addr, bint v6) noexcept nogil:
    # Does the address belong to this machine? Containers have no addresses of their own here, as in
    # the peers since containers became a plugin.
    return address_is_local(c.state, addr, v6)


cdef inline bint _put_end(const Fd* fd, bint client, Value* out) noexcept nogil:
    """Return the address of one end; none where zeros only say that nobody knows it."""
    cdef const uint8_t* address = _end(fd, client)
    if fd.flags & FDF_PARTIAL and not _any(address):
        return False
    return put_address(out, address, _v6(fd))


cdef inline bint _put_end_port(const Fd* fd, bint client, Value* out) noexcept nogil:
    cdef uint16_t port = fd.sport if client else fd.dport
    if fd.flags & FDF_PARTIAL and port == 0:
        return False
    return put_uint(out, port)


cdef inline bint _any(const uint8_t* address) noexcept nogil:
    cdef uint64_t words[2]
    memcpy(words, address, 16)
    return (words[0] | words[1]) != 0


cdef inline bint _client_is_local(Context* c, const Fd* fd) noexcept nogil:
    # Who only sees this machine knows which end is here by what the call was.
    if fd.flags & FDF_PARTIAL:
        return fd.flags & FDF_ROLE_CLIENT != 0
    return _local(c, fd.sip, _v6(fd))


cdef bint _client_address(Fd* fd, Value* out) noexcept nogil:
    return fd != NULL and _connection(fd) and _put_end(fd, True, out)


cdef bint _server_address(Fd* fd, Value* out) noexcept nogil:
    if fd == NULL or not (_connection(fd) or (_listener(fd) and fd.flags & (FDF_ROLE_CLIENT | FDF_ROLE_SERVER))):
        return False
    return _put_end(fd, False, out)


cdef bint _side_address(Context* c, bint local, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    if fd == NULL or not _connection(fd):
        return False
    return _put_end(fd, _client_is_local(c, fd) == local, out)


cdef bint x_cip(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _client_address(_known(c), out)


cdef bint x_sip(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _server_address(_known(c), out)


cdef bint x_lip(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _side_address(c, True, out)


cdef bint x_rip(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _side_address(c, False, out)


cdef bint x_ip(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # Both ends; no end for what is no IP socket, so that the field exists and nothing is equal.
    cdef Fd* fd = _known(c)
    if fd == NULL or not put_list(c, out, 2):
        return False
    if FD_IPV4_SOCK <= fd.type <= FD_IPV6_SERVSOCK:
        out.n_items = _put_end(fd, False, &out.items[0])
        if not _listener(fd):
            out.n_items += _put_end(fd, True, &out.items[out.n_items])
    return True


cdef bint x_port(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    if fd == NULL or not put_list(c, out, 2):
        return False
    if FD_IPV4_SOCK <= fd.type <= FD_IPV6_SERVSOCK:
        out.n_items = _put_end_port(fd, False, &out.items[0])
        if not _listener(fd):
            out.n_items += _put_end_port(fd, True, &out.items[out.n_items])
    return True


cdef inline bint _client_port(Context* c, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    return fd != NULL and _connection(fd) and _put_end_port(fd, True, out)


cdef inline bint _server_port(Context* c, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    if fd == NULL:
        return False
    return (_listener(fd) or _connection(fd)) and _put_end_port(fd, False, out)


cdef inline bint _side_port(Context* c, bint local, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    if fd == NULL or not _connection(fd):
        return False
    return _put_end_port(fd, _client_is_local(c, fd) == local, out)


cdef bint x_cport(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _client_port(c, out)


cdef bint x_sport(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _server_port(c, out)


cdef bint x_lport(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _side_port(c, True, out)


cdef bint x_rport(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _side_port(c, False, out)


cdef bint _as_text(Context* c, Value* out) noexcept nogil:
    # Ports are never looked up by name: a replay must not depend on the machine it runs on.
    cdef Buf text
    memset(&text, 0, sizeof(text))
    buf_u64(&text, out.u64)
    return put_buf(c, out, &text)


cdef bint x_cproto(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # The peer knows ports of connections only: of what else has a role the text is empty.
    cdef Fd* fd = _known(c)
    if fd == NULL or not fd.flags & (FDF_ROLE_CLIENT | FDF_ROLE_SERVER):
        return False
    if not _connection(fd):
        return put_str(out, c.state.strings.empty)
    return _put_end_port(fd, True, out) and _as_text(c, out)


cdef bint x_sproto(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    if fd == NULL:
        return False
    if _listener(fd):
        return put_str(out, c.state.strings.empty)
    return _connection(fd) and put_uint(out, fd.dport) and _as_text(c, out)


cdef bint x_lproto(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _side_port(c, True, out) and _as_text(c, out)


cdef bint x_rproto(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _side_port(c, False, out) and _as_text(c, out)


cdef bint x_is_server(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    if fd == NULL:
        return False
    if _listener(fd):
        return put_bool(out, True)
    if fd.type == FD_IPV4_SOCK or fd.type == FD_IPV6_SOCK:
        if fd.flags & FDF_PARTIAL:
            return put_bool(out, fd.flags & FDF_ROLE_SERVER != 0)
        return put_bool(out, _local(c, fd.dip, _v6(fd)))
    return put_bool(out, False)


cdef bint _as_name(Context* c, Value* out) noexcept nogil:
    # Names would come from look-ups of the analysing machine, which are not made; an address is its
    # own name, so that it differs from every other.
    cdef Buf text
    memset(&text, 0, sizeof(text))
    if out.len == 4:
        put_ipv4(&text, <const uint8_t*> out.ptr)
    else:
        put_ipv6(&text, <const uint8_t*> out.ptr)
    return put_buf(c, out, &text)


cdef bint x_cip_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _client_address(_known(c), out) and _as_name(c, out)


cdef bint x_sip_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Fd* fd = _known(c)
    return fd != NULL and _connection(fd) and _put_end(fd, False, out) and _as_name(c, out)


cdef bint x_lip_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _side_address(c, True, out) and _as_name(c, out)


cdef bint x_rip_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _side_address(c, False, out) and _as_name(c, out)


# --- Poll lists ----------------------------------------------------------------------------------

cdef enum ListPart:
    NUMS = 0
    NAMES = 1
    CLIENT_IPS = 2
    SERVER_IPS = 3
    CLIENT_PORTS = 4
    SERVER_PORTS = 5


cdef void _put_part(Buf* text, const Fd* fd, int64_t num, int part) noexcept nogil:
    cdef bint listener
    if part == NUMS:
        buf_i64(text, num)
    elif part == NAMES:
        if fd != NULL and fd.name != NULL and fd.name.len != 0:
            buf_put(text, fd.name.ptr, fd.name.len)
        else:
            buf_put(text, "<NA>", 4)
    elif fd != NULL and FD_IPV4_SOCK <= fd.type <= FD_IPV6_SERVSOCK:
        listener = _listener(fd)
        if part == CLIENT_IPS or part == SERVER_IPS:
            if part == CLIENT_IPS and listener:
                return
            if _v6(fd):
                put_ipv6(text, _end(fd, part == CLIENT_IPS))
            else:
                put_ipv4(text, _end(fd, part == CLIENT_IPS))
        elif not listener:
            buf_u64(text, fd.sport if part == CLIENT_PORTS else fd.dport)


cdef bint _fdlist(Context* c, Value* out, int part) noexcept nogil:
    cdef Thread* thread
    cdef FdTable* table
    cdef Buf text
    cdef const uint8_t* at
    cdef uint32_t n, i
    cdef size_t before
    cdef int64_t num
    if (c.ev.type != E_POLL_X and c.ev.type != E_PPOLL_X) or c.ev.nparams < 2 or c.ev.params[1].len < 2:
        return False
    thread = thread_of(c)
    if thread == NULL:
        return False
    table = fd_table(c.state, thread)
    at = c.ev.params[1].ptr
    n = min(<uint32_t> (at[0] | (<uint32_t> at[1]) << 8), (c.ev.params[1].len - 2) // 10)
    at += 2
    memset(&text, 0, sizeof(text))
    for i in range(n):
        memcpy(&num, at, 8)
        at += 10
        before = text.len
        if before:
            buf_putc(&text, c',')
        _put_part(&text, find_fd(table, num) if table != NULL and num >= 0 else NULL, num, part)
        if before and text.len == before + 1:
            text.len = before           # nothing to say about this one
    put_buf(c, out, &text)
    return out.len != 0


cdef bint x_list_nums(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _fdlist(c, out, NUMS)


cdef bint x_list_names(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _fdlist(c, out, NAMES)


cdef bint x_list_cips(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _fdlist(c, out, CLIENT_IPS)


cdef bint x_list_sips(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _fdlist(c, out, SERVER_IPS)


cdef bint x_list_cports(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _fdlist(c, out, CLIENT_PORTS)


cdef bint x_list_sports(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _fdlist(c, out, SERVER_PORTS)


cdef int register_fd(add_fn add) except -1:
    add("fd.num", x_num, SCOPE_EVENT)
    add("fd.type", x_type, SCOPE_FD)
    add("fd.typechar", x_typechar, SCOPE_FD)
    add("fd.name", x_name, SCOPE_FD)
    add("fd.nameraw", x_nameraw, SCOPE_FD)
    add("fd.directory", x_directory, SCOPE_FD)
    add("fd.filename", x_filename, SCOPE_FD)
    add("fd.ip", x_ip, SCOPE_FD)
    add("fd.cip", x_cip, SCOPE_FD)
    add("fd.sip", x_sip, SCOPE_FD)
    add("fd.lip", x_lip, SCOPE_EVENT)
    add("fd.rip", x_rip, SCOPE_EVENT)
    add("fd.port", x_port, SCOPE_FD)
    add("fd.cport", x_cport, SCOPE_FD)
    add("fd.sport", x_sport, SCOPE_FD)
    add("fd.lport", x_lport, SCOPE_EVENT)
    add("fd.rport", x_rport, SCOPE_EVENT)
    add("fd.l4proto", x_l4proto, SCOPE_FD)
    add("fd.sockfamily", x_sockfamily, SCOPE_FD)
    add("fd.is_server", x_is_server, SCOPE_EVENT)
    add("fd.uid", x_uid, SCOPE_EVENT)
    add("fd.containername", x_containername, SCOPE_EVENT)
    add("fd.containerdirectory", x_containerdirectory, SCOPE_EVENT)
    add("fd.proto", x_port, SCOPE_FD)
    add("fd.cproto", x_cproto, SCOPE_FD)
    add("fd.sproto", x_sproto, SCOPE_FD)
    add("fd.lproto", x_lproto, SCOPE_EVENT)
    add("fd.rproto", x_rproto, SCOPE_EVENT)
    add("fd.net", x_ip, SCOPE_FD)
    add("fd.cnet", x_cip, SCOPE_FD)
    add("fd.snet", x_sip, SCOPE_FD)
    add("fd.lnet", x_lip, SCOPE_EVENT)
    add("fd.rnet", x_rip, SCOPE_EVENT)
    add("fd.connected", x_connected, SCOPE_EVENT)
    add("fd.name_changed", x_name_changed, SCOPE_EVENT)
    add("fd.cip.name", x_cip_name, SCOPE_FD)
    add("fd.sip.name", x_sip_name, SCOPE_FD)
    add("fd.lip.name", x_lip_name, SCOPE_EVENT)
    add("fd.rip.name", x_rip_name, SCOPE_EVENT)
    add("fd.dev", x_dev, SCOPE_EVENT)
    add("fd.dev.major", x_dev_major, SCOPE_EVENT)
    add("fd.dev.minor", x_dev_minor, SCOPE_EVENT)
    add("fd.ino", x_ino, SCOPE_EVENT)
    add("fd.types", x_types, SCOPE_EVENT)
    add("fd.is_upper_layer", x_is_upper, SCOPE_EVENT)
    add("fd.is_lower_layer", x_is_lower, SCOPE_EVENT)
    add("fdlist.nums", x_list_nums, SCOPE_EVENT)
    add("fdlist.names", x_list_names, SCOPE_EVENT)
    add("fdlist.cips", x_list_cips, SCOPE_EVENT)
    add("fdlist.sips", x_list_sips, SCOPE_EVENT)
    add("fdlist.cports", x_list_cports, SCOPE_EVENT)
    add("fdlist.sports", x_list_sports, SCOPE_EVENT)
    return 0
