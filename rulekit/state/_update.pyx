# hot: every event passes here
# Event by event changes of the state: removals left over, thread and fd of the event, then what its
# type does. Facts about types are one row each in a table that is filled at import.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from rulekit.native._event cimport (
    EC_METAEVENT, EC_SYSCALL, EF_SKIPPARSERESET, EF_USES_FD, EventInfo, event_infos, has_param,
    n_event_types, param_u64
)
from rulekit.native._scratch cimport scratch_reset
from rulekit.state._containers cimport remove_container
from rulekit.state._fds cimport remove_fd
from rulekit.state._files cimport (
    on_anonymous, on_close, on_close_range, on_dup, on_fcntl, on_memfd_create, on_open,
    on_pidfd_getfd, on_pidfd_open, on_pipe
)
from rulekit.state._metadata cimport on_async, on_container, on_group, on_user
from rulekit.state._paths cimport concat_dir
from rulekit.state._process cimport (
    cgroups_text, on_capset, on_chdir, on_chroot, on_clone, on_execve, on_fchdir, on_memory,
    on_new_user_namespace, on_prctl, on_procexit, on_rlimit, on_setgid, on_setsid, on_setuid,
    on_switch, on_task, set_container_id
)
from rulekit.state._sockets cimport (
    fix_initial_sockets, on_accept, on_bind, on_connect, on_receive, on_send, on_socket,
    on_socketpair
)
from rulekit.state._state cimport ATTACH_KNOWN, CL_CLONE_FILES, FdTable, event_handler
from rulekit.state._threads cimport fd_table, is_main, link_thread, remove_thread

cdef enum:
    CONNECT_E = 22
    MAX_ENTER_BYTES = 16384          # of one remembered event; paths end at 4096
    MAX_ENTER_TOTAL = 64 << 20

cdef EventPlan _plans[N_EVENT_TYPES]

_METADATA = (324, 354, 356, 358, 360, 402)
_KNOWN_ONLY = (186, 223, 225, 227, 335)
_ASIDE = (152, PROCINFO)
_ENTERS = (2, 22, 58, 292, 306, 326, 330)
_TRANSFERS = (7, 9, 113, 115, 117, 119, 121, 123)


cdef void _set(event_handler run, tuple types):
    for number in types:
        _plans[<int> number].run = run


cdef void _fill_plans():
    cdef int i
    cdef EventPlan* plan
    cdef const EventInfo* info
    memset(_plans, 0, sizeof(_plans))
    for i in range(n_event_types):
        plan = &_plans[i]
        info = &event_infos[i]
        plan.is_exit = i & 1
        plan.fd_param = info.fd_param if info.flags & EF_USES_FD else -1
        plan.has_retval = plan.is_exit and info.category & EC_SYSCALL and info.nparams > 0 and i != 1
        plan.is_transfer = i in _TRANSFERS
        plan.keeps_enter = i in _ENTERS
        plan.leads = i in _METADATA
        if i in _ASIDE:
            plan.attach = ATTACH_ASIDE
        elif i in _KNOWN_ONLY:
            plan.attach = ATTACH_KNOWN
        elif info.flags & EF_SKIPPARSERESET or i in _METADATA or i == 322 or not info.known:
            plan.attach = ATTACH_NONE
        else:
            plan.attach = ATTACH_ALWAYS
    _set(on_open, (3, 59, 307, 327, 337))
    _set(on_close, (5,))
    _set(on_close_range, (451,))
    _set(on_dup, (363, 365, 367))
    _set(on_fcntl, (151,))
    _set(on_pipe, (61, 393))
    _set(on_anonymous, (63, 127, 137, 139, 321, 339, 369, 375, 377, 395, 397, 399))
    _set(on_memfd_create, (405,))
    _set(on_pidfd_getfd, (407,))
    _set(on_pidfd_open, (409,))
    _set(on_socket, (19,))
    _set(on_bind, (21,))
    _set(on_connect, (23,))
    _set(on_accept, (247, 389))
    _set(on_send, (29, 31, 49, 51))
    _set(on_receive, (33, 35, 53, 55))
    _set(on_socketpair, (43,))
    _set(on_clone, (223, 225, 227, 335))
    _set(on_execve, (293, 331))
    _set(on_procexit, (186,))
    _set(on_task, (430,))
    _set(on_prctl, (401,))
    _set(on_chdir, (93, 95))
    _set(on_fchdir, (97,))
    _set(on_chroot, (267,))
    _set(on_setsid, (275,))
    _set(on_setuid, (193, 199, 427))
    _set(on_setgid, (195, 201, 429))
    _set(on_capset, (353,))
    _set(on_new_user_namespace, (241, 285))
    _set(on_rlimit, (141, 143, 145))
    _set(on_memory, (159, 161, 163, 165))
    _set(on_switch, (152,))
    _set(on_container, (324,))
    _set(on_async, (402,))
    _set(on_user, (354, 356))
    _set(on_group, (358, 360))


_fill_plans()
event_plans = _plans


cdef bint has_handler(uint16_t type) noexcept nogil:
    return type < N_EVENT_TYPES and _plans[type].run != NULL


# -- start of a section ----------------------------------------------------------------------------

cdef void _complete_thread(State* state, Thread* thread) noexcept nogil:
    cdef FdTable* table = &thread.fds
    cdef uint32_t i
    thread.cgroups = cgroups_text(state, thread.cgroups.ptr, thread.cgroups.len)
    set_container_id(state, thread)
    if is_main(thread):
        thread.flags &= ~<uint32_t> CL_CLONE_FILES
        thread.cwd = concat_dir(state, b"", 0, thread.cwd.ptr, thread.cwd.len)
    else:
        thread.flags |= CL_CLONE_FILES
    for i in range(table.n_slots):
        # A list of open files does not tell how they were asked for.
        if table.slots[i] != NULL:
            table.slots[i].name_raw = state.strings.empty


cdef void state_import_done(State* state) noexcept nogil:
    cdef uint32_t i
    cdef Thread* thread
    for i in range(state.n_thread_buckets):
        thread = state.thread_buckets[i]
        while thread != NULL:
            _complete_thread(state, thread)
            if state.scratch.used:
                scratch_reset(&state.scratch)
            thread = thread.hash_next
    for i in range(state.n_thread_buckets):
        thread = state.thread_buckets[i]
        while thread != NULL:
            link_thread(state, thread)
            thread = thread.hash_next
    fix_initial_sockets(state)
    state.leading = True
    state.attention = True


# -- enter events ----------------------------------------------------------------------------------

cdef void keep_enter(State* state, Thread* thread, const EventView* ev) noexcept nogil:
    cdef uint64_t total = 0
    cdef uint32_t i, size
    cdef uint8_t* bytes
    cdef bint together = True     # as they mostly lie in a capture
    thread.enter_type = -1
    # Converted from a form without parameters, it would only make what the exit event knows unknown.
    if not has_param(ev, 0) and ev.type != CONNECT_E and ev.type != EXECVEAT_E:
        return
    for i in range(ev.nparams):
        if i and ev.params[i].ptr != ev.params[i - 1].ptr + ev.params[i - 1].len:
            together = False
        thread.enter_lens[i] = ev.params[i].len
        total += ev.params[i].len
    if total > MAX_ENTER_BYTES:
        state.counters.enters_refused += 1
        return
    if total > thread.enter_cap:
        size = 128
        while size < total:
            size *= 2
        if state.enter_bytes_held + size > MAX_ENTER_TOTAL:
            state.counters.enters_refused += 1
            return
        bytes = <uint8_t*> malloc(size)
        if bytes == NULL:
            state.counters.enters_refused += 1
            return
        free(thread.enter_bytes)
        state.enter_bytes_held += size - thread.enter_cap
        thread.enter_bytes = bytes
        thread.enter_cap = size
    bytes = thread.enter_bytes
    if together and total:
        memcpy(bytes, ev.params[0].ptr, total)
    for i in range(0 if together else ev.nparams):
        if ev.params[i].len:
            memcpy(bytes, ev.params[i].ptr, ev.params[i].len)
            bytes += ev.params[i].len
    thread.enter_nparams = ev.nparams
    thread.enter_type = ev.type


cdef const EventView* enter_view(State* state, Thread* thread) noexcept nogil:
    cdef EventView* view = &state.enter_view
    cdef const uint8_t* bytes = thread.enter_bytes
    cdef uint32_t i
    view.tid = thread.tid
    view.type = <uint16_t> thread.enter_type
    view.info = &event_infos[thread.enter_type]
    view.nparams = thread.enter_nparams
    for i in range(view.nparams):
        view.params[i].ptr = bytes
        view.params[i].len = thread.enter_lens[i]
        bytes += thread.enter_lens[i]
    return view


# -- an event --------------------------------------------------------------------------------------

cdef void _carry_out_removals(State* state) noexcept nogil:
    cdef Thread* thread
    cdef FdTable* table
    if state.pending_fd >= 0:
        thread = find_thread(state, state.pending_fd_tid)
        table = NULL if thread == NULL else fd_table(state, thread)
        if table != NULL:
            remove_fd(state, table, state.pending_fd)
        state.pending_fd = -1
    if state.has_pending_thread:
        state.has_pending_thread = False
        remove_thread(state, state.pending_thread)
    if state.pending_container != NULL:
        remove_container(state, state.pending_container)
        state.pending_container = NULL


cdef void state_settle(State* state) noexcept nogil:
    _carry_out_removals(state)


cdef void attend(State* state, const EventView* ev, const EventPlan* plan, Context* out) noexcept nogil:
    _carry_out_removals(state)
    if state.first_event_ts_ns == 0 and not ev.info.category & EC_METAEVENT:
        state.first_event_ts_ns = ev.ts_ns
    if state.leading:
        if plan.leads:
            out.visible = False
        else:
            state.leading = False
    state.attention = state.leading or state.first_event_ts_ns == 0


cdef void event_done(State* state, Thread* thread, const EventView* ev) noexcept nogil:
    if ev.type == PROCINFO:
        thread.cpu_user_prev = param_u64(ev, 0, 0)
        thread.cpu_system_prev = param_u64(ev, 1, 0)
        thread.prev_cpu_count += 1
    elif thread.enter_cap > KEPT_ENTER_BYTES:
        free(thread.enter_bytes)
        state.enter_bytes_held -= thread.enter_cap
        thread.enter_bytes = NULL
        thread.enter_cap = 0
