# Which serial numbers came: what did not come was lost.

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    SERIAL_WINDOW = 65536    # events that may still come behind the newest one
    SERIAL_WORDS = 1024      # of 64 bits

cdef struct Serials:
    bint begun
    uint32_t newest          # highest number that came
    uint32_t settled         # of this one and those below nothing is expected any more
    uint32_t mark            # the newest one at the last call of `serials_settle`
    uint64_t seen[SERIAL_WORDS]
    uint64_t n_lost

cdef void serials_note(Serials* s, uint32_t serial) noexcept nogil
cdef void serials_settle(Serials* s) noexcept nogil       # now and then: what came before the last call is final
cdef void serials_end(Serials* s) noexcept nogil          # nothing will come any more
