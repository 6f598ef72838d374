"""Event blocks written into memory, for sources that have other events than those of a capture."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t, uint8_t
from libc.string cimport memcpy, memset

cdef enum:
    SECTION_BYTES = 28
    MACHINE_BYTES = 192
    EV_V2 = 0x216
    EVF_V2 = 0x217
    EVF_V2_LARGE = 0x222


cdef inline void _u32(uint8_t* p, uint32_t value) noexcept nogil:
    memcpy(p, &value, 4)


cdef void write_section(Buf* out, const char* hostname, uint32_t length) noexcept nogil:
    # A section header, and a machine of which only the name is known.
    cdef uint8_t* p
    if not buf_reserve(out, SECTION_BYTES + MACHINE_BYTES):
        return
    p = <uint8_t*> out.ptr + out.len
    memset(p, 0, SECTION_BYTES + MACHINE_BYTES)
    _u32(p, 0x0A0D0D0A)
    _u32(p + 4, SECTION_BYTES)
    _u32(p + 8, 0x1A2B3C4D)
    _u32(p + 12, 1 | 2 << 16)
    memset(p + 16, 0xff, 8)
    _u32(p + 24, SECTION_BYTES)
    p += SECTION_BYTES
    _u32(p, 0x201)
    _u32(p + 4, MACHINE_BYTES)
    memcpy(p + 28, hostname, length if length < 127 else 127)
    _u32(p + MACHINE_BYTES - 4, MACHINE_BYTES)
    out.len += SECTION_BYTES + MACHINE_BYTES


cdef bint event_begin(EventWriter* w, Buf* out, uint16_t type, uint32_t flags, uint64_t ts_ns, int64_t tid, uint32_t n,
                      bint large) noexcept nogil:
    cdef uint8_t* p
    if not buf_reserve(out, WRITE_ROOM):
        return False
    w.out = out
    w.start = out.len
    p = <uint8_t*> out.ptr + out.len
    w.end = p + WRITE_ROOM - 72
    w.left = n
    w.n_cut = 0
    w.width = 4 if large else 2
    _u32(p, EVF_V2_LARGE if large else EVF_V2 if flags else EV_V2)
    memset(p + 8, 0, 2)                      # nobody knows the processor
    p += 10
    if flags or large:
        _u32(p, flags)
        p += 4
    memcpy(p, &ts_ns, 8)
    memcpy(p + 8, &tid, 8)
    memcpy(p + 20, &type, 2)
    _u32(p + 22, n)
    w.lengths = p + 26
    w.at = w.lengths + n * w.width
    return True


cdef void event_end(EventWriter* w) noexcept nogil:
    cdef uint8_t* p = <uint8_t*> w.out.ptr + w.start
    cdef uint32_t head = 14
    cdef uint32_t block, total
    while w.left:
        _length(w, 0)
    memcpy(&block, p, 4)
    if block == EV_V2:
        head = 10
    _u32(p + head + 16, <uint32_t> (w.at - p) - head)
    total = <uint32_t> (w.at - p)
    while total & 3:
        p[total] = 0
        total += 1
    total += 4
    _u32(p + 4, total)
    _u32(p + total - 4, total)
    w.out.len = w.start + total
