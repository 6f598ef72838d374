"""Parameters of an event as texts and typed values."""

from libc.stdint cimport int16_t, int32_t, uint16_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memchr, memcmp, memcpy, memmove, strlen

from rulekit.native._event cimport (
    errno_name, has_param, param_i64, param_u64, signal_name, syscall_name,
)
from rulekit.native._scratch cimport buf_i64, buf_put, buf_putc, buf_puts, buf_u64, scratch_alloc
from rulekit.state._containers cimport account_of
from rulekit.state._fds cimport find_fd
from rulekit.state._fields cimport (
    V_BYTES, V_NULL, V_TEXT, V_UINT, put_address, put_bool, put_double, put_int, put_text, put_uint,
)
from rulekit.state._fields cimport thread_of
from rulekit.state._paths cimport concat_path
from rulekit.state._render cimport (
    PF_HEX, PF_OCT, PT_ABSTIME, PT_BOOL, PT_BYTEBUF, PT_CHARBUF, PT_CHARBUFARRAY,
    PT_CHARBUF_PAIR_ARRAY, PT_DOUBLE, PT_DYN, PT_ENUMFLAGS8, PT_ENUMFLAGS16, PT_ENUMFLAGS32,
    PT_ERRNO, PT_FD, PT_FD32, PT_FDLIST, PT_FLAGS8, PT_FLAGS16, PT_FLAGS32, PT_FSPATH,
    PT_FSRELPATH, PT_GID, PT_INT8, PT_INT16, PT_INT32, PT_INT64, PT_IPADDR, PT_IPV4ADDR,
    PT_IPV6ADDR, PT_MODE, PT_PID, PT_PID32, PT_RELTIME, PT_SIGSET, PT_SIGTYPE, PT_SOCKADDR,
    PT_SOCKTUPLE, PT_SYSCALLID, PT_UID, PT_UINT32, PT_UINT64, TIME_DATE, put_buffer, put_flags,
    put_hex, put_ipv4, put_ipv6, put_integer, put_mode, put_octal, put_printable, put_time,
)
from rulekit.state._state cimport (
    FD_BPF, FD_DIRECTORY, FD_EVENT, FD_EVENTPOLL, FD_FIFO, FD_FILE, FD_FILE_V2, FD_INOTIFY,
    FD_IOURING, FD_IPV4_SERVSOCK, FD_IPV4_SOCK, FD_IPV6_SERVSOCK, FD_IPV6_SOCK, FD_MEMFD,
    FD_NETLINK, FD_PIDFD, FD_SIGNALFD, FD_TIMERFD, FD_UNIX_SOCK, FD_UNKNOWN, FD_UNSUPPORTED,
    FD_USERFAULTFD, FDF_ROLE_CLIENT, FDF_ROLE_SERVER, Account, FdTable, L4_ICMP, L4_NA, L4_RAW,
    L4_TCP, L4_UDP,
)
from rulekit.state._threads cimport fd_table, find_thread, main_thread

cdef enum:
    AT_FDCWD = -100
    AF_UNIX = 1
    AF_INET = 2
    AF_INET6 = 10



cdef const char* fd_type_name(const Fd* fd) noexcept nogil:
    if fd.type == FD_FILE or fd.type == FD_FILE_V2:
        return "file"
    if fd.type == FD_DIRECTORY:
        return "directory"
    if fd.type == FD_IPV4_SOCK or fd.type == FD_IPV4_SERVSOCK:
        return "ipv4"
    if fd.type == FD_IPV6_SOCK or fd.type == FD_IPV6_SERVSOCK:
        return "ipv6"
    if fd.type == FD_UNIX_SOCK:
        return "unix"
    if fd.type == FD_FIFO:
        return "pipe"
    if fd.type == FD_EVENT:
        return "event"
    if fd.type == FD_SIGNALFD:
        return "signalfd"
    if fd.type == FD_EVENTPOLL:
        return "eventpoll"
    if fd.type == FD_INOTIFY:
        return "inotify"
    if fd.type == FD_TIMERFD:
        return "timerfd"
    if fd.type == FD_NETLINK:
        return "netlink"
    if fd.type == FD_BPF:
        return "bpf"
    if fd.type == FD_USERFAULTFD:
        return "userfaultfd"
    if fd.type == FD_IOURING:
        return "io_uring"
    if fd.type == FD_MEMFD:
        return "memfd"
    if fd.type == FD_PIDFD:
        return "pidfd"
    return "<NA>"


cdef char fd_type_char(const Fd* fd) noexcept nogil:
    if fd.type == FD_FILE or fd.type == FD_FILE_V2:
        return c'f'
    if fd.type == FD_DIRECTORY:
        return c'd'
    if fd.type == FD_IPV4_SOCK or fd.type == FD_IPV4_SERVSOCK:
        return c'4'
    if fd.type == FD_IPV6_SOCK or fd.type == FD_IPV6_SERVSOCK:
        return c'6'
    if fd.type == FD_UNIX_SOCK or fd.type == FD_USERFAULTFD:
        return c'u'
    if fd.type == FD_FIFO:
        return c'p'
    if fd.type == FD_EVENT:
        return c'e'
    if fd.type == FD_SIGNALFD:
        return c's'
    if fd.type == FD_EVENTPOLL:
        return c'l'
    if fd.type == FD_INOTIFY:
        return c'i'
    if fd.type == FD_TIMERFD:
        return c't'
    if fd.type == FD_NETLINK:
        return c'n'
    if fd.type == FD_BPF:
        return c'b'
    if fd.type == FD_IOURING:
        return c'r'
    if fd.type == FD_MEMFD:
        return c'm'
    if fd.type == FD_PIDFD:
        return c'P'
    if fd.type == FD_UNKNOWN:
        return c'o'
    if fd.type == FD_UNSUPPORTED:
        return c'X'
    return c'?'


cdef int fd_l4proto(const Fd* fd) noexcept nogil:
    if fd.type == FD_IPV4_SOCK or fd.type == FD_IPV6_SOCK:
        if fd.l4proto == L4_RAW:
            return L4_RAW
        if not fd.flags & (FDF_ROLE_CLIENT | FDF_ROLE_SERVER):
            return L4_NA
        return fd.l4proto
    if fd.type == FD_IPV4_SERVSOCK or fd.type == FD_IPV6_SERVSOCK:
        return fd.l4proto
    return L4_NA


cdef void put_fd(Buf* out, const Fd* fd) noexcept nogil:
    cdef int proto
    buf_putc(out, c'<')
    buf_putc(out, fd_type_char(fd))
    if FD_IPV4_SOCK <= fd.type <= FD_IPV6_SERVSOCK:
        proto = fd_l4proto(fd)
        if proto == L4_TCP:
            buf_putc(out, c't')
        elif proto == L4_UDP:
            buf_putc(out, c'u')
        elif proto == L4_ICMP:
            buf_putc(out, c'i')
        elif proto == L4_RAW:
            buf_putc(out, c'r')
    buf_putc(out, c'>')
    if fd.name != NULL:
        buf_put(out, fd.name.ptr, fd.name.len)


# --- Texts and directories -----------------------------------------------------------------------

cdef void param_text(const EventView* ev, uint32_t i, const char** ptr, uint32_t* length) noexcept nogil:
    cdef const char* text = <const char*> ev.params[i].ptr
    cdef uint32_t n = ev.params[i].len
    cdef const void* nul
    if n != 0:
        nul = memchr(text, 0, n)
        if nul != NULL:
            n = <uint32_t> (<const char*> nul - text)
        if not (n == 6 and memcmp(text, <const char*> "(NULL)", 6) == 0):
            ptr[0] = text
            length[0] = n
            return
    ptr[0] = "<NA>"
    length[0] = 4


cdef void cwd_of(Context* c, Thread* thread, const char** ptr, uint32_t* length) noexcept nogil:
    cdef Thread* main = main_thread(thread) if thread != NULL else NULL
    if main == NULL or main.cwd == NULL:
        ptr[0] = "./"
        length[0] = 2
    else:
        ptr[0] = main.cwd.ptr
        length[0] = main.cwd.len


cdef bint fd_dir(Context* c, Thread* thread, int64_t num, const char** ptr, uint32_t* length) noexcept nogil:
    cdef FdTable* table = fd_table(c.state, thread) if thread != NULL else NULL
    cdef Fd* fd = find_fd(table, num) if table != NULL and num >= 0 else NULL
    cdef char* text
    if fd == NULL or fd.name == NULL:
        return False
    ptr[0] = fd.name.ptr
    length[0] = fd.name.len
    if fd.name.len and fd.name.ptr[fd.name.len - 1] != c'/':
        text = <char*> scratch_alloc(&c.state.scratch, <size_t> fd.name.len + 1)
        if text == NULL:
            return False
        memcpy(text, fd.name.ptr, fd.name.len)
        text[fd.name.len] = c'/'
        ptr[0] = text
        length[0] = fd.name.len + 1
    return True


cdef Str* join_path(Context* c, const char* dir, uint32_t dir_len, const char* path, uint32_t path_len) noexcept nogil:
    return concat_path(c.state, dir, dir_len, path, path_len)


# --- Text of a parameter -------------------------------------------------------------------------

cdef void _put_path(Context* c, uint32_t i, Buf* out) noexcept nogil:
    # The absolute form of a relative path.
    cdef const ParamInfo* info = &c.ev.info.params[i]
    cdef Thread* thread = thread_of(c)
    cdef const char* path
    cdef const char* dir = ""
    cdef uint32_t path_len
    cdef uint32_t dir_len = 0
    cdef int64_t dirfd = AT_FDCWD
    cdef Str* joined
    param_text(c.ev, i, &path, &path_len)
    if thread == NULL or path_len == 0 or path[0] == c'/':
        return
    if path_len == 4 and memcmp(path, <const char*> "<NA>", 4) == 0:
        return
    if info.type == PT_FSRELPATH and info.dirfd_param >= 0:
        dirfd = param_i64(c.ev, <uint32_t> info.dirfd_param, 0)
    if dirfd == AT_FDCWD:
        cwd_of(c, thread, &dir, &dir_len)
    elif not fd_dir(c, thread, dirfd, &dir, &dir_len):
        dir_len = 0
    joined = join_path(c, dir, dir_len, path, path_len)
    buf_put(out, joined.ptr, joined.len)


cdef bint _mapped(const uint8_t* addr) noexcept nogil:
    # IPv4 in IPv6; all zero counts as mapped, as the address of a dual-stack socket not yet bound.
    cdef int i
    for i in range(10):
        if addr[i] != 0:
            return False
    if addr[10] == 0xff and addr[11] == 0xff:
        return True
    for i in range(10, 16):
        if addr[i] != 0:
            return False
    return True


cdef inline uint16_t _u16(const uint8_t* at) noexcept nogil:
    return <uint16_t> (at[0] | (<uint16_t> at[1]) << 8)


cdef void _put_sockaddr(const uint8_t* data, uint32_t length, Buf* out) noexcept nogil:
    cdef const void* nul
    if data[0] == AF_INET:
        if length < 7:
            buf_puts(out, "INVALID IPv4")
            return
        put_ipv4(out, data + 1)
        buf_putc(out, c':')
        buf_u64(out, _u16(data + 5))
    elif data[0] == AF_INET6:
        if length < 19:
            buf_puts(out, "INVALID IPv6")
            return
        put_ipv6(out, data + 1)
        buf_putc(out, c':')
        buf_u64(out, _u16(data + 17))
    elif data[0] == AF_UNIX:
        nul = memchr(data + 1, 0, length - 1) if length > 1 else NULL
        if nul == NULL or data[length - 1] != 0:
            buf_puts(out, "INVALID PATH")
            return
        buf_put(out, <const char*> data + 1, <const uint8_t*> nul - (data + 1))
    else:
        buf_puts(out, "family ")
        buf_u64(out, data[0])


cdef void _put_tuple(const uint8_t* data, uint32_t length, Buf* out) noexcept nogil:
    cdef uint64_t source
    cdef uint64_t dest
    if data[0] == AF_INET:
        if length < 13:
            buf_puts(out, "INVALID IPv4")
            return
        put_ipv4(out, data + 1)
        buf_putc(out, c':')
        buf_u64(out, _u16(data + 5))
        buf_put(out, "->", 2)
        put_ipv4(out, data + 7)
        buf_putc(out, c':')
        buf_u64(out, _u16(data + 11))
    elif data[0] == AF_INET6:
        if length < 37:
            buf_puts(out, "INVALID IPv6")
            return
        if _mapped(data + 1) and _mapped(data + 19):
            put_ipv4(out, data + 13)
            buf_putc(out, c':')
            buf_u64(out, _u16(data + 17))
            buf_put(out, "->", 2)
            put_ipv4(out, data + 31)
        else:
            put_ipv6(out, data + 1)
            buf_putc(out, c':')
            buf_u64(out, _u16(data + 17))
            buf_put(out, "->", 2)
            put_ipv6(out, data + 19)
        buf_putc(out, c':')
        buf_u64(out, _u16(data + 35))
    elif data[0] == AF_UNIX:
        if length < 18 or data[length - 1] != 0:
            buf_puts(out, "INVALID PATH")
            return
        memcpy(&source, data + 1, 8)
        memcpy(&dest, data + 9, 8)
        put_hex(out, source, False)
        buf_put(out, "->", 2)
        put_hex(out, dest, False)
        buf_putc(out, c' ')
        buf_puts(out, <const char*> data + 17)
    else:
        buf_puts(out, "family ")
        buf_u64(out, data[0])


cdef void _put_fdlist(Context* c, const uint8_t* data, uint32_t length, Buf* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef FdTable* table = fd_table(c.state, thread) if thread != NULL else NULL
    cdef uint32_t n
    cdef uint32_t j
    cdef int64_t num
    cdef int16_t flags
    cdef Fd* fd
    if thread == NULL or length < 2:
        return
    n = min(<uint32_t> _u16(data), (length - 2) // 10)
    data += 2
    for j in range(n):
        memcpy(&num, data, 8)
        memcpy(&flags, data + 8, 2)
        fd = find_fd(table, num) if table != NULL and num >= 0 else NULL
        if j:
            buf_putc(out, c' ')
        buf_u64(out, <uint64_t> num)
        buf_putc(out, c':')
        buf_putc(out, fd_type_char(fd) if fd != NULL else c'?')
        put_hex(out, <uint32_t> <int32_t> flags, False)
        data += 10


cdef void _put_account(Context* c, uint32_t id, bint is_group, Buf* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef Account* account
    if thread != NULL:
        account = account_of(c.state, thread.container_id, id, is_group)
        if account != NULL and account.name != NULL and account.name.len:
            buf_put(out, account.name.ptr, account.name.len)
            return
        if account == NULL and id == 0:
            buf_puts(out, "root")
            return
    buf_puts(out, "<NA>")


cdef void _put_reltime(uint64_t ns, Buf* out) noexcept nogil:
    cdef char text[48]
    cdef int n = snprintf(text, sizeof(text), "%gs", <double> ns / 1000000000.0)
    if n > 0:
        buf_put(out, text, n)


cdef void _put_sigset(uint32_t bits, Buf* out) noexcept nogil:
    cdef int i
    cdef bint first = True
    cdef const char* name
    for i in range(32):
        if bits >> i & 1:
            name = signal_name(i + 1)
            if name != NULL:
                if not first:
                    buf_putc(out, c' ')
                buf_puts(out, name)
                first = False


cdef inline int64_t _i64_of(const uint8_t* data, uint32_t length) noexcept nogil:
    cdef int64_t v8
    cdef int32_t v4
    cdef int16_t v2
    if length >= 8:
        memcpy(&v8, data, 8)
        return v8
    if length >= 4:
        memcpy(&v4, data, 4)
        return v4
    if length >= 2:
        memcpy(&v2, data, 2)
        return v2
    return <signed char> data[0] if length else 0


cdef inline uint64_t _u64_of(const uint8_t* data, uint32_t length) noexcept nogil:
    if length >= 8:
        return <uint64_t> _i64_of(data, length)
    if length >= 4:
        return <uint32_t> <int32_t> _i64_of(data, length)
    if length >= 2:
        return _u16(data)
    return data[0] if length else 0


cdef void _put_raw_number(Buf* out, const uint8_t* data, uint32_t length, uint8_t pt, uint8_t fmt) noexcept nogil:
    # Decimal shows unsigned 32 and 64 bits as signed ones, as lseek offsets need it.
    cdef int64_t value = _i64_of(data, length)
    if pt == PT_INT8 or pt == PT_INT16 or pt == PT_INT32 or pt == PT_INT64:
        pass
    elif length < 4:
        value = <int64_t> _u64_of(data, length)
    if fmt == PF_HEX:
        put_hex(out, <uint64_t> value if length >= 8 else <uint32_t> value, True)
    elif fmt == PF_OCT:
        if value != 0:
            buf_putc(out, c'0')
        put_octal(out, <uint64_t> value if length >= 8 else <uint32_t> value)
    else:
        buf_i64(out, value)


cdef void render_param(Context* c, uint32_t i, Buf* out, int how, uint8_t style) noexcept nogil:
    cdef const ParamInfo* info
    cdef const ParamInfo* outer
    cdef const uint8_t* data
    cdef uint32_t length
    cdef size_t start = out.len
    cdef size_t raw_end
    cdef uint8_t pt
    cdef int64_t number
    cdef const char* text
    cdef uint32_t text_len
    cdef Thread* thread
    cdef FdTable* table
    cdef Fd* fd
    if i >= c.ev.nparams:
        return
    info = &c.ev.info.params[i]
    outer = info
    data = c.ev.params[i].ptr
    length = c.ev.params[i].len
    pt = info.type
    if pt == PT_CHARBUF or pt == PT_FSPATH or pt == PT_FSRELPATH:
        param_text(c.ev, i, &text, &text_len)
        buf_put(out, text, text_len)
        if pt == PT_CHARBUF:
            return
    elif length == 0:
        if (pt == PT_BYTEBUF or pt == PT_SOCKTUPLE or pt == PT_FDLIST or pt == PT_DYN
                or pt == PT_CHARBUFARRAY or pt == PT_CHARBUF_PAIR_ARRAY):
            buf_put(out, "NULL", 4)
        else:
            buf_put(out, "<NA>", 4)
        return
    elif pt == PT_DYN:
        if info.dyn == NULL or data[0] >= info.n_dyn:
            buf_puts(out, "INVALID DYNAMIC PARAMETER")
            return
        info = &info.dyn[data[0]]
        pt = info.type
        data += 1
        length -= 1
    # the raw text
    number = _i64_of(data, length)
    if pt == PT_FSPATH or pt == PT_FSRELPATH:
        pass
    elif pt == PT_CHARBUF:
        text_len = length
        if memchr(data, 0, length) != NULL:
            text_len = <uint32_t> (<const uint8_t*> memchr(data, 0, length) - data)
        buf_put(out, <const char*> data, text_len)
        return
    elif pt == PT_BYTEBUF:
        put_buffer(out, <const char*> data, length, style)
        return
    elif pt == PT_SOCKADDR:
        _put_sockaddr(data, length, out)
        return
    elif pt == PT_SOCKTUPLE:
        _put_tuple(data, length, out)
        return
    elif pt == PT_FDLIST:
        _put_fdlist(c, data, length, out)
        return
    elif pt == PT_ABSTIME:
        put_time(out, <uint64_t> number, TIME_DATE)
        return
    elif pt == PT_FD or pt == PT_PID or pt == PT_ERRNO or pt == PT_FD32 or pt == PT_PID32:
        buf_i64(out, number)
    elif pt == PT_SYSCALLID or pt == PT_SIGTYPE:
        buf_u64(out, _u64_of(data, length))
    elif pt == PT_RELTIME:
        if number == -1:
            buf_put(out, "none", 4)
            return
        buf_u64(out, <uint64_t> number)
    elif (PT_FLAGS8 <= pt <= PT_FLAGS32) or (PT_ENUMFLAGS8 <= pt <= PT_ENUMFLAGS32):
        buf_u64(out, <uint32_t> _u64_of(data, length))
    elif pt == PT_UID or pt == PT_GID:
        buf_i64(out, <int32_t> number)
    elif pt == PT_BOOL:
        buf_puts(out, "true" if number else "false")
        return
    elif pt == PT_IPV4ADDR or (pt == PT_IPADDR and length == 4):
        if length >= 4:
            put_ipv4(out, data)
        return
    elif pt == PT_IPV6ADDR or pt == PT_IPADDR:
        if length >= 16:
            put_ipv6(out, data)
        return
    elif pt == PT_SIGSET:
        _put_sigset(<uint32_t> number, out)
        return
    elif pt == PT_CHARBUFARRAY or pt == PT_CHARBUF_PAIR_ARRAY:
        buf_put(out, "NULL", 4)
        return
    else:
        _put_raw_number(out, data, length, pt, outer.fmt)
        if pt != PT_MODE:
            return
    # the resolved text
    raw_end = out.len
    if how == PARAM_BOTH:
        buf_putc(out, c'(')
    if pt == PT_FSPATH or pt == PT_FSRELPATH:
        _put_path(c, i, out)
    elif pt == PT_FD or pt == PT_FD32:
        thread = thread_of(c)
        if thread == NULL:
            pass
        elif number >= 0:
            table = fd_table(c.state, thread)
            fd = find_fd(table, number) if table != NULL else NULL
            if fd != NULL:
                put_fd(out, fd)
        elif number == AT_FDCWD:
            buf_puts(out, "AT_FDCWD")
        else:
            text = errno_name(<int> -number) if number > -0x7fffffff else NULL
            if text != NULL:
                buf_puts(out, text)
    elif pt == PT_PID or pt == PT_PID32:
        thread = find_thread(c.state, number)
        if thread != NULL and thread.comm != NULL:
            buf_put(out, thread.comm.ptr, thread.comm.len)
    elif pt == PT_ERRNO:
        text = errno_name(<int> -number) if -0x7fffffff < number < 0 else NULL
        if text != NULL:
            buf_puts(out, text)
    elif pt == PT_SYSCALLID:
        text = syscall_name(<uint32_t> _u64_of(data, length))
        if text != NULL:
            buf_puts(out, text)
    elif pt == PT_SIGTYPE:
        text = signal_name(<int> (_u64_of(data, length) & 0xff))
        if text != NULL:
            buf_puts(out, text)
    elif pt == PT_RELTIME:
        _put_reltime(<uint64_t> number, out)
    elif pt == PT_MODE:
        put_mode(out, outer.values, <uint32_t> number)
    elif pt == PT_UID or pt == PT_GID:
        if <int32_t> number == -1:
            buf_puts(out, "<NONE>")
        else:
            _put_account(c, <uint32_t> number, pt == PT_GID, out)
    else:
        put_flags(out, outer.values, <uint32_t> _u64_of(data, length), PT_ENUMFLAGS8 <= pt <= PT_ENUMFLAGS32)
    if out.failed:
        return
    if how == PARAM_BOTH:
        if out.len == raw_end + 1:
            out.len = raw_end
        else:
            buf_putc(out, c')')
    elif out.len > raw_end:
        memmove(out.ptr + start, out.ptr + raw_end, out.len - raw_end)
        out.len -= raw_end - start


# --- Typed value of a parameter ------------------------------------------------------------------

cdef bint put_param(Context* c, uint32_t i, Value* out) noexcept nogil:
    cdef const ParamInfo* info
    cdef const uint8_t* data
    cdef uint32_t length
    cdef uint32_t text_len
    cdef const char* text
    cdef double real
    cdef uint8_t pt
    if i >= c.ev.nparams:
        return False
    info = &c.ev.info.params[i]
    data = c.ev.params[i].ptr
    length = c.ev.params[i].len
    pt = info.type
    if pt == PT_CHARBUF or pt == PT_FSPATH or pt == PT_FSRELPATH:
        param_text(c.ev, i, &text, &text_len)
        put_text(out, text, text_len)
        out.pt = pt
        return True
    if pt == PT_DYN and length != 0 and info.dyn != NULL and data[0] < info.n_dyn:
        pt = info.dyn[data[0]].type
        data += 1
        length -= 1
    if length == 0:
        put_text(out, "", 0)
        out.kind = V_NULL
        out.pt = pt
        out.fmt = info.fmt
        return True
    if pt == PT_CHARBUF:
        text_len = length
        if memchr(data, 0, length) != NULL:
            text_len = <uint32_t> (<const uint8_t*> memchr(data, 0, length) - data)
        put_text(out, <const char*> data, text_len)
    elif (pt == PT_BYTEBUF or pt == PT_SOCKADDR or pt == PT_SOCKTUPLE or pt == PT_FDLIST
            or pt == PT_DYN or pt == PT_CHARBUFARRAY or pt == PT_CHARBUF_PAIR_ARRAY):
        put_text(out, <const char*> data, length)
        out.kind = V_BYTES
    elif pt == PT_BOOL:
        put_bool(out, _u64_of(data, length) != 0)
    elif pt == PT_DOUBLE:
        if length < 8:
            return False
        memcpy(&real, data, 8)
        put_double(out, real)
    elif (pt == PT_IPV4ADDR and length >= 4) or (pt == PT_IPADDR and length == 4):
        put_address(out, data, False)
    elif (pt == PT_IPV6ADDR or pt == PT_IPADDR) and length >= 16:
        put_address(out, data, True)
    elif (PT_INT8 <= pt <= PT_INT64) or pt == PT_ERRNO or pt == PT_FD or pt == PT_PID or pt == PT_FD32 or pt == PT_PID32:
        put_int(out, _i64_of(data, length))
    else:
        put_uint(out, _u64_of(data, length))
    out.pt = pt
    out.fmt = info.fmt
    return True
