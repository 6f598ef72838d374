"""The events that are being collected, by id.

The records of an event come in one piece from one processor, but those of several mix. The kernel ends
an event with an EOE record, which files lack; before it comes PROCTITLE, unless that is excluded. Where
neither tells, an event ends when it has waited too long in the time of the log, or for too many bytes.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from rulekit.sources.linux_audit._convert cimport convert_event, converter_free, converter_new
from rulekit.sources.linux_audit._event cimport (
    KIND_EOE, KIND_OTHER, KIND_PROCTITLE, SEEN_SYSCALL, event_free, event_new, event_reset,
)
from rulekit.sources.linux_audit._json cimport json_event_free, json_event_init, read_json
from rulekit.sources.linux_audit._processes cimport hash_text
from rulekit.sources.linux_audit._records cimport RecordHead, read_head, read_stamp, take_record, type_by_number
from rulekit.sources.linux_audit._serials cimport serials_note

cdef enum:
    WAIT_MS = 2000           # as auditd's own tools wait
    WAIT_BYTES = 16 << 20    # all arguments of a program, in digits, are less


cdef Assembly* assembly_new(uint64_t seed) noexcept nogil:
    cdef Assembly* a = <Assembly*> calloc(1, sizeof(Assembly))
    if a == NULL:
        return NULL
    a.converter = converter_new(seed)
    if a.converter == NULL or not json_event_init(&a.json):
        assembly_free(a)
        return NULL
    return a


cdef void assembly_free(Assembly* a) noexcept nogil:
    cdef AuditEvent* e
    if a == NULL:
        return
    while a.oldest != NULL:
        e = a.oldest
        a.oldest = e.newer
        event_free(e)
    while a.spare != NULL:
        e = a.spare
        a.spare = e.newer
        event_free(e)
    json_event_free(&a.json)
    converter_free(a.converter)
    free(a)


cdef inline uint32_t _slot(uint64_t time_ms, uint64_t serial) noexcept nogil:
    return <uint32_t> ((serial ^ time_ms << 7) * <uint64_t> 0x9E3779B97F4A7C15 >> 40) & (N_PENDING_SLOTS - 1)


cdef void _unlink(Assembly* a, AuditEvent* e) noexcept nogil:
    cdef AuditEvent** link = &a.slots[_slot(e.time_ms, e.serial)]
    while link[0] != e:
        link = &link[0].hash_next
    link[0] = e.hash_next
    if e.older != NULL:
        e.older.newer = e.newer
    else:
        a.oldest = e.newer
    if e.newer != NULL:
        e.newer.older = e.older
    else:
        a.newest = e.older
    if a.last == e:
        a.last = NULL
    a.n_pending -= 1


cdef void end_event(Assembly* a, AuditEvent* e) noexcept nogil:
    cdef Recent* recent = &a.recent[a.recent_at]
    _unlink(a, e)
    convert_event(a.converter, e, a.host, a.host_len)
    recent.time_ms = e.time_ms
    recent.serial = e.serial
    recent.node = e.node
    a.recent_at = (a.recent_at + 1) & (N_RECENT - 1)
    event_reset(e)
    e.newer = a.spare
    a.spare = e


cdef void end_all(Assembly* a) noexcept nogil:
    while a.oldest != NULL:
        a.n_unended += 1
        end_event(a, a.oldest)


cdef void end_older(Assembly* a, uint64_t now_ms) noexcept nogil:
    cdef AuditEvent* e = a.oldest
    cdef AuditEvent* next
    while e != NULL:
        next = e.newer
        # Times of another clock, far ahead of ours, say nothing.
        if e.time_ms > now_ms + WAIT_MS or now_ms > e.time_ms + WAIT_MS:
            a.n_unended += 1
            end_event(a, e)
        e = next


cdef bint _ended_lately(const Assembly* a, uint64_t time_ms, uint64_t serial, uint64_t node) noexcept nogil:
    cdef uint32_t i
    for i in range(N_RECENT):
        if a.recent[i].serial == serial and a.recent[i].time_ms == time_ms and a.recent[i].node == node:
            return True
    return False


cdef void _expire(Assembly* a) noexcept nogil:
    cdef AuditEvent* e = a.oldest
    while e != NULL and (a.now_ms > e.arrived_ms + WAIT_MS or a.line_at > e.arrived_at + WAIT_BYTES):
        a.n_unended += 1
        end_event(a, e)
        e = a.oldest


cdef inline bint _is_first_host(const Assembly* a, const char* node, uint32_t node_len) noexcept nogil:
    return a.host_len == node_len and memcmp(a.host, node, node_len) == 0


cdef uint64_t _host_of(Assembly* a, const char* node, uint32_t node_len) noexcept nogil:
    """Return what tells hosts apart; remember the first."""
    cdef uint64_t hash
    if node == NULL:
        return 0
    if _is_first_host(a, node, node_len):
        return a.host_hash
    hash = hash_text(a.converter.processes, node, node_len)
    if a.host_len == 0:
        a.host_len = min(node_len, <uint32_t> 127)
        memcpy(a.host, node, a.host_len)
        a.host_hash = hash
    elif hash != a.host_hash:
        a.n_foreign += 1
    return hash


cdef void name_host(Assembly* a, const char* name, uint32_t length) noexcept nogil:
    if length:
        a.host_len = min(length, <uint32_t> 127)
        memcpy(a.host, name, a.host_len)
        a.host_hash = hash_text(a.converter.processes, name, length)


cdef AuditEvent* event_of(Assembly* a, uint64_t time_ms, uint64_t serial, const char* node, uint32_t node_len) noexcept nogil:
    """Return the event of that id, a new one if need be; NULL: it has ended, or there is no memory."""
    cdef uint64_t host = _host_of(a, node, node_len)
    cdef uint32_t at = _slot(time_ms, serial)
    cdef AuditEvent* e = a.slots[at]
    while e != NULL and (e.serial != serial or e.time_ms != time_ms or e.node != host):
        e = e.hash_next
    if e != NULL:
        return e
    if _ended_lately(a, time_ms, serial, host):
        return NULL
    if time_ms > a.now_ms:
        a.now_ms = time_ms
    _expire(a)
    if a.n_pending == MAX_PENDING:
        a.n_unended += 1
        end_event(a, a.oldest)
    if a.spare != NULL:
        e = a.spare
        a.spare = e.newer
    else:
        e = event_new()
        if e == NULL:
            return NULL
    e.time_ms = time_ms
    e.serial = serial
    e.node = host
    e.arrived_ms = a.now_ms
    e.arrived_at = a.line_at
    e.hash_next = a.slots[at]
    a.slots[at] = e
    e.older = a.newest
    e.newer = NULL
    if a.newest != NULL:
        a.newest.newer = e
    else:
        a.oldest = e
    a.newest = e
    a.n_pending += 1
    return e


cdef inline bint _stands_alone(const RecordHead* head) noexcept nogil:
    """Return whether a record of this type never has others beside it: messages of programs and daemons."""
    cdef const char* type = head.type
    if head.kind != KIND_OTHER:
        return False
    return ((head.type_len > 5 and memcmp(type, b"USER_", 5) == 0) or (head.type_len > 7 and memcmp(type, b"DAEMON_", 7) == 0)
            or (head.type_len > 8 and memcmp(type, b"SERVICE_", 8) == 0) or (head.type_len > 7 and memcmp(type, b"SYSTEM_", 7) == 0)
            or (head.type_len > 5 and memcmp(type, b"CRED_", 5) == 0))


cdef void _take_json(Assembly* a, const char* line, uint32_t length) noexcept nogil:
    if not read_json(&a.json, line, length):
        a.n_rejected += 1
        return
    a.n_records += a.json.n_records
    a.json.e.node = _host_of(a, a.json.node, a.json.node_len)
    convert_event(a.converter, a.json.e, a.host, a.host_len)


cdef void _take_head(Assembly* a, const RecordHead* head) noexcept nogil:
    """Give a record to its event; end the event when it was the last one."""
    cdef AuditEvent* e = a.last
    a.n_records += 1
    if (e == NULL or e.serial != head.serial or e.time_ms != head.time_ms
            or head.node != NULL and (e.node != a.host_hash or not _is_first_host(a, head.node, head.node_len))):
        e = event_of(a, head.time_ms, head.serial, head.node, head.node_len)
        if e == NULL:
            if head.kind != KIND_EOE:
                a.n_late += 1
            return
        a.last = e
    take_record(e, head)
    if head.kind == KIND_EOE or (head.kind == KIND_PROCTITLE and e.seen & SEEN_SYSCALL) or _stands_alone(head):
        end_event(a, e)


cdef void take_line(Assembly* a, const char* line, uint32_t length) noexcept nogil:
    cdef RecordHead head
    if length > 5 and memcmp(line, b"@cee:", 5) == 0:
        # What laurel can be told to write before each object, for syslog.
        line += 5
        length -= 5
        while length and line[0] == c' ':
            line += 1
            length -= 1
    if length and line[0] == c'{':
        _take_json(a, line, length)
    elif read_head(line, length, &head):
        _take_head(a, &head)
        return
    elif length and not (length == 1 and line[0] == c'\r'):
        a.n_rejected += 1
    _expire(a)


cdef void take_message(Assembly* a, uint32_t type, const char* text, uint32_t length) noexcept nogil:
    cdef RecordHead head
    while length and (text[length - 1] == 0 or text[length - 1] == c'\n'):
        length -= 1
    head.node = NULL
    head.node_len = 0
    type_by_number(&head, type)
    if not read_stamp(text, text + length, &head):
        a.n_rejected += 1
        return
    serials_note(&a.serials, <uint32_t> head.serial)
    _take_head(a, &head)
