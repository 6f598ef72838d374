# hot: every event passes here
"""Extractors of the classes evt, syscall and util."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memset, strlen

import os

from rulekit.native._event cimport (
    BLOCK_PARTIAL, EC_INTERNAL, EC_METAEVENT, EC_SYSCALL, EF_READS_FROM_FD, EF_WAITS, EF_WRITES_TO_FD,
    has_param,
    native_syscall_name, param_i64, param_u64, syscall_name,
)
from rulekit.native._scratch cimport Buf, buf_put, buf_putc, buf_puts
from rulekit.native._strings cimport Str
from rulekit.state._fields cimport (
    SCOPE_CONST, SCOPE_EVENT, V_BYTES, V_NULL, FieldRef, Value, put_bool, put_cstr, put_int,
    put_str, put_text, put_uint, thread_of,
)
from rulekit.state._paramtext cimport (
    PARAM_BEST, PARAM_BOTH, cwd_of, fd_dir, join_path, param_text, put_param, render_param,
)
from rulekit.state._render cimport (
    PT_INT16, TIME_DATE, TIME_DATE_S, TIME_ISO8601, TIME_OF_DAY, TIME_OF_DAY_S, put_buf, put_time,
)
from rulekit.state._state cimport (
    CL_IS_MAIN_THREAD, FD_DIRECTORY, FD_EVENT, FD_FIFO, FD_FILE, FD_FILE_V2, FD_INOTIFY,
    FD_IPV4_SOCK, FD_IPV6_SERVSOCK, FD_SIGNALFD, FD_UNIX_SOCK, FD_USERFAULTFD, Context, Fd, Thread,
)
from rulekit.state._threads cimport is_main

cdef enum:                 # event types that have rules of their own
    E_GENERIC_X = 1
    E_OPEN_X = 3
    E_CONNECT_X = 23
    E_CREAT_X = 59
    E_RENAMEAT_X = 177
    E_SYMLINKAT_X = 181
    E_PROCINFO = 234
    E_ACCEPT_X = 247
    E_INFRA = 286
    E_UNLINKAT_X = 303
    E_MKDIRAT_X = 305
    E_OPENAT_X = 307
    E_LINKAT_X = 311
    E_FCHMODAT_X = 313
    E_RENAMEAT2_X = 319
    E_OPENAT2_X = 327
    E_OPEN_BY_HANDLE_AT_X = 337
    E_FCHOWNAT_X = 385
    E_ACCEPT4_X = 389
    E_ASYNC = 402

cdef enum:                 # low bits of EventInfo.category
    CATEGORY_LOW = 255
    C_MEMORY = 5
    C_IO_READ = 32
    C_IO_WRITE = 33
    C_IO_OTHER = 34

cdef enum:
    O_READ = 1
    O_WRITE = 2
    O_CREAT = 4
    O_TMPFILE = 8192
    O_F_CREATED = 16384
    EXEC_BITS = 0o111
    AT_FDCWD = -100
    SECOND = 1000000000


cdef const char* event_name(const EventView* ev) noexcept nogil:
    cdef uint32_t code
    cdef const char* name
    if ev.type == E_GENERIC_X:
        # A code newer than this table: the kernel's own number still tells the call.
        code = <uint32_t> param_u64(ev, 0, 0)
        if code == 0 and has_param(ev, 1):
            name = native_syscall_name(<uint32_t> param_u64(ev, 1, 0))
            if name != NULL:
                return name
        return syscall_name(code)
    return ev.info.name


# --- Names and kinds -----------------------------------------------------------------------------

cdef bint x_type(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef const char* text
    cdef uint32_t length
    if c.ev.type == E_ASYNC:
        if c.ev.nparams < 2:
            return False
        param_text(c.ev, 1, &text, &length)
        return put_text(out, text, length)
    return put_cstr(out, event_name(c.ev))


cdef bint x_syscall_type(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return c.ev.info.category & EC_SYSCALL != 0 and put_cstr(out, event_name(c.ev))


cdef bint x_type_is(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, 1 if ref.params != NULL and ref.params[c.ev.type] >= 0 else 0)


cdef bint x_dir(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_text(out, "<" if c.ev.type & 1 else ">", 1)


cdef const char* _io_category(const Fd* fd) noexcept nogil:
    if fd == NULL:
        return "unknown"
    if fd.type == FD_FILE or fd.type == FD_FILE_V2 or fd.type == FD_DIRECTORY:
        return "file"
    if FD_IPV4_SOCK <= fd.type <= FD_IPV6_SERVSOCK:
        return "net"
    if (fd.type == FD_FIFO or fd.type == FD_UNIX_SOCK or fd.type == FD_EVENT
            or fd.type == FD_SIGNALFD or fd.type == FD_INOTIFY or fd.type == FD_USERFAULTFD):
        return "ipc"
    return "unknown"


cdef const char** _categories = [
    "unknown", "other", "file", "net", "IPC", "memory", "process", "sleep", "system", "signal",
    "user", "time", "processing",
]


cdef bint x_category(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef uint32_t category = c.ev.info.category & (CATEGORY_LOW | EC_INTERNAL)
    if category <= 12:
        return put_cstr(out, _categories[category])
    if C_IO_READ <= category <= C_IO_OTHER:
        return put_cstr(out, _io_category(c.fd))
    if category == 64:
        return put_cstr(out, "wait")
    if category == 128:
        return put_cstr(out, "scheduler")
    if category == EC_INTERNAL:
        return put_cstr(out, "internal")
    return put_cstr(out, "unknown")


cdef bint x_cpu(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_int(out, c.ev.cpu)


cdef bint x_source(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    if c.document != NULL:
        return put_cstr(out, c.document.source)
    return put_text(out, "syscall", 7)


cdef bint x_is_async(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_bool(out, c.ev.info.category & EC_METAEVENT != 0)


cdef bint x_asynctype(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return c.ev.info.category & EC_METAEVENT != 0 and x_type(c, ref, out)


# The name of the machine that looks, not of the one that recorded: peers print nothing for a capture
# unless this variable says what.
cdef bytes _hostname = os.environb.get(b"FALCO_HOSTNAME", b"")
cdef const char* _hostname_text = _hostname


cdef bint x_hostname(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # The peer names the machine that it runs on. A log of audit names the one that wrote it.
    if c.ev.block_flags & BLOCK_PARTIAL and _hostname_text[0] == 0:
        return put_cstr(out, c.state.hostname)
    return put_cstr(out, _hostname_text)


cdef bint x_num(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, c.ev.num)


# --- Times ---------------------------------------------------------------------------------------

cdef inline bint _time(Context* c, Value* out, int form) noexcept nogil:
    cdef Buf text
    memset(&text, 0, sizeof(text))
    put_time(&text, c.ev.ts_ns, form)
    put_buf(c, out, &text)
    out.u64 = c.ev.ts_ns          # what output_fields show
    return True


cdef bint x_time(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _time(c, out, TIME_OF_DAY)


cdef bint x_time_s(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _time(c, out, TIME_OF_DAY_S)


cdef bint x_time_iso8601(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _time(c, out, TIME_ISO8601)


cdef bint x_datetime(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _time(c, out, TIME_DATE)


cdef bint x_datetime_s(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _time(c, out, TIME_DATE_S)


cdef bint x_rawtime(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, c.ev.ts_ns)


cdef bint x_rawtime_s(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, c.ev.ts_ns // SECOND)


cdef bint x_rawtime_ns(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, c.ev.ts_ns % SECOND)


cdef bint x_reltime(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, c.ev.ts_ns - c.state.first_event_ts_ns)


cdef bint x_reltime_s(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, (c.ev.ts_ns - c.state.first_event_ts_ns) // SECOND)


cdef bint x_reltime_ns(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, (c.ev.ts_ns - c.state.first_event_ts_ns) % SECOND)


cdef inline uint64_t _delta(Context* c, FieldRef* ref) noexcept nogil:
    # Since the previous event that this instance looked at; twice in one event gives the same.
    if ref.memory_raw != c.ev.raw or ref.memory == 0:
        ref.memory_value = c.ev.ts_ns - <uint64_t> ref.memory if ref.memory != 0 else 0
        ref.memory = <int64_t> c.ev.ts_ns
        ref.memory_raw = c.ev.raw
    return ref.memory_value


cdef bint x_deltatime(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, _delta(c, ref))


cdef bint x_deltatime_s(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, _delta(c, ref) // SECOND)


cdef bint x_deltatime_ns(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, _delta(c, ref) % SECOND)


cdef bint x_around(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # Distance in ms, rounded up: the event lies within +-W ms when this is at most W.
    cdef uint64_t ts = c.ev.ts_ns
    cdef uint64_t away = ts - ref.number if ts >= ref.number else ref.number - ts
    return put_uint(out, away // 1000000 + (1 if away % 1000000 else 0))


# --- Constants and counters ----------------------------------------------------------------------

cdef bint x_zero(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, 0)


cdef bint x_zero_human(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_text(out, "0ns", 3)


cdef bint x_one(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, 1)


cdef bint x_cnt(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    ref.memory += 1
    return put_uint(out, <uint64_t> ref.memory)


cdef bint x_count_exit(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return c.ev.type & 1 != 0 and put_uint(out, 1)


cdef bint x_count_threadinfo(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_uint(out, 1 if c.ev.type == E_PROCINFO else 0)


cdef bint x_count_procinfo(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread
    if c.ev.type == E_PROCINFO:
        thread = thread_of(c)
        if thread != NULL and is_main(thread):
            return put_uint(out, 1)
    return put_uint(out, 0)


# --- Parameters ----------------------------------------------------------------------------------

cdef inline int _param_index(Context* c, FieldRef* ref) noexcept nogil:
    if ref.params != NULL:
        return ref.params[c.ev.type]
    return ref.index


cdef bint x_arg(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef int i = _param_index(c, ref)
    cdef Buf text
    if i < 0 or <uint32_t> i >= c.ev.nparams:
        return False
    if c.ev.block_flags & BLOCK_PARTIAL and c.ev.params[i].len == 0:
        return False
    memset(&text, 0, sizeof(text))
    render_param(c, <uint32_t> i, &text, PARAM_BEST, ref.buffers)
    return put_buf(c, out, &text)


cdef bint x_rawarg(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # An empty parameter is null, though one that prints as its type does (kind V_NULL with a type).
    cdef int i = _param_index(c, ref)
    out.pt = 0
    return i >= 0 and put_param(c, <uint32_t> i, out) and out.kind != V_NULL


cdef bint x_args(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Buf text
    cdef uint32_t i
    if c.ev.type == E_GENERIC_X:
        return put_text(out, "", 0)      # its numbers are of internal use only
    memset(&text, 0, sizeof(text))
    for i in range(c.ev.nparams):
        if i:
            buf_putc(&text, c' ')
        buf_puts(&text, c.ev.info.params[i].name)
        buf_putc(&text, c'=')
        render_param(c, i, &text, PARAM_BOTH, ref.buffers)
    return put_buf(c, out, &text)


cdef bint x_buffer(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef int i = _param_index(c, ref)
    if i < 0 or <uint32_t> i >= c.ev.nparams:
        return False
    put_text(out, <const char*> c.ev.params[i].ptr, c.ev.params[i].len)
    out.kind = V_BYTES
    return True


# --- Results -------------------------------------------------------------------------------------

cdef bint x_rawres(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return c.has_retval and put_int(out, c.retval)


cdef bint x_res(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Buf text
    if not c.has_retval:
        return False
    if c.retval >= 0:
        return put_text(out, "SUCCESS", 7)
    memset(&text, 0, sizeof(text))
    render_param(c, 0, &text, PARAM_BEST, 0)
    return put_buf(c, out, &text)


cdef bint x_failed(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return c.has_retval and put_bool(out, c.retval < 0)


cdef bint x_error(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return c.has_retval and put_uint(out, 1 if c.retval < 0 else 0)


cdef inline bint _opens(const EventView* ev) noexcept nogil:
    return (ev.type == E_OPEN_X or ev.type == E_CREAT_X or ev.type == E_OPENAT_X
            or ev.type == E_OPENAT2_X or ev.type == E_OPEN_BY_HANDLE_AT_X)


cdef inline bint _connects(const EventView* ev) noexcept nogil:
    return ev.type == E_ACCEPT_X or ev.type == E_ACCEPT4_X or ev.type == E_CONNECT_X


cdef inline bint _about_file(Context* c) noexcept nogil:
    if c.fd == NULL:
        return _opens(c.ev)
    return c.fd.type == FD_FILE or c.fd.type == FD_FILE_V2 or c.fd.type == FD_DIRECTORY


cdef inline bint _about_net(Context* c) noexcept nogil:
    if c.fd == NULL:
        return _connects(c.ev)
    return FD_IPV4_SOCK <= c.fd.type <= FD_IPV6_SERVSOCK or c.fd.type == FD_UNIX_SOCK


cdef inline bint _about_memory(Context* c) noexcept nogil:
    return c.ev.info.category & CATEGORY_LOW == C_MEMORY


cdef bint x_error_file(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _about_file(c) and x_error(c, ref, out)


cdef bint x_error_net(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _about_net(c) and x_error(c, ref, out)


cdef bint x_error_memory(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _about_memory(c) and x_error(c, ref, out)


cdef bint x_error_other(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    if _about_file(c) or _about_net(c) or (c.fd == NULL and _about_memory(c)):
        return False
    return x_error(c, ref, out)


# --- I/O -----------------------------------------------------------------------------------------

cdef bint x_is_io(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_bool(out, c.ev.info.flags & (EF_READS_FROM_FD | EF_WRITES_TO_FD) != 0)


cdef bint x_is_io_read(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_bool(out, c.ev.info.flags & EF_READS_FROM_FD != 0)


cdef bint x_is_io_write(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_bool(out, c.ev.info.flags & EF_WRITES_TO_FD != 0)


cdef bint x_io_dir(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    if c.ev.info.flags & EF_WRITES_TO_FD:
        return put_text(out, "write", 5)
    if c.ev.info.flags & EF_READS_FROM_FD:
        return put_text(out, "read", 4)
    return False


cdef bint x_is_wait(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_bool(out, c.ev.info.flags & EF_WAITS != 0)


cdef bint x_is_syslog(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef const char* at
    cdef uint32_t left
    if c.ev.info.flags & EF_WRITES_TO_FD and c.fd != NULL and c.fd.name != NULL:
        at = c.fd.name.ptr
        left = c.fd.name.len
        while left >= 8:
            if memcmp(at, <const char*> "/dev/log", 8) == 0:
                return put_bool(out, True)
            at += 1
            left -= 1
    return put_bool(out, False)


cdef enum BufferKind:
    ANY = 0
    ONLY_FILE = 1
    ONLY_NET = 2


cdef inline bint _buflen(Context* c, Value* out, uint32_t category, int kind) noexcept nogil:
    cdef uint32_t own = c.ev.info.category & CATEGORY_LOW
    if c.fd == NULL or c.ev.type & 1 == 0 or c.retval < 0:
        return False
    if category != 0:
        if own != category:
            return False
    elif not C_IO_READ <= own <= C_IO_OTHER:
        return False
    if kind == ONLY_FILE:
        if c.fd.type != FD_FILE and c.fd.type != FD_FILE_V2:
            return False
    elif kind == ONLY_NET:
        if not FD_IPV4_SOCK <= c.fd.type <= FD_IPV6_SERVSOCK:
            return False
    return put_uint(out, <uint64_t> c.retval)


cdef bint x_buflen(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _buflen(c, out, 0, ANY)


cdef bint x_buflen_in(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _buflen(c, out, C_IO_READ, ANY)


cdef bint x_buflen_out(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _buflen(c, out, C_IO_WRITE, ANY)


cdef bint x_buflen_file(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _buflen(c, out, 0, ONLY_FILE)


cdef bint x_buflen_file_in(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _buflen(c, out, C_IO_READ, ONLY_FILE)


cdef bint x_buflen_file_out(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _buflen(c, out, C_IO_WRITE, ONLY_FILE)


cdef bint x_buflen_net(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _buflen(c, out, 0, ONLY_NET)


cdef bint x_buflen_net_in(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _buflen(c, out, C_IO_READ, ONLY_NET)


cdef bint x_buflen_net_out(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _buflen(c, out, C_IO_WRITE, ONLY_NET)


# --- Opens ---------------------------------------------------------------------------------------

cdef inline uint32_t _open_flags(Context* c) noexcept nogil:
    # Also of failed opens; 0 for what is no open or has other flags (creat).
    if c.ev.type == E_OPEN_X or c.ev.type == E_OPEN_BY_HANDLE_AT_X:
        return <uint32_t> param_u64(c.ev, 2, 0)
    if c.ev.type == E_OPENAT_X or c.ev.type == E_OPENAT2_X:
        return <uint32_t> param_u64(c.ev, 3, 0)
    return 0


cdef bint x_is_open_read(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_bool(out, _open_flags(c) & O_READ != 0)


cdef bint x_is_open_write(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return put_bool(out, _open_flags(c) & O_WRITE != 0)


cdef bint x_is_open_create(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef uint32_t flags = _open_flags(c)
    return put_bool(out, flags & O_F_CREATED != 0 or (flags & O_TMPFILE != 0 and c.retval >= 0))


cdef bint x_is_open_exec(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef uint64_t mode = 0
    if c.ev.type == E_CREAT_X:
        mode = param_u64(c.ev, 2, 0)
    elif _open_flags(c) & (O_CREAT | O_TMPFILE):
        if c.ev.type == E_OPEN_X:
            mode = param_u64(c.ev, 3, 0)
        elif c.ev.type != E_OPEN_BY_HANDLE_AT_X:
            mode = param_u64(c.ev, 4, 0)
    return put_bool(out, mode & EXEC_BITS != 0)


# --- Paths of *at calls --------------------------------------------------------------------------

cdef bint x_abspath(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # ref.number: 0 without suffix, 1 for .src, 2 for .dst
    cdef Thread* thread = thread_of(c)
    cdef uint16_t kind = c.ev.type
    cdef uint32_t dirfd_param
    cdef int64_t dirfd
    cdef const char* path
    cdef const char* dir = "./"
    cdef uint32_t path_len
    cdef uint32_t dir_len = 2
    if thread == NULL:
        return False
    if kind == E_RENAMEAT_X or kind == E_RENAMEAT2_X or kind == E_LINKAT_X:
        dirfd_param = 3 if ref.number == 2 else 1
    elif kind == E_SYMLINKAT_X:
        dirfd_param = 2
    elif (kind == E_OPENAT_X or kind == E_OPENAT2_X or kind == E_UNLINKAT_X or kind == E_MKDIRAT_X
            or kind == E_FCHMODAT_X or kind == E_FCHOWNAT_X):
        dirfd_param = 1
    elif kind == E_OPEN_BY_HANDLE_AT_X:
        if c.retval <= 0 or not has_param(c.ev, 3):
            return False
        param_text(c.ev, 3, &path, &path_len)
        return put_str(out, join_path(c, "", 0, path, path_len))
    else:
        return False
    if not has_param(c.ev, dirfd_param) or not has_param(c.ev, dirfd_param + 1):
        return False
    dirfd = param_i64(c.ev, dirfd_param, 0)
    param_text(c.ev, dirfd_param + 1, &path, &path_len)
    if path_len == 0 or path[0] != c'/':
        if dirfd == AT_FDCWD:
            cwd_of(c, thread, &dir, &dir_len)
        elif not fd_dir(c, thread, dirfd, &dir, &dir_len):
            dir = "<UNKNOWN>/"
            dir_len = 10
    return put_str(out, join_path(c, dir, dir_len, path, path_len))


# --- Docker events of the infrastructure source --------------------------------------------------

cdef inline bint _is_blank(char c) noexcept nogil:
    return c == c' ' or c == c'\t' or c == c'\n' or c == c'\r'


cdef bint _infra(Context* c, Value* out, const char* key, uint32_t limit, bint is_image) noexcept nogil:
    # The description reads "Key:value;Key:value...".
    cdef const char* text
    cdef uint32_t length
    cdef uint32_t i = 0
    cdef uint32_t end, start, stop
    cdef uint32_t key_len = <uint32_t> strlen(key)
    if c.ev.type != E_INFRA or c.ev.nparams < 3:
        return False
    param_text(c.ev, 2, &text, &length)
    while i < length:
        end = i
        while end < length and text[end] != c';':
            end += 1
        while i < end and _is_blank(text[i]):
            i += 1
        if end - i >= key_len and memcmp(text + i, key, key_len) == 0:
            start = i + key_len
            while start < end and text[start] != c':':
                start += 1
            if start == end:
                return False
            start += 1
            stop = start
            # a digest reads sha256:...; any other value ends at the next colon
            if is_image and end - start >= 6 and memcmp(text + start, <const char*> "sha256", 6) == 0:
                stop = end
            else:
                while stop < end and text[stop] != c':' and not (is_image and text[stop] == c'@'):
                    stop += 1
            while start < stop and _is_blank(text[start]):
                start += 1
            while stop > start and _is_blank(text[stop - 1]):
                stop -= 1
            return put_text(out, text + start, min(stop - start, limit))
        i = end + 1
    return False


cdef bint x_infra_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _infra(c, out, "Event", 0x7fffffff, False)


cdef bint x_infra_id(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _infra(c, out, "ID", 12, False)


cdef bint x_infra_container_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _infra(c, out, "name", 0x7fffffff, False)


cdef bint x_infra_image(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _infra(c, out, "Image", 0x7fffffff, True)


cdef int register_evt(add_fn add) except -1:
    add("evt.num", x_num, SCOPE_EVENT)
    add("evt.time", x_time, SCOPE_EVENT)
    add("evt.time.s", x_time_s, SCOPE_EVENT)
    add("evt.time.iso8601", x_time_iso8601, SCOPE_EVENT)
    add("evt.datetime", x_datetime, SCOPE_EVENT)
    add("evt.datetime.s", x_datetime_s, SCOPE_EVENT)
    add("evt.outputtime", x_time, SCOPE_EVENT)
    add("evt.rawtime", x_rawtime, SCOPE_EVENT)
    add("evt.rawtime.s", x_rawtime_s, SCOPE_EVENT)
    add("evt.rawtime.ns", x_rawtime_ns, SCOPE_EVENT)
    add("evt.reltime", x_reltime, SCOPE_EVENT)
    add("evt.reltime.s", x_reltime_s, SCOPE_EVENT)
    add("evt.reltime.ns", x_reltime_ns, SCOPE_EVENT)
    add("evt.deltatime", x_deltatime, SCOPE_EVENT)
    add("evt.deltatime.s", x_deltatime_s, SCOPE_EVENT)
    add("evt.deltatime.ns", x_deltatime_ns, SCOPE_EVENT)
    add("evt.around", x_around, SCOPE_EVENT)
    add("evt.latency", x_zero, SCOPE_CONST)
    add("evt.latency.s", x_zero, SCOPE_CONST)
    add("evt.latency.ns", x_zero, SCOPE_CONST)
    add("evt.latency.quantized", x_zero, SCOPE_CONST)
    add("evt.latency.human", x_zero_human, SCOPE_CONST)
    add("evt.wait_latency", x_zero, SCOPE_CONST)
    add("evt.dir", x_dir, SCOPE_EVENT)
    add("evt.type", x_type, SCOPE_EVENT)
    add("evt.type.is", x_type_is, SCOPE_EVENT)
    add("syscall.type", x_syscall_type, SCOPE_EVENT)
    add("evt.category", x_category, SCOPE_EVENT)
    add("evt.cpu", x_cpu, SCOPE_EVENT)
    add("evt.source", x_source, SCOPE_EVENT)
    add("evt.is_async", x_is_async, SCOPE_EVENT)
    add("evt.asynctype", x_asynctype, SCOPE_EVENT)
    add("evt.hostname", x_hostname, SCOPE_EVENT)
    add("evt.args", x_args, SCOPE_EVENT)
    add("evt.info", x_args, SCOPE_EVENT)
    add("evt.arg", x_arg, SCOPE_EVENT)
    add("evt.rawarg", x_rawarg, SCOPE_EVENT)
    add("evt.buffer", x_buffer, SCOPE_EVENT)
    add("evt.buflen", x_buflen, SCOPE_EVENT)
    add("evt.buflen.in", x_buflen_in, SCOPE_EVENT)
    add("evt.buflen.out", x_buflen_out, SCOPE_EVENT)
    add("evt.buflen.file", x_buflen_file, SCOPE_EVENT)
    add("evt.buflen.file.in", x_buflen_file_in, SCOPE_EVENT)
    add("evt.buflen.file.out", x_buflen_file_out, SCOPE_EVENT)
    add("evt.buflen.net", x_buflen_net, SCOPE_EVENT)
    add("evt.buflen.net.in", x_buflen_net_in, SCOPE_EVENT)
    add("evt.buflen.net.out", x_buflen_net_out, SCOPE_EVENT)
    add("evt.res", x_res, SCOPE_EVENT)
    add("evt.rawres", x_rawres, SCOPE_EVENT)
    add("evt.failed", x_failed, SCOPE_EVENT)
    add("evt.is_io", x_is_io, SCOPE_EVENT)
    add("evt.is_io_read", x_is_io_read, SCOPE_EVENT)
    add("evt.is_io_write", x_is_io_write, SCOPE_EVENT)
    add("evt.io_dir", x_io_dir, SCOPE_EVENT)
    add("evt.is_wait", x_is_wait, SCOPE_EVENT)
    add("evt.is_syslog", x_is_syslog, SCOPE_EVENT)
    add("evt.count", x_one, SCOPE_CONST)
    add("evt.count.error", x_error, SCOPE_EVENT)
    add("evt.count.error.file", x_error_file, SCOPE_EVENT)
    add("evt.count.error.net", x_error_net, SCOPE_EVENT)
    add("evt.count.error.memory", x_error_memory, SCOPE_EVENT)
    add("evt.count.error.other", x_error_other, SCOPE_EVENT)
    add("evt.count.exit", x_count_exit, SCOPE_EVENT)
    add("evt.count.procinfo", x_count_procinfo, SCOPE_EVENT)
    add("evt.count.threadinfo", x_count_threadinfo, SCOPE_EVENT)
    add("evt.abspath", x_abspath, SCOPE_EVENT)
    add("evt.is_open_read", x_is_open_read, SCOPE_EVENT)
    add("evt.is_open_write", x_is_open_write, SCOPE_EVENT)
    add("evt.is_open_exec", x_is_open_exec, SCOPE_EVENT)
    add("evt.is_open_create", x_is_open_create, SCOPE_EVENT)
    add("evt.infra.docker.name", x_infra_name, SCOPE_EVENT)
    add("evt.infra.docker.container.id", x_infra_id, SCOPE_EVENT)
    add("evt.infra.docker.container.name", x_infra_container_name, SCOPE_EVENT)
    add("evt.infra.docker.container.image", x_infra_image, SCOPE_EVENT)
    add("util.cnt", x_cnt, SCOPE_EVENT)
    return 0
