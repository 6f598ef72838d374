# Cursor over the blocks of a capture stream, and decoding of event blocks into EventViews.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rulekit.native._event cimport EventView
from rulekit.state._state cimport State

cdef enum NextResult:
    NEXT_EVENT = 0        # `ev` is filled, already converted to the current form, to be delivered
    NEXT_NEED_DATA = 1    # the buffer holds no whole block any more: keep the rest, append, call again
    NEXT_SKIPPED = 2      # an event header was read but nothing is delivered (stored, dropped)
    NEXT_SECTION = 3      # metadata of a section is complete; state was filled; its first event follows
    NEXT_END = 4          # clean end (only when `final`)
    NEXT_ERROR = 5        # see error fields

cdef struct Decoder:
    # the window: owned by the reader, valid until the next call
    const uint8_t* data
    uint64_t size
    uint64_t pos              # bytes consumed
    uint64_t base             # stream offset of data[0]
    bint final                # no more data will come
    uint64_t n_headers        # event headers seen, also those not delivered: the raw position
    uint64_t n_delivered
    uint64_t n_unknown_blocks
    uint64_t n_bad_trailers
    uint64_t n_drops          # sum over drop records
    int error_code
    uint64_t error_offset
    char error[200]
    void* converter           # owned: stored enter events by tid
    void* private_            # owned: the decoder's own bookkeeping


cdef Decoder* decoder_new() noexcept nogil
cdef void decoder_free(Decoder* d) noexcept nogil
cdef int decoder_next(Decoder* d, State* state, EventView* ev) noexcept nogil     # NextResult
