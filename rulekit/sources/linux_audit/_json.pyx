# hot: every event passes here
"""Events as JSON, one object a line.

laurel writes an object per event with its records by type; go-audit the records as the kernel sent
them; auditbeat the fields under the names of the Elastic Common Schema. Lines are read in one pass,
with every length checked; what is not needed is skipped.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from rulekit.native._event cimport errno_name
from rulekit.native._scratch cimport buf_free, buf_put, buf_putc, buf_reserve
from rulekit.native._time cimport parse_rfc3339
from rulekit.sources.linux_audit._event cimport (
    FORM_JSON, FORM_LAUREL, Key, KIND_EOE, KIND_EXECVE, KIND_OBJ_PID, KIND_OTHER, KIND_PATH, KIND_PROCTITLE, KIND_SOCKADDR,
    KIND_SYSCALL, MAX_OTHER_BYTES, MAX_TEXT, NO_NUMBER, OtherRecord, SEEN_CWD, SEEN_EXECVE, SEEN_EXIT, SEEN_NAME,
    SEEN_PROCTITLE, SEEN_SADDR, SEEN_SUCCESS, SEEN_SYSCALL, Span, Value, add_arg, add_other, decode_text, event_free,
    expected_key,
    event_new, event_reset, kind_of, put_raw, put_span, read_number, record_begin, set_account, set_field,
)
from rulekit.sources.linux_audit._records cimport RecordHead, read_id, read_time, take_record, type_by_number

cdef extern from "<arpa/inet.h>" nogil:
    int inet_pton(int family, const char* text, void* out)

cdef enum:
    MAX_DEPTH = 64
    AF_UNIX = 1
    AF_INET = 2
    AF_INET6 = 10
    AF_NETLINK = 16

cdef enum Flavour:
    UNKNOWN = 0
    LAUREL = 1
    GO_AUDIT = 2
    AUDITBEAT = 3

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif

    /* The first quote or backslash, `end` without one. */
    static inline const char *rk_special(const char *p, const char *end)
    {
    #ifdef __SSE2__
        const __m128i quote = _mm_set1_epi8('"'), escape = _mm_set1_epi8('\\\\');
        while (end - p >= 16) {
            __m128i part = _mm_loadu_si128((const __m128i *)p);
            int found = _mm_movemask_epi8(
                _mm_or_si128(_mm_cmpeq_epi8(part, quote), _mm_cmpeq_epi8(part, escape)));
            if (found)
                return p + __builtin_ctz(found);
            p += 16;
        }
    #endif
        while (p < end && *p != '"' && *p != '\\\\')
            p++;
        return p;
    }
    """
    const char* rk_special(const char* p, const char* end) nogil

cdef uint8_t _ends_value[256]
for _char in ",}] \t\r\n":
    _ends_value[<int> ord(_char)] = 1

cdef struct Cursor:
    const char* p
    const char* end
    bint bad

cdef enum JsonKind:
    J_END = 0                # of the object or the list
    J_STRING = 1
    J_OTHER = 2              # number, true, false
    J_NULL = 3
    J_OBJECT = 4
    J_LIST = 5

cdef struct Item:            # of an object or a list
    const char* key
    uint32_t key_len
    int kind                 # JsonKind
    Value value              # of a string (without its quotes) or a number


cdef bint json_event_init(JsonEvent* j) noexcept nogil:
    j.e = event_new()
    return j.e != NULL


cdef void json_event_free(JsonEvent* j) noexcept nogil:
    event_free(j.e)
    buf_free(&j.text)


# -- JSON ------------------------------------------------------------------------------------------

cdef inline void _blanks(Cursor* c) noexcept nogil:
    while c.p < c.end and c.p[0] <= c' ' and (c.p[0] == c' ' or c.p[0] == c'\t' or c.p[0] == c'\r' or c.p[0] == c'\n'):
        c.p += 1


cdef inline bint _string(Cursor* c, const char** text, uint32_t* length) noexcept nogil:
    """Read over a string at the cursor."""
    cdef const char* p = c.p + 1
    text[0] = p
    while True:
        p = rk_special(p, c.end)
        if p >= c.end:
            break
        if p[0] == c'"':
            length[0] = <uint32_t> (p - text[0])
            c.p = p + 1
            return True
        p += 2
    c.bad = True
    return False


cdef inline bint _enter(Cursor* c, char opening) noexcept nogil:
    """Read over the opening bracket at the cursor."""
    _blanks(c)
    if c.p >= c.end or c.p[0] != opening:
        c.bad = True
        return False
    c.p += 1
    return True


cdef inline bint _value(Cursor* c, uint8_t form, Item* item) noexcept nogil:
    """Read a value, or up to its bracket; there is at least a byte."""
    cdef char first
    item.value.form = form
    first = c.p[0]
    if first == c'"':
        item.kind = J_STRING
        return _string(c, &item.value.ptr, &item.value.len)
    item.value.ptr = c.p
    item.value.len = 0
    if first == c'{':
        item.kind = J_OBJECT
        return True
    if first == c'[':
        item.kind = J_LIST
        return True
    while c.p < c.end and not _ends_value[<unsigned char> c.p[0]]:
        c.p += 1
    item.value.len = <uint32_t> (c.p - item.value.ptr)
    if item.value.len == 0:
        c.bad = True
        return False
    item.kind = J_NULL if first == c'n' else J_OTHER
    return True


cdef bint _next(Cursor* c, bint keys, uint8_t form, Item* item) noexcept nogil:
    """Read on to the next item; of an object or a list, the cursor stands at its bracket.

    False at the closing bracket, or when something is wrong.
    """
    _blanks(c)
    if c.p < c.end and c.p[0] == c',':
        c.p += 1
        _blanks(c)
    if c.p >= c.end:
        c.bad = True
        return False
    if c.p[0] == (c'}' if keys else c']'):
        c.p += 1
        return False
    if keys:
        if c.p[0] != c'"' or not _string(c, &item.key, &item.key_len):
            c.bad = True
            return False
        _blanks(c)
        if c.p >= c.end or c.p[0] != c':':
            c.bad = True
            return False
        c.p += 1
        _blanks(c)
        if c.p >= c.end:
            c.bad = True
            return False
    return _value(c, form, item)


cdef inline bint _next_field(Cursor* c, int kind, uint32_t hint, Item* item) noexcept nogil:
    """Read on to the next field of a record: most come in the order of the kernel, without blanks."""
    cdef const char* p = c.p
    cdef const Key* key = expected_key(kind, hint)
    cdef uint64_t word
    if key != NULL and key.len <= 8 and c.end - p >= 16:
        if p[0] == c',':
            p += 1
        if p[0] == c'"' and p[key.len + 1] == c'"' and p[key.len + 2] == c':':
            memcpy(&word, p + 1, 8)
            if key.len < 8:
                word &= (<uint64_t> 1 << key.len * 8) - 1
            if word == key.head:
                item.key = p + 1
                item.key_len = key.len
                c.p = p + key.len + 3
                _blanks(c)
                if c.p < c.end:
                    return _value(c, FORM_LAUREL, item)
    return _next(c, True, FORM_LAUREL, item)


cdef bint _skip(Cursor* c, const Item* item) noexcept nogil:
    """Read over an item; False: it has no end, or too many brackets in each other."""
    cdef int depth = 0
    cdef const char* text
    cdef uint32_t length
    cdef char first
    if item.kind < J_OBJECT:
        return True
    while c.p < c.end:
        first = c.p[0]
        if first == c'"':
            if not _string(c, &text, &length):
                return False
            continue
        c.p += 1
        if first == c'{' or first == c'[':
            depth += 1
            if depth > MAX_DEPTH:
                break
        elif first == c'}' or first == c']':
            depth -= 1
            if depth == 0:
                return True
    c.bad = True
    return False


cdef inline bint _is(const Item* item, const char* name, uint32_t length) noexcept nogil:
    return item.key_len == length and memcmp(item.key, name, length) == 0


cdef inline bint _has(const Value* v, const char* text, uint32_t length) noexcept nogil:
    return v.len == length and memcmp(v.ptr, text, length) == 0


cdef inline uint32_t _id(const Item* item) noexcept nogil:
    """Return a user or group id, as a number or as a text; "unset" is none."""
    cdef uint64_t number
    return <uint32_t> number if read_number(&item.value, 10, &number) else <uint32_t> NO_NUMBER


# -- addresses -------------------------------------------------------------------------------------

cdef struct Address:
    int family
    char text[64]            # NUL-terminated
    uint64_t port
    Value path
    bint has_path


cdef void _take_address(AuditEvent* e, const Address* a) noexcept nogil:
    """Store an address as the kernel has it: a struct sockaddr."""
    cdef char raw[128]
    cdef uint32_t length
    cdef int64_t size
    raw[0] = <char> a.family
    raw[1] = 0
    if a.family == AF_UNIX and a.has_path and a.path.len <= 110:
        size = decode_text(&a.path, raw + 2)
        if size < 0:
            return
        raw[2 + size] = 0
        length = <uint32_t> size + 3
    elif a.family == AF_INET or a.family == AF_INET6:
        raw[2] = <char> (a.port >> 8)
        raw[3] = <char> a.port
        if a.family == AF_INET:
            length = 8
            if inet_pton(AF_INET, a.text, raw + 4) != 1:
                return
        else:
            length = 24
            if inet_pton(AF_INET6, a.text, raw + 8) != 1:
                return
    elif a.family == AF_NETLINK:
        length = 2
    else:
        return
    e.saddr = put_raw(e, raw, length)
    e.seen |= SEEN_SADDR


cdef bint _address(Cursor* c, AuditEvent* e, uint8_t form) noexcept nogil:
    """Read an address that was taken apart: of laurel's SADDR, or of auditbeat's socket."""
    cdef Item item
    cdef Address a
    cdef uint32_t n
    a.family = -1
    a.text[0] = 0
    a.port = 0
    a.has_path = False
    if not _enter(c, c'{'):
        return False
    while _next(c, True, form, &item):
        if _is(&item, b"saddr_fam", 9) or _is(&item, b"family", 6):
            if _has(&item.value, b"inet", 4) or _has(&item.value, b"ipv4", 4):
                a.family = AF_INET
            elif _has(&item.value, b"inet6", 5) or _has(&item.value, b"ipv6", 4):
                a.family = AF_INET6
            elif _has(&item.value, b"local", 5) or _has(&item.value, b"unix", 4):
                a.family = AF_UNIX
            elif _has(&item.value, b"netlink", 7):
                a.family = AF_NETLINK
        elif _is(&item, b"addr", 4) and item.kind == J_STRING:
            n = min(item.value.len, <uint32_t> 63)
            memcpy(a.text, item.value.ptr, n)
            a.text[n] = 0
        elif _is(&item, b"port", 4):
            read_number(&item.value, 10, &a.port)
        elif _is(&item, b"path", 4) and item.kind == J_STRING:
            a.path = item.value
            a.has_path = True
        if not _skip(c, &item):
            return False
    if not c.bad and not e.seen & SEEN_SADDR:
        _take_address(e, &a)
    return not c.bad


# -- laurel ----------------------------------------------------------------------------------------

cdef bint _texts(Cursor* c, AuditEvent* e, int kind, uint8_t form) noexcept nogil:
    """Read a list of texts: the arguments of a call, of a program, of a title."""
    cdef Item item
    cdef uint32_t n = 0
    cdef uint32_t start = <uint32_t> e.text.len
    cdef int64_t length
    if not _enter(c, c'['):
        return False
    while _next(c, False, form, &item):
        if item.kind == J_STRING or item.kind == J_OTHER:
            if kind == KIND_SYSCALL:
                if n < 4 and read_number(&item.value, 16, &e.args[n]):
                    e.n_args = n + 1
            elif kind == KIND_EXECVE:
                add_arg(e, &item.value, False, False)
            elif kind == KIND_PROCTITLE and e.text.len - start + item.value.len < MAX_TEXT:
                if buf_reserve(&e.text, item.value.len + 1):
                    length = decode_text(&item.value, e.text.ptr + e.text.len)
                    if length > 0:
                        e.text.len += length
                    e.text.ptr[e.text.len] = 0
                    e.text.len += 1
            n += 1
        if not _skip(c, &item):
            return False
    if kind == KIND_PROCTITLE and n and e.text.len > start:
        e.proctitle.at = start
        e.proctitle.len = <uint32_t> e.text.len - start - 1
        e.proctitle.known = True
        e.seen |= SEEN_PROCTITLE
    return not c.bad


cdef void _words(AuditEvent* e, const Value* v) noexcept nogil:
    """Take a program's arguments from one text, where only that was written."""
    cdef Value word
    cdef const char* p = v.ptr
    cdef const char* end = p + v.len
    cdef const char* stop
    word.form = v.form
    while p < end:
        stop = <const char*> memchr(p, c' ', end - p)
        if stop == NULL:
            stop = end
        word.ptr = p
        word.len = <uint32_t> (stop - p)
        add_arg(e, &word, False, False)
        p = stop + 1


cdef bint _record_object(Cursor* c, AuditEvent* e, int kind) noexcept nogil:
    cdef Item item
    cdef uint32_t hint = 0
    cdef bint kept
    if not _enter(c, c'{'):
        return False
    kept = record_begin(e, kind)
    while _next_field(c, kind, hint, &item):
        if kept and (item.kind == J_STRING or item.kind == J_OTHER):
            # Names in capitals are those that laurel adds.
            if item.key_len and not c'A' <= item.key[0] <= c'Z':
                set_field(e, kind, item.key, item.key_len, &item.value, &hint)
            elif kind == KIND_SYSCALL:
                set_account(e, item.key, item.key_len, &item.value)
            elif kind == KIND_EXECVE and _is(&item, b"ARGV_STR", 8) and e.n_argv == 0:
                _words(e, &item.value)
            continue
        if item.kind == J_LIST and _is(&item, b"ARGV", 4):
            if not _texts(c, e, kind, FORM_LAUREL):
                return False
        elif item.kind == J_OBJECT and kind == KIND_SOCKADDR and _is(&item, b"SADDR", 5):
            if not _address(c, e, FORM_LAUREL):
                return False
        elif not _skip(c, &item):
            return False
    return not c.bad


cdef void _append_pair(AuditEvent* e, OtherRecord* record, const Item* item) noexcept nogil:
    """Add `key=value` to the text of a record."""
    cdef int64_t length
    cdef uint64_t number
    if item.key_len == 3 and memcmp(item.key, b"pid", 3) == 0 and read_number(&item.value, 10, &number):
        record.pid = <int64_t> number
    if not record.body.known:
        record.body.at = <uint32_t> e.text.len
        record.body.known = True
    if e.text.len - record.body.at + item.key_len + item.value.len + 2 > MAX_OTHER_BYTES:
        e.texts_cut += 1
        return
    if e.text.len > record.body.at:
        buf_putc(&e.text, c' ')
    buf_put(&e.text, item.key, item.key_len)
    buf_putc(&e.text, c'=')
    if buf_reserve(&e.text, item.value.len + 1):
        length = decode_text(&item.value, e.text.ptr + e.text.len)
        if length > 0:
            e.text.len += length
    record.body.len = <uint32_t> e.text.len - record.body.at


cdef bint _other_object(Cursor* c, AuditEvent* e, const char* type, uint32_t type_len, uint8_t form) noexcept nogil:
    """Keep a record of another type as text: `key=value` in the order of the object."""
    cdef Item item
    cdef OtherRecord* record = add_other(e, type, type_len)
    if not _enter(c, c'{'):
        return False
    while _next(c, True, form, &item):
        if record != NULL and (item.kind == J_STRING or item.kind == J_OTHER) and item.key_len:
            if not c'A' <= item.key[0] <= c'Z':
                _append_pair(e, record, &item)
        if not _skip(c, &item):
            return False
    return not c.bad


cdef bint _laurel_record(Cursor* c, JsonEvent* j, const Item* outer) noexcept nogil:
    """Read a record, or several of one type."""
    cdef Item item
    cdef int kind = kind_of(outer.key, outer.key_len)
    cdef bint listed = outer.kind == J_LIST
    item.kind = outer.kind
    if listed and not _enter(c, c'['):
        return False
    while True:
        if listed and not _next(c, False, FORM_LAUREL, &item):
            break
        if item.kind != J_OBJECT:
            if not _skip(c, &item):
                return False
        else:
            j.n_records += 1
            if kind == KIND_OTHER:
                if not _other_object(c, j.e, outer.key, outer.key_len, FORM_LAUREL):
                    return False
            elif kind == KIND_OBJ_PID or kind == KIND_EOE:
                if not _skip(c, &item):
                    return False
            elif not _record_object(c, j.e, kind):
                return False
        if not listed:
            break
    return not c.bad


# -- go-audit --------------------------------------------------------------------------------------

cdef bint _go_message(Cursor* c, JsonEvent* j) noexcept nogil:
    """Read one of the messages: the number of a type, and a record as the kernel sent it."""
    cdef Item item
    cdef RecordHead head
    cdef Value text
    cdef uint64_t number = 0
    cdef int64_t length
    text.len = 0
    text.ptr = NULL
    text.form = FORM_JSON
    if not _enter(c, c'{'):
        return False
    while _next(c, True, FORM_JSON, &item):
        if _is(&item, b"type", 4):
            read_number(&item.value, 10, &number)
        elif _is(&item, b"data", 4) and item.kind == J_STRING:
            text = item.value
        if not _skip(c, &item):
            return False
    if c.bad or text.ptr == NULL:
        return False
    j.text.len = 0
    if not buf_reserve(&j.text, text.len + 1):
        return False
    length = decode_text(&text, j.text.ptr)
    type_by_number(&head, <uint32_t> number)
    head.body = j.text.ptr
    head.body_len = <uint32_t> length
    j.n_records += 1
    take_record(j.e, &head)
    return True


cdef bint _go_names(Cursor* c, AuditEvent* e) noexcept nogil:
    """Read the names of the users that the messages speak of, by id; they come behind the messages."""
    cdef Item item
    cdef Value id
    cdef uint64_t number
    id.form = FORM_JSON
    if not _enter(c, c'{'):
        return False
    while _next(c, True, FORM_JSON, &item):
        id.ptr = item.key
        id.len = item.key_len
        if item.kind == J_STRING and read_number(&id, 10, &number):
            if number == e.euid:
                e.user_name = put_span(e, &item.value, 255)
            if number == e.auid:
                e.login_name = put_span(e, &item.value, 255)
        if not _skip(c, &item):
            return False
    return not c.bad


# -- auditbeat -------------------------------------------------------------------------------------

cdef void _beat_exit(AuditEvent* e, const Value* v) noexcept nogil:
    """Take the result of a call, which is a number or the name of an error."""
    cdef uint64_t number
    cdef const char* name
    cdef int i
    cdef uint32_t n
    if read_number(v, 10, &number):
        e.exit = <int64_t> number
        e.seen |= SEEN_EXIT
        return
    for i in range(1, 134):
        name = errno_name(i)
        if name == NULL:
            continue
        n = 0
        while name[n] != 0 and n < v.len and name[n] == v.ptr[n]:
            n += 1
        if n == v.len and name[n] == 0:
            e.exit = -i
            e.seen |= SEEN_EXIT
            return


cdef bint _beat_data(Cursor* c, JsonEvent* j) noexcept nogil:
    """Read auditd.data: what was left of the records, all of it texts."""
    cdef Item item
    cdef AuditEvent* e = j.e
    cdef uint32_t hint = 0
    if not _enter(c, c'{'):
        return False
    while _next(c, True, FORM_JSON, &item):
        if item.kind == J_OBJECT and _is(&item, b"socket", 6):
            if not _address(c, e, FORM_JSON):
                return False
            continue
        if item.kind == J_STRING or item.kind == J_OTHER:
            if _is(&item, b"exit", 4):
                _beat_exit(e, &item.value)
            elif _is(&item, b"arch", 4):
                if _has(&item.value, b"x86_64", 6):
                    e.arch = 0xc000003eU
                elif _has(&item.value, b"aarch64", 7):
                    e.arch = 0xc00000b7U
                elif _has(&item.value, b"i386", 4):
                    e.arch = 0x40000003U
            else:
                set_field(e, KIND_SYSCALL, item.key, item.key_len, &item.value, &hint)
        if not _skip(c, &item):
            return False
    return not c.bad


cdef bint _beat_paths(Cursor* c, JsonEvent* j) noexcept nogil:
    cdef Item item
    cdef Item each
    cdef uint32_t hint
    cdef bint kept
    if not _enter(c, c'['):
        return False
    while _next(c, False, FORM_JSON, &each):
        if each.kind != J_OBJECT:
            if not _skip(c, &each):
                return False
            continue
        if not _enter(c, c'{'):
            return False
        hint = 0
        j.n_records += 1
        kept = record_begin(j.e, KIND_PATH)
        while _next(c, True, FORM_JSON, &item):
            if kept and (item.kind == J_STRING or item.kind == J_OTHER):
                set_field(j.e, KIND_PATH, item.key, item.key_len, &item.value, &hint)
            if not _skip(c, &item):
                return False
    return not c.bad


cdef bint _beat_auditd(Cursor* c, JsonEvent* j, bint* is_call) noexcept nogil:
    cdef Item item
    cdef AuditEvent* e = j.e
    cdef Value type
    cdef const char* data = NULL
    cdef const char* after
    cdef char name[64]
    cdef uint32_t i
    type.ptr = b""
    type.len = 0
    if not _enter(c, c'{'):
        return False
    while _next(c, True, FORM_JSON, &item):
        if item.kind == J_OBJECT and _is(&item, b"data", 4):
            data = c.p
            if not _beat_data(c, j):
                return False
            continue
        if item.kind == J_LIST and _is(&item, b"paths", 5):
            if not _beat_paths(c, j):
                return False
            continue
        if _is(&item, b"sequence", 8):
            read_number(&item.value, 10, &e.serial)
        elif _is(&item, b"result", 6) and item.kind == J_STRING:
            e.success = _has(&item.value, b"success", 7)
            e.seen |= SEEN_SUCCESS
        elif _is(&item, b"message_type", 12) and item.kind == J_STRING:
            type = item.value
        if not _skip(c, &item):
            return False
    if c.bad:
        return False
    is_call[0] = e.seen & SEEN_NAME != 0 or _has(&type, b"syscall", 7)
    if is_call[0]:
        e.seen |= SEEN_SYSCALL
    elif type.len:
        for i in range(min(type.len, <uint32_t> 64)):
            name[i] = type.ptr[i] - 32 if c'a' <= type.ptr[i] <= c'z' else type.ptr[i]
        if data == NULL:
            add_other(e, name, i + 1)
        else:
            after = c.p
            c.p = data
            if not _other_object(c, e, name, i + 1, FORM_JSON):
                return False
            c.p = after
    return True


cdef bint _beat_process(Cursor* c, JsonEvent* j) noexcept nogil:
    cdef Item item
    cdef Item inner
    cdef AuditEvent* e = j.e
    cdef uint64_t number
    if not _enter(c, c'{'):
        return False
    while _next(c, True, FORM_JSON, &item):
        if item.kind == J_OBJECT and _is(&item, b"parent", 6):
            if not _enter(c, c'{'):
                return False
            while _next(c, True, FORM_JSON, &inner):
                if _is(&inner, b"pid", 3) and read_number(&inner.value, 10, &number):
                    e.ppid = <int64_t> number
                if not _skip(c, &inner):
                    return False
            continue
        if item.kind == J_LIST and _is(&item, b"args", 4):
            e.seen |= SEEN_EXECVE
            if not _texts(c, e, KIND_EXECVE, FORM_JSON):
                return False
            continue
        if item.kind == J_STRING:
            if _is(&item, b"name", 4):
                e.comm = put_span(e, &item.value, MAX_TEXT)
            elif _is(&item, b"executable", 10):
                e.exe = put_span(e, &item.value, MAX_TEXT)
            elif _is(&item, b"working_directory", 17):
                e.cwd = put_span(e, &item.value, MAX_TEXT)
                e.seen |= SEEN_CWD
            elif _is(&item, b"title", 5):
                # Its arguments are joined by blanks.
                e.proctitle = put_span(e, &item.value, MAX_TEXT)
                e.seen |= SEEN_PROCTITLE
        if (_is(&item, b"pid", 3)) and read_number(&item.value, 10, &number):
            e.pid = <int64_t> number
        elif _is(&item, b"ppid", 4) and read_number(&item.value, 10, &number):
            e.ppid = <int64_t> number
        if not _skip(c, &item):
            return False
    return not c.bad


cdef bint _beat_user(Cursor* c, AuditEvent* e, int depth, uint32_t* user, Span* name, uint32_t* group) noexcept nogil:
    """Read a user: its id and group; those it acts as and logged in as lie inside."""
    cdef Item item
    cdef uint32_t ignored
    cdef Span unused
    if depth > 4:
        c.bad = True
        return False
    if not _enter(c, c'{'):
        return False
    while _next(c, True, FORM_JSON, &item):
        if item.kind == J_OBJECT:
            if _is(&item, b"effective", 9):
                if not _beat_user(c, e, depth + 1, &e.euid, &e.user_name, &e.egid):
                    return False
                continue
            if _is(&item, b"audit", 5):
                if not _beat_user(c, e, depth + 1, &e.auid, &e.login_name, &ignored):
                    return False
                continue
            if _is(&item, b"group", 5):
                if not _beat_user(c, e, depth + 1, group, &e.group_name if depth == 0 else &unused, &ignored):
                    return False
                continue
        elif _is(&item, b"id", 2) or _is(&item, b"uid", 3):
            user[0] = _id(&item)
        elif _is(&item, b"name", 4) and item.kind == J_STRING:
            name[0] = put_span(e, &item.value, 255)
        elif _is(&item, b"auid", 4):
            e.auid = _id(&item)
        elif _is(&item, b"euid", 4):
            e.euid = _id(&item)
        elif _is(&item, b"gid", 3):
            group[0] = _id(&item)
        elif _is(&item, b"egid", 4):
            e.egid = _id(&item)
        if not _skip(c, &item):
            return False
    return not c.bad


cdef bint _beat_host(Cursor* c, JsonEvent* j) noexcept nogil:
    cdef Item item
    if not _enter(c, c'{'):
        return False
    while _next(c, True, FORM_JSON, &item):
        if item.kind == J_STRING and (_is(&item, b"name", 4) or (_is(&item, b"hostname", 8) and j.node == NULL)):
            j.node = item.value.ptr
            j.node_len = item.value.len
        if not _skip(c, &item):
            return False
    return not c.bad


# -- lines -----------------------------------------------------------------------------------------

cdef bint read_json(JsonEvent* j, const char* line, uint32_t length) noexcept nogil:
    cdef Cursor c
    cdef Item item
    cdef Item each
    cdef AuditEvent* e = j.e
    cdef int flavour = UNKNOWN
    cdef bint timed = False
    cdef bint known = False
    cdef bint is_call = False
    cdef uint64_t ts_ns
    cdef Span uid_name
    cdef const char* rest
    uid_name.known = False
    c.p = line
    c.end = line + length
    c.bad = False
    event_reset(e)
    j.node = NULL
    j.node_len = 0
    j.n_records = 0
    if not _enter(&c, c'{'):
        return False
    while _next(&c, True, FORM_LAUREL, &item):
        if flavour == LAUREL and item.kind >= J_OBJECT:
            if item.key_len and c'A' <= item.key[0] <= c'Z':
                if not _laurel_record(&c, j, &item):
                    return False
            elif not _skip(&c, &item):
                return False
            continue
        if item.kind == J_STRING and _is(&item, b"ID", 2):
            if not read_id(item.value.ptr, item.value.ptr + item.value.len, &rest, &e.time_ms, &e.serial):
                return False
            flavour = LAUREL
            known = timed = True
        elif item.kind == J_STRING and _is(&item, b"NODE", 4):
            j.node = item.value.ptr
            j.node_len = item.value.len
        elif _is(&item, b"sequence", 8):
            known = read_number(&item.value, 10, &e.serial)
            flavour = GO_AUDIT
        elif _is(&item, b"timestamp", 9) and item.kind == J_STRING:
            timed = read_time(item.value.ptr, item.value.ptr + item.value.len, &rest, &e.time_ms)
            flavour = GO_AUDIT
        elif _is(&item, b"messages", 8) and item.kind == J_LIST:
            if not _enter(&c, c'['):
                return False
            while _next(&c, False, FORM_JSON, &each):
                if each.kind == J_OBJECT:
                    if not _go_message(&c, j):
                        return False
                elif not _skip(&c, &each):
                    return False
            continue
        elif item.kind == J_OBJECT and flavour == GO_AUDIT and _is(&item, b"uid_map", 7):
            if not _go_names(&c, e):
                return False
            continue
        elif _is(&item, b"@timestamp", 10) and item.kind == J_STRING:
            timed = parse_rfc3339(item.value.ptr, item.value.len, &ts_ns)
            if timed:
                e.time_ms = ts_ns // 1000000
        elif item.kind == J_OBJECT and flavour != GO_AUDIT:
            if _is(&item, b"auditd", 6):
                flavour = AUDITBEAT
                known = True
                if not _beat_auditd(&c, j, &is_call):
                    return False
                continue
            if _is(&item, b"process", 7):
                if not _beat_process(&c, j):
                    return False
                continue
            if _is(&item, b"user", 4):
                if not _beat_user(&c, e, 0, &e.uid, &uid_name, &e.gid):
                    return False
                continue
            if _is(&item, b"host", 4):
                if not _beat_host(&c, j):
                    return False
                continue
        if not _skip(&c, &item):
            return False
    _blanks(&c)
    if c.bad or c.p != c.end or not known or not timed:
        return False
    if flavour == AUDITBEAT:
        j.n_records += 1
        if e.euid == <uint32_t> NO_NUMBER:
            e.euid = e.uid               # written only where they differ
            e.user_name = uid_name
        if e.egid == <uint32_t> NO_NUMBER:
            e.egid = e.gid
        if not is_call and e.n_others and e.others[0].pid < 0:
            e.others[0].pid = e.pid
    return True
