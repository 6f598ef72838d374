# Threads and thread groups: look-up, insertion, linking, removal with reparenting.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from rulekit.state._state cimport (
    CL_CHILD_IN_PIDNS, CL_CLONE_FILES, CL_IS_MAIN_THREAD, FdTable, Group, State, Thread
)

cdef Thread* find_thread_slow(State* state, int64_t tid) noexcept nogil
cdef Thread* add_thread(State* state, int64_t tid) noexcept nogil        # defaults of the data model; replaces an old one; NULL: limit reached (counted)
cdef Thread* add_placeholder(State* state, int64_t tid) noexcept nogil   # for a tid that nobody introduced; NULL: limit reached
cdef void link_thread(State* state, Thread* thread) noexcept nogil       # group and parent, and a new version
cdef void remove_thread(State* state, int64_t tid) noexcept nogil        # with reparenting, see procexit
cdef void touch_thread(State* state, Thread* thread) noexcept nogil      # new version; call after changing process-scoped facts
cdef void touch_group(State* state, Thread* main) noexcept nogil         # the same for facts kept on the main thread (cwd, env)
cdef void remove_other_threads(State* state, Thread* thread) noexcept nogil   # all of the group but main and this one
cdef void mark_dead(State* state, Thread* thread) noexcept nogil
cdef Group* find_group(State* state, int64_t pid) noexcept nogil
cdef void free_threads(State* state) noexcept nogil


cdef inline Thread* find_thread(State* state, int64_t tid) noexcept nogil:
    if state.last_thread != NULL and state.last_tid == tid:
        return state.last_thread
    return find_thread_slow(state, tid)


cdef inline bint is_invalid(const Thread* thread) noexcept nogil:
    return thread.tid < 0 or thread.pid < 0 or thread.ptid < 0


cdef inline bint in_pidns(const Thread* thread) noexcept nogil:
    return (thread.flags & CL_CHILD_IN_PIDNS) != 0 or (thread.vtid >= 0 and thread.tid != thread.vtid)


cdef inline bint is_main(const Thread* thread) noexcept nogil:
    return thread.tid == thread.pid or (thread.flags & CL_IS_MAIN_THREAD) != 0


cdef inline Thread* main_thread(Thread* thread) noexcept nogil:          # NULL: none
    if is_main(thread):
        return thread
    if thread.group != NULL and thread.group.first != NULL and is_main(thread.group.first):
        return thread.group.first
    return NULL


cdef inline FdTable* fd_table(State* state, Thread* thread) noexcept nogil:   # NULL: none
    cdef Thread* main
    if not thread.flags & CL_CLONE_FILES:
        return &thread.fds
    main = main_thread(thread)
    return NULL if main == NULL else &main.fds
