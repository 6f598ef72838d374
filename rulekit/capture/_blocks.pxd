# Cursor over the blocks of a capture stream, and decoding of event blocks into EventViews.

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from libc.string cimport memcpy

from rulekit.capture._convert cimport (
    FORM_N_SHIFT, FORM_TYPE_SHIFT, PATH_DROP, PATH_JOIN, PATH_LONG, PATH_PLAN, PATH_STORE, Converter, EventForm,
    convert, enter_join, enter_keep,
)
from rulekit.capture._latency cimport Clock
from rulekit.native._event cimport EventInfo, EventView, lay_params
from rulekit.state._state cimport State

cdef enum:
    BLOCK_HEADER = 8
    BLOCK_FRAME = 12         # header and trailer
    V2_HEADER = 26
    V1_HEADER = 22
    MAX_SMALL_BLOCK = 65536  # body and trailer of a block that is not a large one
    EV_V2 = 0x216
    EVF_V2 = 0x217
    SHORT_WAY_BYTES = 256    # that decoder_next may look at before it knows lengths

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
    ERROR_BLOCK = 4           # a block that cannot be trusted, and so nothing behind it
    ERROR_EVENT = 5           # a sound block with an invalid event in it
    ERROR_CONVERSION = 6      # an outdated event that nobody can convert

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
    const EventForm* forms    # of [parameter count * FORM_TYPES + type]
    const EventInfo* infos
    Clock* clock              # owned; NULL: nobody asks how long calls took
    int mode                  # DecoderMode
    uint64_t short_end        # decoder_next may take its short way before this place in the window; 0: never


# What the short way masks out of the first 8 bytes of a block (an id follows, for lengths of 16 bits),
# and what it does not want to see among upper half of the length, type and number of parameters.
cdef extern from *:
    """
    #define RK_HEAD_SHORT 0xFFFF0000FFFFFFFFULL
    #define RK_KIND_LONG 0xFFFFFFC0FE00FFFFULL
    """
    const uint64_t HEAD_SHORT "RK_HEAD_SHORT"
    const uint64_t KIND_LONG "RK_KIND_LONG"
    bint likely(bint) noexcept nogil
    bint unlikely(bint) noexcept nogil

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


# The short way, for a sound event of the usual form in the middle of a section, in steps. Each that
# returns False has touched nothing, and leaves the event to decoder_next_any, which knows every case.
cdef struct Head:
    const uint8_t* event     # its header
    const uint8_t* lengths   # of its parameters
    const uint8_t* params
    const uint8_t* end       # of the event, as it says
    uint64_t next            # place in the window after the block
    uint64_t kind            # type << 16, number of parameters << 32, and nothing else
    bint flagged
    const EventForm* form


cdef inline uint16_t head_type(const Head* h) noexcept nogil:
    return <uint16_t> (h.kind >> 16)


cdef inline uint32_t head_n(const Head* h) noexcept nogil:
    return <uint32_t> (h.kind >> 32)


# Look at the block at the cursor.
cdef inline bint decoder_head(const Decoder* d, Head* h) noexcept nogil:
    cdef const uint8_t* p
    cdef const uint8_t* q
    cdef const uint8_t* after
    cdef uint64_t head
    cdef uint32_t total
    # From here on SHORT_WAY_BYTES may be read, whatever the lengths say: they are looked at below.
    if d.pos >= d.short_end:
        return False
    p = d.data + d.pos
    head = get_u64(p)
    h.flagged = False
    q = p + BLOCK_HEADER + 2
    if unlikely(head & HEAD_SHORT != EV_V2):
        if head & HEAD_SHORT != EVF_V2:
            return False
        h.flagged = True
        q += 4
    total = <uint32_t> (head >> 32)
    h.kind = get_u64(q + 18)         # upper half of the length, type, number of parameters
    h.next = d.pos + total
    after = p + total
    h.end = q + get_u16(q + 16)
    if (h.kind & KIND_LONG or h.next > d.size or h.end + BLOCK_FRAME - BLOCK_HEADER > after
            or get_u32(after - 4) != total):
        return False
    h.event = q
    # d.forms[n * FORM_TYPES + type], in fewer instructions
    h.form = <const EventForm*> (<const uint8_t*> d.forms + (<uint32_t> h.kind >> FORM_TYPE_SHIFT)
                                 + (h.kind >> 32 << FORM_N_SHIFT))
    h.lengths = q + V2_HEADER
    h.params = h.lengths + 2 * head_n(h)
    return True


cdef inline bint is_enter(const Head* h) noexcept nogil:
    return h.form.path >= PATH_DROP


# Take an event of which is_enter() is true.
cdef inline bint decoder_enter(Decoder* d, const Head* h) noexcept nogil:
    cdef const EventForm* form = h.form
    cdef const uint8_t* at = h.params
    cdef uint32_t i
    # Eight bytes are there, even if they are not all lengths.
    if get_u64(h.lengths) & form.mask == form.lengths:
        at += form.n_bytes
    else:
        for i in range(head_n(h)):
            at += get_u16(h.lengths + 2 * i)
    if at > h.end:
        return False
    d.n_headers += 1
    d.pos = h.next
    if form.path == PATH_STORE:
        enter_keep(d.converter, <int64_t> get_u64(h.event + 8), head_type(h), head_n(h), h.lengths,
                   <uint32_t> (at - h.lengths))
    return True


# Take any other event.
cdef inline bint decoder_event(Decoder* d, const Head* h, EventView* ev) noexcept nogil:
    cdef uint8_t path = h.form.path
    cdef uint32_t n = head_n(h)
    if path == PATH_LONG or lay_params(ev.params, h.lengths, h.params, n) > h.end:
        return False
    d.n_headers += 1
    d.pos = h.next
    if h.flagged:
        ev.cpu = get_u16(h.event - 6)
        ev.block_flags = get_u32(h.event - 4)
    else:
        ev.cpu = get_u16(h.event - 2)
        ev.block_flags = 0
    ev.ts_ns = get_u64(h.event)
    ev.tid = <int64_t> get_u64(h.event + 8)
    ev.raw = d.n_headers
    ev.type = head_type(h)
    ev.info = &d.infos[ev.type]
    ev.nparams = n
    if path == PATH_JOIN:
        if not enter_join(d.converter, ev, h.form, n):
            convert(d.converter, ev, n)
    elif path == PATH_PLAN:
        convert(d.converter, ev, n)
    d.n_delivered += 1
    ev.num = d.n_delivered
    return True


# The next event; a NextResult. `state` may be NULL: then metadata is only validated. Pointers in `ev`
# are valid until the next call.
cdef inline int decoder_next(Decoder* d, State* state, EventView* ev) noexcept nogil:
    cdef Head head
    while decoder_head(d, &head):
        if is_enter(&head):
            if not decoder_enter(d, &head):
                break
        elif decoder_event(d, &head, ev):
            return NEXT_EVENT
        else:
            break
    return decoder_next_any(d, state, ev)
