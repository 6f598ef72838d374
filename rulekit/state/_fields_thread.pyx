# hot: every event passes here
"""Extractors of the class thread, and of what processes hold: memory, fds, threads."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

from rulekit.native._event cimport capability_name, param_u64
from rulekit.native._scratch cimport Buf, buf_i64, buf_put, buf_putc, buf_puts
from rulekit.state._fds cimport find_fd
from rulekit.state._fields cimport (
    SCOPE_EVENT, SCOPE_THREAD, FieldRef, Value, put_bool, put_cstr, put_double, put_int, put_str,
    put_text, put_uint, thread_of,
)
from rulekit.state._fields_proc cimport join_to, list_item
from rulekit.state._paramtext cimport fd_type_name
from rulekit.state._render cimport put_buf
from rulekit.state._state cimport CL_CLOSED, Context, Fd, FdTable, Thread
from rulekit.state._threads cimport fd_table, is_main, main_thread

cdef enum:
    E_SWITCH = 152
    E_PROCINFO = 234
    N_CAPABILITIES = 64


# --- Capabilities and cgroups --------------------------------------------------------------------

cdef bint _caps(Context* c, uint64_t bits, Value* out) noexcept nogil:
    cdef Buf text
    cdef const char* name
    cdef int i
    memset(&text, 0, sizeof(text))
    for i in range(N_CAPABILITIES):
        if bits >> i & 1:
            name = capability_name(i)
            if name != NULL:
                if text.len:
                    buf_putc(&text, c' ')
                buf_puts(&text, name)
    return put_buf(c, out, &text)


cdef bint x_cap_permitted(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and _caps(c, thread.cap_permitted, out)


cdef bint x_cap_inheritable(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and _caps(c, thread.cap_inheritable, out)


cdef bint x_cap_effective(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and _caps(c, thread.cap_effective, out)


cdef bint x_cgroups(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    if thread == NULL or thread.cgroups == NULL or thread.cgroups.len == 0:
        return False
    return join_to(c, thread.cgroups, out)


cdef bint x_cgroup(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef const char* at
    cdef const char* end
    cdef uint32_t n
    if thread == NULL or thread.cgroups == NULL or ref.key == NULL:
        return False
    at = thread.cgroups.ptr
    end = at + thread.cgroups.len
    while at < end:
        n = list_item(at, <uint32_t> (end - at))
        if n > ref.key_len and at[ref.key_len] == c'=' and memcmp(at, ref.key, ref.key_len) == 0:
            return put_text(out, at + ref.key_len + 1, n - ref.key_len - 1)
        at += n + 1
    return False


# --- Counts and sizes ----------------------------------------------------------------------------

cdef bint x_fdopencount(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef Thread* main
    if thread == NULL:
        return False
    main = main_thread(thread)
    return put_uint(out, main.fds.n_fds if main != NULL else 0)


cdef bint x_fdlimit(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef Thread* main
    if thread == NULL:
        return False
    main = main_thread(thread)
    return put_int(out, main.fdlimit if main != NULL else 0)


cdef bint x_fdusage(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef Thread* main
    if thread == NULL:
        return False
    main = main_thread(thread)
    if main == NULL or main.fdlimit <= 0:
        return put_double(out, 0.0)
    return put_double(out, min(100.0, <double> main.fds.n_fds * 100.0 / <double> main.fdlimit))


cdef bint x_nthreads(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    if thread == NULL:
        return False
    if thread.group == NULL or thread.group.n_alive < 0:
        return put_uint(out, 0)
    return put_uint(out, <uint64_t> thread.group.n_alive)


cdef bint x_nchilds(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef Thread* main
    cdef int64_t n
    if thread == NULL:
        return False
    if thread.group == NULL:
        return put_uint(out, 0)
    n = thread.group.n_alive
    main = main_thread(thread)
    if main != NULL and not main.flags & CL_CLOSED:
        n -= 1
    return put_uint(out, <uint64_t> n if n > 0 else 0)


cdef bint x_vmsize(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, thread.vm_size)


cdef bint x_vmrss(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, thread.vm_rss)


cdef bint x_vmswap(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, thread.vm_swap)


cdef bint x_thread_vmsize(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, thread.vm_size if is_main(thread) else 0)


cdef bint x_thread_vmrss(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, thread.vm_rss if is_main(thread) else 0)


cdef bint x_thread_vmsize_b(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, <uint64_t> thread.vm_size * 1024 if is_main(thread) else 0)


cdef bint x_thread_vmrss_b(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, <uint64_t> thread.vm_rss * 1024 if is_main(thread) else 0)


cdef bint x_pfmajor(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, thread.pf_major)


cdef bint x_pfminor(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, thread.pf_minor)


# --- The thread ----------------------------------------------------------------------------------

cdef bint x_tid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return -1 <= c.ev.tid <= <int64_t> 0xffffffff and put_int(out, c.ev.tid)


cdef bint x_vtid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and thread.vtid != -1 and put_int(out, thread.vtid)


cdef bint x_ismain(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_bool(out, is_main(thread))


cdef bint x_nametid(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef Buf text
    if thread == NULL:
        return False
    memset(&text, 0, sizeof(text))
    if thread.comm != NULL:
        buf_put(&text, thread.comm.ptr, thread.comm.len)
    buf_i64(&text, c.ev.tid)
    return put_buf(c, out, &text)


cdef bint x_exectime(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    if c.ev.type != E_SWITCH or thread == NULL:
        return put_uint(out, 0)
    return put_uint(out, thread.exectime)


cdef bint x_totexectime(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    return thread != NULL and put_uint(out, thread.total_exectime)


cdef bint _cpu(Context* c, bint user, bint system, Value* out) noexcept nogil:
    # Ticks since the previous procinfo of the thread, at most 100; 0 for the first one.
    cdef Thread* thread = thread_of(c)
    cdef uint64_t now = 0
    cdef uint64_t before = 0
    if c.ev.type != E_PROCINFO or thread == NULL:
        return False
    if user:
        now += param_u64(c.ev, 0, 0)
        before += thread.cpu_user_prev
    if system:
        now += param_u64(c.ev, 1, 0)
        before += thread.cpu_system_prev
    if before == 0:
        return put_double(out, 0.0)
    return put_double(out, min(100.0, <double> (now - before)))


cdef bint x_cpu(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _cpu(c, True, True, out)


cdef bint x_cpu_user(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _cpu(c, True, False, out)


cdef bint x_cpu_system(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _cpu(c, False, True, out)


# --- Standard fds --------------------------------------------------------------------------------

cdef inline Fd* _std(Context* c, int num) noexcept nogil:
    cdef Thread* thread = thread_of(c)
    cdef FdTable* table = fd_table(c.state, thread) if thread != NULL else NULL
    return find_fd(table, num) if table != NULL else NULL


cdef inline bint _std_type(Context* c, int num, Value* out) noexcept nogil:
    cdef Fd* fd = _std(c, num)
    return fd != NULL and put_cstr(out, fd_type_name(fd))


cdef inline bint _std_name(Context* c, int num, Value* out) noexcept nogil:
    cdef Fd* fd = _std(c, num)
    return fd != NULL and put_str(out, fd.name)


cdef bint x_stdin_type(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _std_type(c, 0, out)


cdef bint x_stdout_type(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _std_type(c, 1, out)


cdef bint x_stderr_type(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _std_type(c, 2, out)


cdef bint x_stdin_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _std_name(c, 0, out)


cdef bint x_stdout_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _std_name(c, 1, out)


cdef bint x_stderr_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return _std_name(c, 2, out)


cdef int register_thread(add_fn add) except -1:
    add("proc.fdopencount", x_fdopencount, SCOPE_EVENT)
    add("proc.fdlimit", x_fdlimit, SCOPE_EVENT)
    add("proc.fdusage", x_fdusage, SCOPE_EVENT)
    add("proc.vmsize", x_vmsize, SCOPE_EVENT)
    add("proc.vmrss", x_vmrss, SCOPE_EVENT)
    add("proc.vmswap", x_vmswap, SCOPE_EVENT)
    add("proc.nthreads", x_nthreads, SCOPE_EVENT)
    add("proc.nchilds", x_nchilds, SCOPE_EVENT)
    add("proc.stdin.type", x_stdin_type, SCOPE_EVENT)
    add("proc.stdout.type", x_stdout_type, SCOPE_EVENT)
    add("proc.stderr.type", x_stderr_type, SCOPE_EVENT)
    add("proc.stdin.name", x_stdin_name, SCOPE_EVENT)
    add("proc.stdout.name", x_stdout_name, SCOPE_EVENT)
    add("proc.stderr.name", x_stderr_name, SCOPE_EVENT)
    add("thread.cap_permitted", x_cap_permitted, SCOPE_THREAD)
    add("thread.cap_inheritable", x_cap_inheritable, SCOPE_THREAD)
    add("thread.cap_effective", x_cap_effective, SCOPE_THREAD)
    add("thread.pfmajor", x_pfmajor, SCOPE_EVENT)
    add("thread.pfminor", x_pfminor, SCOPE_EVENT)
    add("thread.tid", x_tid, SCOPE_EVENT)
    add("thread.ismain", x_ismain, SCOPE_THREAD)
    add("thread.vtid", x_vtid, SCOPE_THREAD)
    add("thread.nametid", x_nametid, SCOPE_EVENT)
    add("thread.exectime", x_exectime, SCOPE_EVENT)
    add("thread.totexectime", x_totexectime, SCOPE_EVENT)
    add("thread.cgroups", x_cgroups, SCOPE_THREAD)
    add("thread.cgroup", x_cgroup, SCOPE_THREAD)
    add("thread.cpu", x_cpu, SCOPE_EVENT)
    add("thread.cpu.user", x_cpu_user, SCOPE_EVENT)
    add("thread.cpu.system", x_cpu_system, SCOPE_EVENT)
    add("thread.vmsize", x_thread_vmsize, SCOPE_EVENT)
    add("thread.vmrss", x_thread_vmrss, SCOPE_EVENT)
    add("thread.vmsize.b", x_thread_vmsize_b, SCOPE_EVENT)
    add("thread.vmrss.b", x_thread_vmrss_b, SCOPE_EVENT)
    return 0
