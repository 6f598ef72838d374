# Groups of events with a count and a sum each, built without the GIL.

from libc.stdint cimport uint32_t, uint64_t

from rulekit.native._scratch cimport Buf
from rulekit.state._state cimport Context
from rulekit.state._transform cimport Operand

cdef enum Measure:
    MEASURE_EVENTS = 0       # nothing but the number of events
    MEASURE_FIELD = 1        # the sum of a field
    MEASURE_LATENCY = 2      # the sum of how long the calls took

cdef struct Bucket:
    uint64_t hash            # 0: free
    uint64_t key_at          # in `pool`
    uint32_t key_len
    bint member              # of a group: counted there, no group itself
    uint64_t n_events
    double total

cdef struct TallyC:
    Operand** keys           # owned
    uint32_t n_keys
    uint32_t n_outer         # leading keys that make the group; the others tell its members apart
    Operand* value           # owned, or NULL
    int measure              # Measure
    Bucket* buckets          # owned
    uint32_t n_buckets       # power of two
    uint32_t n_groups        # members too
    uint32_t max_groups
    Buf pool                 # owned; keys one after the other
    uint64_t max_pool_bytes
    Buf key                  # owned scratch
    uint64_t n_dropped       # events of groups for which there was no room

cdef class Tally:
    cdef TallyC* c

cdef void tally_take(TallyC* t, Context* c, bint has_latency, uint64_t latency_ns) noexcept nogil
