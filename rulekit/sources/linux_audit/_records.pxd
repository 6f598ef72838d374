# A record as auditd and the kernel write it: `type=PATH msg=audit(1700000000.123:45): item=0 name="/etc"`.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from rulekit.sources.linux_audit._event cimport AuditEvent

cdef struct RecordHead:
    const char* node         # name of the host, NULL: none
    uint32_t node_len
    const char* type
    uint32_t type_len
    int kind                 # RecordKind
    char made[24]            # name of a type that has a number only
    uint64_t time_ms
    uint64_t serial
    const char* body
    uint32_t body_len        # without what a daemon added in capital letters

cdef bint read_head(const char* line, uint32_t length, RecordHead* head) noexcept nogil     # False: no record
cdef void type_by_number(RecordHead* head, uint32_t number) noexcept nogil
cdef bint read_stamp(const char* text, const char* end, RecordHead* head) noexcept nogil    # `audit(1700000000.123:45): BODY`
cdef bint read_time(const char* text, const char* end, const char** rest, uint64_t* time_ms) noexcept nogil     # `1700000000.123`
cdef bint read_id(const char* text, const char* end, const char** rest, uint64_t* time_ms, uint64_t* serial) noexcept nogil
cdef void take_record(AuditEvent* e, const RecordHead* head) noexcept nogil      # store it
