# Interned strings: each distinct byte string of the state exists once, so that equality is a pointer
# comparison and whatever is learned about a string can be kept on it.

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    REFUSALS_PER_SWEEP = 65536


cdef struct Str:
    const char* ptr     # NUL-terminated for convenience; may hold NULs inside (args, env, cgroups)
    uint32_t len        # in bytes, without the final NUL
    uint32_t hash
    uint32_t id         # unique while the string lives; ids of collected strings are used again
    uint32_t mark       # epoch of the last collection that found it in use; UINT32_MAX: permanent
    uint32_t facts_version   # version of the program that filled `facts`
    uint32_t flags      # reserved for owners of facts
    uint64_t* facts     # answers of string predicates, owned by the matcher, freed by the table
    Str* next           # chain of the hash bucket


cdef struct StrTable:
    Str** buckets
    uint32_t n_buckets        # power of two
    uint32_t n_strings
    uint64_t n_bytes          # bytes held, with 64 of overhead for each string
    uint64_t soft_limit_bytes # a collection is due when n_bytes passes it (strtab_wants_collection)
    uint64_t hard_limit_bytes # beyond it `intern` answers with `empty` and counts
    uint64_t n_refused        # strings that were not stored because of the hard limit or no memory
    uint64_t n_collected      # strings freed by collections
    uint32_t epoch
    uint32_t next_id
    Str* empty                # ""
    Str* na                   # "<NA>"
    uint64_t first_soft_limit_bytes
    uint64_t refused_at_sweep # n_refused when the last collection ended
    uint32_t* free_ids        # owned: ids of collected strings
    uint32_t n_free_ids
    uint32_t cap_free_ids
    bint due                  # see strtab_wants_collection; strtab_look brings it up to date


cdef StrTable* strtab_new(uint64_t soft_limit_bytes, uint64_t hard_limit_bytes) noexcept nogil  # NULL: no memory
cdef void strtab_free(StrTable* table) noexcept nogil
cdef Str* intern(StrTable* table, const char* text, size_t length) noexcept nogil               # never NULL
cdef Str* intern_permanent(StrTable* table, const char* text, size_t length) noexcept nogil
# Mark and sweep, at an event boundary only: begin, mark every string that state still names, end.
cdef void strtab_begin(StrTable* table) noexcept nogil
cdef void strtab_look(StrTable* table) noexcept nogil   # after a change of limits
cdef void strtab_end(StrTable* table) noexcept nogil    # frees the unmarked; raises soft_limit if little was freed

cdef inline void mark(StrTable* table, Str* text) noexcept nogil:
    if text != NULL and text.mark < table.epoch:
        text.mark = table.epoch


cdef inline bint strtab_wants_collection(const StrTable* table) noexcept nogil:
    return table.due
