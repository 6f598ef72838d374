# hot: every event passes here
# Scratch memory of one event, and the growing buffer.

from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, strlen

cdef enum:
    BLOCK_BYTES = 64 * 1024
    HEADER = (sizeof(ScratchBlock) + 15) & ~15


cdef ScratchBlock* _new_block(size_t payload) noexcept nogil:
    cdef ScratchBlock* block
    if payload > (<size_t> -1) - HEADER:
        return NULL
    block = <ScratchBlock*> malloc(HEADER + payload)
    if block != NULL:
        block.next = NULL
        block.size = payload
        block.used = 0
    return block


cdef bint scratch_init(Scratch* s) noexcept nogil:
    s.first = _new_block(BLOCK_BYTES)
    s.current = s.first
    s.used = False
    return s.first != NULL


cdef void scratch_free(Scratch* s) noexcept nogil:
    cdef ScratchBlock* block = s.first
    cdef ScratchBlock* following
    while block != NULL:
        following = block.next
        free(block)
        block = following
    s.first = NULL
    s.current = NULL


cdef void scratch_reset(Scratch* s) noexcept nogil:
    # Further blocks are given back: one unusual event must not pin its memory for the whole run.
    cdef ScratchBlock* block
    cdef ScratchBlock* following
    s.used = False
    if s.first == NULL:
        return
    block = s.first.next
    while block != NULL:
        following = block.next
        free(block)
        block = following
    s.first.next = NULL
    s.first.used = 0
    s.current = s.first


cdef void* scratch_alloc(Scratch* s, size_t size) noexcept nogil:
    cdef ScratchBlock* block = s.current
    cdef ScratchBlock* fresh
    cdef size_t start
    if block == NULL or size > (<size_t> -1) // 2:
        return NULL
    size = (size + 15) & ~(<size_t> 15)
    if size > block.size - block.used:
        fresh = _new_block(size if size > BLOCK_BYTES else BLOCK_BYTES)
        if fresh == NULL:
            return NULL
        block.next = fresh
        s.current = fresh
        block = fresh
    s.used = True
    start = block.used
    block.used += size
    return <char*> block + HEADER + start


cdef void buf_free(Buf* b) noexcept nogil:
    free(b.ptr)
    b.ptr = NULL
    b.len = 0
    b.cap = 0
    b.failed = False


cdef bint buf_reserve(Buf* b, size_t extra) noexcept nogil:
    cdef size_t wanted
    cdef char* ptr
    if b.failed:
        return False
    if extra <= b.cap - b.len:
        return True
    if extra > (<size_t> -1) // 4 - b.len:
        b.failed = True
        return False
    wanted = b.cap * 2 if b.cap else 256
    if wanted < b.len + extra:
        wanted = b.len + extra
    ptr = <char*> realloc(b.ptr, wanted)
    if ptr == NULL:
        b.failed = True
        return False
    b.ptr = ptr
    b.cap = wanted
    return True


cdef void buf_put(Buf* b, const char* text, size_t length) noexcept nogil:
    if length and buf_reserve(b, length):
        memcpy(b.ptr + b.len, text, length)
        b.len += length


cdef void buf_puts(Buf* b, const char* text) noexcept nogil:
    buf_put(b, text, strlen(text))


cdef void buf_putc(Buf* b, char c) noexcept nogil:
    if buf_reserve(b, 1):
        b.ptr[b.len] = c
        b.len += 1


cdef void buf_u64(Buf* b, unsigned long long value) noexcept nogil:
    cdef char digits[20]
    cdef int i = 20
    while True:
        i -= 1
        digits[i] = <char> (48 + value % 10)
        value //= 10
        if value == 0:
            break
    buf_put(b, digits + i, 20 - i)


cdef void buf_i64(Buf* b, long long value) noexcept nogil:
    if value < 0:
        buf_putc(b, 45)
        buf_u64(b, 0 - <unsigned long long> value)
    else:
        buf_u64(b, <unsigned long long> value)
