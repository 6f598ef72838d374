# Comparisons of byte strings as conditions mean them, and sets of literals.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy


cdef inline uint32_t text_length(const char* text, uint32_t length) noexcept nogil:
    """Return the length up to the first NUL: texts end there."""
    cdef const void* end = memchr(text, 0, length) if length else NULL
    return length if end == NULL else <uint32_t> (<const char*> end - text)


cdef inline bint text_equals(const char* a, uint32_t n, const char* b, uint32_t m) noexcept nogil:
    return n == m and memcmp(a, b, n) == 0


cdef inline bint text_starts(const char* a, uint32_t n, const char* b, uint32_t m) noexcept nogil:
    return n >= m and memcmp(a, b, m) == 0


cdef inline bint text_ends(const char* a, uint32_t n, const char* b, uint32_t m) noexcept nogil:
    return n >= m and memcmp(a + (n - m), b, m) == 0


cdef int text_order(const char* a, uint32_t n, const char* b, uint32_t m) noexcept nogil  # <0, 0, >0
cdef bint text_contains(const char* a, uint32_t n, const char* b, uint32_t m) noexcept nogil
cdef bint text_icontains(const char* a, uint32_t n, const char* b, uint32_t m) noexcept nogil
cdef bint text_globs(const char* text, uint32_t n, const char* pattern, uint32_t m, bint fold) noexcept nogil
cdef bint text_has_glob(const char* pattern, uint32_t m) noexcept nogil
cdef bint text_path_matches(const char* value, uint32_t n, const char* path, uint32_t m) noexcept nogil
cdef uint64_t text_hash(const char* text, uint32_t n) noexcept nogil


# A run of literals in a pool: number i is pool[offsets[i]:offsets[i + 1]]. Owner: the program.
cdef struct Texts:
    const char* pool
    const uint64_t* offsets

cdef inline const char* texts_ptr(const Texts* texts, uint32_t i) noexcept nogil:
    return texts.pool + texts.offsets[i]

cdef inline uint32_t texts_len(const Texts* texts, uint32_t i) noexcept nogil:
    return <uint32_t> (texts.offsets[i + 1] - texts.offsets[i])


cdef struct TextSet:          # open addressing; a slot is hash << 32 | number + 1, 0: free
    const Texts* texts
    uint64_t* slots           # owned
    uint32_t mask
    uint64_t lengths          # bit min(length, 63) of every member

cdef bint textset_init(TextSet* s, const Texts* texts, uint32_t capacity) noexcept nogil  # False: no memory
cdef void textset_add(TextSet* s, uint32_t number) noexcept nogil    # at most `capacity` times
cdef void textset_free(TextSet* s) noexcept nogil
cdef uint32_t textset_find(const TextSet* s, const char* text, uint32_t n) noexcept nogil  # number + 1, or 0
