"""Events in groups: which processes, files or connections, how often and how much.

A key is the text of each key field, as outputs print it, with its length and kind before it. Events
for which a key is null belong to no group. What a group adds up to is kept as a double: whole numbers
are exact up to 2**53.
"""

from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memcmp, memcpy

from rulekit.native._scratch cimport buf_free, buf_put
from rulekit.native._text cimport text_hash, text_order
from rulekit.state._fields cimport (
    V_BOOL, V_DOUBLE, V_INT, V_NULL, V_UINT, Value, extract_printed, render_extracted,
)
from rulekit.state._render cimport put_value
from rulekit.state._transform cimport OPERAND_FIELD, eval_operand, free_operand, make_operand

cdef enum:
    FIRST_BUCKETS = 1024
    MAX_STEPS = 128          # keys made to collide must not make each look-up a search of the table

cdef struct KeyPart:         # stands before the text of each key
    uint32_t length
    uint8_t kind             # ValueKind
    uint8_t pad[3]

# qsort passes no context; sorting is done with the GIL held.
cdef const char* _sorted_pool
cdef uint32_t _sorted_parts


cdef int _by_total(const void* a, const void* b) noexcept nogil:
    cdef const Bucket* x = (<const Bucket**> a)[0]
    cdef const Bucket* y = (<const Bucket**> b)[0]
    cdef const char* p = _sorted_pool + x.key_at
    cdef const char* q = _sorted_pool + y.key_at
    cdef KeyPart mine, other
    cdef uint32_t i
    cdef int order
    if x.total != y.total:
        return 1 if x.total < y.total else -1
    for i in range(_sorted_parts):
        memcpy(&mine, p, sizeof(mine))
        memcpy(&other, q, sizeof(other))
        p += sizeof(mine)
        q += sizeof(other)
        order = text_order(p, mine.length, q, other.length)
        if order:
            return order
        p += mine.length
        q += other.length
    return 0


cdef class Tally:
    """Groups of events; an `EventLoop` fills it.

    Args:
        keys: Operands (`rulekit.rules.bound`) whose texts make the group of an event.
        value: Operand whose values are added up; values that are null or not above zero leave the
            event out. None counts events.
        latency: Add up how long the calls took instead; events for which that is unknown are left
            out.
        distinct: So many of the last keys only tell the members of a group apart: the total of a
            group is how many different members it has.
        max_groups: Groups, members included, beyond which new ones are not kept: their events are
            counted in `dropped`.
        max_key_bytes: The same for the bytes of all keys together.
    """

    def __cinit__(self, keys, object value=None, *, bint latency=False, uint32_t distinct=0,
                  uint32_t max_groups=1 << 18, uint64_t max_key_bytes=64 << 20):
        cdef tuple operands = tuple(keys)
        if not operands or distinct >= len(operands):
            raise ValueError("a tally needs a key")
        self.c = <TallyC*> calloc(1, sizeof(TallyC))
        if self.c == NULL:
            raise MemoryError
        self.c.n_outer = <uint32_t> (len(operands) - distinct)
        self.c.max_groups = max_groups
        self.c.max_pool_bytes = max_key_bytes
        self.c.measure = MEASURE_LATENCY if latency else MEASURE_EVENTS if value is None else MEASURE_FIELD
        self.c.n_buckets = FIRST_BUCKETS
        self.c.buckets = <Bucket*> calloc(FIRST_BUCKETS, sizeof(Bucket))
        self.c.keys = <Operand**> calloc(len(operands), sizeof(Operand*))
        if self.c.buckets == NULL or self.c.keys == NULL:
            raise MemoryError
        for operand in operands:
            self.c.keys[self.c.n_keys] = make_operand(operand)
            self.c.n_keys += 1
        if value is not None:
            self.c.value = make_operand(value)

    def __dealloc__(self):
        cdef uint32_t i
        if self.c == NULL:
            return
        if self.c.keys != NULL:
            for i in range(self.c.n_keys):
                free_operand(self.c.keys[i])
            free(self.c.keys)
        free_operand(self.c.value)
        free(self.c.buckets)
        buf_free(&self.c.pool)
        buf_free(&self.c.key)
        free(self.c)

    @property
    def dropped(self):
        """Events that found no room for their group."""
        return self.c.n_dropped

    @property
    def n_groups(self):
        """Groups so far, members not counted."""
        cdef uint32_t i
        cdef int found = 0
        for i in range(self.c.n_buckets):
            found += self.c.buckets[i].hash != 0 and not self.c.buckets[i].member
        return found

    def rows(self, most=None):
        """Return the greatest groups as (keys, total, events), greatest total first.

        Keys are numbers where the field is one, else text. Groups of the same total are in the
        order of their keys.

        Args:
            most: So many groups; None is all.
        """
        cdef TallyC* t = self.c
        cdef Bucket** sorted_buckets
        cdef uint32_t i
        cdef uint32_t n = 0
        global _sorted_pool, _sorted_parts
        sorted_buckets = <Bucket**> malloc((t.n_groups + 1) * sizeof(Bucket*))
        if sorted_buckets == NULL:
            raise MemoryError
        try:
            for i in range(t.n_buckets):
                if t.buckets[i].hash and not t.buckets[i].member:
                    sorted_buckets[n] = &t.buckets[i]
                    n += 1
            _sorted_pool = t.pool.ptr
            _sorted_parts = t.n_outer
            qsort(sorted_buckets, n, sizeof(Bucket*), _by_total)
            if most is not None:
                n = min(n, <uint32_t> most)
            return [
                (_keys(t, sorted_buckets[i]), _number(sorted_buckets[i].total),
                 sorted_buckets[i].n_events)
                for i in range(n)
            ]
        finally:
            free(sorted_buckets)


cdef object _number(double total):
    return int(total) if total == <double> <long long> total else total


cdef tuple _keys(const TallyC* t, const Bucket* bucket):
    cdef list found = []
    cdef const char* at = t.pool.ptr + bucket.key_at
    cdef KeyPart part
    cdef uint32_t i
    for i in range(t.n_outer):
        memcpy(&part, at, sizeof(part))
        at += sizeof(part)
        text = at[:part.length].decode("utf-8", "surrogateescape")
        at += part.length
        if part.kind == V_INT or part.kind == V_UINT:
            # some numbers print in octal, hex, or with a name behind
            plain = text.lstrip("-").isdecimal() and (text == "0" or not text.startswith("0"))
            found.append(int(text) if plain else text)
        elif part.kind == V_BOOL:
            found.append(text == "true")
        else:
            found.append(text)
    return tuple(found)


cdef bint _put_key(TallyC* t, Context* c, Operand* operand) noexcept nogil:
    cdef Value value
    cdef KeyPart part
    cdef size_t start = t.key.len
    part.kind = 0
    part.length = 0
    part.pad[0] = part.pad[1] = part.pad[2] = 0
    buf_put(&t.key, <const char*> &part, sizeof(part))
    if operand.kind == OPERAND_FIELD:
        if not extract_printed(c, operand.ref, &value) or value.kind == V_NULL:
            return False
        render_extracted(operand.ref, &value, &t.key)
    else:
        if not eval_operand(c, operand, &value) or value.kind == V_NULL:
            return False
        put_value(&t.key, &value, 0, 0)
    if t.key.failed:
        return False
    part.kind = value.kind
    part.length = <uint32_t> (t.key.len - start - sizeof(part))
    memcpy(t.key.ptr + start, &part, sizeof(part))
    return True


cdef bint _grow(TallyC* t) noexcept nogil:
    cdef uint32_t n = t.n_buckets * 2
    cdef Bucket* grown = <Bucket*> calloc(n, sizeof(Bucket))
    cdef uint32_t i, at
    if grown == NULL:
        return False
    for i in range(t.n_buckets):
        if t.buckets[i].hash:
            at = <uint32_t> t.buckets[i].hash & (n - 1)
            while grown[at].hash:
                at = (at + 1) & (n - 1)
            grown[at] = t.buckets[i]
    free(t.buckets)
    t.buckets = grown
    t.n_buckets = n
    return True


cdef Bucket* _bucket(TallyC* t, const char* key, uint32_t length, bint member, bint* fresh) noexcept nogil:
    """Return the bucket of a key, made if need be; NULL: no room."""
    cdef uint64_t hash = text_hash(key, length) * 2 + member
    cdef uint32_t at
    cdef uint32_t steps = 0
    cdef Bucket* bucket
    fresh[0] = False
    if hash == 0:
        hash = 2
    at = <uint32_t> hash & (t.n_buckets - 1)
    while t.buckets[at].hash:
        bucket = &t.buckets[at]
        if (bucket.hash == hash and bucket.key_len == length and bucket.member == member
                and memcmp(t.pool.ptr + bucket.key_at, key, length) == 0):
            return bucket
        at = (at + 1) & (t.n_buckets - 1)
        steps += 1
        if steps == MAX_STEPS:
            return NULL
    if t.n_groups >= t.max_groups or t.pool.len + length > t.max_pool_bytes:
        return NULL
    if t.n_groups * 2 >= t.n_buckets:
        if not _grow(t):
            return NULL
        at = <uint32_t> hash & (t.n_buckets - 1)
        while t.buckets[at].hash:
            at = (at + 1) & (t.n_buckets - 1)
    bucket = &t.buckets[at]
    bucket.key_at = t.pool.len
    buf_put(&t.pool, key, length)
    if t.pool.failed:
        t.pool.failed = False
        return NULL
    bucket.hash = hash
    bucket.key_len = length
    bucket.member = member
    t.n_groups += 1
    fresh[0] = True
    return bucket


cdef void tally_take(TallyC* t, Context* c, bint has_latency, uint64_t latency_ns) noexcept nogil:
    cdef Value value
    cdef double amount = 1
    cdef uint32_t i
    cdef size_t outer = 0
    cdef bint fresh
    cdef Bucket* bucket
    if t.measure == MEASURE_LATENCY:
        if not has_latency or latency_ns == 0:
            return
        amount = <double> latency_ns
    elif t.measure == MEASURE_FIELD:
        if not eval_operand(c, t.value, &value):
            return
        if value.kind == V_INT:
            amount = <double> value.i64
        elif value.kind == V_UINT or value.kind == V_BOOL:
            amount = <double> value.u64
        elif value.kind == V_DOUBLE:
            amount = value.f64
        else:
            return
        if not amount > 0:
            return
    t.key.len = 0
    t.key.failed = False
    for i in range(t.n_keys):
        if i == t.n_outer:
            outer = t.key.len
        if not _put_key(t, c, t.keys[i]):
            return
    if outer != 0:
        bucket = _bucket(t, t.key.ptr, <uint32_t> t.key.len, True, &fresh)
        if bucket == NULL:
            t.n_dropped += 1
            return
        amount = 1 if fresh else 0
    else:
        outer = t.key.len
    bucket = _bucket(t, t.key.ptr, <uint32_t> outer, False, &fresh)
    if bucket == NULL:
        t.n_dropped += 1
        return
    bucket.n_events += 1
    bucket.total += amount
