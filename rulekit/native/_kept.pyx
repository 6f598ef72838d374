# hot: every event passes here
# Blocks of words that exist once, with room for answers derived from them.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from rulekit.native._text cimport text_hash


cdef bint kept_init(KeptTable* table) noexcept nogil:
    table.mask = 255
    table.n = 0
    table.buckets = <Kept**> calloc(256, sizeof(Kept*))
    return table.buckets != NULL


cdef void _grow(KeptTable* table) noexcept nogil:
    # Without memory chains only get longer.
    cdef uint32_t i, size = (table.mask + 1) * 2
    cdef Kept** grown = <Kept**> calloc(size, sizeof(Kept*))
    cdef Kept* each
    cdef Kept* following
    if grown == NULL:
        return
    for i in range(table.mask + 1):
        each = table.buckets[i]
        while each != NULL:
            following = each.next
            each.next = grown[each.hash & (size - 1)]
            grown[each.hash & (size - 1)] = each
            each = following
    free(table.buckets)
    table.buckets = grown
    table.mask = size - 1


cdef Kept* kept_alone(uint32_t n) noexcept nogil:
    cdef Kept* kept = <Kept*> calloc(1, sizeof(Kept) + n * sizeof(uint64_t))
    if kept != NULL:
        kept.n = n
    return kept


cdef Kept* kept_find(const KeptTable* table, const uint64_t* words, uint32_t n) noexcept nogil:
    cdef uint64_t hash = text_hash(<const char*> words, n * 8)
    cdef Kept* kept = table.buckets[hash & table.mask]
    while kept != NULL:
        if kept.hash == hash and kept.n == n and memcmp(kept_words(kept), words, n * 8) == 0:
            break
        kept = kept.next
    return kept


cdef Kept* kept_share(KeptTable* table, const uint64_t* words, uint32_t n, bint* made) noexcept nogil:
    cdef uint64_t hash = text_hash(<const char*> words, n * 8)
    cdef Kept* kept = table.buckets[hash & table.mask]
    made[0] = False
    while kept != NULL:
        if kept.hash == hash and kept.n == n and memcmp(kept_words(kept), words, n * 8) == 0:
            return kept
        kept = kept.next
    kept = kept_alone(n)
    if kept == NULL:
        return NULL
    made[0] = True
    kept.hash = hash
    memcpy(kept_words(kept), words, n * 8)
    if table.n > table.mask:
        _grow(table)
    kept.next = table.buckets[hash & table.mask]
    table.buckets[hash & table.mask] = kept
    table.n += 1
    return kept


cdef void kept_drop_answers(Kept* kept, uint32_t n_answers) noexcept nogil:
    cdef uint32_t i
    if kept != NULL and kept.answers != NULL:
        for i in range(n_answers):
            if not <uint64_t> kept.answers[i] >> ANSWER_INSIDE:
                free(kept.answers[i])
        free(kept.answers)
        kept.answers = NULL


cdef void kept_clear(KeptTable* table, uint32_t n_answers) noexcept nogil:
    cdef uint32_t i
    cdef Kept* each
    cdef Kept* following
    if table.buckets == NULL:
        return
    for i in range(table.mask + 1):
        each = table.buckets[i]
        while each != NULL:
            following = each.next
            kept_drop_answers(each, n_answers)
            free(each)
            each = following
        table.buckets[i] = NULL
    table.n = 0


cdef void kept_free(KeptTable* table, uint32_t n_answers) noexcept nogil:
    kept_clear(table, n_answers)
    free(table.buckets)
    table.buckets = NULL
