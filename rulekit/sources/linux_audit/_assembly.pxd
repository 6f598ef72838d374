# Records → events: lines are taken apart, records of one event collected by its id.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from rulekit.native._scratch cimport Buf
from rulekit.sources.linux_audit._convert cimport Converter
from rulekit.sources.linux_audit._event cimport AuditEvent
from rulekit.sources.linux_audit._json cimport JsonEvent
from rulekit.sources.linux_audit._serials cimport Serials

cdef enum:
    MAX_PENDING = 1024       # events whose end is not known yet
    N_PENDING_SLOTS = 2048
    N_RECENT = 64            # events that ended lately

cdef struct Recent:
    uint64_t time_ms, serial, node

cdef struct Assembly:
    Converter* converter     # owned
    JsonEvent json           # for lines of JSON, each of which is a whole event
    AuditEvent* slots[N_PENDING_SLOTS]       # by id; chains
    AuditEvent* oldest
    AuditEvent* newest
    AuditEvent* last         # that took a record; NULL: none
    AuditEvent* spare        # chain of events to use again
    uint32_t n_pending
    Recent recent[N_RECENT]
    uint32_t recent_at
    Serials serials          # of messages
    uint64_t now_ms          # latest time in the log
    uint64_t line_at         # bytes of the log before the current line or message
    char host[128]           # name of the first host that the log names
    uint32_t host_len
    uint64_t host_hash
    # counters
    uint64_t n_records
    uint64_t n_rejected      # lines that are no record
    uint64_t n_late          # records of events that had ended
    uint64_t n_unended       # events without an end mark: they waited too long, or room was needed
    uint64_t n_foreign       # records of other hosts than the first

cdef Assembly* assembly_new(uint64_t seed) noexcept nogil      # NULL: no memory
cdef void assembly_free(Assembly* a) noexcept nogil
cdef void name_host(Assembly* a, const char* name, uint32_t length) noexcept nogil     # before the first record
cdef void take_line(Assembly* a, const char* line, uint32_t length) noexcept nogil
# A record as the kernel sends it: `audit(1700000000.123:45): BODY`, its type a number.
cdef void take_message(Assembly* a, uint32_t type, const char* text, uint32_t length) noexcept nogil
cdef void end_all(Assembly* a) noexcept nogil                  # of the log, or of a silence
cdef void end_older(Assembly* a, uint64_t now_ms) noexcept nogil       # those that nobody adds to at this time of the day
cdef AuditEvent* event_of(Assembly* a, uint64_t time_ms, uint64_t serial, const char* node, uint32_t node_len) noexcept nogil
cdef void end_event(Assembly* a, AuditEvent* e) noexcept nogil
