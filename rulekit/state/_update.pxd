# Event by event changes of the state.

from libc.stdint cimport int32_t, int64_t, uint16_t, uint32_t
from libc.string cimport memcpy

from rulekit.native._event cimport EventView, N_EVENT_TYPES, param_i64
from rulekit.native._scratch cimport scratch_reset
from rulekit.state._fds cimport touch_fd
from rulekit.state._params cimport look_up_fd
from rulekit.state._state cimport (
    ATTACH_ALWAYS, ATTACH_ASIDE, ATTACH_NONE, Context, EventPlan, FD_IPV4_SOCK, FD_IPV6_SOCK, FDF_CONNECTED,
    State, Thread,
)
from rulekit.state._threads cimport add_placeholder, find_thread

cdef enum:
    EXECVEAT_E = 330
    EXECVE_X = 293
    PROCINFO = 234
    KEPT_ENTER_BYTES = 4096

cdef const EventPlan* event_plans            # by event type

cdef void state_import_done(State* state) noexcept nogil     # after the metadata blocks: link threads, fix sockets, container ids
cdef void keep_enter(State* state, Thread* thread, const EventView* ev) noexcept nogil
cdef const EventView* enter_view(State* state, Thread* thread) noexcept nogil
# What State.attention asks for: removals left over, the first event, events that lead a file.
cdef void attend(State* state, const EventView* ev, const EventPlan* plan, Context* out) noexcept nogil
cdef void state_settle(State* state) noexcept nogil          # carry out what the last event left to be removed
cdef bint has_handler(uint16_t type) noexcept nogil           # whether events of this type change the state by themselves
cdef void event_done(State* state, Thread* thread, const EventView* ev) noexcept nogil


cdef inline void _read_retval(const EventView* ev, Context* out) noexcept nogil:
    cdef int32_t v4
    if ev.nparams == 0:
        return
    if ev.params[0].len == 8:
        memcpy(&out.retval, ev.params[0].ptr, 8)
        out.has_retval = True
    elif ev.params[0].len == 4:
        memcpy(&v4, ev.params[0].ptr, 4)
        out.retval = v4
        out.has_retval = True


cdef inline void _attach_fd(State* state, const EventView* ev, const EventPlan* plan, Thread* thread,
                            Context* out) noexcept nogil:
    cdef int64_t num = -1
    if not plan.is_exit:
        thread.last_event_type = ev.type
        if plan.fd_param >= 0:
            num = param_i64(ev, <uint32_t> plan.fd_param, -1)
            out.fd = look_up_fd(state, thread, num)
        thread.last_event_fd = num
        out.fd_num = num
        if plan.keeps_enter:
            keep_enter(state, thread, ev)
        return
    if (thread.last_event_type + 1 == ev.type
            or (thread.last_event_type == EXECVEAT_E and ev.type == EXECVE_X)):
        num = thread.last_event_fd
        if thread.enter_type >= 0 and thread.enter_type == thread.last_event_type:
            out.enter = enter_view(state, thread)
    if plan.fd_param >= 0:
        if num == -1:
            num = param_i64(ev, <uint32_t> plan.fd_param, -1)
        out.fd = look_up_fd(state, thread, num)
    thread.last_event_fd = num
    out.fd_num = num


# Bring the state to where it is when a converted event happens, and fill `out` with what rules see of
# it. Inline, for most events do little here.
cdef inline void state_event(State* state, const EventView* ev, Context* out) noexcept nogil:
    cdef const EventPlan* plan
    cdef Thread* thread
    if state.scratch.used:
        scratch_reset(&state.scratch)
    out.state = state
    out.ev = ev
    out.thread = NULL
    out.fd = NULL
    out.fd_num = -1
    out.has_retval = False
    out.retval = 0
    out.enter = NULL
    out.event_container = NULL
    out.document = NULL
    if ev.type >= N_EVENT_TYPES:
        out.visible = not ev.block_flags & 1
        return
    plan = &event_plans[ev.type]
    out.visible = not (ev.block_flags & 1 | plan.keeps_enter)
    if state.attention:
        attend(state, ev, plan, out)
    if plan.has_retval:
        _read_retval(ev, out)
    if plan.attach != ATTACH_NONE:
        thread = find_thread(state, ev.tid)
        if thread == NULL and plan.attach == ATTACH_ALWAYS:
            thread = add_placeholder(state, ev.tid)
        if thread != NULL:
            out.thread = thread
            if plan.attach != ATTACH_ASIDE:
                _attach_fd(state, ev, plan, thread, out)
            else:
                out.fd_num = thread.last_event_fd
    if plan.is_transfer:
        if (out.fd != NULL and out.retval >= 0 and (out.fd.type == FD_IPV4_SOCK or out.fd.type == FD_IPV6_SOCK)
                and not out.fd.flags & FDF_CONNECTED):
            out.fd.flags |= FDF_CONNECTED
            touch_fd(state, out.fd)
    elif plan.run != NULL:
        plan.run(state, ev, out)
        if out.thread != NULL:
            out.fd_num = out.thread.last_event_fd


# After rules have seen the event; for every event, visible or not.
cdef inline void state_event_done(State* state, Context* ctx) noexcept nogil:
    cdef Thread* thread = ctx.thread
    cdef const EventView* ev = ctx.ev
    if thread == NULL:
        return
    thread.last_event_ts = ev.ts_ns
    if ev.type & 1:
        thread.enter_type = -1
        if thread.enter_cap > KEPT_ENTER_BYTES:
            event_done(state, thread, ev)
    elif ev.type == PROCINFO:
        event_done(state, thread, ev)
