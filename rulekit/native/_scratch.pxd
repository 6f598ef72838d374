# Scratch memory of one event: bump allocation, everything is given back at once.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t


cdef struct ScratchBlock:
    ScratchBlock* next
    size_t size
    size_t used
    # payload follows


cdef struct Scratch:
    ScratchBlock* first   # owned; kept across resets
    ScratchBlock* current
    bint used             # something was handed out since the last reset


cdef bint scratch_init(Scratch* s) noexcept nogil
cdef void scratch_free(Scratch* s) noexcept nogil
cdef void scratch_reset(Scratch* s) noexcept nogil
cdef void* scratch_alloc(Scratch* s, size_t size) noexcept nogil       # 16-byte aligned; NULL: no memory


# A growing byte buffer, malloc'ed; `failed` is set instead of raising.
cdef struct Buf:
    char* ptr
    size_t len
    size_t cap
    bint failed

cdef void buf_free(Buf* b) noexcept nogil
cdef bint buf_reserve(Buf* b, size_t extra) noexcept nogil
cdef void buf_put(Buf* b, const char* text, size_t length) noexcept nogil
cdef void buf_puts(Buf* b, const char* text) noexcept nogil
cdef void buf_putc(Buf* b, char c) noexcept nogil
cdef void buf_u64(Buf* b, unsigned long long value) noexcept nogil
cdef void buf_i64(Buf* b, long long value) noexcept nogil
