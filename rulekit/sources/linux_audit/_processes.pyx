"""The table of processes of a log, bounded: the one that was not heard of longest makes room."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

cdef enum:
    N_BUCKETS = 131072


cdef Processes* processes_new(uint64_t seed) noexcept nogil:
    cdef Processes* table = <Processes*> calloc(1, sizeof(Processes))
    if table == NULL:
        return NULL
    table.items = <Process*> malloc(MAX_PROCESSES * sizeof(Process))
    table.buckets = <uint32_t*> malloc(N_BUCKETS * sizeof(uint32_t))
    table.births = <Birth*> calloc(N_BIRTHS, sizeof(Birth))
    if table.items == NULL or table.buckets == NULL or table.births == NULL:
        processes_free(table)
        return NULL
    memset(table.buckets, 0xff, N_BUCKETS * sizeof(uint32_t))
    table.free = table.oldest = table.newest = NOBODY
    table.seed = seed
    return table


cdef void processes_free(Processes* table) noexcept nogil:
    if table != NULL:
        free(table.items)
        free(table.buckets)
        free(table.births)
        free(table)


cdef inline uint32_t _bucket(const Processes* table, int64_t pid) noexcept nogil:
    return <uint32_t> (((<uint64_t> pid ^ table.seed) * <uint64_t> 0x9E3779B97F4A7C15) >> 40) & (N_BUCKETS - 1)


cdef inline void _leave(Processes* table, Process* process) noexcept nogil:
    if process.older != NOBODY:
        table.items[process.older].newer = process.newer
    else:
        table.oldest = process.newer
    if process.newer != NOBODY:
        table.items[process.newer].older = process.older
    else:
        table.newest = process.older


cdef inline void _join(Processes* table, Process* process) noexcept nogil:
    cdef uint32_t at = <uint32_t> (process - table.items)
    process.older = table.newest
    process.newer = NOBODY
    if table.newest != NOBODY:
        table.items[table.newest].newer = at
    else:
        table.oldest = at
    table.newest = at


cdef Process* find_process(Processes* table, int64_t pid) noexcept nogil:
    cdef uint32_t at = table.newest
    cdef Process* process
    if at != NOBODY and table.items[at].pid == pid:
        return &table.items[at]
    at = table.buckets[_bucket(table, pid)]
    while at != NOBODY:
        process = &table.items[at]
        if process.pid == pid:
            _leave(table, process)
            _join(table, process)
            return process
        at = process.next
    return NULL


cdef bint has_process(const Processes* table, int64_t pid) noexcept nogil:
    cdef uint32_t at = table.buckets[_bucket(table, pid)]
    while at != NOBODY:
        if table.items[at].pid == pid:
            return True
        at = table.items[at].next
    return False


cdef Process* least_used(Processes* table) noexcept nogil:
    if table.n < MAX_PROCESSES:
        return NULL
    return &table.items[table.oldest]


cdef Process* add_process(Processes* table, int64_t pid) noexcept nogil:
    cdef uint32_t at
    cdef uint32_t bucket = _bucket(table, pid)
    cdef Process* process
    if table.free != NOBODY:
        at = table.free
        table.free = table.items[at].next
    else:
        at = table.used
        table.used += 1
    process = &table.items[at]
    memset(process, 0, sizeof(Process))
    process.pid = pid
    process.ppid = -2
    process.auid = process.euid = process.egid = <uint32_t> -2       # told nothing, not even "unset"
    process.next = table.buckets[bucket]
    table.buckets[bucket] = at
    table.n += 1
    _join(table, process)
    return process


cdef void drop_process(Processes* table, Process* process) noexcept nogil:
    cdef uint32_t at = <uint32_t> (process - table.items)
    cdef uint32_t* link = &table.buckets[_bucket(table, process.pid)]
    while link[0] != at:
        link = &table.items[link[0]].next
    link[0] = process.next
    _leave(table, process)
    process.next = table.free
    table.free = at
    table.n -= 1


cdef void note_birth(Processes* table, int64_t pid, int64_t parent, uint64_t time_ms) noexcept nogil:
    cdef Birth* birth = &table.births[pid & (N_BIRTHS - 1)]
    birth.pid = pid
    birth.parent = parent
    birth.time_ms = time_ms


cdef Birth* birth_of(Processes* table, int64_t pid) noexcept nogil:
    cdef Birth* birth = &table.births[pid & (N_BIRTHS - 1)]
    return birth if birth.pid == pid and pid > 0 else NULL


cdef uint64_t hash_text(const Processes* table, const char* text, uint32_t length) noexcept nogil:
    cdef uint64_t hash = table.seed ^ length
    cdef uint64_t word
    while length >= 8:
        memcpy(&word, text, 8)
        hash = (hash ^ word) * <uint64_t> 0x9E3779B97F4A7C15
        hash ^= hash >> 29
        text += 8
        length -= 8
    if length:
        word = 0
        memcpy(&word, text, length)
        hash = (hash ^ word) * <uint64_t> 0xD6E8FEB86659FD93
        hash ^= hash >> 32
    return hash | 1
