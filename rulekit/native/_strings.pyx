# hot: every event passes here
# Interned strings: a chained hash table with mark and sweep.

import os

from libc.stdint cimport UINT32_MAX, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy

cdef extern from *:
    """
    static inline uint64_t rk_fold(uint64_t a, uint64_t b)
    {
        __uint128_t product = (__uint128_t) a * b;
        return (uint64_t) product ^ (uint64_t) (product >> 64);
    }
    static inline uint64_t rk_load8(const char *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    static inline uint64_t rk_load4(const char *p) { uint32_t v; memcpy(&v, p, 4); return v; }
    """
    uint64_t rk_fold(uint64_t a, uint64_t b) noexcept nogil
    uint64_t rk_load8(const char* p) noexcept nogil
    uint64_t rk_load4(const char* p) noexcept nogil

cdef enum:
    FIRST_BUCKETS = 4096
    MAX_BUCKETS = 1 << 26
    OVERHEAD_BYTES = 64      # what a string costs beside its bytes: counted, or tiny ones escape the limit

# Keyed, so that a crafted capture cannot pile its paths into one bucket.
cdef uint64_t _seed = int.from_bytes(os.urandom(8), "little")

cdef uint64_t K0 = 0x9E3779B97F4A7C15ULL
cdef uint64_t K1 = 0xD1B54A32D192ED03ULL
cdef uint64_t K2 = 0x8CB92BA72F3D8DD7ULL


cdef inline uint32_t _hash(const char* text, size_t length) noexcept nogil:
    cdef uint64_t h = _seed ^ (<uint64_t> length * K0)
    cdef uint64_t a, b
    cdef const char* p = text
    cdef size_t left = length
    while left > 16:
        h = rk_fold(rk_load8(p) ^ K1, rk_load8(p + 8) ^ h)
        p += 16
        left -= 16
    if left >= 8:
        a = rk_load8(p)
        b = rk_load8(p + left - 8)
    elif left >= 4:
        a = rk_load4(p)
        b = rk_load4(p + left - 4)
    elif left:
        a = ((<uint64_t> <unsigned char> p[0] << 16) | (<uint64_t> <unsigned char> p[left >> 1] << 8)
             | <uint64_t> <unsigned char> p[left - 1])
        b = 0
    else:
        a = 0
        b = 0
    h = rk_fold(a ^ K2, b ^ h ^ K1)
    return <uint32_t> (h ^ (h >> 32))


cdef void _grow(StrTable* table) noexcept nogil:
    # Failing to grow only makes chains longer.
    cdef uint32_t n = table.n_buckets * 2
    cdef uint32_t i
    cdef Str** buckets
    cdef Str* text
    cdef Str* following
    cdef Str** slot
    if n > MAX_BUCKETS:
        return
    buckets = <Str**> calloc(n, sizeof(Str*))
    if buckets == NULL:
        return
    for i in range(table.n_buckets):
        text = table.buckets[i]
        while text != NULL:
            following = text.next
            slot = &buckets[text.hash & (n - 1)]
            text.next = slot[0]
            slot[0] = text
            text = following
    free(table.buckets)
    table.buckets = buckets
    table.n_buckets = n


cdef void strtab_look(StrTable* table) noexcept nogil:
    # Near the hard limit size says nothing any more: there only a run of refusals asks again.
    table.due = (table.n_bytes > table.soft_limit_bytes
                 or table.n_refused - table.refused_at_sweep > REFUSALS_PER_SWEEP)


cdef Str* _refuse(StrTable* table) noexcept nogil:
    table.n_refused += 1
    strtab_look(table)
    return NULL


cdef Str* _add(StrTable* table, const char* text, size_t length, uint32_t h) noexcept nogil:
    cdef Str* s
    cdef Str** slot
    cdef char* payload
    if length >= UINT32_MAX or table.n_bytes + length + OVERHEAD_BYTES > table.hard_limit_bytes:
        return _refuse(table)
    s = <Str*> malloc(sizeof(Str) + length + 1)
    if s == NULL:
        return _refuse(table)
    payload = <char*> s + sizeof(Str)
    if length:
        memcpy(payload, text, length)
    payload[length] = 0
    s.ptr = payload
    s.len = <uint32_t> length
    s.hash = h
    if table.n_free_ids:
        table.n_free_ids -= 1
        s.id = table.free_ids[table.n_free_ids]
    else:
        s.id = table.next_id
        table.next_id += 1
    s.mark = table.epoch
    s.facts_version = 0
    s.flags = 0
    s.facts = NULL
    slot = &table.buckets[h & (table.n_buckets - 1)]
    s.next = slot[0]
    slot[0] = s
    table.n_strings += 1
    table.n_bytes += length + OVERHEAD_BYTES
    strtab_look(table)
    if table.n_strings > table.n_buckets:
        _grow(table)
    return s


cdef inline Str* _find(StrTable* table, const char* text, size_t length, uint32_t h) noexcept nogil:
    cdef Str* s = table.buckets[h & (table.n_buckets - 1)]
    while s != NULL:
        if s.hash == h and s.len == length and memcmp(s.ptr, text, length) == 0:
            return s
        s = s.next
    return NULL


cdef Str* intern(StrTable* table, const char* text, size_t length) noexcept nogil:
    cdef uint32_t h
    cdef Str* s
    if length == 0:
        return table.empty
    h = _hash(text, length)
    s = _find(table, text, length, h)
    if s == NULL:
        s = _add(table, text, length, h)
        if s == NULL:
            return table.empty
    return s


cdef Str* intern_permanent(StrTable* table, const char* text, size_t length) noexcept nogil:
    cdef Str* s = intern(table, text, length)
    s.mark = UINT32_MAX
    return s


cdef StrTable* strtab_new(uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) noexcept nogil:
    cdef StrTable* table = <StrTable*> calloc(1, sizeof(StrTable))
    if table == NULL:
        return NULL
    table.buckets = <Str**> calloc(FIRST_BUCKETS, sizeof(Str*))
    if table.buckets == NULL:
        free(table)
        return NULL
    table.n_buckets = FIRST_BUCKETS
    table.first_soft_limit_bytes = soft_limit_bytes
    table.soft_limit_bytes = soft_limit_bytes
    table.hard_limit_bytes = hard_limit_bytes if hard_limit_bytes > 4096 else 4096
    table.epoch = 1
    table.empty = _add(table, b"", 0, _hash(b"", 0))
    table.na = _add(table, b"<NA>", 4, _hash(b"<NA>", 4))
    if table.empty == NULL or table.na == NULL:
        strtab_free(table)
        return NULL
    table.empty.mark = UINT32_MAX
    table.na.mark = UINT32_MAX
    return table


cdef void strtab_free(StrTable* table) noexcept nogil:
    cdef uint32_t i
    cdef Str* s
    cdef Str* following
    if table == NULL:
        return
    for i in range(table.n_buckets):
        s = table.buckets[i]
        while s != NULL:
            following = s.next
            free(s.facts)
            free(s)
            s = following
    free(table.buckets)
    free(table.free_ids)
    free(table)


cdef void strtab_begin(StrTable* table) noexcept nogil:
    table.epoch += 1


cdef void _keep_id(StrTable* table, uint32_t id) noexcept nogil:
    cdef uint32_t n
    cdef uint32_t* ids
    if table.n_free_ids == table.cap_free_ids:
        n = table.cap_free_ids * 2 if table.cap_free_ids else 1024
        ids = <uint32_t*> realloc(table.free_ids, n * sizeof(uint32_t))
        if ids == NULL:
            return
        table.free_ids = ids
        table.cap_free_ids = n
    table.free_ids[table.n_free_ids] = id
    table.n_free_ids += 1


cdef void strtab_end(StrTable* table) noexcept nogil:
    cdef uint32_t i
    cdef Str* s
    cdef Str** link
    cdef uint64_t limit
    for i in range(table.n_buckets):
        link = &table.buckets[i]
        while link[0] != NULL:
            s = link[0]
            if s.mark >= table.epoch:
                link = &s.next
                continue
            link[0] = s.next
            table.n_bytes -= s.len + OVERHEAD_BYTES
            table.n_strings -= 1
            table.n_collected += 1
            _keep_id(table, s.id)
            free(s.facts)
            free(s)
    # What is in use decides when to look again, so that a full table is not swept at each event.
    limit = table.n_bytes + table.n_bytes // 2
    if limit < table.first_soft_limit_bytes:
        limit = table.first_soft_limit_bytes
    if limit > table.hard_limit_bytes:
        limit = table.hard_limit_bytes
    table.soft_limit_bytes = limit
    table.refused_at_sweep = table.n_refused
    strtab_look(table)
