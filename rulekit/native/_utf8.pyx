# hot: every event passes here
"""Bytes as valid UTF-8: paths and arguments are bytes in no particular encoding."""

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy, memset

from rulekit.native._scratch cimport buf_free, buf_put

cdef uint64_t HIGH_BITS = <uint64_t> 0x8080808080808080ULL


cdef inline size_t _ascii(const char* text, size_t length) noexcept nogil:
    """Return how many bytes at the start are ASCII."""
    cdef size_t i = 0
    cdef uint64_t word
    while i + 8 <= length:
        memcpy(&word, text + i, 8)
        if word & HIGH_BITS:
            break
        i += 8
    while i < length and not <uint8_t> text[i] & 0x80:
        i += 1
    return i


cdef inline size_t _sequence(const uint8_t* text, size_t length, bint* valid) noexcept nogil:
    """Return the length of the sequence that begins here; of its longest sound part if it is invalid."""
    cdef uint8_t lead = text[0]
    cdef uint8_t low = 0x80, high = 0xBF
    cdef size_t need, i
    valid[0] = False
    if 0xC2 <= lead <= 0xDF:
        need = 2
    elif 0xE0 <= lead <= 0xEF:
        need = 3
        if lead == 0xE0:
            low = 0xA0
        elif lead == 0xED:
            high = 0x9F              # no surrogates
    elif 0xF0 <= lead <= 0xF4:
        need = 4
        if lead == 0xF0:
            low = 0x90
        elif lead == 0xF4:
            high = 0x8F
    else:
        return 1
    for i in range(1, need):
        if i >= length or not low <= text[i] <= high:
            return i
        low = 0x80
        high = 0xBF
    valid[0] = True
    return need


cdef void put_utf8(Buf* out, const char* text, size_t length) noexcept nogil:
    cdef size_t start = 0
    cdef size_t at = 0
    cdef size_t size
    cdef bint valid = True
    while True:
        at += _ascii(text + at, length - at)
        if at >= length:
            break
        size = _sequence(<const uint8_t*> text + at, length - at, &valid)
        if not valid:
            buf_put(out, text + start, at - start)
            buf_put(out, "\xef\xbf\xbd", 3)
            start = at + size
        at += size
    buf_put(out, text + start, length - start)


cdef bint utf8_valid(const char* text, size_t length) noexcept nogil:
    cdef size_t at = 0
    cdef bint valid = True
    while True:
        at += _ascii(text + at, length - at)
        if at >= length:
            return True
        at += _sequence(<const uint8_t*> text + at, length - at, &valid)
        if not valid:
            return False


def check_utf8(bytes text):
    """Return a text as `put_utf8` appends it, for tests."""
    cdef Buf out
    memset(&out, 0, sizeof(out))
    put_utf8(&out, text, len(text))
    try:
        if out.failed:
            raise MemoryError
        return out.ptr[:out.len] if out.len else b""
    finally:
        buf_free(&out)
