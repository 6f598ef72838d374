# hot: every event passes here
"""Times between the enter and the exit of a system call.

A bounded table of the calls that threads are in. Signals, switches and other events that come in
between belong to no call and change nothing.
"""

from libc.stdlib cimport calloc, free

from rulekit.native._event cimport EC_SYSCALL, event_infos

cdef enum:
    EXECVEAT_E = 330
    EXECVE_X = 293
    PROCEXIT_E = 186


cdef Clock* clock_new() noexcept nogil:
    return <Clock*> calloc(1, sizeof(Clock))


cdef void clock_free(Clock* clock) noexcept nogil:
    free(clock)


cdef void clock_reset(Clock* clock) noexcept nogil:
    cdef uint32_t i
    for i in range(CLOCK_SETS * CLOCK_WAYS):
        clock.entries[i].valid = False


cdef void clock_see(Clock* clock, int64_t tid, uint64_t ts_ns, uint16_t kind) noexcept nogil:
    cdef Entry* set = &clock.entries[(<uint32_t> tid & (CLOCK_SETS - 1)) * CLOCK_WAYS]
    cdef Entry* mine = NULL
    cdef Entry* oldest = set
    cdef uint32_t way
    clock.known = False
    if not event_infos[kind].category & EC_SYSCALL and kind != PROCEXIT_E:
        return
    for way in range(CLOCK_WAYS):
        if set[way].valid and set[way].tid == tid:
            mine = &set[way]
            break
        if oldest.valid and (not set[way].valid or set[way].ts_ns < oldest.ts_ns):
            oldest = &set[way]
    if kind == PROCEXIT_E:
        if mine != NULL:
            mine.valid = False
    elif kind & 1:
        if mine == NULL:
            return
        # Of another call: the exit of that one, or the enter of this one, was lost.
        if (mine.type + 1 == kind or (mine.type == EXECVEAT_E and kind == EXECVE_X)) and ts_ns >= mine.ts_ns:
            clock.latency_ns = ts_ns - mine.ts_ns
            clock.known = True
        mine.valid = False
    else:
        if mine == NULL:
            mine = oldest
            if mine.valid:
                clock.n_evicted += 1
        mine.valid = True
        mine.tid = tid
        mine.ts_ns = ts_ns
        mine.type = kind
        clock.n_enters += 1
