# hot: every event passes here
"""The window of events that a run looks at."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset
from libc.time cimport mktime, time_t, tm

cdef extern from "<time.h>" nogil:
    tm* localtime_r(const time_t* when, tm* out)

# Events come from one queue per CPU, merged by time only roughly: one that is a little older can
# follow. Behind this distance none is expected any more.
cdef int64_t SECOND_NS = 1000000000
cdef int64_t HOUR_NS = 3600 * SECOND_NS
cdef int64_t SLACK_NS = 10 * SECOND_NS

_KINDS = {"number": BOUND_NUMBER, "time": BOUND_TIME, "offset": BOUND_OFFSET, "clock": BOUND_CLOCK}


cdef int fill_window(EventWindow* window, object description) except -1:
    memset(window, 0, sizeof(EventWindow))
    if description is None:
        return 0
    for bound, target in ((description.first, 0), (description.last, 1)):
        if bound is not None:
            window.active = True
            if target == 0:
                window.first.kind = _KINDS[bound.kind]
                window.first.value = bound.value
            else:
                window.last.kind = _KINDS[bound.kind]
                window.last.value = bound.value
    return 0


cdef void _settle(Bound* bound, uint64_t base_ns) noexcept nogil:
    """Make an absolute time of what is relative to the first event."""
    cdef time_t base_s = <time_t> (base_ns // <uint64_t> SECOND_NS)
    cdef tm local
    if bound.kind == BOUND_OFFSET:
        bound.value += <int64_t> base_ns
        bound.kind = BOUND_TIME
    elif bound.kind == BOUND_CLOCK:
        memset(&local, 0, sizeof(local))
        localtime_r(&base_s, &local)
        # Hours rather than seconds, so that a day on which clocks are changed comes out right.
        local.tm_hour = <int> (bound.value // HOUR_NS)
        local.tm_min = <int> (bound.value // SECOND_NS // 60 % 60)
        local.tm_sec = <int> (bound.value // SECOND_NS % 60)
        local.tm_isdst = -1
        bound.value = <int64_t> mktime(&local) * SECOND_NS + bound.value % SECOND_NS
        bound.kind = BOUND_TIME


cdef Place place_of(EventWindow* window, uint64_t number, uint64_t ts_ns, uint64_t base_ns) noexcept nogil:
    cdef int64_t when = <int64_t> ts_ns
    if window.first.kind > BOUND_TIME or window.last.kind > BOUND_TIME:
        if base_ns == 0:
            return PLACE_BEFORE
        _settle(&window.first, base_ns)
        _settle(&window.last, base_ns)
    if window.last.kind == BOUND_NUMBER:
        if number > <uint64_t> window.last.value:
            return PLACE_AFTER
    elif window.last.kind == BOUND_TIME and when > window.last.value:
        return PLACE_AFTER if when - window.last.value > SLACK_NS else PLACE_BEFORE
    if window.first.kind == BOUND_NUMBER:
        if number < <uint64_t> window.first.value:
            return PLACE_BEFORE
    elif window.first.kind == BOUND_TIME and when < window.first.value:
        return PLACE_BEFORE
    return PLACE_INSIDE
