"""The tables of the state as rows of fields.

A row is what the fields give for an event that never was: the thread returning from a read of the
descriptor. So whatever fields and conditions can say of a process or descriptor serves here as well.
"""

from libc.stdint cimport int64_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memset

from rulekit._fastmatch cimport match_event
from rulekit.native._event cimport EventView, event_infos
from rulekit.native._scratch cimport scratch_reset
from rulekit.state._fds cimport fds_in_order
from rulekit.state._state cimport Fd, FdTable, State, Thread
from rulekit.state._threads cimport fd_table

cdef enum:
    READ_X = 7


cdef int _by_tid(const void* a, const void* b) noexcept nogil:
    cdef int64_t x = (<const Thread**> a)[0].tid
    cdef int64_t y = (<const Thread**> b)[0].tid
    return (x > y) - (x < y)


cdef int _by_num(const void* a, const void* b) noexcept nogil:
    cdef int64_t x = (<const Fd**> a)[0].num
    cdef int64_t y = (<const Fd**> b)[0].num
    return (x > y) - (x < y)


cdef Thread** _sorted_threads(State* state, uint32_t* n) except NULL:
    """Return all threads by tid; to be freed."""
    cdef Thread** found = <Thread**> malloc((state.n_threads + 1) * sizeof(Thread*))
    cdef Thread* thread
    cdef uint32_t i
    n[0] = 0
    if found == NULL:
        raise MemoryError
    for i in range(state.n_thread_buckets):
        thread = state.thread_buckets[i]
        while thread != NULL and n[0] < state.n_threads:
            found[n[0]] = thread
            n[0] += 1
            thread = thread.hash_next
    qsort(found, n[0], sizeof(Thread*), _by_tid)
    return found


cdef Fd** _sorted_fds(State* state, const FdTable* table, uint32_t* n) except NULL:
    cdef Fd** found = <Fd**> malloc((table.n_fds + 1) * sizeof(Fd*))
    if found == NULL:
        raise MemoryError
    n[0] = fds_in_order(state, table, found)
    qsort(found, n[0], sizeof(Fd*), _by_num)
    return found


cdef void _imagine(Context* c, EventView* ev, const Context* now, Thread* thread) noexcept:
    memset(c, 0, sizeof(Context))
    memset(ev, 0, sizeof(EventView))
    if now.ev != NULL:
        ev.ts_ns = now.ev.ts_ns
        ev.num = now.ev.num
        ev.raw = now.ev.raw
        ev.cpu = now.ev.cpu
    ev.tid = thread.tid
    ev.type = READ_X
    ev.info = &event_infos[READ_X]
    c.state = now.state
    c.ev = ev
    c.thread = thread
    c.fd_num = -1
    c.visible = True


cdef bint _holds(Matcher only, Context* c) noexcept:
    cdef uint32_t hit
    return only is None or match_event(only.c, c, &hit, 1) > 0


cdef list thread_rows(const Context* now, OutputProgram output, Matcher only):
    """Return the fields of every thread, by tid, of which `only` holds for itself or one of its fds."""
    cdef State* state = now.state
    cdef Context c
    cdef EventView ev
    cdef FdTable* table
    cdef uint32_t n = 0
    cdef uint32_t n_fds = 0
    cdef uint32_t i, j
    cdef Thread** threads = _sorted_threads(state, &n)
    cdef Fd** fds = NULL
    cdef bint chosen
    cdef list rows = []
    try:
        for i in range(n):
            _imagine(&c, &ev, now, threads[i])
            chosen = _holds(only, &c)
            table = fd_table(state, threads[i])
            if not chosen and table != NULL:
                fds = _sorted_fds(state, table, &n_fds)
                for j in range(n_fds):
                    c.fd = fds[j]
                    c.fd_num = fds[j].num
                    if _holds(only, &c):
                        chosen = True
                        break
                free(fds)
                fds = NULL
                c.fd = NULL
                c.fd_num = -1
            if chosen:
                rows.append(output.fields(&c))
            scratch_reset(&state.scratch)
    finally:
        free(threads)
        free(fds)
    return rows


cdef list fd_rows(const Context* now, OutputProgram output, Matcher only):
    """Return the fields of every open descriptor of every thread, by tid and number."""
    cdef State* state = now.state
    cdef Context c
    cdef EventView ev
    cdef FdTable* table
    cdef uint32_t n = 0
    cdef uint32_t n_fds = 0
    cdef uint32_t i, j
    cdef Thread** threads = _sorted_threads(state, &n)
    cdef Fd** fds = NULL
    cdef list rows = []
    try:
        for i in range(n):
            table = fd_table(state, threads[i])
            if table == NULL:
                continue
            _imagine(&c, &ev, now, threads[i])
            fds = _sorted_fds(state, table, &n_fds)
            for j in range(n_fds):
                c.fd = fds[j]
                c.fd_num = fds[j].num
                if _holds(only, &c):
                    rows.append(output.fields(&c))
                scratch_reset(&state.scratch)
            free(fds)
            fds = NULL
    finally:
        free(threads)
        free(fds)
    return rows
