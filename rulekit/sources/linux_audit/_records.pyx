# hot: every event passes here
"""Records as auditd and the kernel write them, taken apart where they lie."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy, strlen

from rulekit.sources.linux_audit._event cimport (
    FORM_AUDIT, KIND_EOE, KIND_OBJ_PID, KIND_OTHER, KIND_SYSCALL, MAX_OTHER_BYTES, OtherRecord, Value,
    add_other, kind_of, kind_of_number, name_of_number, put_raw, read_number, record_begin, set_account,
    set_field,
)

cdef enum:
    ENRICHED = 0x1d          # what follows was added by the daemon

cdef uint64_t LATEST = 9000000000            # seconds; later ones do not fit into nanoseconds


cdef inline bint _starts(const char* p, const char* end, const char* text, uint32_t length) noexcept nogil:
    return end - p >= <int64_t> length and memcmp(p, text, length) == 0


cdef bint read_time(const char* text, const char* end, const char** rest, uint64_t* time_ms) noexcept nogil:
    # SECONDS.MILLISECONDS
    cdef const char* p = text
    cdef uint64_t seconds = 0
    cdef uint64_t fraction = 0
    cdef int digits = 0
    if p >= end or not c'0' <= p[0] <= c'9':
        return False
    while p < end and c'0' <= p[0] <= c'9':
        seconds = seconds * 10 + <uint64_t> (p[0] - c'0')
        p += 1
    if p >= end or p[0] != c'.' or seconds > LATEST:
        return False
    p += 1
    while p < end and c'0' <= p[0] <= c'9':
        if digits < 3:
            fraction = fraction * 10 + <uint64_t> (p[0] - c'0')
        digits += 1
        p += 1
    while digits < 3:
        fraction *= 10
        digits += 1
    time_ms[0] = seconds * 1000 + fraction
    rest[0] = p
    return True


cdef bint read_id(const char* text, const char* end, const char** rest, uint64_t* time_ms,
                  uint64_t* serial) noexcept nogil:
    # SECONDS.MILLISECONDS:SERIAL
    cdef const char* p
    cdef uint64_t number = 0
    if not read_time(text, end, &p, time_ms) or p >= end or p[0] != c':':
        return False
    p += 1
    if p >= end or not c'0' <= p[0] <= c'9':
        return False
    while p < end and c'0' <= p[0] <= c'9':
        number = number * 10 + <uint64_t> (p[0] - c'0')
        p += 1
    serial[0] = number
    rest[0] = p
    return True


cdef bint read_stamp(const char* text, const char* end, RecordHead* head) noexcept nogil:
    cdef const char* p = text
    if not _starts(p, end, b"audit(", 6) or not read_id(p + 6, end, &p, &head.time_ms, &head.serial):
        return False
    if not _starts(p, end, b"):", 2):
        return False
    p += 2
    while p < end and p[0] == c' ':
        p += 1
    head.body = p
    head.body_len = <uint32_t> (end - p)
    return True


cdef void type_by_number(RecordHead* head, uint32_t number) noexcept nogil:
    cdef const char* name = name_of_number(number)
    cdef char digits[12]
    cdef uint32_t n = 0
    cdef uint32_t length = 8
    head.kind = kind_of_number(number)
    if name != NULL:
        head.type = name
        head.type_len = <uint32_t> strlen(name)
        return
    # As auditd calls what is newer than itself.
    memcpy(head.made, b"UNKNOWN[", 8)
    while n == 0 or number:
        digits[n] = <char> (48 + number % 10)
        number //= 10
        n += 1
    while n:
        n -= 1
        head.made[length] = digits[n]
        length += 1
    head.made[length] = c']'
    head.type = head.made
    head.type_len = length + 1


cdef bint read_head(const char* line, uint32_t length, RecordHead* head) noexcept nogil:
    cdef const char* p = line
    cdef const char* end = line + length
    cdef const char* stop
    cdef uint32_t number = 0
    cdef const char* digit
    while end > p and ((end - 1)[0] == c'\r' or (end - 1)[0] == c' '):
        end -= 1
    head.node = NULL
    head.node_len = 0
    if _starts(p, end, b"node=", 5):
        p += 5
        stop = <const char*> memchr(p, c' ', end - p)
        if stop == NULL:
            return False
        head.node = p
        head.node_len = <uint32_t> (stop - p)
        p = stop + 1
    elif _starts(p, end, b"audit: ", 7):
        p += 7                               # from the kernel's own log
    if not _starts(p, end, b"type=", 5):
        return False
    p += 5
    stop = <const char*> memchr(p, c' ', end - p)
    if stop == NULL or stop == p or stop - p > 64:
        return False
    head.type = p
    head.type_len = <uint32_t> (stop - p)
    if c'0' <= p[0] <= c'9':
        digit = p
        while digit < stop and c'0' <= digit[0] <= c'9' and number < 100000:
            number = number * 10 + <uint32_t> (digit[0] - c'0')
            digit += 1
        type_by_number(head, number)
    else:
        head.kind = kind_of(p, head.type_len)
    p = stop + 1
    if _starts(p, end, b"msg=", 4):
        p += 4
    return read_stamp(p, end, head)


cdef void _take_other(AuditEvent* e, const RecordHead* head, uint32_t length) noexcept nogil:
    cdef OtherRecord* record = add_other(e, head.type, head.type_len)
    cdef Value v
    cdef uint64_t number
    cdef const char* p = head.body
    cdef const char* end = p + length
    if record == NULL:
        return
    if length > MAX_OTHER_BYTES:
        e.texts_cut += 1
        length = MAX_OTHER_BYTES
    record.body = put_raw(e, p, length)
    # pid=N, the process that it speaks of
    while p < end:
        if _starts(p, end, b"pid=", 4):
            v.ptr = p + 4
            v.len = 0
            v.form = FORM_AUDIT
            while v.ptr + v.len < end and v.ptr[v.len] != c' ':
                v.len += 1
            if read_number(&v, 10, &number):
                record.pid = <int64_t> number
            return
        p = <const char*> memchr(p, c' ', end - p)
        if p == NULL:
            return
        p += 1


cdef inline bint _next_pair(const char** at, const char* end, const char** key, uint32_t* key_len, Value* v) noexcept nogil:
    """Read over the next `key=value`; words without a value are left out."""
    cdef const char* p = at[0]
    cdef const char* stop
    while True:
        while p < end and p[0] == c' ':
            p += 1
        key[0] = p
        while p < end and p[0] != c'=' and p[0] != c' ':
            p += 1
        if p >= end:
            return False
        if p[0] == c'=':
            break
    key_len[0] = <uint32_t> (p - key[0])
    p += 1
    v.ptr = p
    if p < end and p[0] == c'"':
        stop = <const char*> memchr(p + 1, c'"', end - p - 1)
        p = end if stop == NULL else stop + 1
    else:
        while p < end and p[0] != c' ':
            p += 1
    v.len = <uint32_t> (p - v.ptr)
    at[0] = p
    return True


cdef void take_record(AuditEvent* e, const RecordHead* head) noexcept nogil:
    cdef const char* p = head.body
    cdef const char* end = p + head.body_len
    cdef const char* key
    cdef const char* stop
    cdef uint32_t key_len
    cdef const char* added = NULL
    cdef uint32_t hint = 0
    cdef Value v
    v.form = FORM_AUDIT
    if head.kind == KIND_EOE:
        return
    stop = <const char*> memchr(p, ENRICHED, head.body_len)
    if stop != NULL:
        added = stop + 1
        end = stop
    if head.kind == KIND_OTHER or head.kind == KIND_OBJ_PID:
        if head.kind == KIND_OTHER:
            _take_other(e, head, <uint32_t> (end - p))
        return
    if not record_begin(e, head.kind):
        return
    while _next_pair(&p, end, &key, &key_len, &v):
        set_field(e, head.kind, key, key_len, &v, &hint)
    if added != NULL and head.kind == KIND_SYSCALL:
        end = head.body + head.body_len
        while _next_pair(&added, end, &key, &key_len, &v):
            set_account(e, key, key_len, &v)
