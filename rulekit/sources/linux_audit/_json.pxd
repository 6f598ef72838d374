# Events as JSON, one object a line: laurel, go-audit, auditbeat.

from libc.stdint cimport uint32_t, uint64_t

from rulekit.native._scratch cimport Buf
from rulekit.sources.linux_audit._event cimport AuditEvent

cdef struct JsonEvent:
    AuditEvent* e            # owned
    Buf text                 # owned; a record that stood inside a string
    const char* node         # of the last event, in its line; NULL: none
    uint32_t node_len
    uint32_t n_records       # of the last event

cdef bint json_event_init(JsonEvent* j) noexcept nogil
cdef void json_event_free(JsonEvent* j) noexcept nogil
# Read one line into j.e; False: it is no event.
cdef bint read_json(JsonEvent* j, const char* line, uint32_t length) noexcept nogil
