# Fields: one extractor each, from event and state to a typed value.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from rulekit.native._scratch cimport Buf
from rulekit.native._strings cimport Str
from rulekit.state._state cimport Context

cdef enum ValueKind:
    V_NULL = 0
    V_TEXT = 1        # ptr, len; str when the text is interned as a whole
    V_BYTES = 2       # ptr, len
    V_INT = 3         # i64
    V_UINT = 4        # u64 (also times and ports)
    V_BOOL = 5        # u64 0 or 1
    V_DOUBLE = 6      # f64
    V_ADDRESS = 7     # ptr to 4 or 16 bytes in network order, len 4 or 16
    V_LIST = 8        # items, n_items: texts of list fields; any-ancestor fields; the ends of a socket

cdef struct Value:
    uint8_t kind
    uint32_t len
    const char* ptr   # into the event, an interned string or scratch memory: valid until the next event
    Str* str          # the whole text as an interned string, or NULL
    int64_t i64
    uint64_t u64
    double f64
    Value* items      # in scratch memory
    uint32_t n_items

cdef struct FieldRef:
    int32_t index         # numeric argument, -1: none
    const char* key       # text argument (owner: whoever made the FieldRef), NULL: none
    uint32_t key_len
    uint8_t kind          # ValueKind that the checker expects
    uint8_t fmt           # PF_ print format of the field
    uint8_t scope         # Scope of the field
    bint has_arg
    int64_t memory        # per-instance memory (evt.deltatime: time of the last event seen by this instance)
    void* extract         # extract_fn

cdef enum Scope:          # what the value depends on; the widest wins
    SCOPE_EVENT = 0       # anything about the event: never cached beyond it
    SCOPE_THREAD = 1      # thread.version (process, user, container, group of the thread itself)
    SCOPE_ANCESTRY = 2    # also State.ancestry_version
    SCOPE_FD = 3          # the event's fd: Fd.version
    SCOPE_CONST = 4

# Returns True and fills `out` when the field has a value, else False (null).
ctypedef bint (*extract_fn)(Context* c, FieldRef* ref, Value* out) noexcept nogil

cdef extract_fn find_extractor(const char* name) noexcept     # NULL: not extractable (other sources); name without argument
cdef int field_scope(const char* name) noexcept

# Text of a value as outputs print it: null gives <NA>; lists (a,b); any-ancestor fields joined by blanks.
cdef void render_field(Context* c, FieldRef* ref, Buf* out) noexcept nogil
cdef bint render_value(const Value* value, uint8_t fmt, Buf* out) noexcept nogil
