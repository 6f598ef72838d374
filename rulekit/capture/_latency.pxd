# How long system calls took: the time between a call's enter event and its exit event, known only
# for layouts that record both. Conversion drops enter events, so this looks at the headers before it.

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

cdef enum:
    CLOCK_SETS = 8192            # power of two
    CLOCK_WAYS = 4

cdef struct Entry:               # the call that a thread is in
    int64_t tid
    uint64_t ts_ns
    uint16_t type                # of the enter event
    bint valid

cdef struct Clock:
    Entry entries[8192 * 4]      # [set][way]
    uint64_t latency_ns          # of the last event seen
    bint known                   # that it has one
    uint64_t n_enters
    uint64_t n_evicted           # calls forgotten for want of room

cdef Clock* clock_new() noexcept nogil          # NULL: no memory
cdef void clock_free(Clock* clock) noexcept nogil
cdef void clock_reset(Clock* clock) noexcept nogil      # a new section: nobody is in a call
cdef void clock_see(Clock* clock, int64_t tid, uint64_t ts_ns, uint16_t kind) noexcept nogil
