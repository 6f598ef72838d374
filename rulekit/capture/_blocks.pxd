# Cursor over the blocks of a capture stream, and decoding of event blocks into EventViews.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rulekit.capture._convert cimport Converter
from rulekit.native._event cimport EventView
from rulekit.state._state cimport State

cdef enum NextResult:
    NEXT_EVENT = 0        # `ev` is filled, already converted to the current form, to be delivered
    NEXT_NEED_DATA = 1    # no whole block is left: keep the rest, append until `need` bytes, call again
    NEXT_SECTION = 3      # metadata of a section is complete, state was filled; its first event follows
    NEXT_END = 4          # clean end (only when `final`)
    NEXT_ERROR = 5        # see the error fields; everything before the damage was delivered

cdef enum ErrorCode:
    ERROR_NONE = 0
    ERROR_NOT_CAPTURE = 1     # no section header where one must be
    ERROR_VERSION = 2         # newer major version, or another byte order
    ERROR_TRUNCATED = 3       # the stream ends inside a block
    ERROR_NO_EVENTS = 4       # a section without a single event block; its snapshot is complete
    ERROR_BLOCK = 5           # a block that cannot be trusted, and so nothing behind it
    ERROR_EVENT = 6           # a sound block with an invalid event in it
    ERROR_CONVERSION = 7      # an outdated event that nobody can convert

cdef enum DecoderMode:
    MODE_START = 0            # a section header must follow
    MODE_METADATA = 1
    MODE_EVENTS = 2

cdef struct Decoder:
    # the window: owned by the reader, valid until the next call
    const uint8_t* data
    uint64_t size
    uint64_t pos              # bytes consumed
    uint64_t base             # stream offset of data[0]
    bint final                # no more data will come
    uint64_t need             # after NEXT_NEED_DATA: bytes from `pos` on that a useful window must hold
    uint64_t n_headers        # event headers seen, also those not delivered: the raw position
    uint64_t n_delivered
    uint64_t n_sections
    uint64_t n_unknown_blocks # skipped among the metadata
    uint64_t n_unknown_events # of types newer than the table; skipped
    uint64_t n_bad_trailers   # event blocks whose length is repeated wrongly
    uint64_t n_bad_events     # invalid events skipped because of `lenient`
    uint64_t n_drops          # drop records: the recorder lost or sampled events around them
    uint64_t max_block_bytes  # larger blocks are an error
    bint lenient              # skip and count invalid events in sound blocks instead of stopping
    int error_code            # ErrorCode; stays
    uint64_t error_offset     # of the block or entry, in the stream
    char error[200]
    Converter* converter      # owned: remembered enter events
    int mode                  # DecoderMode
    uint64_t section_headers  # event headers of this section


cdef Decoder* decoder_new() noexcept nogil                   # NULL: no memory
cdef void decoder_free(Decoder* d) noexcept nogil
# `state` may be NULL: then metadata is only validated. Pointers in `ev` are valid until the next call.
cdef int decoder_next(Decoder* d, State* state, EventView* ev) noexcept nogil     # NextResult
