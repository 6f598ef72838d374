# Blocks of words that exist once, with room for answers derived from them. A cache: nothing refers to
# a block for longer than its table lives uncleared.

from libc.stdint cimport uint32_t, uint64_t

# Bit of an entry of `answers` that is itself the answer, in its other 63 bits, instead of an address.
cdef enum:
    ANSWER_INSIDE = 63

cdef struct Kept:
    Kept* next           # chain of the hash bucket
    uint64_t hash
    uint64_t** answers   # owned, each entry too but those with ANSWER_INSIDE; NULL: none yet
    uint32_t n           # words that follow this struct

cdef struct KeptTable:
    Kept** buckets       # owned
    uint32_t mask
    uint32_t n

cdef inline uint64_t* kept_words(Kept* kept) noexcept nogil:
    return <uint64_t*> (kept + 1)

cdef bint kept_init(KeptTable* table) noexcept nogil                   # False: no memory
cdef void kept_clear(KeptTable* table, uint32_t n_answers) noexcept nogil
cdef void kept_free(KeptTable* table, uint32_t n_answers) noexcept nogil
cdef void kept_drop_answers(Kept* kept, uint32_t n_answers) noexcept nogil
# The block equal to words[0:n], or NULL.
cdef Kept* kept_find(const KeptTable* table, const uint64_t* words, uint32_t n) noexcept nogil
# The same, made when missing (then `made` is set). NULL: no memory.
cdef Kept* kept_share(KeptTable* table, const uint64_t* words, uint32_t n, bint* made) noexcept nogil
cdef Kept* kept_alone(uint32_t n) noexcept nogil                       # zeros, in no table; free it with free()
