# Fields: one extractor each, from event and state to a typed value.

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, strlen

from rulekit.native._scratch cimport Buf, scratch_alloc
from rulekit.native._strings cimport Str
from rulekit.state._state cimport Context, State, Thread
from rulekit.state._threads cimport find_thread

cdef enum ValueKind:
    V_NULL = 0        # no value; with `pt` an empty parameter, which prints
    V_TEXT = 1        # ptr, len; str when the text is interned as a whole
    V_BYTES = 2       # ptr, len
    V_INT = 3         # i64 (and u64: the same bits)
    V_UINT = 4        # u64 (and i64: the same bits); also times and ports
    V_BOOL = 5        # u64 0 or 1
    V_DOUBLE = 6      # f64
    V_ADDRESS = 7     # ptr to 4 or 16 bytes in network order, len 4 or 16
    V_LIST = 8        # items, n_items: texts of list fields; any-ancestor fields; the ends of a socket

cdef struct Value:
    uint8_t kind
    uint8_t pt        # PT_ id where it differs from the field's (evt.rawarg), else 0
    uint8_t fmt       # PF_ id where it differs from the field's (evt.rawarg), else 0
    uint32_t len
    const char* ptr   # into the event, an interned string or scratch memory: valid until the next event
    Str* str          # the whole text as an interned string, or NULL
    int64_t i64
    uint64_t u64
    double f64
    Value* items      # in scratch memory
    uint32_t n_items

cdef enum RefFlags:
    REF_ANCESTORS = 1     # a list over the ancestors, printed joined by blanks
    REF_ENDS = 2          # a list over the ends of a socket; printed as null
    REF_LIST = 4          # a list field
    REF_UNPRINTABLE = 8   # printed as null whatever it extracts
    REF_TIME = 16         # text in messages, integer nanoseconds in output_fields
    REF_PRINT_SELF = 32   # an ancestor field that prints the process itself
    REF_RAW = 256         # evt.rawarg
    REF_NETWORK = 512     # compared with networks; printed as <IPNET>
    REF_DELTA = 128       # time since the previous look

cdef struct FieldRef:
    int32_t index         # numeric argument, -1: none
    const char* key       # text argument (owned, see free_field_ref), NULL: none
    uint32_t key_len
    uint8_t kind          # ValueKind that the checker expects
    uint8_t fmt           # PF_ print format of the field
    uint8_t scope         # Scope of the field
    uint8_t pt            # PT_ id of the field
    uint16_t flags        # RefFlags
    uint8_t buffers       # BufferStyle of outputs
    bint has_arg
    int64_t memory        # per-instance memory (evt.deltatime: time of the last event seen by this instance)
    uint64_t memory_raw   # evt.deltatime: raw position of the event that `memory_value` belongs to
    uint64_t memory_value
    int8_t* params        # owned: event type -> index of the named parameter, -1: none; NULL: not used
    uint64_t number       # the argument as a wide number (evt.around); which side (evt.abspath)
    void* pattern         # owned: regex_t* (container.mount)
    void* extract         # extract_fn
    void* known           # extract_fn of a field that partial events say nothing about, else NULL
    void* items           # extract_fn of the list that `extract` makes one text of, or NULL

# What a value depends on; the widest wins. A value may be kept for a thread only while Context.thread
# is set and Context.event_container is NULL; one of SCOPE_FD only while Context.fd is set.
cdef enum Scope:
    SCOPE_EVENT = 0       # anything about the event: never cached beyond it
    SCOPE_THREAD = 1      # thread.version (process, user, container, group of the thread itself),
                          # State.account_version, State.container_version
    SCOPE_ANCESTRY = 2    # also State.ancestry_version
    SCOPE_FD = 3          # the event's fd: Fd.version
    SCOPE_CONST = 4

# Returns True and fills `out` when the field has a value, else False (null).
ctypedef bint (*extract_fn)(Context* c, FieldRef* ref, Value* out) noexcept nogil

cdef extract_fn find_extractor(const char* name) noexcept     # NULL: not extractable (other sources); name without argument
cdef int field_scope(const char* name) noexcept

# Fill `ref` for field `name` with its argument; everything static is resolved here. `index` is an int
# or None, `key` bytes, str or None (copied). An argument of a transformer is one value: with `single`
# a field of all ancestors is what it prints. Raises ValueError for fields that cannot be extracted.
# What it allocates is freed by free_field_ref.
cdef bint init_field_ref(
    FieldRef* ref, str name, object index, object key, int kind, bint single=*
) except False
cdef void free_field_ref(FieldRef* ref) noexcept

cdef inline bint extract(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return (<extract_fn> ref.extract)(c, ref, out)

# Text of a value as outputs print it: null gives <NA>; lists (a,b); any-ancestor fields joined by blanks.
cdef bint extract_printed(Context* c, FieldRef* ref, Value* out) noexcept nogil   # as outputs show it
cdef void render_field(Context* c, FieldRef* ref, Buf* out) noexcept nogil
cdef void render_extracted(const FieldRef* ref, const Value* value, Buf* out) noexcept nogil
cdef bint render_value(const Value* value, uint8_t fmt, Buf* out) noexcept nogil


# --- Making values -------------------------------------------------------------------------------

cdef inline bint put_str(Value* out, Str* text) noexcept nogil:
    if text == NULL:
        return False
    out.kind = V_TEXT
    out.pt = 0
    out.fmt = 0
    out.str = text
    out.ptr = text.ptr
    out.len = text.len
    return True

cdef inline bint put_text(Value* out, const char* ptr, uint32_t length) noexcept nogil:
    out.kind = V_TEXT
    out.pt = 0
    out.fmt = 0
    out.str = NULL
    out.ptr = ptr
    out.len = length
    return True

cdef inline bint put_cstr(Value* out, const char* text) noexcept nogil:
    if text == NULL:
        return False
    return put_text(out, text, <uint32_t> strlen(text))

cdef inline bint put_int(Value* out, int64_t value) noexcept nogil:
    out.kind = V_INT
    out.pt = 0
    out.fmt = 0
    out.str = NULL
    out.ptr = NULL
    out.len = 8
    out.i64 = value
    out.u64 = <uint64_t> value
    return True

cdef inline bint put_uint(Value* out, uint64_t value) noexcept nogil:
    out.kind = V_UINT
    out.pt = 0
    out.fmt = 0
    out.str = NULL
    out.ptr = NULL
    out.len = 8
    out.u64 = value
    out.i64 = <int64_t> value
    return True

cdef inline bint put_bool(Value* out, bint value) noexcept nogil:
    put_uint(out, 1 if value else 0)
    out.kind = V_BOOL
    return True

cdef inline bint put_double(Value* out, double value) noexcept nogil:
    put_uint(out, 0)
    out.kind = V_DOUBLE
    out.f64 = value
    return True

cdef inline bint put_address(Value* out, const uint8_t* addr, bint v6) noexcept nogil:
    out.kind = V_ADDRESS
    out.pt = 0
    out.fmt = 0
    out.str = NULL
    out.ptr = <const char*> addr
    out.len = 16 if v6 else 4
    return True

# A list with room for `n` items in scratch memory; False when there is no memory.
cdef inline bint put_list(Context* c, Value* out, uint32_t n) noexcept nogil:
    out.kind = V_LIST
    out.pt = 0
    out.fmt = 0
    out.str = NULL
    out.ptr = NULL
    out.len = 0
    out.n_items = 0
    out.items = <Value*> scratch_alloc(&c.state.scratch, (n if n else 1) * sizeof(Value))
    return out.items != NULL

# The event's thread, or what is known about the tid of an event that attaches none.
cdef inline Thread* thread_of(Context* c) noexcept nogil:
    if c.thread != NULL:
        return c.thread
    return find_thread(c.state, c.ev.tid)


# --- The registry --------------------------------------------------------------------------------
# Each module of extractors adds its own at import of rulekit.state._fields.

ctypedef int (*add_fn)(const char* name, extract_fn extract, int scope) except -1
