# Blocks of a capture copied into another one, and the events of each thread that wait to be copied.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rulekit.native._scratch cimport Buf

cdef enum:
    STATE_ONLY = 1               # block flag: updates the state of who reads it, is not shown

cdef struct RawBlock:            # a block that the decoder found sound
    const uint8_t* bytes         # the whole block
    uint32_t size
    bint is_event
    bint is_section              # a section header
    int64_t tid                  # of the event header, as the three below
    uint16_t type                # before any conversion

cdef struct Waiting:             # events of one thread
    bint used
    int64_t tid
    uint64_t stamp               # when it was touched, in touches: the oldest of a set is evicted
    Buf blocks                   # owned; marked STATE_ONLY
    uint32_t n_events
    int32_t enter_type           # of the last enter event among them, -1: none

cdef struct WaitingTable:
    Waiting* slots               # owned; [set][way]
    uint64_t touches
    uint64_t bytes               # held by all slots together
    uint64_t n_lost              # events forgotten for want of room


# The block at `at` of bytes that the decoder has consumed.
cdef RawBlock raw_block(const uint8_t* at) noexcept nogil
# Append an event block, marked; False when the mark makes it too long for the format.
cdef bint put_state_only(Buf* out, const RawBlock* block) noexcept nogil

cdef WaitingTable* waiting_new() noexcept nogil               # NULL: no memory
cdef void waiting_free(WaitingTable* table) noexcept nogil
cdef void waiting_clear(WaitingTable* table) noexcept nogil
# Let an event wait for the next one of its thread that is copied.
cdef void wait_for_thread(WaitingTable* table, const RawBlock* block) noexcept nogil
# The same for an event that makes all earlier ones of its thread idle.
cdef void replace_waiting(WaitingTable* table, const RawBlock* block) noexcept nogil
cdef void forget_waiting(WaitingTable* table, int64_t tid) noexcept nogil
# An exit that is not copied: what waited for it goes.
cdef void end_waiting(WaitingTable* table, const RawBlock* exit) noexcept nogil
# Append what waits for an event of this thread; returns the number of events.
cdef uint32_t put_waiting(WaitingTable* table, int64_t tid, Buf* out) noexcept nogil
