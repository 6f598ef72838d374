# Cursor over the blocks of a capture stream, and decoding of event blocks into EventViews.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from libc.string cimport memcpy

from rulekit.capture._convert cimport (
    CLASS_COLUMNS, CONVERT_DELIVER, CONVERT_SKIP, PATH_DELIVER, PATH_DROP, PATH_JOIN, PATH_LONG, PATH_PLAN,
    PATH_STORE, Converter, EventForm, convert, enter_join, enter_keep,
)
from rulekit.capture._latency cimport Clock
from rulekit.native._event cimport EventInfo, EventView, MAX_PARAMS, N_EVENT_TYPES, Param
from rulekit.state._state cimport State

cdef enum:
    BLOCK_HEADER = 8
    BLOCK_FRAME = 12         # header and trailer
    V2_HEADER = 26
    V1_HEADER = 22
    MAX_SMALL_BLOCK = 65536  # body and trailer of a block that is not a large one
    EV_V2 = 0x216
    EVF_V2 = 0x217

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
    bint may_be_empty         # a live source in which nothing has happened is none the worse for it
    bint lenient              # skip and count invalid events in sound blocks instead of stopping
    int error_code            # ErrorCode; stays
    uint64_t error_offset     # of the block or entry, in the stream
    char error[200]
    Converter* converter      # owned: remembered enter events
    const EventForm* forms    # of [type * CLASS_COLUMNS + parameter count]
    const EventInfo* infos
    Clock* clock              # owned; NULL: nobody asks how long calls took
    int mode                  # DecoderMode
    uint64_t section_headers  # event headers of this section


cdef Decoder* decoder_new() noexcept nogil                   # NULL: no memory
cdef void decoder_free(Decoder* d) noexcept nogil
cdef int decoder_next_any(Decoder* d, State* state, EventView* ev) noexcept nogil


cdef inline uint16_t get_u16(const uint8_t* p) noexcept nogil:
    cdef uint16_t value
    memcpy(&value, p, 2)
    return value


cdef inline uint32_t get_u32(const uint8_t* p) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, p, 4)
    return value


cdef inline uint64_t get_u64(const uint8_t* p) noexcept nogil:
    cdef uint64_t value
    memcpy(&value, p, 8)
    return value


# The next event; a NextResult. `state` may be NULL: then metadata is only validated. Pointers in `ev`
# are valid until the next call.
#
# This is the short way, for a sound event of the usual form in the middle of a section. Whatever is
# unusual, or not sound, is left untouched to decoder_next_any, which knows every case.
cdef inline int decoder_next(Decoder* d, State* state, EventView* ev) noexcept nogil:
    cdef const uint8_t* p
    cdef const uint8_t* q
    cdef const uint8_t* lengths
    cdef const uint8_t* at
    cdef const uint8_t* end
    cdef uint64_t there
    cdef uint32_t block, total, length, n, i, flags, extra
    cdef uint16_t type, size
    cdef uint8_t path
    cdef const EventForm* form
    cdef Param* param
    cdef Param* last
    # Who times calls must see the enter events that this way drops.
    if d.mode != MODE_EVENTS or d.error_code != ERROR_NONE or d.clock != NULL:
        return decoder_next_any(d, state, ev)
    while True:
        there = d.size - d.pos
        if there < BLOCK_FRAME + 6 + V2_HEADER + 8:
            break
        p = d.data + d.pos
        block = get_u32(p)
        total = get_u32(p + 4)
        flags = 0
        extra = 2
        if block != EV_V2:
            if block != EVF_V2:
                break
            flags = get_u32(p + 10)
            extra = 6
        q = p + BLOCK_HEADER + extra
        length = get_u32(q + 16)
        type = get_u16(q + 20)
        n = get_u32(q + 22)
        # Wide enough not to wrap: lengths that do not fit are found by the other way.
        if (total > there or total > BLOCK_HEADER + MAX_SMALL_BLOCK or n > MAX_PARAMS or type >= N_EVENT_TYPES
                or length < V2_HEADER + 2 * n or <uint64_t> length + BLOCK_FRAME + extra > total
                or get_u32(p + total - 4) != total):
            break
        form = &d.forms[type * CLASS_COLUMNS + n]
        path = form.path
        lengths = q + V2_HEADER
        at = lengths + 2 * n
        end = q + length
        if path == PATH_STORE or path == PATH_DROP:
            # Eight bytes are there, even if they are not all lengths.
            if form.mask != 0 and get_u64(lengths) & form.mask == form.lengths:
                at += form.n_bytes
            else:
                for i in range(n):
                    at += get_u16(lengths + 2 * i)
            if at > end:
                break
            d.n_headers += 1
            d.section_headers += 1
            d.pos += total
            if path == PATH_STORE:
                enter_keep(d.converter, <int64_t> get_u64(q + 8), type, n, lengths, <uint32_t> (at - lengths),
                           <uint64_t> (d.data + d.size - lengths))
            continue
        if path == PATH_LONG:
            break
        param = &ev.params[0]
        last = param + n
        while param != last:
            size = get_u16(lengths)
            param.ptr = at
            param.len = size
            at += size
            lengths += 2
            param += 1
        if at > end:
            break
        d.n_headers += 1
        d.section_headers += 1
        ev.cpu = get_u16(p + 8)
        ev.block_flags = flags
        ev.ts_ns = get_u64(q)
        ev.tid = <int64_t> get_u64(q + 8)
        ev.raw = d.n_headers
        ev.type = type
        ev.info = &d.infos[type]
        ev.nparams = n
        d.pos += total
        if path == PATH_JOIN:
            if not enter_join(d.converter, ev, form, n):
                convert(d.converter, ev, n)
        elif path == PATH_PLAN:
            convert(d.converter, ev, n)
        d.n_delivered += 1
        ev.num = d.n_delivered
        return NEXT_EVENT
    return decoder_next_any(d, state, ev)
