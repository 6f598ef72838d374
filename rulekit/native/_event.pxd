# One event as the native code sees it: pointers into the buffer that holds it, nothing copied.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    MAX_PARAMS = 32
    N_EVENT_TYPES = 512      # table size; ids at or above n_event_types are unknown

# EF_ flags of the event table (values as in tables/event_table.json)
cdef enum:
    EF_CREATES_FD = 1
    EF_DESTROYS_FD = 2
    EF_USES_FD = 4
    EF_READS_FROM_FD = 8
    EF_WRITES_TO_FD = 16
    EF_MODIFIES_STATE = 32
    EF_UNUSED = 64
    EF_WAITS = 128
    EF_SKIPPARSERESET = 256
    EF_OLD_VERSION = 512
    EF_LARGE_PAYLOAD = 2048
    EF_CONVERTER_MANAGED = 4096

cdef enum:                   # category bits, as in the table's "categories"
    EC_INTERNAL = 256
    EC_SYSCALL = 512
    EC_TRACEPOINT = 1024
    EC_PLUGIN = 2048
    EC_METAEVENT = 4096

cdef enum:                   # bits of EventView.block_flags
    BLOCK_STATE_ONLY = 1     # update state only, do not show
    BLOCK_PARTIAL = 8        # what the event leaves empty, its source does not know (own; others ignore it)

cdef struct FlagName:        # one row of a flag table, in rendering order
    const char* name
    uint32_t len
    uint32_t value

cdef struct ParamInfo:
    const char* name         # NUL-terminated, permanent
    uint8_t type             # PT_ id
    uint8_t fmt              # PF_ id
    int32_t dirfd_param      # index of the directory fd parameter, or -1
    const FlagName* values   # NULL-terminated (name == NULL) flag table, or NULL
    const ParamInfo* dyn     # dynamic parameter table (indexed by first byte), or NULL
    uint32_t n_dyn

cdef struct EventInfo:
    const char* name         # "openat"
    uint32_t flags           # EF_
    uint32_t category        # EC_ low bits | source bits
    uint8_t nparams          # of the current table
    int32_t fd_param         # index of the fd parameter of EF_USES_FD events, or -1
    bint known
    ParamInfo params[MAX_PARAMS]

cdef struct Param:
    const uint8_t* ptr
    uint32_t len             # 0: empty, no value

cdef struct EventView:
    uint64_t ts_ns
    int64_t tid
    uint64_t raw             # 1-based position among all event headers of the capture
    uint64_t num             # evt.num: position among the delivered ones; 0 until numbered
    uint16_t type
    uint16_t cpu
    uint32_t nparams
    uint32_t block_flags     # BLOCK_ bits
    const EventInfo* info
    Param params[MAX_PARAMS]

cdef const EventInfo* event_infos      # array of N_EVENT_TYPES, filled at import from schema
cdef int n_event_types
cdef const char* syscall_name(uint32_t ppm_sc) noexcept nogil           # NULL: unknown
cdef const char* native_syscall_name(uint32_t number) noexcept nogil    # x86_64 number; NULL: unknown
cdef const char* errno_name(int number) noexcept nogil                  # "ENOENT"; NULL: unknown
cdef const char* signal_name(int number) noexcept nogil                 # "SIGKILL"; NULL: unknown
cdef const char* capability_name(int bit) noexcept nogil
cdef const FlagName* flag_table(const char* name) noexcept nogil        # NULL: no such table


cdef extern from *:
    """
    /* Point `n` parameters (of the layout of struct Param) at their bytes, which lie back to back from
       `at` on, `lengths` of 16 bits each; returns where they end. Unrolled and from the end, so that
       each takes four instructions; a loop takes eight. */
    struct rk_param { const uint8_t *ptr; uint32_t len; };
    static inline const uint8_t *rk_lay(void *first, const uint8_t *lengths, const uint8_t *at, uint32_t n)
    {
        struct rk_param *params = (struct rk_param *) first + n;
        uint16_t size;
        uint32_t i;
        lengths += 2 * n;
    #define RK_LAY(back) \
            memcpy(&size, lengths - 2 * (back), 2); \
            params[-(back)].ptr = at; \
            params[-(back)].len = size; \
            at += size;
        switch (n) {
        default:
            for (i = n; i > 8; i--) {
                RK_LAY((int32_t) i)
            }  /* fall through */
        case 8: RK_LAY(8)  /* fall through */
        case 7: RK_LAY(7)  /* fall through */
        case 6: RK_LAY(6)  /* fall through */
        case 5: RK_LAY(5)  /* fall through */
        case 4: RK_LAY(4)  /* fall through */
        case 3: RK_LAY(3)  /* fall through */
        case 2: RK_LAY(2)  /* fall through */
        case 1: RK_LAY(1)  /* fall through */
        case 0: ;
        }
    #undef RK_LAY
        return at;
    }
    /* The same, of each not more than its entry of `cuts`. */
    static inline void rk_lay_cut(void *first, const uint8_t *lengths, const uint8_t *at, uint32_t n,
                                  const uint32_t *cuts)
    {
        struct rk_param *params = (struct rk_param *) first + n;
        uint16_t size;
        uint32_t i;
        lengths += 2 * n;
        cuts += n;
    #define RK_LAY(back) \
            memcpy(&size, lengths - 2 * (back), 2); \
            params[-(back)].ptr = at; \
            params[-(back)].len = size < cuts[-(back)] ? size : cuts[-(back)]; \
            at += size;
        switch (n) {
        default:
            for (i = n; i > 4; i--) {
                RK_LAY((int32_t) i)
            }  /* fall through */
        case 4: RK_LAY(4)  /* fall through */
        case 3: RK_LAY(3)  /* fall through */
        case 2: RK_LAY(2)  /* fall through */
        case 1: RK_LAY(1)  /* fall through */
        case 0: ;
        }
    #undef RK_LAY
    }
    """
    const uint8_t* lay_params "rk_lay"(Param* params, const uint8_t* lengths, const uint8_t* at, uint32_t n) noexcept nogil
    void lay_cut_params "rk_lay_cut"(Param* params, const uint8_t* lengths, const uint8_t* at, uint32_t n,
                                     const uint32_t* cuts) noexcept nogil


# Parameters are read by their actual length; absent and empty ones give `default`.
cdef inline bint has_param(const EventView* ev, uint32_t i) noexcept nogil:
    return i < ev.nparams and ev.params[i].len != 0

cdef inline int64_t param_i64(const EventView* ev, uint32_t i, int64_t default) noexcept nogil:
    cdef int64_t v8
    cdef int32_t v4
    cdef short v2
    if i >= ev.nparams:
        return default
    if ev.params[i].len == 8:
        memcpy(&v8, ev.params[i].ptr, 8)
        return v8
    if ev.params[i].len == 4:
        memcpy(&v4, ev.params[i].ptr, 4)
        return v4
    if ev.params[i].len == 2:
        memcpy(&v2, ev.params[i].ptr, 2)
        return v2
    if ev.params[i].len == 1:
        return <signed char> ev.params[i].ptr[0]
    return default

cdef inline uint64_t param_u64(const EventView* ev, uint32_t i, uint64_t default) noexcept nogil:
    cdef uint64_t v8
    cdef uint32_t v4
    cdef uint16_t v2
    if i >= ev.nparams:
        return default
    if ev.params[i].len == 8:
        memcpy(&v8, ev.params[i].ptr, 8)
        return v8
    if ev.params[i].len == 4:
        memcpy(&v4, ev.params[i].ptr, 4)
        return v4
    if ev.params[i].len == 2:
        memcpy(&v2, ev.params[i].ptr, 2)
        return v2
    if ev.params[i].len == 1:
        return ev.params[i].ptr[0]
    return default
