# Which events of a source are looked at; the ones before still feed the state.

from libc.stdint cimport int64_t, uint64_t

cdef enum BoundKind:
    BOUND_NONE = 0
    BOUND_NUMBER = 1     # delivered number, as evt.num
    BOUND_TIME = 2       # ns since the epoch
    BOUND_OFFSET = 3     # ns after the first event that is no meta event; a BOUND_TIME once that is known
    BOUND_CLOCK = 4      # ns after the local midnight before that event; likewise

cdef enum Place:
    PLACE_BEFORE = 0
    PLACE_INSIDE = 1
    PLACE_AFTER = 2      # no later event can lie inside

cdef struct Bound:
    int kind
    int64_t value

cdef struct EventWindow:
    Bound first              # inclusive, as is `last`
    Bound last
    bint active              # False: every event lies inside


cdef int fill_window(EventWindow* window, object description) except -1
# Where an event lies. `base_ns`: time of the first event that is no meta event, 0 while unknown.
cdef Place place_of(EventWindow* window, uint64_t number, uint64_t ts_ns, uint64_t base_ns) noexcept nogil
