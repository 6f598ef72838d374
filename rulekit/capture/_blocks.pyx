# hot: every event passes here
"""The cursor over the blocks of a capture: frames, sections, event headers.

Every length is checked against the bytes that are there before anything behind it is read. There is
no resynchronisation: without a sound block length nothing after it can be trusted.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport calloc, free

from rulekit.capture._convert cimport (
    CLASS_COLUMNS, CLASS_DELIVER, CLASS_DROP, CLASS_LOSS, CLASS_NO_RULE, CLASS_PLAN,
    CLASS_TOO_MANY, CONVERT_DELIVER, CONVERT_NO_RULE, CONVERT_SKIP, TYPE_LARGE, convert,
    converter_free, converter_new, converter_reset, event_classes, event_forms,
    type_shapes,
)
from rulekit.capture._snapshot cimport (
    SNAP_ACCOUNTS, SNAP_FDS, SNAP_INTERFACES, SNAP_MACHINE, SNAP_THREADS, import_block,
)
from rulekit.capture._latency cimport clock_free, clock_reset, clock_see
from rulekit.native._event cimport event_infos, n_event_types
from rulekit.state._state cimport state_reset
from rulekit.state._update cimport state_import_done

cdef enum:
    SECTION_MIN = 28
    MAX_CONVERTED = 65536    # event length, as a v2 event
    SECTION_ID = 0x0A0D0D0A
    BYTE_ORDER = 0x1A2B3C4D
    BYTE_ORDER_SWAPPED = 0x4D3C2B1A
    EV_V2_LARGE = 0x221
    EVF_V2_LARGE = 0x222
    EV_V1 = 0x204
    EV_V1_OLD = 0x8010ABCD
    EVF_V1 = 0x208

# Forms of an event block
cdef enum:
    EVENT_FLAGS = 1          # flags follow the cpu
    EVENT_V1 = 2
    EVENT_LARGE = 4
    NOT_EVENT = 8

cdef uint64_t DEFAULT_MAX_BLOCK = 256 << 20


cdef Decoder* decoder_new() noexcept nogil:
    cdef Decoder* d = <Decoder*> calloc(1, sizeof(Decoder))
    if d == NULL:
        return NULL
    d.converter = converter_new()
    if d.converter == NULL:
        free(d)
        return NULL
    d.max_block_bytes = DEFAULT_MAX_BLOCK
    d.forms = event_forms
    d.infos = event_infos
    return d


cdef void decoder_free(Decoder* d) noexcept nogil:
    if d != NULL:
        converter_free(d.converter)
        clock_free(d.clock)
        free(d)


# --- errors -------------------------------------------------------------------------------------

cdef int _error(Decoder* d, int code, const char* what) noexcept nogil:
    """Stop with a message about the stream as a whole."""
    d.error_code = code
    d.error_offset = d.base + d.pos
    snprintf(d.error, sizeof(d.error), b"%s", what)
    return NEXT_ERROR


cdef int _block_error(Decoder* d, int code, uint32_t block, const char* what, uint64_t value,
                      uint64_t limit) noexcept nogil:
    """Stop with a message about the block at the cursor."""
    d.error_code = code
    d.error_offset = d.base + d.pos
    snprintf(d.error, sizeof(d.error), b"block of type %Xh: %s (%llu, %llu)", block, what,
             <unsigned long long> value, <unsigned long long> limit)
    return NEXT_ERROR


cdef int _starved(Decoder* d, uint64_t need) noexcept nogil:
    """Say that `need` bytes from the cursor on are not there: more data, the end, or damage."""
    cdef uint64_t there = d.size - d.pos
    d.need = need
    if not d.final:
        return NEXT_NEED_DATA
    if there:
        d.error_code = ERROR_TRUNCATED
        d.error_offset = d.base + d.pos
        if there < BLOCK_HEADER:
            snprintf(d.error, sizeof(d.error),
                     b"the stream ends inside a block header (%llu of %d bytes): is the file truncated?",
                     <unsigned long long> there, <int> BLOCK_HEADER)
        else:
            snprintf(d.error, sizeof(d.error),
                     b"the stream ends inside a block of type %Xh (%llu of %llu bytes): is the file truncated?",
                     get_u32(d.data + d.pos), <unsigned long long> there, <unsigned long long> need)
        return NEXT_ERROR
    if d.mode == MODE_START:
        return _error(d, ERROR_NOT_CAPTURE, b"not a capture: there is nothing in it")
    return NEXT_END


# --- blocks that are not events -----------------------------------------------------------------

cdef int _section(Decoder* d, State* state) noexcept nogil:
    """Consume a section header; NEXT_SECTION stands for success."""
    cdef const uint8_t* p = d.data + d.pos
    cdef uint64_t there = d.size - d.pos
    cdef uint32_t total
    # Byte order first: with the wrong one the length means nothing.
    if there < 16:
        return _starved(d, 16)
    if get_u32(p + 8) == <uint32_t> BYTE_ORDER_SWAPPED:
        return _error(d, ERROR_VERSION, b"written on a big-endian machine, which is not supported")
    if get_u32(p + 8) != <uint32_t> BYTE_ORDER:
        return _error(d, ERROR_NOT_CAPTURE, b"not a capture: wrong magic in the section header")
    if get_u16(p + 12) > 1:
        d.error_code = ERROR_VERSION
        d.error_offset = d.base + d.pos
        snprintf(d.error, sizeof(d.error), b"format version %d.%d is newer than the known 1.x",
                 <int> get_u16(p + 12), <int> get_u16(p + 14))
        return NEXT_ERROR
    total = get_u32(p + 4)
    if total < SECTION_MIN:
        return _block_error(d, ERROR_BLOCK, SECTION_ID, b"too short (length, least)", total,
                            SECTION_MIN)
    if total > d.max_block_bytes:
        return _block_error(d, ERROR_BLOCK, SECTION_ID, b"too long (length, limit)", total,
                            d.max_block_bytes)
    if there < total:
        return _starved(d, total)
    if get_u32(p + total - 4) != total:
        return _block_error(d, ERROR_BLOCK, SECTION_ID, b"length is not repeated at the end",
                            total, get_u32(p + total - 4))
    d.pos += total
    if d.n_sections:
        converter_reset(d.converter)
        if d.clock != NULL:
            clock_reset(d.clock)
        if state != NULL:
            state_reset(state)
    d.n_sections += 1
    d.mode = MODE_METADATA
    return NEXT_SECTION


cdef int _snapshot_kind(uint32_t block, int* version) noexcept nogil:
    """Return the SnapshotKind of a block id, or 0."""
    version[0] = 1
    if block == 0x201 or block == <uint32_t> 0x8002ABCD:
        return SNAP_MACHINE
    if block == 0x203 or block == <uint32_t> 0x8001ABCD:
        return SNAP_FDS
    if block == 0x205 or block == <uint32_t> 0x8011ABCD:
        return SNAP_INTERFACES
    if block == 0x206 or block == <uint32_t> 0x8012ABCD:
        return SNAP_ACCOUNTS
    if block == 0x202 or block == <uint32_t> 0x8000ABCD:
        return SNAP_THREADS
    version[0] = 2
    if block == 0x218:
        return SNAP_FDS
    if block == 0x219:
        return SNAP_INTERFACES
    if block == 0x220:
        return SNAP_ACCOUNTS
    if block == 0x207 or block == <uint32_t> 0x8013ABCD:
        return SNAP_THREADS
    version[0] = 3
    if block == 0x209 or block == <uint32_t> 0x8014ABCD:
        return SNAP_THREADS
    if 0x210 <= block <= 0x215:
        version[0] = 4 + <int> (block - 0x210)
        return SNAP_THREADS
    return 0


cdef int _other_block(Decoder* d, State* state, uint32_t block) noexcept nogil:
    """Consume a section header or a metadata block; NEXT_SECTION stands for success."""
    cdef const uint8_t* p = d.data + d.pos
    cdef uint64_t there = d.size - d.pos
    cdef uint32_t total = get_u32(p + 4)
    cdef int version
    cdef int kind
    cdef const char* wrong
    cdef uint64_t offset = 0
    if block == SECTION_ID:
        return _section(d, state)
    if d.mode == MODE_START:
        return _error(d, ERROR_NOT_CAPTURE, b"not a capture: it does not begin with a section header")
    if d.mode == MODE_EVENTS:
        return _block_error(d, ERROR_BLOCK, block, b"neither an event nor a new section, could not restart (length, events before it)",
                            total, d.n_headers)
    if total < BLOCK_FRAME:
        return _block_error(d, ERROR_BLOCK, block, b"too short (length, least)", total, BLOCK_FRAME)
    if total > d.max_block_bytes:
        return _block_error(d, ERROR_BLOCK, block, b"too long (length, limit)", total,
                            d.max_block_bytes)
    if there < total:
        return _starved(d, total)
    if get_u32(p + total - 4) != total:
        return _block_error(d, ERROR_BLOCK, block, b"length is not repeated at the end", total,
                            get_u32(p + total - 4))
    kind = _snapshot_kind(block, &version)
    if kind == 0:
        d.n_unknown_blocks += 1
    else:
        wrong = import_block(state, kind, version, p + BLOCK_HEADER, total - BLOCK_FRAME, &offset)
        if wrong != NULL:
            d.error_code = ERROR_BLOCK
            d.error_offset = d.base + d.pos + BLOCK_HEADER + offset
            snprintf(d.error, sizeof(d.error), b"block of type %Xh: %s", block, wrong)
            return NEXT_ERROR
    d.pos += total
    return NEXT_SECTION


# --- events -------------------------------------------------------------------------------------

cdef inline int _event_form(uint32_t block) noexcept nogil:
    if block == EV_V2:
        return 0
    if block == EVF_V2:
        return EVENT_FLAGS
    if block == EV_V2_LARGE:
        return EVENT_LARGE
    if block == EVF_V2_LARGE:
        return EVENT_LARGE | EVENT_FLAGS
    if block == EV_V1 or block == <uint32_t> EV_V1_OLD:
        return EVENT_V1
    if block == EVF_V1:
        return EVENT_V1 | EVENT_FLAGS
    return NOT_EVENT


cdef int _count_v1(const uint8_t* lengths, uint32_t room, uint32_t known, bint wide) noexcept nogil:
    """Return the number of parameters of a v1 event, which is not stored: -1 when none fits.

    `room` bytes hold the length array and the parameters, and nothing else.
    """
    cdef uint32_t width = 4 if wide else 2
    cdef int n = <int> known
    cdef int i
    cdef uint64_t total
    while n >= 0:
        total = n * width
        if total <= room:
            for i in range(n):
                total += get_u32(lengths + 4 * i) if wide else get_u16(lengths + 2 * i)
                if total > room:
                    break
            if total == room:
                return n
            if total < room:
                return -1
        n -= 1
    return -1


cdef int _bad_event(Decoder* d, uint32_t block, uint64_t total, int code, const char* what,
                    uint64_t value, uint64_t limit) noexcept nogil:
    """Stop at an invalid event, or skip it: NEXT_SECTION stands for skipped."""
    if d.lenient:
        d.n_bad_events += 1
        d.pos += total
        return NEXT_SECTION
    return _block_error(d, code, block, what, value, limit)


cdef int decoder_next_any(Decoder* d, State* state, EventView* ev) noexcept nogil:
    cdef const uint8_t* p
    cdef const uint8_t* q
    cdef uint64_t there
    cdef uint32_t block, total, room, length, n, i, known, frame, at, end, header
    cdef uint16_t type
    cdef uint8_t shape
    cdef int form, result, event_class, counted
    d.short_end = 0
    if d.error_code != ERROR_NONE:
        return NEXT_ERROR
    while True:
        there = d.size - d.pos
        if there < BLOCK_HEADER:
            if d.mode == MODE_METADATA and d.final and there == 0:
                d.mode = MODE_EVENTS         # a section without events: its snapshot is worth having
                if state != NULL:
                    state_import_done(state)
                return NEXT_SECTION
            return _starved(d, BLOCK_HEADER)
        p = d.data + d.pos
        block = get_u32(p)
        form = _event_form(block)
        if form == NOT_EVENT:
            result = _other_block(d, state, block)
            if result != NEXT_SECTION:
                return result
            continue
        if d.mode != MODE_EVENTS:
            if d.mode == MODE_START:
                return _error(d, ERROR_NOT_CAPTURE,
                              b"not a capture: it does not begin with a section header")
            d.mode = MODE_EVENTS
            if state != NULL:
                state_import_done(state)
            return NEXT_SECTION

        total = get_u32(p + 4)
        header = V1_HEADER if form & EVENT_V1 else V2_HEADER
        frame = BLOCK_FRAME + (6 if form & EVENT_FLAGS else 2)
        if total < frame + header:
            return _block_error(d, ERROR_BLOCK, block, b"too short for an event (length, least)",
                                total, frame + header)
        if form & EVENT_LARGE:
            if total > d.max_block_bytes:
                return _block_error(d, ERROR_BLOCK, block, b"too long (length, limit)", total,
                                    d.max_block_bytes)
        elif total - BLOCK_HEADER > MAX_SMALL_BLOCK:
            return _block_error(d, ERROR_BLOCK, block, b"too long (length, limit)", total,
                                MAX_SMALL_BLOCK + BLOCK_HEADER)
        if there < total:
            return _starved(d, total)
        ev.cpu = get_u16(p + 8)
        q = p + 10
        ev.block_flags = 0
        if form & EVENT_FLAGS:
            ev.block_flags = get_u32(q)
            q += 4
        room = total - frame
        length = get_u32(q + 16)
        type = get_u16(q + 20)
        d.n_headers += 1
        if get_u32(p + total - 4) != total:
            d.n_bad_trailers += 1
        if form & EVENT_V1 and (type == 280 or type == 286):
            length -= 3                      # an old writer's mistake
        if length < header or length > room:
            result = _bad_event(d, block, total, ERROR_EVENT,
                                b"invalid event, its length does not fit (length, room)", length, room)
            if result != NEXT_SECTION:
                return result
            continue
        if type >= n_event_types:
            d.n_unknown_events += 1
            d.pos += total
            continue
        shape = type_shapes[type]
        known = shape & ~TYPE_LARGE
        q += header
        end = length - header                # bytes of lengths and parameters
        if form & EVENT_V1:
            counted = _count_v1(q, end, known, shape & TYPE_LARGE)
            if counted < 0 or length + 4 > MAX_CONVERTED:
                result = _bad_event(d, block, total, ERROR_EVENT,
                                    b"invalid event, its parameters do not fill it (type, length)",
                                    type, length)
                if result != NEXT_SECTION:
                    return result
                continue
            n = counted
            length += 4
        else:
            n = get_u32(q - 4)
        # The lengths, then the parameters; the sum is checked once it is complete.
        if shape & TYPE_LARGE:
            if n > end >> 2:
                result = _bad_event(d, block, total, ERROR_EVENT,
                                    b"invalid event, more parameters than it holds (type, parameters)",
                                    type, n)
                if result != NEXT_SECTION:
                    return result
                continue
            at = n * 4
            for i in range(n):
                length = get_u32(q + 4 * i)
                if length > end - at:
                    at = end + 1
                    break
                if i < known:
                    ev.params[i].ptr = q + at
                    ev.params[i].len = length
                at += length
        else:
            if n > end >> 1:
                result = _bad_event(d, block, total, ERROR_EVENT,
                                    b"invalid event, more parameters than it holds (type, parameters)",
                                    type, n)
                if result != NEXT_SECTION:
                    return result
                continue
            at = n * 2
            for i in range(min(n, known)):
                ev.params[i].ptr = q + at
                ev.params[i].len = get_u16(q + 2 * i)
                at += ev.params[i].len
            for i in range(min(n, known), n):
                if at > end:
                    break                    # before the sum can overflow
                at += get_u16(q + 2 * i)
        if at > end:
            result = _bad_event(d, block, total, ERROR_EVENT,
                                b"invalid event, a parameter reaches past its end (type, parameters)",
                                type, n)
            if result != NEXT_SECTION:
                return result
            continue
        ev.ts_ns = get_u64(p + frame - 4)
        ev.tid = <int64_t> get_u64(p + frame + 4)
        ev.raw = d.n_headers
        ev.type = type
        ev.info = &event_infos[type]
        ev.nparams = min(n, known)
        if d.clock != NULL:
            clock_see(d.clock, ev.tid, ev.ts_ns, type)

        event_class = event_classes[type * CLASS_COLUMNS + min(n, <uint32_t> CLASS_COLUMNS - 1)]
        if event_class != CLASS_DELIVER:
            if event_class == CLASS_LOSS:
                d.n_drops += 1
            elif event_class == CLASS_DROP:
                d.pos += total
                continue
            else:
                result = _outdated(d, ev, block, total, n, end + V2_HEADER, event_class)
                if result == NEXT_SECTION:
                    continue
                if result == NEXT_ERROR:
                    return result
        d.pos += total
        d.n_delivered += 1
        ev.num = d.n_delivered
        # Who times calls must see the enter events that the short way drops.
        if d.clock == NULL and d.size > SHORT_WAY_BYTES:
            d.short_end = d.size - SHORT_WAY_BYTES
        return NEXT_EVENT


cdef int _outdated(Decoder* d, EventView* ev, uint32_t block, uint32_t total, uint32_t n,
                   uint64_t length, int event_class) noexcept nogil:
    """Convert an event: NEXT_EVENT to deliver it, NEXT_SECTION when it is dealt with."""
    cdef int result
    if length > MAX_CONVERTED:
        return _bad_event(d, block, total, ERROR_CONVERSION,
                          b"outdated event is too long to be converted (type, length)", ev.type,
                          length)
    if event_class == CLASS_PLAN:
        result = convert(d.converter, ev, n)
        if result == CONVERT_DELIVER:
            return NEXT_EVENT
        if result == CONVERT_SKIP:
            d.pos += total
            return NEXT_SECTION
    else:
        result = -1
    if result == CONVERT_NO_RULE or event_class == CLASS_NO_RULE:
        return _bad_event(d, block, total, ERROR_CONVERSION,
                          b"no conversion is known for this form of event (type, parameters)",
                          ev.type, n)
    return _bad_event(d, block, total, ERROR_CONVERSION,
                      b"event has more parameters than its type knows (type, parameters)",
                      ev.type, n)
