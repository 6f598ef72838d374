# Event blocks written into memory, for sources that have other events than those of a capture.

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memcpy, memset

from rulekit.native._scratch cimport Buf, buf_reserve

cdef enum:
    WRITE_ROOM = 65536 + 64  # bytes of the longest event block

# An event being written. Parameters come in order, each once; one that does not fit is left empty and
# counted in `n_cut`.
cdef struct EventWriter:
    Buf* out                 # the reader's
    size_t start             # of the block in `out`
    uint8_t* lengths
    uint8_t* at
    uint8_t* end             # of the room
    uint32_t left            # parameters to come
    uint32_t width           # of a length
    uint64_t n_cut

cdef void write_section(Buf* out, const char* hostname, uint32_t length) noexcept nogil
# False: no memory.
cdef bint event_begin(EventWriter* w, Buf* out, uint16_t type, uint32_t flags, uint64_t ts_ns, int64_t tid, uint32_t n,
                      bint large) noexcept nogil
cdef void event_end(EventWriter* w) noexcept nogil         # parameters that did not come are empty


cdef inline void _length(EventWriter* w, uint32_t length) noexcept nogil:
    memcpy(w.lengths, &length, w.width)      # little-endian: the low bytes
    w.lengths += w.width
    w.left -= 1


cdef inline void param_empty(EventWriter* w) noexcept nogil:
    _length(w, 0)


cdef inline void param_bytes(EventWriter* w, const void* data, uint32_t length) noexcept nogil:
    if length > w.end - w.at:
        w.n_cut += 1
        length = 0
    memcpy(w.at, data, length)
    w.at += length
    _length(w, length)


cdef inline void param_text(EventWriter* w, const char* text, uint32_t length) noexcept nogil:
    # With its final NUL.
    if length >= w.end - w.at:
        w.n_cut += 1
        _length(w, 0)
        return
    memcpy(w.at, text, length)
    w.at[length] = 0
    w.at += length + 1
    _length(w, length + 1)


cdef inline void param_number(EventWriter* w, uint64_t value, uint32_t width) noexcept nogil:
    if <int64_t> width > w.end - w.at:
        w.n_cut += 1
        width = 0
    memcpy(w.at, &value, width)
    w.at += width
    _length(w, width)
