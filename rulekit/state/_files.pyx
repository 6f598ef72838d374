# hot: every event passes here
# Descriptors that are no sockets: opening, duplicating, closing.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from rulekit.native._event cimport has_param, param_i64, param_u64
from rulekit.native._scratch cimport scratch_alloc
from rulekit.native._strings cimport Str, intern
from rulekit.state._fds cimport add_fd, copy_fd, find_fd, remove_fd_range
from rulekit.state._params cimport intern_text, is_na, look_up_fd, text_or_na, working_dir
from rulekit.state._paths cimport concat_path
from rulekit.state._state cimport (
    CL_PIPE_DST, CL_PIPE_SRC, FD_BPF, FD_DIRECTORY, FD_EVENT, FD_FIFO, FD_FILE_V2, FD_INOTIFY,
    FD_IOURING, FD_PIDFD, FD_SIGNALFD, FD_TIMERFD, FD_USERFAULTFD, FDF_LOWER, FDF_UPPER, FdTable
)
from rulekit.state._threads cimport fd_table, find_thread

cdef enum:
    # event types
    OPEN_X = 3
    CREAT_X = 59
    EVENTFD_X = 63
    SIGNALFD_X = 127
    TIMERFD_CREATE_X = 137
    INOTIFY_INIT_X = 139
    OPENAT_X = 307
    USERFAULTFD_X = 321
    OPENAT2_X = 327
    OPEN_BY_HANDLE_AT_X = 337
    IO_URING_SETUP_X = 339
    DUP3_X = 365
    BPF_X = 369
    EPOLL_CREATE_X = 375
    EPOLL_CREATE1_X = 377
    INOTIFY_INIT1_X = 395
    EVENTFD2_X = 397
    SIGNALFD4_X = 399
    # values
    AT_FDCWD = -100
    O_DIRECTORY = 1024
    O_CLOEXEC = 4096
    O_F_CREATED = 16384
    UPPER_LAYER = 32768
    LOWER_LAYER = 65536
    CREAT_UPPER_LAYER = 1
    CREAT_LOWER_LAYER = 2
    F_DUPFD = 1
    F_SETFD = 3
    F_DUPFD_CLOEXEC = 26
    RANGE_CLOEXEC = 4


cdef Text dirfd_dir(State* state, Thread* thread, int64_t dirfd, Text path) noexcept nogil:
    cdef Text dir
    cdef Fd* fd
    cdef char* copy
    if path.len and path.ptr[0] == 47:
        dir.ptr = b"."
        dir.len = 1
        return dir
    if dirfd == AT_FDCWD and thread != NULL:
        return working_dir(thread)
    fd = look_up_fd(state, thread, dirfd)
    dir.ptr = b"<UNKNOWN>"
    dir.len = 9
    if fd == NULL:
        return dir
    if fd.name.len == 0 or fd.name.ptr[fd.name.len - 1] == 47:
        dir.ptr = fd.name.ptr
        dir.len = fd.name.len
        return dir
    copy = <char*> scratch_alloc(&state.scratch, <size_t> fd.name.len + 1)
    if copy == NULL:
        return dir
    memcpy(copy, fd.name.ptr, fd.name.len)
    copy[fd.name.len] = 47
    dir.ptr = copy
    dir.len = fd.name.len + 1
    return dir


cdef Fd* new_fd(State* state, Context* c, int64_t num, int type) noexcept nogil:
    cdef FdTable* table = fd_table(state, c.thread)
    cdef Fd* fd = NULL
    if table != NULL and num >= 0:
        fd = add_fd(state, table, num)
        if fd != NULL:
            fd.type = type
    c.thread.last_event_fd = num
    c.fd = fd
    return fd


cdef inline bint _succeeded(const Context* c) noexcept nogil:
    return c.thread != NULL and c.has_retval and c.retval >= 0


# -- open ------------------------------------------------------------------------------------------

cdef void on_open(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef const EventView* enter = c.enter
    cdef Fd* fd
    cdef Text path, entered, dir
    cdef uint32_t flags = 0
    cdef uint32_t flags_at = 0
    cdef uint32_t name_at = 1
    cdef uint32_t dev_at = 4
    cdef int64_t dirfd = AT_FDCWD
    cdef bint at = False
    if c.thread == NULL:
        return
    if not c.has_retval or c.retval < 0:
        c.fd = NULL
        return
    if ev.type == OPEN_X:
        flags_at = 2
    elif ev.type == CREAT_X:
        dev_at = 3
    elif ev.type == OPEN_BY_HANDLE_AT_X:
        flags_at = 2
        name_at = 3
    else:
        at = True
        name_at = 2
        flags_at = 3
        dev_at = 5 if ev.type == OPENAT_X else 6
        dirfd = param_i64(ev, 1, AT_FDCWD)
    path = text_or_na(ev, name_at)
    if flags_at:
        flags = <uint32_t> param_u64(ev, flags_at, 0)
    if enter != NULL:
        # What was asked for, copied before another thread could change it.
        entered = text_or_na(enter, 1 if at else 0)
        if not is_na(entered):
            path = entered
            if flags_at:
                flags = (flags & ~<uint32_t> (O_F_CREATED - 1)) | <uint32_t> param_u64(enter, 2 if at else 1, 0)
            if at:
                dirfd = param_i64(enter, 0, AT_FDCWD)
    if at:
        dir = dirfd_dir(state, c.thread, dirfd, path)
    elif ev.type == OPEN_BY_HANDLE_AT_X:
        dir.ptr = b""
        dir.len = 0
    else:
        dir = working_dir(c.thread)
    fd = new_fd(state, c, c.retval, FD_DIRECTORY if flags & O_DIRECTORY else FD_FILE_V2)
    if fd == NULL:
        return
    fd.open_flags = flags
    fd.name = concat_path(state, dir.ptr, dir.len, path.ptr, path.len)
    # Most programs name a file in full: then both texts are one.
    if fd.name.len == path.len and memcmp(fd.name.ptr, path.ptr, path.len) == 0:
        fd.name_raw = fd.name
    else:
        fd.name_raw = intern_text(state, path)
    fd.dev = <uint32_t> param_u64(ev, dev_at, 0)
    fd.ino = param_u64(ev, dev_at + 1, 0)
    if ev.type == CREAT_X:
        flags = <uint32_t> param_u64(ev, 5, 0)
        if flags & CREAT_UPPER_LAYER:
            fd.flags |= FDF_UPPER
        elif flags & CREAT_LOWER_LAYER:
            fd.flags |= FDF_LOWER
    elif flags & UPPER_LAYER:
        fd.flags |= FDF_UPPER
    elif flags & LOWER_LAYER:
        fd.flags |= FDF_LOWER


# -- close -----------------------------------------------------------------------------------------

cdef void on_close(State* state, const EventView* ev, Context* c) noexcept nogil:
    # The entry lives on until the next event, so that rules see what was closed.
    if c.fd == NULL or not _succeeded(c):
        return
    state.pending_fd_tid = c.thread.tid
    state.pending_fd = c.fd.num
    state.attention = True


cdef void on_close_range(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef uint64_t first = param_u64(ev, 1, 0)
    cdef uint64_t last = param_u64(ev, 2, 0)
    cdef FdTable* table
    cdef Fd* fd
    cdef uint32_t i
    if not _succeeded(c) or not has_param(ev, 1) or not has_param(ev, 2) or first > last:
        return
    table = fd_table(state, c.thread)
    if table == NULL:
        return
    if not param_u64(ev, 3, 0) & RANGE_CLOEXEC:
        remove_fd_range(state, table, first, last)
        return
    for i in range(table.n_slots):
        fd = table.slots[i]
        if fd != NULL and first <= <uint64_t> fd.num <= last:
            set_cloexec(fd, True)


# -- copies ----------------------------------------------------------------------------------------

cdef void _duplicate(State* state, Context* c, bint cloexec) noexcept nogil:
    cdef FdTable* table = fd_table(state, c.thread)
    cdef Fd* fd
    if c.fd == NULL or table == NULL:
        return
    fd = copy_fd(state, table, c.retval, c.fd)
    if fd != NULL:
        set_cloexec(fd, cloexec)
    c.thread.last_event_fd = c.retval
    c.fd = fd


cdef void on_dup(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef bint cloexec = ev.type == DUP3_X and (param_u64(ev, 3, 0) & O_CLOEXEC) != 0
    if not _succeeded(c) or c.fd == NULL:
        return
    if c.retval == 0:
        c.thread.flags |= CL_PIPE_DST
    elif c.retval == 1:
        c.thread.flags |= CL_PIPE_SRC
    _duplicate(state, c, cloexec)


cdef void on_fcntl(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef int64_t command = param_i64(ev, 2, -1)
    if not _succeeded(c) or c.fd == NULL:
        return
    if command == F_DUPFD or command == F_DUPFD_CLOEXEC:
        _duplicate(state, c, command == F_DUPFD_CLOEXEC)
    elif command == F_SETFD and has_param(ev, 3):
        set_cloexec(c.fd, (param_u64(ev, 3, 0) & 1) != 0)


cdef void on_pidfd_getfd(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Fd* pidfd
    cdef Fd* fd
    cdef Thread* target
    cdef FdTable* own
    if not _succeeded(c):
        return
    own = fd_table(state, c.thread)
    pidfd = look_up_fd(state, c.thread, param_i64(ev, 1, -1))
    if own == NULL or pidfd == NULL or pidfd.type != FD_PIDFD:
        return
    target = find_thread(state, pidfd.pid)
    fd = look_up_fd(state, target, param_i64(ev, 2, -1))
    if fd == NULL:
        return
    fd = copy_fd(state, own, c.retval, fd)
    if fd != NULL:
        set_cloexec(fd, True)
    c.thread.last_event_fd = c.retval
    c.fd = fd


# -- entries without a path ------------------------------------------------------------------------

cdef void on_pipe(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Fd* fd
    cdef int i
    cdef uint32_t flags = <uint32_t> param_u64(ev, 4, 0)
    if not _succeeded(c) or not has_param(ev, 1) or not has_param(ev, 2):
        return
    for i in range(1, 3):
        fd = new_fd(state, c, param_i64(ev, i, -1), FD_FIFO)
        if fd != NULL:
            fd.ino = param_u64(ev, 3, 0)
            fd.open_flags = flags


cdef void on_anonymous(State* state, const EventView* ev, Context* c) noexcept nogil:
    # Calls whose result is the number of an entry that has nothing but a type.
    cdef Fd* fd
    cdef int type = FD_EVENTPOLL
    cdef uint32_t flags = 0
    if not _succeeded(c):
        return
    if ev.type == EVENTFD_X or ev.type == EVENTFD2_X:
        type = FD_EVENT
    elif ev.type == SIGNALFD_X or ev.type == SIGNALFD4_X:
        type = FD_SIGNALFD
    elif ev.type == TIMERFD_CREATE_X:
        type = FD_TIMERFD
    elif ev.type == INOTIFY_INIT_X or ev.type == INOTIFY_INIT1_X:
        type = FD_INOTIFY
    elif ev.type == BPF_X:
        type = FD_BPF
    elif ev.type == USERFAULTFD_X:
        type = FD_USERFAULTFD
    elif ev.type == IO_URING_SETUP_X:
        type = FD_IOURING
    if (ev.type == EVENTFD2_X or ev.type == SIGNALFD4_X or ev.type == INOTIFY_INIT1_X
            or ev.type == EPOLL_CREATE1_X):
        flags = <uint32_t> param_u64(ev, 1, 0)
    fd = new_fd(state, c, c.retval, type)
    if fd != NULL:
        fd.open_flags = flags


cdef void on_memfd_create(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Fd* fd
    if not _succeeded(c):
        return
    fd = new_fd(state, c, c.retval, FD_MEMFD)
    if fd != NULL:
        fd.name = intern_text(state, text_or_na(ev, 1))
        fd.open_flags = <uint32_t> param_u64(ev, 2, 0)


cdef void on_pidfd_open(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Fd* fd
    cdef char[32] name
    cdef char[24] digits
    cdef uint64_t pid
    cdef uint32_t n = 6
    cdef int i = 0
    if not _succeeded(c):
        return
    fd = new_fd(state, c, c.retval, FD_PIDFD)
    if fd == NULL:
        return
    fd.pid = param_i64(ev, 1, -1)
    fd.open_flags = <uint32_t> param_u64(ev, 2, 0)
    memcpy(name, b"/proc/", 6)
    pid = <uint64_t> fd.pid
    if fd.pid < 0:
        name[6] = 45
        n = 7
        pid = 0 - pid
    while True:
        digits[i] = <char> (48 + pid % 10)
        pid //= 10
        i += 1
        if pid == 0:
            break
    while i > 0:
        i -= 1
        name[n] = digits[i]
        n += 1
    fd.name = intern(state.strings, name, n)
