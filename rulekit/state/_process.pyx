# hot: every event passes here
# Changes of threads: clone, execve, exit, credentials, directories, limits.

from libc.stdint cimport UINT32_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memchr, memcmp, memcpy

from rulekit.native._event cimport BLOCK_PARTIAL, has_param, param_i64, param_u64
from rulekit.native._scratch cimport scratch_alloc
from rulekit.native._strings cimport intern
from rulekit.state._containers cimport container_id_of
from rulekit.state._fds cimport copy_fds, remove_fd
from rulekit.state._files cimport closes_on_exec, dirfd_dir
from rulekit.state._params cimport (
    Text, intern_text, is_na, look_up_fd, plain_text, text_or_na, working_dir
)
from rulekit.state._paths cimport concat_dir, concat_path
from rulekit.state._state cimport (
    CL_ACTIVE, CL_CHILD_IN_PIDNS, CL_CLONE_FILES, CL_CLONE_INVERTED, CL_CLONE_NEWPID,
    CL_CLONE_NEWUSER, CL_CLONE_PARENT, CL_CLONE_THREAD, CL_CLONE_VFORK, CL_CLOSED,
    CL_IS_MAIN_THREAD, CL_NAME_CHANGED, CL_PIPE_DST, CL_PIPE_SRC, Fd, FdTable, FD_EVENTPOLL,
    FD_MEMFD, Group
)
from rulekit.state._threads cimport (
    add_placeholder, add_thread, fd_table, find_thread, is_invalid, is_main, link_thread,
    main_thread, mark_dead, remove_other_threads, remove_thread, touch_group, touch_thread
)

cdef enum:
    # event types
    VFORK_X = 227
    EXECVEAT_E = 330
    GETRLIMIT_X = 141
    PRLIMIT_X = 145
    SETRESUID_X = 193
    SETRESGID_X = 195
    SETREUID_X = 427
    SETREGID_X = 429
    SETNS_X = 241
    # values
    RECENT_NS = 2000000000
    RLIMIT_NOFILE = 7
    PR_SET_CHILD_SUBREAPER = 36
    PR_GET_CHILD_SUBREAPER = 37
    O_CLOEXEC = 4096
    EMPTY_PATH = 1
    EXE_WRITABLE = 1
    EXE_UPPER_LAYER = 2
    EXE_FROM_MEMFD = 4
    EXE_LOWER_LAYER = 8
    N_CPUS = 65536

cdef uint64_t ALL_CAPABILITIES = (1ULL << 41) - 1


# -- texts -----------------------------------------------------------------------------------------

cdef Str* list_text(State* state, const char* text, size_t length) noexcept nogil:
    cdef char* copy
    if length == 1 and text[0] == 0:
        return state.strings.empty       # a lone end is no element
    if length == 0 or text[length - 1] == 0:
        return intern(state.strings, text, length)
    copy = <char*> scratch_alloc(&state.scratch, length + 1)
    if copy == NULL:
        return state.strings.empty
    memcpy(copy, text, length)
    copy[length] = 0
    return intern(state.strings, copy, length + 1)


cdef Str* cgroups_text(State* state, const char* text, size_t length) noexcept nogil:
    # Kernels and producers named the subsystems differently; rules know one name each.
    cdef char* out
    cdef size_t n = 0
    cdef const char* p = text
    cdef const char* end = text + length
    cdef const char* stop
    cdef const char* equals
    cdef size_t name_len, rest
    if length == 0:
        return state.strings.empty
    # No entry grows by more than "io" -> "blkio" or "perf" -> "perf_event" does.
    out = <char*> scratch_alloc(&state.scratch, length * 3 + 16)
    if out == NULL:
        return state.strings.empty
    while p < end:
        stop = <const char*> memchr(p, 0, end - p)
        if stop == NULL:
            stop = end
        equals = <const char*> memchr(p, 61, stop - p)
        if equals != NULL:
            name_len = equals - p
            if name_len > 7 and memcmp(equals - 7, b"_cgroup", 7) == 0:
                name_len -= 7
            if name_len == 4 and memcmp(p, b"perf", 4) == 0:
                memcpy(out + n, b"perf_event", 10)
                n += 10
            elif name_len == 3 and memcmp(p, b"mem", 3) == 0:
                memcpy(out + n, b"memory", 6)
                n += 6
            elif name_len == 2 and memcmp(p, b"io", 2) == 0:
                memcpy(out + n, b"blkio", 5)
                n += 5
            else:
                memcpy(out + n, p, name_len)
                n += name_len
            rest = stop - equals
            memcpy(out + n, equals, rest)
            n += rest
            out[n] = 0
            n += 1
        p = stop + 1
    return intern(state.strings, out, n)


cdef inline Str* _list_param(State* state, const EventView* ev, uint32_t i) noexcept nogil:
    if not has_param(ev, i):
        return state.strings.empty
    return list_text(state, <const char*> ev.params[i].ptr, ev.params[i].len)


cdef inline Str* _cgroups_param(State* state, const EventView* ev, uint32_t i) noexcept nogil:
    if not has_param(ev, i):
        return state.strings.empty
    return cgroups_text(state, <const char*> ev.params[i].ptr, ev.params[i].len)


cdef void set_container_id(State* state, Thread* thread) noexcept nogil:
    thread.container_id = container_id_of(state, thread.cgroups)


cdef inline void _set_comm(State* state, const EventView* ev, Thread* thread) noexcept nogil:
    # exe and args must be set before; old layouts have no comm.
    thread.comm = intern_text(state, text_or_na(ev, 13)) if has_param(ev, 13) else thread.exe
    thread.cmdline = NULL


# -- clone -----------------------------------------------------------------------------------------

cdef void _fill_identity(State* state, const EventView* ev, Thread* thread, int64_t pid, int64_t ptid) noexcept nogil:
    thread.pid = pid
    thread.ptid = ptid
    thread.vtid = param_i64(ev, 18, thread.tid)
    thread.vpid = param_i64(ev, 19, -1)


cdef void _fill_from_clone(State* state, const EventView* ev, Thread* child) noexcept nogil:
    child.exe = intern_text(state, text_or_na(ev, 1))
    child.args = _list_param(state, ev, 2)
    _set_comm(state, ev, child)
    child.fdlimit = param_i64(ev, 7, -1)
    child.pf_major = param_u64(ev, 8, 0)
    child.pf_minor = param_u64(ev, 9, 0)
    child.vm_size = <uint32_t> param_u64(ev, 10, 0)
    child.vm_rss = <uint32_t> param_u64(ev, 11, 0)
    child.vm_swap = <uint32_t> param_u64(ev, 12, 0)
    child.cgroups = _cgroups_param(state, ev, 14)
    child.uid = <uint32_t> param_u64(ev, 16, UINT32_MAX)
    child.gid = <uint32_t> param_u64(ev, 17, UINT32_MAX)
    child.clone_ts = ev.ts_ns
    set_container_id(state, child)


cdef void _inherit(State* state, Thread* child, Thread* source, bint as_thread) noexcept nogil:
    cdef FdTable* table
    cdef Thread* main
    child.exepath = source.exepath
    child.exe_writable = source.exe_writable
    child.exe_upper_layer = source.exe_upper_layer
    child.exe_lower_layer = source.exe_lower_layer
    child.exe_from_memfd = source.exe_from_memfd
    child.root = source.root
    child.sid = source.sid
    child.vpgid = source.vpgid
    child.pgid = source.pgid
    child.tty = source.tty
    child.loginuid = source.loginuid
    child.cap_inheritable = source.cap_inheritable
    child.cap_permitted = source.cap_permitted
    child.cap_effective = source.cap_effective
    child.exe_ino = source.exe_ino
    child.exe_ino_ctime = source.exe_ino_ctime
    child.exe_ino_mtime = source.exe_ino_mtime
    child.exe_ino_ctime_duration_clone_ts = source.exe_ino_ctime_duration_clone_ts
    if as_thread:
        child.lastexec_ts = source.lastexec_ts
        return
    main = main_thread(source)
    if main != NULL:
        child.env = main.env
    child.cwd = intern_text(state, working_dir(source))
    table = fd_table(state, source)
    if table != NULL and table != &child.fds:
        copy_fds(state, &child.fds, table)


cdef void _inherit_program(Thread* child, Thread* source) noexcept nogil:
    # Of a source that tells who was born, and nothing about it.
    child.exe = source.exe
    child.comm = source.comm
    child.args = source.args
    child.cgroups = source.cgroups
    child.container_id = source.container_id


cdef inline void _set_clone_flags(Thread* child, uint32_t flags, bint as_thread) noexcept nogil:
    # Threads share the table of their main thread and processes share with nobody, whatever the
    # kernel was asked for. Whether it is alive is for us to say.
    flags &= ~<uint32_t> (CL_CLOSED | CL_ACTIVE)
    if as_thread:
        child.flags = flags | CL_CLONE_FILES
    else:
        child.flags = flags & ~<uint32_t> CL_CLONE_FILES


cdef bint _exited_lately(State* state, Thread* caller, int64_t child, uint64_t ts) noexcept nogil:
    cdef int i
    for i in range(64):
        if (state.exit_child[i] == child and state.exit_ts[i]
                and (state.exit_tid[i] == caller.tid or state.exit_tid[i] == caller.pid)
                and <int64_t> (ts - state.exit_ts[i]) < RECENT_NS):
            return True
    return False


cdef void _clone_in_caller(State* state, const EventView* ev, Context* c, int64_t child_tid) noexcept nogil:
    cdef Thread* caller = c.thread
    cdef Thread* child
    cdef uint32_t flags = <uint32_t> param_u64(ev, 15, 0)
    cdef bint was_invalid
    cdef bint as_thread = (flags & CL_CLONE_THREAD) != 0
    if caller == NULL:
        caller = add_placeholder(state, ev.tid)
        c.thread = caller
        if caller == NULL:
            return
    was_invalid = is_invalid(caller)
    if was_invalid:
        _fill_identity(state, ev, caller, param_i64(ev, 4, -1), param_i64(ev, 5, -1))
        link_thread(state, caller)
    # In these cases the number returned is not the child's, or its parent is not the caller: the
    # child's own event introduces it.
    if (flags & (CL_CHILD_IN_PIDNS | CL_CLONE_NEWPID | CL_CLONE_PARENT) or caller.tid != caller.vtid
            or child_tid == caller.tid or ev.block_flags & BLOCK_PARTIAL):
        return
    # The child may have run and exited before this event was written.
    if _exited_lately(state, caller, child_tid, ev.ts_ns):
        return
    child = find_thread(state, child_tid)
    # A vfork returns when its child has executed or is gone, so the child told of itself already. Only
    # where it was seen and is still a made-up thread is its own event late or lost.
    if (ev.type == VFORK_X or flags & CL_CLONE_VFORK) and (child == NULL or not is_invalid(child)):
        return
    if child != NULL:
        if child.flags & CL_CLONE_INVERTED:
            return
        remove_thread(state, child_tid)
        caller = find_thread(state, ev.tid)      # may have gone with the last live thread of its group
        c.thread = caller
        if caller == NULL:
            return
    child = add_thread(state, child_tid)
    if child == NULL:
        return
    _set_clone_flags(child, flags, as_thread)
    child.pid = caller.pid if as_thread else child_tid
    child.ptid = caller.ptid if as_thread else caller.tid
    child.vtid = child_tid
    child.vpid = child.pid
    _fill_from_clone(state, ev, child)
    if was_invalid:          # link_thread told of the change
        caller.exe = child.exe
        caller.args = child.args
        caller.comm = child.comm
        caller.cmdline = NULL
    else:
        _inherit(state, child, caller, as_thread)
    link_thread(state, child)


cdef void _clone_in_child(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Thread* child = c.thread
    cdef Thread* template
    cdef uint32_t flags = <uint32_t> param_u64(ev, 15, 0)
    cdef int64_t pid = param_i64(ev, 4, -1)
    cdef int64_t ptid = param_i64(ev, 5, -1)
    cdef int64_t template_tid
    cdef bint as_thread
    if child != NULL and child.clone_ts != 0:
        if <int64_t> (ev.ts_ns - child.clone_ts) < RECENT_NS:
            return
        remove_thread(state, ev.tid)
    # Some producers leave CLONE_THREAD out for threads in a nested pid namespace.
    as_thread = (flags & CL_CLONE_THREAD) != 0 or (pid >= 0 and param_i64(ev, 3, pid) != pid)
    template_tid = pid if as_thread else ptid
    template = find_thread(state, template_tid)
    if template == NULL:
        template = add_placeholder(state, template_tid)
    child = add_thread(state, ev.tid)
    c.thread = child
    if child == NULL:
        return
    if template_tid == ev.tid:
        template = NULL
    _set_clone_flags(child, flags | CL_CLONE_INVERTED, as_thread)
    _fill_identity(state, ev, child, pid, ptid)
    _fill_from_clone(state, ev, child)
    if flags & (CL_CHILD_IN_PIDNS | CL_CLONE_NEWPID) or child.tid != child.vtid:
        # Time since boot, as the newest peer has it for files: it adds a boot time that it does not
        # take from the file. For the same reason the value is 0 outside of namespaces.
        child.pidns_init_start_ts = param_u64(ev, 20, 0)
    if template != NULL:
        if not is_invalid(template):
            _inherit(state, child, template, as_thread)
            if ev.block_flags & BLOCK_PARTIAL:
                _inherit_program(child, template)
        elif as_thread:
            template.pid = pid
            template.ptid = ptid
            template.vpid = child.vpid
            template.vtid = child.vpid
            template.exe = child.exe
            template.comm = child.comm
            template.args = child.args
            template.cmdline = NULL
            link_thread(state, template)
    link_thread(state, child)


cdef void on_clone(State* state, const EventView* ev, Context* c) noexcept nogil:
    if not c.has_retval or c.retval < 0:
        return
    if c.retval == 0:
        _clone_in_child(state, ev, c)
    else:
        _clone_in_caller(state, ev, c, c.retval)
    if c.thread != NULL:
        c.fd_num = c.thread.last_event_fd


# -- execve ----------------------------------------------------------------------------------------

cdef Str* _strip_deleted(State* state, Text path) noexcept nogil:
    if path.len > 10 and memcmp(path.ptr + path.len - 10, b" (deleted)", 10) == 0:
        path.len -= 10
    return intern_text(state, path)


cdef Str* _exepath_from_enter(State* state, Context* c) noexcept nogil:
    # NULL: the enter event says nothing.
    cdef const EventView* enter = c.enter
    cdef Text path, dir
    cdef Fd* fd
    cdef int64_t dirfd
    cdef char* joined
    if enter == NULL:
        return NULL
    if enter.type != EXECVEAT_E:
        path = text_or_na(enter, 0)
        if is_na(path):
            return state.strings.na
        dir = working_dir(c.thread)
        return concat_path(state, dir.ptr, dir.len, path.ptr, path.len)
    dirfd = param_i64(enter, 0, -1)
    path = text_or_na(enter, 1)
    if path.len == 0 or is_na(path):
        fd = look_up_fd(state, c.thread, dirfd) if param_u64(enter, 2, 0) & EMPTY_PATH else NULL
        return state.strings.na if fd == NULL else fd.name
    dir = dirfd_dir(state, c.thread, dirfd, path)
    if dir.len == 9 and memcmp(dir.ptr, b"<UNKNOWN>", 9) == 0:
        return state.strings.na
    return concat_path(state, dir.ptr, dir.len, path.ptr, path.len)


cdef void _drop_cloexec(State* state, FdTable* table) noexcept nogil:
    # Removal moves entries back over the gap, so the slot is looked at again; what wrapped around
    # the end of the array is caught by the second turn.
    cdef uint32_t i
    cdef Fd* fd
    cdef bint any = False
    for i in range(table.n_slots):
        fd = table.slots[i]
        if fd != NULL and closes_on_exec(fd):
            any = True
            break
    if not any:
        return
    for i in range(2 * table.n_slots):
        while True:
            fd = table.slots[i & (table.n_slots - 1)]
            if fd == NULL or not closes_on_exec(fd):
                break
            remove_fd(state, table, fd.num)


cdef void on_execve(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Thread* thread = c.thread
    cdef FdTable* table
    cdef Str* path
    cdef uint64_t bits
    if thread == NULL or not c.has_retval or c.retval < 0:
        return
    if thread.flags & CL_CLOSED:
        thread.flags &= ~<uint32_t> CL_CLOSED
        if thread.group != NULL:
            thread.group.n_alive += 1
    thread.exe = intern_text(state, text_or_na(ev, 1))
    thread.args = _list_param(state, ev, 2)
    _set_comm(state, ev, thread)
    if is_invalid(thread):
        thread.pid = param_i64(ev, 4, thread.pid)
        thread.ptid = param_i64(ev, 5, thread.ptid)
        if not thread.flags & CL_CHILD_IN_PIDNS:
            thread.vtid = thread.tid
            thread.vpid = thread.pid
        link_thread(state, thread)
    elif has_param(ev, 4) and param_i64(ev, 4, -1) != thread.pid:
        # A thread that became the process: its group is the one of the new number.
        thread.pid = param_i64(ev, 4, -1)
        link_thread(state, thread)
    thread.lastexec_ts = ev.ts_ns
    thread.fdlimit = param_i64(ev, 7, thread.fdlimit)
    thread.pf_major = param_u64(ev, 8, thread.pf_major)
    thread.pf_minor = param_u64(ev, 9, thread.pf_minor)
    thread.vm_size = <uint32_t> param_u64(ev, 10, thread.vm_size)
    thread.vm_rss = <uint32_t> param_u64(ev, 11, thread.vm_rss)
    thread.vm_swap = <uint32_t> param_u64(ev, 12, thread.vm_swap)
    if has_param(ev, 14):
        thread.cgroups = _cgroups_param(state, ev, 14)
    if has_param(ev, 15):
        thread.env = _list_param(state, ev, 15)
    thread.tty = <uint32_t> param_u64(ev, 16, thread.tty)
    if has_param(ev, 27):
        thread.exepath = _strip_deleted(state, text_or_na(ev, 27))
    else:
        path = _exepath_from_enter(state, c)
        if path != NULL:
            thread.exepath = path
    thread.vpgid = param_i64(ev, 17, thread.vpgid)
    thread.loginuid = <uint32_t> param_u64(ev, 18, thread.loginuid)
    if has_param(ev, 19):
        bits = param_u64(ev, 19, 0)
        thread.exe_writable = (bits & EXE_WRITABLE) != 0
        thread.exe_upper_layer = (bits & EXE_UPPER_LAYER) != 0
        thread.exe_from_memfd = (bits & EXE_FROM_MEMFD) != 0
        thread.exe_lower_layer = (bits & EXE_LOWER_LAYER) != 0
    elif ev.block_flags & BLOCK_PARTIAL:
        # Nothing that was true of the program before is known of this one.
        thread.exe_writable = thread.exe_upper_layer = False
        thread.exe_from_memfd = thread.exe_lower_layer = False
    thread.cap_inheritable = param_u64(ev, 20, thread.cap_inheritable)
    thread.cap_permitted = param_u64(ev, 21, thread.cap_permitted)
    thread.cap_effective = param_u64(ev, 22, thread.cap_effective)
    thread.exe_ino = param_u64(ev, 23, thread.exe_ino)
    if has_param(ev, 24):
        thread.exe_ino_ctime = param_u64(ev, 24, 0)
        if thread.clone_ts:
            thread.exe_ino_ctime_duration_clone_ts = thread.clone_ts - thread.exe_ino_ctime
        if thread.pidns_init_start_ts and thread.exe_ino_ctime > thread.pidns_init_start_ts:
            thread.exe_ino_ctime_duration_pidns_start = thread.exe_ino_ctime - thread.pidns_init_start_ts
    thread.exe_ino_mtime = param_u64(ev, 25, thread.exe_ino_mtime)
    thread.uid = <uint32_t> param_u64(ev, 26, thread.uid)
    thread.pgid = param_i64(ev, 28, -1)
    thread.gid = <uint32_t> param_u64(ev, 29, thread.gid)
    table = fd_table(state, thread)
    if table != NULL and table.n_fds:
        _drop_cloexec(state, table)
    # A namespace child keeps being recognised by tid != vtid.
    thread.flags &= CL_PIPE_SRC | CL_PIPE_DST | CL_IS_MAIN_THREAD | CL_CLONE_INVERTED
    thread.flags |= CL_ACTIVE | CL_NAME_CHANGED
    remove_other_threads(state, thread)
    set_container_id(state, thread)
    touch_thread(state, thread)


# -- task ------------------------------------------------------------------------------------------

cdef void _take_argv(State* state, const EventView* ev, Thread* thread) noexcept nogil:
    cdef const char* argv = <const char*> ev.params[5].ptr
    cdef const char* stop = <const char*> memchr(argv, 0, ev.params[5].len)
    cdef uint32_t first = ev.params[5].len if stop == NULL else <uint32_t> (stop - argv)
    thread.exe = intern(state.strings, argv, first)
    thread.args = state.strings.empty
    if first + 1 < ev.params[5].len:
        thread.args = list_text(state, argv + first + 1, ev.params[5].len - first - 1)
    thread.cmdline = NULL


cdef void on_task(State* state, const EventView* ev, Context* c) noexcept nogil:
    # What a process is, as a walk over the kernel's tasks reports it; what is absent stays as it was.
    cdef Thread* thread = c.thread
    cdef Thread* main
    cdef Text cwd
    cdef bint link
    cdef int64_t ptid
    cdef uint64_t bits
    if thread == NULL:
        return
    link = is_invalid(thread)
    if link:
        thread.pid = thread.tid
        if thread.vtid < 0:
            thread.vtid = thread.tid
    ptid = param_i64(ev, 0, -1)
    if has_param(ev, 0) and ptid >= 0 and ptid != thread.ptid:
        thread.ptid = ptid
        link = True
    elif thread.ptid < 0:
        thread.ptid = 0
    thread.pgid = param_i64(ev, 1, thread.pgid)
    thread.vpgid = param_i64(ev, 2, thread.vpgid)
    thread.sid = param_i64(ev, 3, thread.sid)
    if has_param(ev, 5):
        _take_argv(state, ev, thread)
    if has_param(ev, 4):
        thread.comm = intern_text(state, plain_text(ev, 4))
        thread.cmdline = NULL
    if has_param(ev, 6):
        thread.exepath = _strip_deleted(state, plain_text(ev, 6))
    if has_param(ev, 7):
        bits = param_u64(ev, 7, 0)
        thread.exe_writable = (bits & EXE_WRITABLE) != 0
        thread.exe_upper_layer = (bits & EXE_UPPER_LAYER) != 0
        thread.exe_from_memfd = (bits & EXE_FROM_MEMFD) != 0
        thread.exe_lower_layer = (bits & EXE_LOWER_LAYER) != 0
    if has_param(ev, 8):
        thread.env = _list_param(state, ev, 8)
    thread.fdlimit = param_i64(ev, 10, thread.fdlimit)
    thread.uid = <uint32_t> param_u64(ev, 11, thread.uid)
    thread.gid = <uint32_t> param_u64(ev, 12, thread.gid)
    thread.cap_permitted = param_u64(ev, 13, thread.cap_permitted)
    thread.cap_effective = param_u64(ev, 14, thread.cap_effective)
    thread.cap_inheritable = param_u64(ev, 15, thread.cap_inheritable)
    thread.exe_ino = param_u64(ev, 16, thread.exe_ino)
    thread.exe_ino_ctime = param_u64(ev, 17, thread.exe_ino_ctime)
    thread.exe_ino_mtime = param_u64(ev, 18, thread.exe_ino_mtime)
    thread.vm_size = <uint32_t> param_u64(ev, 19, thread.vm_size)
    thread.vm_rss = <uint32_t> param_u64(ev, 20, thread.vm_rss)
    thread.vm_swap = <uint32_t> param_u64(ev, 21, thread.vm_swap)
    thread.pf_major = param_u64(ev, 22, thread.pf_major)
    thread.pf_minor = param_u64(ev, 23, thread.pf_minor)
    thread.vpid = param_i64(ev, 25, thread.vpid)
    thread.pidns_init_start_ts = param_u64(ev, 26, thread.pidns_init_start_ts)
    if has_param(ev, 27):
        thread.cgroups = _cgroups_param(state, ev, 27)
        set_container_id(state, thread)
    if has_param(ev, 28):
        thread.root = intern_text(state, plain_text(ev, 28))
    thread.clone_ts = param_u64(ev, 29, thread.clone_ts)
    thread.tty = <uint32_t> param_u64(ev, 30, thread.tty)
    thread.loginuid = <uint32_t> param_u64(ev, 31, thread.loginuid)
    if link:
        link_thread(state, thread)
    main = main_thread(thread)
    if has_param(ev, 9) and main != NULL:
        cwd = plain_text(ev, 9)
        main.cwd = concat_dir(state, b"", 0, cwd.ptr, cwd.len)
        touch_group(state, main)
    touch_thread(state, thread)


# -- exit ------------------------------------------------------------------------------------------

cdef void on_procexit(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Thread* thread = c.thread
    cdef uint32_t at = state.exit_pos & 63
    if thread == NULL:
        return
    mark_dead(state, thread)
    if thread.first_child != NULL and has_param(ev, 4):
        thread.reaper_tid = param_i64(ev, 4, -1)
    state.has_pending_thread = True
    state.attention = True
    state.pending_thread = thread.tid
    state.exit_tid[at] = thread.ptid if is_main(thread) else thread.pid
    state.exit_child[at] = thread.tid
    state.exit_ts[at] = ev.ts_ns
    state.exit_pos += 1


cdef void on_prctl(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef int64_t option = param_i64(ev, 1, -1)
    if (c.thread == NULL or c.retval < 0 or c.thread.group == NULL
            or not (option == PR_SET_CHILD_SUBREAPER or option == PR_GET_CHILD_SUBREAPER)):
        return
    c.thread.group.reaper = param_i64(ev, 3, 0) != 0


# -- directories -----------------------------------------------------------------------------------

cdef void _change_dir(State* state, Thread* thread, Text path) noexcept nogil:
    cdef Thread* main = main_thread(thread)
    cdef Str* cwd
    if main == NULL:
        return
    cwd = concat_dir(state, main.cwd.ptr, main.cwd.len, path.ptr, path.len)
    if cwd != main.cwd:
        main.cwd = cwd
        touch_group(state, main)


cdef void on_chdir(State* state, const EventView* ev, Context* c) noexcept nogil:
    # chdir and getcwd
    if ev.block_flags & BLOCK_PARTIAL and not has_param(ev, 1):
        return
    if c.thread != NULL and c.has_retval and c.retval >= 0:
        _change_dir(state, c.thread, text_or_na(ev, 1))


cdef void on_fchdir(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Text path
    if c.thread == NULL or c.fd == NULL or not c.has_retval or c.retval < 0:
        return
    path.ptr = c.fd.name.ptr
    path.len = c.fd.name.len
    _change_dir(state, c.thread, path)


cdef void on_chroot(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Text path, dir
    if c.thread == NULL or not c.has_retval or c.retval < 0:
        return
    path = text_or_na(ev, 1)
    dir = working_dir(c.thread)
    if path.len and path.ptr[0] == 47:
        c.thread.root = intern_text(state, path)
    else:
        c.thread.root = concat_path(state, dir.ptr, dir.len, path.ptr, path.len)
    set_container_id(state, c.thread)
    touch_thread(state, c.thread)


# -- identity --------------------------------------------------------------------------------------

cdef void on_setsid(State* state, const EventView* ev, Context* c) noexcept nogil:
    if c.thread != NULL and c.has_retval and c.retval >= 0 and c.thread.sid != c.retval:
        c.thread.sid = c.retval
        touch_thread(state, c.thread)


cdef void on_setuid(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef uint32_t i = 1 if ev.type != SETRESUID_X and ev.type != SETREUID_X else 2
    cdef uint32_t uid
    if c.thread == NULL or not c.has_retval or c.retval != 0 or not has_param(ev, i):
        return
    # -1 asks the kernel to leave the id as it is. Peers since 2025 store it all the same, and rules
    # are compared with them: until its next execve such a process has user.uid 4294967295.
    uid = <uint32_t> param_u64(ev, i, 0)
    if uid != c.thread.uid:
        c.thread.uid = uid
        touch_thread(state, c.thread)


cdef void on_setgid(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef uint32_t i = 1 if ev.type != SETRESGID_X and ev.type != SETREGID_X else 2
    cdef uint32_t gid
    if c.thread == NULL or not c.has_retval or c.retval != 0 or not has_param(ev, i):
        return
    gid = <uint32_t> param_u64(ev, i, 0)
    if gid != c.thread.gid:              # -1 included, as in on_setuid
        c.thread.gid = gid
        touch_thread(state, c.thread)


cdef void on_capset(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Thread* thread = c.thread
    if thread == NULL or not c.has_retval or c.retval < 0:
        return
    thread.cap_inheritable = param_u64(ev, 1, thread.cap_inheritable)
    thread.cap_permitted = param_u64(ev, 2, thread.cap_permitted)
    thread.cap_effective = param_u64(ev, 3, thread.cap_effective)
    touch_thread(state, thread)


cdef void on_new_user_namespace(State* state, const EventView* ev, Context* c) noexcept nogil:
    # unshare and setns: in a new user namespace a process has all capabilities
    cdef uint32_t i = 2 if ev.type == SETNS_X else 1
    if (c.thread == NULL or not c.has_retval or c.retval < 0
            or not param_u64(ev, i, 0) & CL_CLONE_NEWUSER):
        return
    c.thread.cap_inheritable = ALL_CAPABILITIES
    c.thread.cap_permitted = ALL_CAPABILITIES
    c.thread.cap_effective = ALL_CAPABILITIES
    touch_thread(state, c.thread)


# -- numbers ---------------------------------------------------------------------------------------

cdef void on_rlimit(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Thread* thread = c.thread
    cdef Thread* main
    cdef int64_t limit = param_i64(ev, 1, -1)
    cdef int64_t tid
    if thread == NULL or not c.has_retval or c.retval < 0 or limit == -1:
        return
    if param_i64(ev, 6 if ev.type == PRLIMIT_X else 3, -1) != RLIMIT_NOFILE:
        return
    if ev.type == PRLIMIT_X:
        tid = param_i64(ev, 5, 0)
        if tid != 0:
            thread = find_thread(state, tid)
            if thread == NULL:
                return
    main = main_thread(thread)
    if main != NULL and main.fdlimit != limit:
        main.fdlimit = limit
        touch_group(state, main)


cdef void on_memory(State* state, const EventView* ev, Context* c) noexcept nogil:
    # Sizes change with nearly every call, so they are no part of Thread.version: fields that show
    # them depend on the event.
    cdef Thread* thread = c.thread
    if thread == NULL:
        return
    thread.vm_size = <uint32_t> param_u64(ev, 1, thread.vm_size)
    thread.vm_rss = <uint32_t> param_u64(ev, 2, thread.vm_rss)
    thread.vm_swap = <uint32_t> param_u64(ev, 3, thread.vm_swap)


cdef void on_switch(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Thread* thread = c.thread
    cdef Thread* main
    cdef uint64_t last
    if state.switch_ts == NULL:
        state.switch_ts = <uint64_t*> calloc(N_CPUS, sizeof(uint64_t))
        if state.switch_ts == NULL:
            return
    last = state.switch_ts[ev.cpu]
    state.switch_ts[ev.cpu] = ev.ts_ns
    if thread == NULL:
        return
    thread.exectime = ev.ts_ns - last if last != 0 and ev.ts_ns > last else 0
    thread.total_exectime += thread.exectime
    thread.pf_major = param_u64(ev, 1, thread.pf_major)
    thread.pf_minor = param_u64(ev, 2, thread.pf_minor)
    main = main_thread(thread)
    if main != NULL:
        main.vm_size = <uint32_t> param_u64(ev, 3, main.vm_size)
        main.vm_rss = <uint32_t> param_u64(ev, 4, main.vm_rss)
        main.vm_swap = <uint32_t> param_u64(ev, 5, main.vm_swap)
