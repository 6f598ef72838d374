# hot: every event passes here
"""Extractors of the classes process and thread."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

from rulekit.native._scratch cimport Buf, buf_free, buf_put, buf_putc
from rulekit.native._strings cimport Str, intern
from rulekit.state._fields cimport (
    SCOPE_ANCESTRY, SCOPE_EVENT, SCOPE_THREAD, FieldRef, Value, put_bool, put_int, put_list,
    put_str, put_text, put_uint, thread_of,
)
from rulekit.state._render cimport put_buf
from rulekit.state._state cimport Context, State, Thread
from rulekit.state._threads cimport find_thread, in_pidns, main_thread

cdef enum:
    MAX_ENV_LEVELS = 20


cdef bint join_to(Context* c, Str* items, Value* out) noexcept nogil:
    cdef Buf text
    if items == NULL or items.len == 0:
        return put_str(out, c.state.strings.empty)
    memset(&text, 0, sizeof(text))
    put_joined(&text, items)
    return put_buf(c, out, &text)


cdef Str* cmdline_of(State* state, Thread* thread) noexcept nogil:
    cdef Buf text
    if thread.cmdline == NULL:
        if thread.args == NULL or thread.args.len == 0:
            thread.cmdline = thread.comm
        else:
            memset(&text, 0, sizeof(text))
            if thread.comm != NULL:
                buf_put(&text, thread.comm.ptr, thread.comm.len)
            buf_putc(&text, c' ')
            put_joined(&text, thread.args)
            if text.failed:
                buf_free(&text)
                return thread.comm
            thread.cmdline = intern(state.strings, text.ptr, text.len)
            buf_free(&text)
    return thread.cmdline


cdef inline Str* _env_of(Thread* thread) noexcept nogil:
    cdef Thread* main = main_thread(thread)
    return main.env if main != NULL else NULL


cdef bint _find_env(Str* env, const char* name, uint32_t name_len, const char** ptr, uint32_t* length) noexcept nogil:
    # The value without outer blanks; the first variable of that name counts. False: none, or empty.
    cdef const char* at
    cdef const char* end
    cdef uint32_t n
    if env == NULL:
        return False
    at = env.ptr
    end = at + env.len
    while at < end:
        n = list_item(at, <uint32_t> (end - at))
        if n > name_len and at[name_len] == c'=' and memcmp(at, name, name_len) == 0:
            ptr[0] = at + name_len + 1
            length[0] = n - name_len - 1
            while length[0] and ptr[0][0] == c' ':
                ptr[0] += 1
                length[0] -= 1
            while length[0] and ptr[0][length[0] - 1] == c' ':
                length[0] -= 1
            return length[0] != 0
        at += n + 1
    return False


# --- Ancestors -----------------------------------------------------------------------------------

cdef Thread* ancestor(State* state, Thread* thread, int32_t n) noexcept nogil:
    # Loops end nowhere, so a level that no chain of so many threads reaches is unknown.
    cdef Thread* at = main_thread(thread)
    if n > <int64_t> state.n_threads:
        return NULL
    while n > 0 and at != NULL:
        at = find_thread(state, at.ptid)
        if at != NULL:
            at = main_thread(at)
        n -= 1
    return at


cdef inline Thread* _above(State* state, Thread* thread) noexcept nogil:
    # The next ancestor of a walk, thread by thread.
    return find_thread(state, thread.ptid)


cdef uint32_t _count_above(State* state, Thread* thread) noexcept nogil:
    # Length of the chain; it ends at an unknown id, or where it would come round to a thread again.
    # The tortoise goes half as fast: it is met exactly when there is a loop.
    cdef uint32_t n = 0
    cdef Thread* at = thread
    cdef Thread* slow = thread
    while True:
        at = _above(state, at)
        if at == NULL or at == thread:
            return n
        n += 1
        if n % 2 == 0:
            slow = _above(state, slow)
            if at == slow:
                return n


ctypedef bint (*item_fn)(Context* c, Thread* thread, Value* out) noexcept nogil


cdef bint _all_above(Context* c, item_fn item, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef uint32_t n
    if thread != NULL:
        thread = main_thread(thread)
    if thread == NULL:
        return False
    n = _count_above(c.state, thread)
    if n == 0 or not put_list(c, out, n):
        return False
    while n > 0:
        thread = _above(c.state, thread)
        if item(c, thread, &out.items[out.n_items]):
            out.n_items += 1
        n -= 1
    return out.n_items != 0


cdef inline bint _of_ancestor(Context* c, int32_t n, item_fn item, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    if thread == NULL:
        return False
    thread = ancestor(c.state, thread, n)
    return thread != NULL and item(c, thread, out)


cdef bint i_name(Context* c, Thread* thread, Value* out) noexcept nogil:
    return put_str(out, thread.comm)


cdef bint i_exe(Context* c, Thread* thread, Value* out) noexcept nogil:
    return put_str(out, thread.exe)


cdef bint i_exepath(Context* c, Thread* thread, Value* out) noexcept nogil:
    return put_str(out, thread.exepath)


cdef bint i_cmdline(Context* c, Thread* thread, Value* out) noexcept nogil:
    return put_str(out, cmdline_of(c.state, thread))


cdef bint i_args(Context* c, Thread* thread, Value* out) noexcept nogil:
    return join_to(c, thread.args, out)


cdef bint i_env(Context* c, Thread* thread, Value* out) noexcept nogil:
    return join_to(c, _env_of(thread), out)


cdef bint i_pid(Context* c, Thread* thread, Value* out) noexcept nogil:
    return -1 <= thread.pid <= <int64_t> 0xffffffff and put_int(out, thread.pid)


# --- The process ---------------------------------------------------------------------------------

cdef bint x_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_str(out, thread.comm)


cdef bint x_exe(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_str(out, thread.exe)


cdef bint x_exepath(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_str(out, thread.exepath)


cdef bint x_cmdline(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_str(out, cmdline_of(c.state, thread))


cdef bint x_exeline(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef Buf text
    if thread == NULL:
        return False
    memset(&text, 0, sizeof(text))
    if thread.exe != NULL:
        buf_put(&text, thread.exe.ptr, thread.exe.len)
    buf_putc(&text, c' ')
    put_joined(&text, thread.args)
    return put_buf(c, out, &text)


cdef bint x_args(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef const char* at
    cdef const char* end
    cdef uint32_t n
    cdef int32_t i = 0
    if thread == NULL:
        return False
    if ref.index < 0:
        return join_to(c, thread.args, out)
    if thread.args != NULL:
        at = thread.args.ptr
        end = at + thread.args.len
        while at < end:
            n = list_item(at, <uint32_t> (end - at))
            if i == ref.index:
                return put_text(out, at, n)
            i += 1
            at += n + 1
    return put_str(out, c.state.strings.empty)


cdef bint x_cmdnargs(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, count_items(thread.args))


cdef bint x_cmdlenargs(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef uint32_t at = 0
    cdef uint32_t n
    cdef uint64_t total = 0
    if thread == NULL:
        return False
    if thread.args != NULL:
        while at < thread.args.len:
            n = list_item(thread.args.ptr + at, thread.args.len - at)
            total += n
            at += n + 1
    return put_uint(out, total)


cdef bint x_env(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef const char* text
    cdef uint32_t length
    if thread == NULL:
        return False
    if ref.key == NULL:
        return join_to(c, _env_of(thread), out)
    if _find_env(_env_of(thread), ref.key, ref.key_len, &text, &length):
        return put_text(out, text, length)
    return put_str(out, c.state.strings.empty)


cdef bint x_aenv(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    # By name: the nearest ancestor that has it. By number: the whole of that ancestor.
    cdef Thread* thread
    cdef const char* text
    cdef uint32_t length
    cdef int i
    if ref.key == NULL:
        if ref.index < 0:
            return _all_above(c, i_env, out)
        thread = thread_of(c)
        if thread == NULL or ref.index > <int64_t> c.state.n_threads:
            return False
        thread = main_thread(thread)
        if thread == NULL:
            return put_str(out, c.state.strings.empty)
        for i in range(ref.index):
            thread = _above(c.state, thread)
            if thread == NULL:
                return False
        return i_env(c, thread, out)
    thread = thread_of(c)
    if thread == NULL:
        return False
    thread = main_thread(thread)
    for i in range(MAX_ENV_LEVELS):
        if thread != NULL:
            thread = _above(c.state, thread)
        if thread == NULL:
            break
        if _find_env(_env_of(thread), ref.key, ref.key_len, &text, &length):
            return put_text(out, text, length)
    return put_str(out, c.state.strings.empty)


cdef bint x_cwd(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef Thread* main
    if thread == NULL:
        return False
    main = main_thread(thread)
    if main == NULL or main.cwd == NULL:
        return put_text(out, "./", 2)
    return put_str(out, main.cwd)


cdef bint x_pid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and i_pid(c, thread, out)


cdef bint x_vpid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and thread.vpid != -1 and put_int(out, thread.vpid)


cdef bint x_pvpid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    if thread != NULL:
        thread = find_thread(c.state, thread.ptid)
    return thread != NULL and put_int(out, thread.vpid)


cdef bint x_sid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_int(out, thread.sid)


cdef bint x_vpgid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_int(out, thread.vpgid)


cdef bint x_pgid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_int(out, thread.pgid)


cdef bint x_tty(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, thread.tty)


# --- Parent and ancestors ------------------------------------------------------------------------

cdef bint x_pname(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _of_ancestor(c, 1, i_name, out)


cdef bint x_pexe(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _of_ancestor(c, 1, i_exe, out)


cdef bint x_pexepath(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _of_ancestor(c, 1, i_exepath, out)


cdef bint x_pcmdline(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _of_ancestor(c, 1, i_cmdline, out)


cdef bint x_ppid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _of_ancestor(c, 1, i_pid, out)


cdef bint x_aname(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    if ref.index < 0:
        return _all_above(c, i_name, out)
    return _of_ancestor(c, ref.index, i_name, out)


cdef bint x_aexe(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    if ref.index < 0:
        return _all_above(c, i_exe, out)
    return _of_ancestor(c, ref.index, i_exe, out)


cdef bint x_aexepath(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    if ref.index < 0:
        return _all_above(c, i_exepath, out)
    return _of_ancestor(c, ref.index, i_exepath, out)


cdef bint x_acmdline(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    if ref.index < 0:
        return _all_above(c, i_cmdline, out)
    return _of_ancestor(c, ref.index, i_cmdline, out)


cdef bint x_aargs(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    if ref.index < 0:
        return _all_above(c, i_args, out)
    return _of_ancestor(c, ref.index, i_args, out)


cdef bint x_apid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    if ref.index < 0:
        return _all_above(c, i_pid, out)
    return _of_ancestor(c, ref.index, i_pid, out)


# --- Leaders of session and process groups --------------------------------------------------------

cdef enum LeaderOf:
    SESSION = 0
    VPGID = 1
    PGID = 2


cdef inline int64_t _leader_id(const Thread* thread, int which) noexcept nogil:
    if which == SESSION:
        return thread.sid
    if which == VPGID:
        return thread.vpgid
    return thread.pgid


cdef Thread* _leader(Context* c, int which) noexcept nogil:
    # Outside pid namespaces the number names the thread; inside it does not, and the oldest ancestor
    # in an unbroken chain with the same number stands in.
    cdef Thread* thread = thread_of(c)
    cdef Thread* found = NULL
    cdef Thread* at
    cdef int64_t id
    cdef uint32_t n
    if thread == NULL:
        return NULL
    id = _leader_id(thread, which)
    if id == -1:
        return NULL
    if which == PGID or not in_pidns(thread):
        found = find_thread(c.state, id)
        if found != NULL:
            return found
    at = thread
    n = _count_above(c.state, at)
    while n > 0:
        at = _above(c.state, at)
        if _leader_id(at, which) != id:
            break
        found = at
        n -= 1
    return found


cdef inline bint _leader_field(Context* c, int which, item_fn item, Value* out) noexcept nogil:
    cdef Thread* leader
    if thread_of(c) == NULL:
        return False
    leader = _leader(c, which)
    if leader == NULL:
        return put_str(out, c.state.strings.empty)
    return item(c, leader, out)


cdef bint x_sname(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _leader_field(c, SESSION, i_name, out)


cdef bint x_sid_exe(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _leader_field(c, SESSION, i_exe, out)


cdef bint x_sid_exepath(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _leader_field(c, SESSION, i_exepath, out)


cdef bint x_vpgid_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _leader_field(c, VPGID, i_name, out)


cdef bint x_vpgid_exe(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _leader_field(c, VPGID, i_exe, out)


cdef bint x_vpgid_exepath(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _leader_field(c, VPGID, i_exepath, out)


cdef bint x_pgid_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _leader_field(c, PGID, i_name, out)


cdef bint x_pgid_exe(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _leader_field(c, PGID, i_exe, out)


cdef bint x_pgid_exepath(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _leader_field(c, PGID, i_exepath, out)


cdef bint x_is_sid_leader(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_bool(out, thread.sid == thread.vpid)


cdef bint x_is_vpgid_leader(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_bool(out, thread.vpgid == thread.vpid)


cdef bint x_is_pgid_leader(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_bool(out, thread.pgid == thread.pid)


cdef inline bint _is_shell(const Thread* thread) noexcept nogil:
    cdef Str* comm = thread.comm
    return comm != NULL and comm.len >= 2 and comm.ptr[comm.len - 2] == c's' and comm.ptr[comm.len - 1] == c'h'


cdef bint x_loginshellid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef uint32_t n
    cdef bint found
    if thread != NULL:
        thread = main_thread(thread)
    if thread == NULL:
        return False
    found = _is_shell(thread) and put_int(out, thread.pid)
    n = _count_above(c.state, thread)
    while n > 0:
        thread = _above(c.state, thread)
        if _is_shell(thread):
            found = put_int(out, thread.pid)
        n -= 1
    return found


# --- Times ---------------------------------------------------------------------------------------

cdef bint x_duration(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and thread.clone_ts != 0 and put_uint(out, c.ev.ts_ns - thread.clone_ts)


cdef bint x_ppid_duration(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef Thread* parent
    if thread == NULL:
        return False
    parent = ancestor(c.state, thread, 1)
    if parent == NULL:
        return False
    if parent.clone_ts != 0:
        return put_uint(out, c.ev.ts_ns - parent.clone_ts)
    # A parent older than the capture has no duration; the peers print the number of fds that the
    # process itself has open.
    thread = main_thread(thread)
    return put_uint(out, thread.fds.n_fds if thread != NULL else 0)


cdef bint x_pid_ts(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and thread.clone_ts != 0 and put_uint(out, thread.clone_ts)


cdef bint x_ppid_ts(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    if thread != NULL:
        thread = find_thread(c.state, thread.ptid)
    return thread != NULL and put_uint(out, thread.clone_ts)


cdef bint x_pidns_init_start_ts(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and thread.pidns_init_start_ts != 0 and put_uint(out, thread.pidns_init_start_ts)


# --- The executable ------------------------------------------------------------------------------

cdef bint x_is_exe_writable(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_bool(out, thread.exe_writable)


cdef bint x_is_exe_upper(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_bool(out, thread.exe_upper_layer)


cdef bint x_is_exe_lower(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_bool(out, thread.exe_lower_layer)


cdef bint x_is_exe_memfd(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_bool(out, thread.exe_from_memfd)


cdef bint x_exe_ino(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and thread.exe_ino != 0 and put_int(out, <int64_t> thread.exe_ino)


cdef bint x_exe_ino_ctime(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and thread.exe_ino_ctime != 0 and put_uint(out, thread.exe_ino_ctime)


cdef bint x_exe_ino_mtime(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and thread.exe_ino_mtime != 0 and put_uint(out, thread.exe_ino_mtime)


cdef bint x_exe_ino_clone(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return (thread != NULL and thread.exe_ino_ctime_duration_clone_ts != 0
            and put_uint(out, thread.exe_ino_ctime_duration_clone_ts))


cdef bint x_exe_ino_pidns(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return (thread != NULL and thread.exe_ino_ctime_duration_pidns_start != 0
            and put_uint(out, thread.exe_ino_ctime_duration_pidns_start))


cdef int register_proc(add_fn add) except -1:
    add("proc.name", x_name, SCOPE_THREAD)
    add("proc.exe", x_exe, SCOPE_THREAD)
    add("proc.exepath", x_exepath, SCOPE_THREAD)
    add("proc.args", x_args, SCOPE_THREAD)
    add("proc.cmdline", x_cmdline, SCOPE_THREAD)
    add("proc.exeline", x_exeline, SCOPE_THREAD)
    add("proc.cmdnargs", x_cmdnargs, SCOPE_THREAD)
    add("proc.cmdlenargs", x_cmdlenargs, SCOPE_THREAD)
    add("proc.env", x_env, SCOPE_THREAD)
    add("proc.cwd", x_cwd, SCOPE_THREAD)
    add("proc.pid", x_pid, SCOPE_THREAD)
    add("proc.vpid", x_vpid, SCOPE_THREAD)
    add("proc.sid", x_sid, SCOPE_THREAD)
    add("proc.vpgid", x_vpgid, SCOPE_THREAD)
    add("proc.pgid", x_pgid, SCOPE_THREAD)
    add("proc.tty", x_tty, SCOPE_THREAD)
    add("proc.pname", x_pname, SCOPE_ANCESTRY)
    add("proc.pexe", x_pexe, SCOPE_ANCESTRY)
    add("proc.pexepath", x_pexepath, SCOPE_ANCESTRY)
    add("proc.pcmdline", x_pcmdline, SCOPE_ANCESTRY)
    add("proc.ppid", x_ppid, SCOPE_ANCESTRY)
    add("proc.pvpid", x_pvpid, SCOPE_ANCESTRY)
    add("proc.aname", x_aname, SCOPE_ANCESTRY)
    add("proc.aexe", x_aexe, SCOPE_ANCESTRY)
    add("proc.aexepath", x_aexepath, SCOPE_ANCESTRY)
    add("proc.acmdline", x_acmdline, SCOPE_ANCESTRY)
    add("proc.aargs", x_aargs, SCOPE_ANCESTRY)
    add("proc.apid", x_apid, SCOPE_ANCESTRY)
    add("proc.aenv", x_aenv, SCOPE_ANCESTRY)
    add("proc.loginshellid", x_loginshellid, SCOPE_ANCESTRY)
    add("proc.sname", x_sname, SCOPE_ANCESTRY)
    add("proc.sid.exe", x_sid_exe, SCOPE_ANCESTRY)
    add("proc.sid.exepath", x_sid_exepath, SCOPE_ANCESTRY)
    add("proc.vpgid.name", x_vpgid_name, SCOPE_ANCESTRY)
    add("proc.vpgid.exe", x_vpgid_exe, SCOPE_ANCESTRY)
    add("proc.vpgid.exepath", x_vpgid_exepath, SCOPE_ANCESTRY)
    add("proc.pgid.name", x_pgid_name, SCOPE_ANCESTRY)
    add("proc.pgid.exe", x_pgid_exe, SCOPE_ANCESTRY)
    add("proc.pgid.exepath", x_pgid_exepath, SCOPE_ANCESTRY)
    add("proc.is_sid_leader", x_is_sid_leader, SCOPE_THREAD)
    add("proc.is_vpgid_leader", x_is_vpgid_leader, SCOPE_THREAD)
    add("proc.is_pgid_leader", x_is_pgid_leader, SCOPE_THREAD)
    add("proc.duration", x_duration, SCOPE_EVENT)
    add("proc.ppid.duration", x_ppid_duration, SCOPE_EVENT)
    add("proc.pid.ts", x_pid_ts, SCOPE_THREAD)
    add("proc.ppid.ts", x_ppid_ts, SCOPE_ANCESTRY)
    add("proc.is_exe_writable", x_is_exe_writable, SCOPE_THREAD)
    add("proc.is_exe_upper_layer", x_is_exe_upper, SCOPE_THREAD)
    add("proc.is_exe_lower_layer", x_is_exe_lower, SCOPE_THREAD)
    add("proc.is_exe_from_memfd", x_is_exe_memfd, SCOPE_THREAD)
    add("proc.exe_ino", x_exe_ino, SCOPE_THREAD)
    add("proc.exe_ino.ctime", x_exe_ino_ctime, SCOPE_THREAD)
    add("proc.exe_ino.mtime", x_exe_ino_mtime, SCOPE_THREAD)
    add("proc.exe_ino.ctime_duration_proc_start", x_exe_ino_clone, SCOPE_THREAD)
    add("proc.exe_ino.ctime_duration_pidns_start", x_exe_ino_pidns, SCOPE_THREAD)
    add("proc.pidns_init_start_ts", x_pidns_init_start_ts, SCOPE_THREAD)
    return 0
