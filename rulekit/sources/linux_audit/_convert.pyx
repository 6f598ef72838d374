# hot: every event passes here
"""Audit events become events of a capture.

Records of audit say with each event who the process is; events of a capture do not: the state
remembers. So an event that tells something new about its process is preceded by one for the state
alone, of the type `task`, with which libs reports what a process is.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp, memcpy, memset

from rulekit.capture._write cimport (
    EventWriter, event_begin, event_end, param_bytes, param_empty, param_number, param_text, write_section,
)
from rulekit.native._event cimport BLOCK_PARTIAL, BLOCK_STATE_ONLY
from rulekit.native._scratch cimport buf_free
from rulekit.sources.linux_audit._event cimport (
    MAX_ARGS_BYTES, NAME_CREATE, NAME_DELETE, NAME_NORMAL, NAME_PARENT, NAME_UNKNOWN, NO_NUMBER, SEEN_CAPSET, SEEN_CWD,
    SEEN_EXECVE, SEEN_EXIT, SEEN_FCAPS, SEEN_MMAP, SEEN_MODULE, SEEN_NAME, SEEN_OPENAT2, SEEN_PAIR, SEEN_PROCTITLE,
    SEEN_SADDR, SEEN_SOCKETCALL, SEEN_SUCCESS, SEEN_SYSCALL, AuditPath, OtherRecord, Span, span_ptr,
)
from rulekit.sources.linux_audit._plans cimport (
    CallPlan, EFFECT_CLONE, EFFECT_DIRECTORY, EFFECT_EXEC, EFFECT_EXIT, EFFECT_IDENTITY, FROM_ARG, FROM_ARG_CREATED,
    FROM_ARG_INT, FROM_ARG_MAPPED, FROM_ARG_OPEN, FROM_ARG_SOCKET, FROM_ARG_VARIANT, FROM_CAP_EFFECTIVE,
    FROM_CAP_INHERITABLE, FROM_HOW_FLAGS, FROM_HOW_MODE, FROM_HOW_RESOLVE, FROM_MMAP_FD,
    FROM_MODULE, FROM_NEW, FROM_NOTHING, FROM_OLD, FROM_PAIR, FROM_PATH, FROM_PATH_DEV, FROM_PATH_INO, FROM_PTRACE_DATA,
    FROM_QUOTA_CMD, FROM_QUOTA_TYPE, FROM_RESULT, FROM_SADDR, FROM_SOCKOPT, FROM_TARGET, FROM_TUPLE_FROM,
    FROM_TUPLE_TO, ParamPlan, arch_of, clone_flags, map_constant, open_flags, plan_of_call, plan_of_name,
    plan_of_socketcall, socket_flags, tty_number,
)
from rulekit.sources.linux_audit._processes cimport (
    Birth, Process, add_process, birth_of, drop_process, find_process, has_process, hash_text, least_used, note_birth,
    processes_free, processes_new,
)

cdef enum:
    # event types
    GENERIC_X = 1
    PROCEXIT = 186
    PROCINFO = 234
    CLONE_X = 223
    CLONE3_X = 335
    EXECVE_X = 293
    EXECVEAT_X = 331
    USER_ADDED = 354
    GROUP_ADDED = 358
    ASYNC = 402
    TASK = 430
    # values as captures store them
    CL_CLONE_THREAD = 8192
    O_F_CREATED = 16384
    EXE_FROM_MEMFD = 4
    # values of the kernel
    AF_UNIX = 1
    AF_INET = 2
    AF_INET6 = 10
    KERNEL_O_CREAT = 0o100
    KERNEL_TMPFILE = 0o20000000      # of all architectures
    N_TASK_PARAMS = 32
    UNTOLD = -2              # an id that nobody has
    N_CLONE_PARAMS = 21
    BIRTH_MS = 60000         # a birth that was noted longer ago belongs to another process of that number

# What is new about a process.
cdef enum News:
    NEW_PARENT = 1
    NEW_PROGRAM = 2
    NEW_DIRECTORY = 4
    NEW_USER = 8
    NEW_GROUP = 16
    NEW_TTY = 32
    NEW_LOGIN = 64


cdef Converter* converter_new(uint64_t seed) noexcept nogil:
    cdef Converter* x = <Converter*> calloc(1, sizeof(Converter))
    if x == NULL:
        return NULL
    x.processes = processes_new(seed)
    if x.processes == NULL:
        free(x)
        return NULL
    return x


cdef void converter_free(Converter* x) noexcept nogil:
    if x != NULL:
        processes_free(x.processes)
        buf_free(&x.out)
        free(x)


cdef void begin_section(Converter* x, const char* host, uint32_t host_len) noexcept nogil:
    cdef EventWriter w
    if x.begun:
        return
    x.begun = True
    write_section(&x.out, host, host_len)
    # Events about containers and accounts at the start of a section are not shown. Records of audit
    # that have the same form are no such thing: something else comes first.
    if event_begin(&w, &x.out, PROCINFO, BLOCK_STATE_ONLY, 0, -1, 0, False):
        event_end(&w)


# -- parameters ------------------------------------------------------------------------------------

cdef inline void _span(EventWriter* w, const AuditEvent* e, Span s) noexcept nogil:
    if s.known:
        param_text(w, span_ptr(e, s), s.len)
    else:
        param_empty(w)


cdef inline bint _arg(const AuditEvent* e, uint32_t i, uint64_t* value) noexcept nogil:
    if e.seen & SEEN_SOCKETCALL:
        value[0] = e.call[i]
        return i < 6
    value[0] = e.args[i & 3]
    return i < e.n_args


cdef const AuditPath* _named(const AuditEvent* e, int nametype) noexcept nogil:
    """Return the first path with a name of that type."""
    cdef uint32_t i
    for i in range(e.n_paths):
        if e.paths[i].nametype == nametype and e.paths[i].name.known:
            return &e.paths[i]
    return NULL


cdef const AuditPath* _object(const AuditEvent* e) noexcept nogil:
    """Return what the call is about: not the directory that it stands in."""
    cdef uint32_t i
    cdef const AuditPath* path = _named(e, NAME_CREATE)
    if path == NULL:
        path = _named(e, NAME_DELETE)
    if path != NULL:
        return path
    for i in range(e.n_paths):
        if e.paths[i].nametype != NAME_PARENT and e.paths[i].name.known:
            return &e.paths[i]
    return NULL


cdef const AuditPath* _source_path(const AuditEvent* e) noexcept nogil:
    """Return what is renamed or linked to."""
    cdef const AuditPath* path = _named(e, NAME_DELETE)
    if path == NULL:
        path = _named(e, NAME_NORMAL)
    if path == NULL:
        path = _named(e, NAME_UNKNOWN)
    return path


cdef const AuditPath* _new_path(const AuditEvent* e) noexcept nogil:
    cdef const AuditPath* path = _named(e, NAME_CREATE)
    cdef const AuditPath* first
    cdef uint32_t i
    if path != NULL:
        return path
    # A call that failed: the second of the names that are not those of directories.
    first = _source_path(e)
    for i in range(e.n_paths):
        path = &e.paths[i]
        if path != first and path.nametype != NAME_PARENT and path.name.known:
            return path
    return NULL


cdef inline void _path(EventWriter* w, const AuditEvent* e, const AuditPath* path) noexcept nogil:
    if path == NULL:
        param_empty(w)
    else:
        _span(w, e, path.name)


cdef int _family(const AuditEvent* e, const uint8_t** data, uint32_t* length) noexcept nogil:
    """Return the family of the address, -1 without a sound one."""
    cdef const uint8_t* p
    if not e.seen & SEEN_SADDR or e.saddr.len < 2:
        return -1
    p = <const uint8_t*> span_ptr(e, e.saddr)
    data[0] = p
    length[0] = e.saddr.len
    if p[0] == AF_INET and p[1] == 0:
        return AF_INET if e.saddr.len >= 8 else -1
    if p[0] == AF_INET6 and p[1] == 0:
        return AF_INET6 if e.saddr.len >= 24 else -1
    if p[1] != 0:
        return -1
    return p[0]


cdef uint32_t _unix_path(const uint8_t* data, uint32_t length, const char** path) noexcept nogil:
    cdef const char* p = <const char*> data + 2
    cdef const char* end = <const char*> data + length
    cdef const char* stop
    if p < end and p[0] == 0:
        p += 1                               # an abstract name
    if p >= end:
        path[0] = b""
        return 0
    stop = <const char*> memchr(p, 0, end - p)
    path[0] = p
    return <uint32_t> ((end if stop == NULL else stop) - p)


cdef void _put_address(EventWriter* w, const AuditEvent* e) noexcept nogil:
    cdef const uint8_t* data
    cdef uint32_t length
    cdef const char* path
    cdef uint8_t out[128]
    cdef int family = _family(e, &data, &length)
    if family < 0:
        param_empty(w)
        return
    out[0] = <uint8_t> family
    if family == AF_INET:
        memcpy(out + 1, data + 4, 4)
        out[5] = data[3]
        out[6] = data[2]
        param_bytes(w, out, 7)
    elif family == AF_INET6:
        memcpy(out + 1, data + 8, 16)
        out[17] = data[3]
        out[18] = data[2]
        param_bytes(w, out, 19)
    elif family == AF_UNIX:
        length = min(_unix_path(data, length, &path), <uint32_t> 108)
        memcpy(out + 1, path, length)
        out[length + 1] = 0
        param_bytes(w, out, length + 2)
    else:
        param_bytes(w, out, 1)


cdef void _put_tuple(EventWriter* w, const AuditEvent* e, bint sends) noexcept nogil:
    """Write a tuple of which the peer is known: zeros stand for the own end."""
    cdef const uint8_t* data
    cdef uint32_t length
    cdef uint32_t size
    cdef const char* path
    cdef uint8_t out[160]
    cdef int family = _family(e, &data, &length)
    memset(out, 0, sizeof(out))
    if family == AF_UNIX:
        out[0] = AF_UNIX
        length = min(_unix_path(data, length, &path), <uint32_t> 108)
        memcpy(out + 17, path, length)
        param_bytes(w, out, length + 18)
        return
    if family == AF_INET:
        size = 4
        data += 4
    elif family == AF_INET6:
        size = 16
        data += 8
    else:
        param_empty(w)
        return
    out[0] = <uint8_t> family
    length = 1 + (size + 2 if sends else 0)
    memcpy(out + length, data, size)
    data = <const uint8_t*> span_ptr(e, e.saddr)
    out[length + size] = data[3]
    out[length + size + 1] = data[2]
    param_bytes(w, out, 1 + 2 * (size + 2))


cdef void _put_param(EventWriter* w, const AuditEvent* e, const ParamPlan* plan, int arch, bint created) noexcept nogil:
    cdef uint64_t value = 0
    cdef uint64_t flags = 0
    cdef uint8_t variant[9]
    cdef const AuditPath* path
    cdef int source = plan.source
    if source == FROM_NOTHING:
        param_empty(w)
    elif source == FROM_RESULT:
        if e.seen & SEEN_EXIT:
            param_number(w, <uint64_t> e.exit, plan.width)
        else:
            param_empty(w)
    elif source == FROM_PATH:
        _path(w, e, _object(e))
    elif source == FROM_OLD:
        _path(w, e, _source_path(e))
    elif source == FROM_NEW:
        _path(w, e, _new_path(e))
    elif source == FROM_TARGET:
        path = _named(e, NAME_UNKNOWN)
        _path(w, e, path if path != NULL else _named(e, NAME_NORMAL))
    elif source == FROM_PATH_DEV or source == FROM_PATH_INO:
        path = _object(e)
        if path == NULL or not path.has_inode:
            param_empty(w)
        else:
            param_number(w, path.dev if source == FROM_PATH_DEV else path.inode, plan.width)
    elif source == FROM_SADDR:
        _put_address(w, e)
    elif source == FROM_TUPLE_TO or source == FROM_TUPLE_FROM:
        _put_tuple(w, e, source == FROM_TUPLE_TO)
    elif source == FROM_PAIR:
        if e.seen & SEEN_PAIR:
            param_number(w, <uint64_t> e.pair[plan.arg & 1], plan.width)
        else:
            param_empty(w)
    elif source == FROM_MMAP_FD:
        if e.seen & SEEN_MMAP:
            param_number(w, <uint64_t> e.mmap_fd, plan.width)
        else:
            param_empty(w)
    elif FROM_HOW_FLAGS <= source <= FROM_HOW_RESOLVE:
        if not e.seen & SEEN_OPENAT2:
            param_empty(w)
        elif source == FROM_HOW_FLAGS:
            param_number(w, open_flags(arch, e.how_flags) | (O_F_CREATED if created else 0), plan.width)
        elif source == FROM_HOW_MODE:
            param_number(w, e.how_mode, plan.width)
        else:
            param_number(w, map_constant(plan.map, e.how_resolve), plan.width)
    elif FROM_CAP_INHERITABLE <= source <= FROM_CAP_EFFECTIVE:
        if not e.seen & SEEN_CAPSET:
            param_empty(w)
        else:
            param_number(w, e.cap_inheritable if source == FROM_CAP_INHERITABLE
                         else e.cap_permitted if source != FROM_CAP_EFFECTIVE else e.cap_effective, plan.width)
    elif source == FROM_MODULE:
        if e.seen & SEEN_MODULE:
            _span(w, e, e.module)
        else:
            param_empty(w)
    elif source == FROM_SOCKOPT:
        # The names are those of the level SOL_SOCKET.
        if _arg(e, 2, &value) and _arg(e, 1, &flags):
            param_number(w, map_constant(plan.map, value) if flags == 1 else 0, plan.width)
        else:
            param_empty(w)
    elif source == FROM_PTRACE_DATA:
        if not (_arg(e, 0, &flags) and _arg(e, 3, &value)):
            param_empty(w)
            return
        # PTRACE_CONT, _SINGLESTEP, _DETACH and _SYSCALL take the number of a signal.
        if flags == 7 or flags == 9 or flags == 17 or flags == 24:
            variant[0] = 1
            variant[1] = <uint8_t> value
            param_bytes(w, variant, 2)
        else:
            variant[0] = 0
            memcpy(variant + 1, &value, 8)
            param_bytes(w, variant, 9)
    elif source == FROM_QUOTA_CMD or source == FROM_QUOTA_TYPE:
        if not _arg(e, 0, &value):
            param_empty(w)
        else:
            # QCMD(command, type) is an int
            flags = <uint32_t> value
            param_number(w, map_constant(plan.map, flags >> 8 if source == FROM_QUOTA_CMD else flags & 0xff), plan.width)
    elif not _arg(e, plan.arg, &value):
        param_empty(w)
    elif source == FROM_ARG:
        if plan.is_signed:
            value = <uint64_t> <int64_t> <int> <uint32_t> value
        param_number(w, value, plan.width)
    elif source == FROM_ARG_MAPPED:
        param_number(w, map_constant(plan.map, <uint32_t> value), plan.width)
    elif source == FROM_ARG_INT:
        param_number(w, <uint64_t> <int64_t> <int> <uint32_t> value, plan.width)
    elif source == FROM_ARG_OPEN:
        param_number(w, open_flags(arch, value) | (O_F_CREATED if created else 0), plan.width)
    elif source == FROM_ARG_CREATED:
        # As the kernel does: the mode of a call that cannot create anything is not looked at.
        if _arg(e, plan.arg - 1, &flags) and not flags & (KERNEL_O_CREAT | KERNEL_TMPFILE):
            value = 0
        param_number(w, value, plan.width)
    elif source == FROM_ARG_SOCKET:
        param_number(w, socket_flags(value), plan.width)
    elif source == FROM_ARG_VARIANT:
        variant[0] = 0
        memcpy(variant + 1, &value, 8)
        param_bytes(w, variant, 9)
    else:
        param_empty(w)


# -- processes -------------------------------------------------------------------------------------

cdef inline uint64_t _hash(Converter* x, const AuditEvent* e, Span s) noexcept nogil:
    return hash_text(x.processes, span_ptr(e, s), s.len) if s.known else 0


cdef void _exit_event(Converter* x, uint64_t ts_ns, int64_t pid, uint32_t flags, uint64_t status) noexcept nogil:
    cdef EventWriter w
    if not event_begin(&w, &x.out, PROCEXIT, flags, ts_ns, pid, 5, False):
        return
    if flags & BLOCK_STATE_ONLY == 0:
        param_number(&w, status, 8)
        param_number(&w, status >> 8 & 0xff, 8)
        param_number(&w, status & 0x7f, 1)
        param_number(&w, status >> 7 & 1, 1)
    event_end(&w)


cdef void _forget(Converter* x, Process* process, uint64_t ts_ns) noexcept nogil:
    _exit_event(x, ts_ns, process.pid, BLOCK_STATE_ONLY | BLOCK_PARTIAL, 0)
    drop_process(x.processes, process)


cdef void _birth_event(Converter* x, const AuditEvent* e, int64_t parent, uint64_t ts_ns) noexcept nogil:
    """Tell the state that the process is a copy of its parent."""
    cdef EventWriter w
    cdef uint32_t i
    if not event_begin(&w, &x.out, CLONE_X, BLOCK_STATE_ONLY | BLOCK_PARTIAL, ts_ns, e.pid, N_CLONE_PARAMS, False):
        return
    param_number(&w, 0, 8)                   # res: this is the child
    param_empty(&w)
    param_empty(&w)
    param_number(&w, <uint64_t> e.pid, 8)
    param_number(&w, <uint64_t> e.pid, 8)
    param_number(&w, <uint64_t> parent, 8)
    for i in range(6, 15):
        param_empty(&w)
    param_number(&w, 0, 4)
    param_number(&w, e.euid, 4)
    param_number(&w, e.egid, 4)
    event_end(&w)


cdef void _put_title(EventWriter* w, const AuditEvent* e, bint fresh) noexcept nogil:
    """Write the arguments: as /proc had them, or nothing but the program where those are outdated."""
    cdef const char* p
    if fresh and e.seen & SEEN_PROCTITLE and e.proctitle.len:
        p = span_ptr(e, e.proctitle)
        # Cut at 128 bytes by the kernel, then without the final NUL.
        if p[e.proctitle.len - 1] == 0:
            param_bytes(w, p, e.proctitle.len)
        else:
            param_text(w, p, e.proctitle.len)
    elif e.exe.known:
        param_text(w, span_ptr(e, e.exe), e.exe.len)
    else:
        param_empty(w)


cdef void _task_event(Converter* x, const AuditEvent* e, uint32_t news, bint fresh_title, int64_t tty) noexcept nogil:
    cdef EventWriter w
    cdef uint32_t i
    if not event_begin(&w, &x.out, TASK, BLOCK_STATE_ONLY | BLOCK_PARTIAL, e.time_ms * 1000000, e.pid, N_TASK_PARAMS, False):
        return
    if news & NEW_PARENT:
        param_number(&w, <uint64_t> e.ppid, 4)
    else:
        param_empty(&w)
    for i in range(1, 4):
        param_empty(&w)
    if news & NEW_PROGRAM:
        _span(&w, e, e.comm)
        _put_title(&w, e, fresh_title)
        _span(&w, e, e.exe)
    else:
        for i in range(3):
            param_empty(&w)
    param_empty(&w)
    param_empty(&w)
    if news & NEW_DIRECTORY:
        _span(&w, e, e.cwd)
    else:
        param_empty(&w)
    param_empty(&w)
    if news & NEW_USER:
        param_number(&w, e.euid, 4)
    else:
        param_empty(&w)
    if news & NEW_GROUP:
        param_number(&w, e.egid, 4)
    else:
        param_empty(&w)
    for i in range(13, 30):
        param_empty(&w)
    if news & NEW_TTY and tty >= 0:
        param_number(&w, <uint64_t> tty, 4)
    else:
        param_empty(&w)
    if news & NEW_LOGIN:
        param_number(&w, e.auid, 4)
    event_end(&w)


cdef Process* _arrive(Converter* x, const AuditEvent* e) noexcept nogil:
    """Return the entry of a process that shows itself for the first time."""
    cdef Process* parent
    cdef Process* process
    cdef Process* gone
    cdef Process copy
    cdef Birth* birth = birth_of(x.processes, e.pid)
    cdef int64_t from_pid = e.ppid
    cdef uint64_t since_ms = e.time_ms
    if birth != NULL and since_ms < birth.time_ms + BIRTH_MS and birth.time_ms < since_ms + BIRTH_MS:
        from_pid = birth.parent
        since_ms = birth.time_ms
    parent = find_process(x.processes, from_pid) if from_pid > 0 and from_pid != e.pid else NULL
    if parent != NULL:
        copy = parent[0]
    gone = least_used(x.processes)
    if gone != NULL:
        _forget(x, gone, e.time_ms * 1000000)
        x.processes.n_forgotten += 1
    process = add_process(x.processes, e.pid)
    process.first_ms = e.time_ms
    if parent != NULL and x.processes.births_seen:
        _birth_event(x, e, from_pid, since_ms * 1000000)
        process.ppid = from_pid
        process.comm = copy.comm
        process.exe = copy.exe
        process.cwd = copy.cwd
        process.tty = copy.tty
        process.auid = copy.auid
        process.euid = e.euid
        process.egid = e.egid
    return process


cdef Process* _know(Converter* x, const AuditEvent* e, const CallPlan* plan, bint ok) noexcept nogil:
    """Tell the state what this event says about its process and what it was not told yet."""
    cdef Process* process = find_process(x.processes, e.pid)
    cdef bint execs = plan != NULL and plan.effect == EFFECT_EXEC and ok
    cdef bint fresh_title
    cdef uint64_t comm, exe, cwd, title, tty
    cdef int64_t number
    cdef uint32_t news = 0
    if process != NULL and execs and e.ppid != process.ppid and not x.processes.births_seen:
        # Nobody reports new processes here: most likely this is another one of the same number.
        _forget(x, process, e.time_ms * 1000000)
        process = NULL
    if process == NULL:
        process = _arrive(x, e)
    title = _hash(x, e, e.proctitle)
    # The kernel keeps the title that it saw first, also when another program is running by now.
    fresh_title = title != 0 and title != process.title
    if e.ppid >= 0 and (e.ppid != process.ppid or (process.orphan and has_process(x.processes, e.ppid))):
        news |= NEW_PARENT
        process.ppid = e.ppid
        process.orphan = not has_process(x.processes, e.ppid)
    if not execs:
        exe = _hash(x, e, e.exe)
        comm = _hash(x, e, e.comm)
        if (exe and exe != process.exe) or (comm and process.comm == 0):
            news |= NEW_PROGRAM
            process.exe = exe
            process.comm = comm
    if title:
        process.title = title
    if e.seen & SEEN_CWD:
        cwd = _hash(x, e, e.cwd)
        if cwd != process.cwd:
            news |= NEW_DIRECTORY
            process.cwd = cwd
    if not execs:
        if plan == NULL or plan.effect != EFFECT_IDENTITY:
            if e.euid != process.euid:
                news |= NEW_USER
                process.euid = e.euid
            if e.egid != process.egid:
                news |= NEW_GROUP
                process.egid = e.egid
        if e.auid != process.auid:
            news |= NEW_LOGIN
            process.auid = e.auid
        tty = _hash(x, e, e.tty)
        if tty != process.tty:
            news |= NEW_TTY
            process.tty = tty
    if news:
        number = tty_number(span_ptr(e, e.tty), e.tty.len) if news & NEW_TTY and e.tty.known else -1
        _task_event(x, e, news, fresh_title, number)
    return process


# -- accounts --------------------------------------------------------------------------------------

cdef void _account(Converter* x, const AuditEvent* e, uint32_t id, Span name, bint is_group) noexcept nogil:
    """Tell the state the name of a user or a group."""
    cdef const char* text = span_ptr(e, name)
    cdef uint64_t hash
    cdef uint64_t* told = &x.names[(id * 2 + is_group) & (N_NAMES - 1)]
    cdef EventWriter w
    hash = (hash_text(x.processes, text, name.len) ^ id) * 2 + is_group
    if told[0] == hash or name.len == 0 or id == <uint32_t> NO_NUMBER:
        return
    told[0] = hash
    # What daemons write for ids without a name.
    if (name.len >= 8 and memcmp(text, b"unknown(", 8) == 0 or (name.len == 5 and memcmp(text, b"unset", 5) == 0)
            or (name.len == 12 and memcmp(text, b"UNKNOWN_USER", 12) == 0)):
        return
    if not event_begin(&w, &x.out, GROUP_ADDED if is_group else USER_ADDED, BLOCK_STATE_ONLY | BLOCK_PARTIAL,
                       e.time_ms * 1000000, -1, 3 if is_group else 6, False):
        return
    param_number(&w, id, 4)
    if not is_group:
        param_empty(&w)
    param_text(&w, text, name.len)
    event_end(&w)


# -- calls -----------------------------------------------------------------------------------------

cdef bint _is_loader(const AuditEvent* e, const AuditPath* path) noexcept nogil:
    """Return whether a path is that of a dynamic loader: /lib64/ld-linux-x86-64.so.2, /lib/ld-musl-aarch64.so.1."""
    cdef const char* p = span_ptr(e, path.name)
    cdef const char* end = p + path.name.len
    cdef const char* name = p
    while p < end:
        if p[0] == c'/':
            name = p + 1
        p += 1
    return (end - name >= 3 and memcmp(name, b"ld-", 3) == 0) or (end - name >= 5 and memcmp(name, b"ld.so", 5) == 0)


cdef const AuditPath* _program(const AuditEvent* e) noexcept nogil:
    """Return the file that runs: the last one that the kernel opened, but for the loader."""
    cdef const AuditPath* found = NULL
    cdef uint32_t i
    for i in range(e.n_paths):
        if e.paths[i].name.known and e.paths[i].has_inode and (i == 0 or not _is_loader(e, &e.paths[i])):
            found = &e.paths[i]
    return found


cdef void _exec_call(Converter* x, const AuditEvent* e, const CallPlan* plan, bint ok) noexcept nogil:
    cdef EventWriter w
    cdef uint16_t type = plan.type
    cdef uint32_t first = 0
    cdef uint32_t rest = 0
    cdef const char* argv = e.argv.ptr
    cdef const char* stop
    cdef const AuditPath* path = e.paths if e.n_paths else NULL
    cdef const AuditPath* program
    cdef int64_t tty = tty_number(span_ptr(e, e.tty), e.tty.len) if e.tty.known else -1
    cdef uint32_t i
    if ok and type == EXECVEAT_X:
        type = EXECVE_X                      # as the recorders of captures report a success
    if not event_begin(&w, &x.out, type, BLOCK_PARTIAL, e.time_ms * 1000000, e.pid, 31 if type == EXECVE_X else 30, False):
        return
    if e.seen & SEEN_EXIT:
        param_number(&w, <uint64_t> e.exit, 8)
    else:
        param_empty(&w)
    if e.argv.len:
        stop = <const char*> memchr(argv, 0, e.argv.len)
        first = <uint32_t> (stop - argv)
        rest = <uint32_t> e.argv.len - first - 1
        if e.argv_bytes > MAX_ARGS_BYTES:
            x.n_args_cut += 1
        param_text(&w, argv, min(first, <uint32_t> 4096))
        if rest:
            param_bytes(&w, argv + first + 1, min(rest, <uint32_t> MAX_ARGS_BYTES))
        else:
            param_empty(&w)
    else:
        # Arguments are logged when a program starts, not when it cannot.
        if ok and path != NULL:
            _span(&w, e, path.name)
        else:
            param_empty(&w)
        param_empty(&w)
    param_number(&w, <uint64_t> e.pid, 8)
    param_number(&w, <uint64_t> e.pid, 8)
    param_number(&w, <uint64_t> e.ppid, 8)
    if e.seen & SEEN_CWD:
        _span(&w, e, e.cwd)
    else:
        param_empty(&w)
    for i in range(7, 13):
        param_empty(&w)
    _span(&w, e, e.comm)
    param_empty(&w)
    param_empty(&w)
    if tty >= 0:
        param_number(&w, <uint64_t> tty, 4)
    else:
        param_empty(&w)
    param_empty(&w)
    param_number(&w, e.auid, 4)
    if ok and e.exe.known and e.exe.len > 7 and memcmp(span_ptr(e, e.exe), b"/memfd:", 7) == 0:
        param_number(&w, EXE_FROM_MEMFD, 4)
    else:
        param_empty(&w)
    if e.seen & SEEN_FCAPS:
        param_number(&w, e.cap_inheritable, 8)
        param_number(&w, e.cap_permitted, 8)
        param_number(&w, e.cap_effective, 8)
    else:
        for i in range(3):
            param_empty(&w)
    program = _program(e) if ok else NULL
    if program != NULL:
        param_number(&w, program.inode, 8)
    else:
        param_empty(&w)
    param_empty(&w)
    param_empty(&w)
    param_number(&w, e.euid, 4)
    _span(&w, e, e.exe)
    param_empty(&w)
    param_number(&w, e.egid, 4)
    if type == EXECVE_X:
        _path(&w, e, path)
    event_end(&w)
    x.n_params_cut += w.n_cut


cdef void _clone_call(Converter* x, const AuditEvent* e, const CallPlan* plan, bint ok) noexcept nogil:
    cdef EventWriter w
    cdef uint32_t i
    cdef uint32_t flags = clone_flags(e.args[0]) if plan.type == CLONE_X else 0
    cdef Process* child
    cdef Birth* birth
    if ok and e.exit > 0 and not flags & CL_CLONE_THREAD:
        x.processes.births_seen = True
        child = find_process(x.processes, e.exit)
        if child != NULL and child.first_ms + 1 < e.time_ms:
            _forget(x, child, e.time_ms * 1000000)     # an older process of that number
            child = NULL
        if child == NULL:
            note_birth(x.processes, e.exit, e.pid, e.time_ms)
    if not event_begin(&w, &x.out, plan.type, BLOCK_PARTIAL, e.time_ms * 1000000, e.pid, N_CLONE_PARAMS, False):
        return
    if e.seen & SEEN_EXIT:
        param_number(&w, <uint64_t> e.exit, 8)
    else:
        param_empty(&w)
    param_empty(&w)
    param_empty(&w)
    param_number(&w, <uint64_t> e.pid, 8)
    param_number(&w, <uint64_t> e.pid, 8)
    param_number(&w, <uint64_t> e.ppid, 8)
    for i in range(6, 13):
        param_empty(&w)
    _span(&w, e, e.comm)
    param_empty(&w)
    if plan.type == CLONE3_X:
        param_empty(&w)                      # a pointer to them was passed
    else:
        param_number(&w, flags, 4)
    param_number(&w, e.euid, 4)
    param_number(&w, e.egid, 4)
    event_end(&w)


cdef void _generic_call(Converter* x, const AuditEvent* e, const CallPlan* plan) noexcept nogil:
    cdef EventWriter w
    if not event_begin(&w, &x.out, GENERIC_X, BLOCK_PARTIAL, e.time_ms * 1000000, e.pid, 2, False):
        return
    param_number(&w, plan.sc if plan != NULL else 0, 2)
    param_number(&w, <uint64_t> e.syscall if plan == NULL else plan.native, 2)
    event_end(&w)


cdef void _call(Converter* x, AuditEvent* e) noexcept nogil:
    cdef EventWriter w
    cdef int arch = arch_of(e.arch)
    cdef const CallPlan* plan
    cdef bint ok = e.success if e.seen & SEEN_SUCCESS else e.seen & SEEN_EXIT != 0 and e.exit >= 0
    cdef bint created = ok and _named(e, NAME_CREATE) != NULL
    cdef Process* process = NULL
    cdef uint32_t i
    if e.seen & SEEN_NAME:
        plan = plan_of_name(span_ptr(e, e.name), e.name.len)
    elif e.seen & SEEN_SOCKETCALL:
        plan = plan_of_socketcall(e.args[0])
    else:
        plan = plan_of_call(arch, e.syscall)
    x.n_calls += 1
    if plan == NULL:
        x.n_unknown_calls += 1
    if e.n_items < e.items or (e.seen & SEEN_EXECVE and e.n_argv < e.argc):
        x.n_incomplete += 1
    if e.user_name.known:
        _account(x, e, e.euid, e.user_name, False)
    if e.login_name.known:
        _account(x, e, e.auid, e.login_name, False)
    if e.group_name.known:
        _account(x, e, e.egid, e.group_name, True)
    if e.pid >= 0:
        process = _know(x, e, plan, ok)
    if plan == NULL:
        _generic_call(x, e, plan)
        return
    if plan.effect == EFFECT_EXIT:
        _exit_event(x, e.time_ms * 1000000, e.pid, BLOCK_PARTIAL, (e.args[0] & 0xff) << 8)
        if process != NULL:
            drop_process(x.processes, process)
        return
    if plan.effect == EFFECT_EXEC:
        _exec_call(x, e, plan, ok)
        if ok and process != NULL:
            process.comm = _hash(x, e, e.comm)
            process.exe = _hash(x, e, e.exe)
            process.tty = _hash(x, e, e.tty)
            process.auid = e.auid
            process.euid = e.euid
            process.egid = e.egid
        return
    if plan.effect == EFFECT_CLONE:
        _clone_call(x, e, plan, ok)
        return
    if plan.type == GENERIC_X:
        _generic_call(x, e, plan)
        return
    if not event_begin(&w, &x.out, plan.type, BLOCK_PARTIAL, e.time_ms * 1000000, e.pid, plan.n, False):
        return
    for i in range(plan.n):
        _put_param(&w, e, &plan.params[i], arch, created)
    event_end(&w)
    x.n_params_cut += w.n_cut
    if ok and process != NULL:
        if plan.effect == EFFECT_DIRECTORY:
            process.cwd = 0                  # what the next record says is news
        elif plan.effect == EFFECT_IDENTITY:
            # The state takes over what was asked for; the next record says what came of it.
            process.euid = process.egid = <uint32_t> UNTOLD


cdef void _data(Converter* x, const AuditEvent* e, const OtherRecord* record) noexcept nogil:
    """Show a record of another type as it is: `evt.asynctype` is its type, `evt.arg.data` its text."""
    cdef EventWriter w
    cdef int64_t pid = record.pid if record.pid >= 0 else e.pid
    if not event_begin(&w, &x.out, ASYNC, BLOCK_PARTIAL, e.time_ms * 1000000, pid, 3, True):
        return
    x.n_data += 1
    param_number(&w, 0, 4)
    _span(&w, e, record.type)
    if record.body.known:
        param_bytes(&w, span_ptr(e, record.body), record.body.len)
    event_end(&w)


cdef void convert_event(Converter* x, AuditEvent* e, const char* host, uint32_t host_len) noexcept nogil:
    cdef uint32_t i
    begin_section(x, host, host_len)
    x.n_events += 1
    x.n_texts_cut += e.texts_cut
    x.n_records_lost += e.records_lost
    if e.seen & SEEN_SYSCALL:
        _call(x, e)
    elif e.n_others == 0:
        x.n_orphans += 1
    for i in range(e.n_others):
        _data(x, e, &e.others[i])
