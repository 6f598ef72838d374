"""Losses, read off the serial numbers of events.

The kernel numbers the events that it reports one after the other, modulo 2 ** 32, but several
processors hand theirs over at once: a number can come behind a higher one. It is lost when it has
not come by the second settling after that, or when far more events than that came after it.
"""

from libc.stdint cimport int32_t, uint32_t, uint64_t


cdef inline bint _is_seen(const Serials* s, uint32_t serial) noexcept nogil:
    return (s.seen[(serial & (SERIAL_WINDOW - 1)) >> 6] >> (serial & 63)) & 1


cdef void _settle_to(Serials* s, uint32_t serial) noexcept nogil:
    """Count what is missing up to this number."""
    while <int32_t> (serial - s.settled) > 0:
        s.settled += 1
        if not _is_seen(s, s.settled):
            s.n_lost += 1


cdef void serials_note(Serials* s, uint32_t serial) noexcept nogil:
    cdef uint32_t beyond
    if s.begun and serial == s.newest:
        return
    if not s.begun:
        s.begun = True
        s.newest = serial - 1                # what came before the first one was not for us
        s.settled = s.mark = s.newest
    if <int32_t> (serial - s.newest) > 0:
        if serial - s.settled > SERIAL_WINDOW:
            _settle_to(s, s.newest if serial - s.newest > SERIAL_WINDOW else serial - SERIAL_WINDOW)
            if serial - s.settled > SERIAL_WINDOW:
                # More are missing than the window holds.
                beyond = serial - SERIAL_WINDOW - s.settled
                s.n_lost += beyond
                s.settled += beyond
                s.newest = s.settled
        while s.newest != serial:
            s.newest += 1
            s.seen[(s.newest & (SERIAL_WINDOW - 1)) >> 6] &= ~(<uint64_t> 1 << (s.newest & 63))
    elif <int32_t> (serial - s.settled) <= 0:
        return                               # too late; counted already, or from before the first
    s.seen[(serial & (SERIAL_WINDOW - 1)) >> 6] |= <uint64_t> 1 << (serial & 63)


cdef void serials_settle(Serials* s) noexcept nogil:
    if s.begun:
        _settle_to(s, s.mark)
        s.mark = s.newest


cdef void serials_end(Serials* s) noexcept nogil:
    if s.begun:
        _settle_to(s, s.newest)
        s.mark = s.newest
