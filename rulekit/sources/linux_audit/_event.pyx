# hot: every event passes here
"""Records of audit become one event: fields by name, texts decoded, everything bounded."""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcmp, memcpy, memset

from rulekit.native._scratch cimport buf_free, buf_putc, buf_reserve
from rulekit.schema.linux_audit import record_types

cdef enum:
    MAX_KEYS = 40
    KEPT_BYTES = 65536       # of the buffers of an event that waits for its next use
    MAX_SADDR = 256
    MAX_EVENT_TEXT = 1 << 20
    MAX_ARG_LETTERS = 6 * MAX_ARGS_BYTES     # a byte is at most six letters: \u0041

cdef enum Target:
    T_IGNORE = 0
    T_ARCH, T_SYSCALL, T_SUCCESS, T_EXIT, T_A0, T_A1, T_A2, T_A3, T_ITEMS, T_PPID, T_PID, T_AUID, T_UID, T_GID
    T_EUID, T_EGID, T_SES, T_TTY, T_COMM, T_EXE, T_KEY
    T_CWD, T_NAME, T_INODE, T_DEV, T_MODE, T_NAMETYPE
    T_PROCTITLE, T_SADDR, T_FD0, T_FD1, T_FD, T_OFLAG, T_HOW_MODE, T_RESOLVE
    T_CAP_P, T_CAP_I, T_CAP_E, T_MODULE, T_C0, T_C1, T_C2, T_C3, T_C4, T_C5

cdef struct KeyTable:
    Key keys[MAX_KEYS]
    uint32_t n

cdef struct KindName:
    uint64_t head
    uint32_t len
    uint8_t kind

cdef int8_t HEX[256]         # value of a digit, -1: none
cdef KeyTable _tables[N_KINDS]
cdef KindName _kinds[N_KINDS]
cdef uint8_t _kind_by_number[4096]
cdef const char* _name_by_number[4096]
_kept = []                   # what it points into

# In the order in which they come: the next one is tried first.
_KEYS = {
    KIND_SYSCALL: (
        ("arch", T_ARCH), ("syscall", T_SYSCALL), ("success", T_SUCCESS), ("exit", T_EXIT), ("a0", T_A0), ("a1", T_A1),
        ("a2", T_A2), ("a3", T_A3), ("items", T_ITEMS), ("ppid", T_PPID), ("pid", T_PID), ("auid", T_AUID), ("uid", T_UID),
        ("gid", T_GID), ("euid", T_EUID), ("suid", T_IGNORE), ("fsuid", T_IGNORE), ("egid", T_EGID), ("sgid", T_IGNORE),
        ("fsgid", T_IGNORE), ("tty", T_TTY), ("ses", T_SES), ("comm", T_COMM), ("exe", T_EXE), ("subj", T_IGNORE),
        ("key", T_KEY), ("per", T_IGNORE),
    ),
    KIND_PATH: (
        ("item", T_IGNORE), ("name", T_NAME), ("inode", T_INODE), ("dev", T_DEV), ("mode", T_MODE), ("ouid", T_IGNORE),
        ("ogid", T_IGNORE), ("rdev", T_IGNORE), ("obj", T_IGNORE), ("nametype", T_NAMETYPE), ("cap_fp", T_IGNORE),
        ("cap_fi", T_IGNORE), ("cap_fe", T_IGNORE), ("cap_fver", T_IGNORE), ("cap_frootid", T_IGNORE), ("objtype", T_NAMETYPE),
    ),
    KIND_CWD: (("cwd", T_CWD),),
    KIND_PROCTITLE: (("proctitle", T_PROCTITLE),),
    KIND_EXECVE: (),
    KIND_SOCKADDR: (("saddr", T_SADDR),),
    KIND_BPRM_FCAPS: (("pp", T_CAP_P), ("pi", T_CAP_I), ("pe", T_CAP_E)),
    KIND_CAPSET: (("cap_pi", T_CAP_I), ("cap_pp", T_CAP_P), ("cap_pe", T_CAP_E)),
    KIND_FD_PAIR: (("fd0", T_FD0), ("fd1", T_FD1)),
    KIND_MMAP: (("fd", T_FD),),
    KIND_OPENAT2: (("oflag", T_OFLAG), ("mode", T_HOW_MODE), ("resolve", T_RESOLVE)),
    KIND_KERN_MODULE: (("name", T_MODULE),),
    KIND_SOCKETCALL: (("a0", T_C0), ("a1", T_C1), ("a2", T_C2), ("a3", T_C3), ("a4", T_C4), ("a5", T_C5)),
}
_NAMES = {
    KIND_SYSCALL: "SYSCALL", KIND_PATH: "PATH", KIND_CWD: "CWD", KIND_PROCTITLE: "PROCTITLE", KIND_EXECVE: "EXECVE",
    KIND_SOCKADDR: "SOCKADDR", KIND_EOE: "EOE", KIND_BPRM_FCAPS: "BPRM_FCAPS", KIND_CAPSET: "CAPSET",
    KIND_FD_PAIR: "FD_PAIR", KIND_MMAP: "MMAP", KIND_OPENAT2: "OPENAT2", KIND_KERN_MODULE: "KERN_MODULE",
    KIND_SOCKETCALL: "SOCKETCALL", KIND_OBJ_PID: "OBJ_PID",
}


cdef inline uint64_t _head(const char* text, uint32_t length) noexcept nogil:
    """Return the first eight bytes, zeros behind the end."""
    cdef uint64_t head = 0
    cdef uint32_t low, high
    if length >= 8:
        memcpy(&head, text, 8)
    elif length >= 4:
        memcpy(&low, text, 4)
        memcpy(&high, text + length - 4, 4)
        head = low | <uint64_t> high << ((length - 4) * 8)
    elif length:
        head = (<unsigned char> text[0] | <uint64_t> <unsigned char> text[length >> 1] << ((length >> 1) * 8)
                | <uint64_t> <unsigned char> text[length - 1] << ((length - 1) * 8))
    return head


cdef int _fill() except -1:
    cdef int kind, number
    cdef bytes raw
    cdef KeyTable* table
    for number in range(256):
        HEX[number] = -1
    for number, text in enumerate("0123456789abcdef"):
        HEX[<int> ord(text)] = number
        HEX[<int> ord(text.upper())] = number
    for kind, keys in _KEYS.items():
        table = &_tables[kind]
        for key, target in keys:
            raw = key.encode()
            table.keys[table.n].head = _head(raw, len(raw))
            table.keys[table.n].len = len(raw)
            table.keys[table.n].target = target
            table.n += 1
    numbers = {name: number for number, name in record_types().items()}
    for number, name in record_types().items():
        raw = name.encode()
        _kept.append(raw)
        _name_by_number[number] = raw
    for kind, name in _NAMES.items():
        raw = name.encode()
        _kinds[kind].head = _head(raw, len(raw))
        _kinds[kind].len = len(raw)
        _kinds[kind].kind = kind
        _kind_by_number[<int> numbers[name]] = kind
    return 0


_fill()


cdef int kind_of(const char* name, uint32_t length) noexcept nogil:
    cdef uint64_t head = _head(name, length)
    cdef int kind
    cdef uint32_t i, number
    for kind in range(1, N_KINDS):
        if _kinds[kind].head == head and _kinds[kind].len == length:
            return kind
    if length > 9 and memcmp(name, b"UNKNOWN[", 8) == 0:
        # A daemon older than the kernel.
        number = 0
        for i in range(8, length - 1):
            if not c'0' <= name[i] <= c'9' or number > 100000:
                return KIND_OTHER
            number = number * 10 + name[i] - c'0'
        return kind_of_number(number)
    return KIND_OTHER


cdef int kind_of_number(uint32_t number) noexcept nogil:
    return _kind_by_number[number] if number < 4096 else KIND_OTHER


cdef const char* name_of_number(uint32_t number) noexcept nogil:
    return _name_by_number[number] if number < 4096 else NULL


# -- memory ----------------------------------------------------------------------------------------

cdef AuditEvent* event_new() noexcept nogil:
    cdef AuditEvent* e = <AuditEvent*> calloc(1, sizeof(AuditEvent))
    if e == NULL:
        return NULL
    e.paths = <AuditPath*> malloc(MAX_PATHS * sizeof(AuditPath))
    e.others = <OtherRecord*> malloc(MAX_OTHERS * sizeof(OtherRecord))
    if e.paths == NULL or e.others == NULL:
        event_free(e)
        return NULL
    event_reset(e)
    return e


cdef void event_free(AuditEvent* e) noexcept nogil:
    if e == NULL:
        return
    free(e.paths)
    free(e.others)
    buf_free(&e.argv)
    buf_free(&e.text)
    free(e)


cdef void event_reset(AuditEvent* e) noexcept nogil:
    cdef AuditPath* paths = e.paths
    cdef OtherRecord* others = e.others
    cdef Buf argv
    cdef Buf text
    if e.argv.failed or e.argv.cap > KEPT_BYTES:
        buf_free(&e.argv)
    if e.text.failed or e.text.cap > KEPT_BYTES:
        buf_free(&e.text)
    argv = e.argv
    text = e.text
    memset(e, 0, sizeof(AuditEvent))
    argv.len = 0
    text.len = 0
    e.paths = paths
    e.others = others
    e.argv = argv
    e.text = text
    e.pid = -1
    e.ppid = -1
    e.syscall = -1
    e.auid = e.uid = e.gid = e.euid = e.egid = e.ses = NO_NUMBER


# -- values ----------------------------------------------------------------------------------------

cdef bint read_number(const Value* v, int base, uint64_t* out) noexcept nogil:
    cdef const char* p = v.ptr
    cdef const char* end = p + v.len
    cdef uint64_t value = 0
    cdef bint negative = False
    cdef int digit
    if p < end and p[0] == c'"' and v.form == FORM_AUDIT:
        p += 1
        if end > p and (end - 1)[0] == c'"':
            end -= 1
    if p < end and p[0] == c'-':
        negative = True
        p += 1
    if end - p > 2 and p[0] == c'0':
        # laurel prefixes its numbers
        if p[1] == c'x':
            base = 16
            p += 2
        elif p[1] == c'o':
            base = 8
            p += 2
    if p >= end:
        return False
    while p < end:
        digit = HEX[<unsigned char> p[0]]
        if digit < 0 or digit >= base:
            return False
        value = value * base + digit
        p += 1
    out[0] = 0 - value if negative else value
    return True


cdef inline int _utf8(uint32_t code, char* out) noexcept nogil:
    if code < 0x80:
        out[0] = <char> code
        return 1
    if code < 0x800:
        out[0] = <char> (0xC0 | code >> 6)
        out[1] = <char> (0x80 | code & 63)
        return 2
    if code < 0x10000:
        out[0] = <char> (0xE0 | code >> 12)
        out[1] = <char> (0x80 | code >> 6 & 63)
        out[2] = <char> (0x80 | code & 63)
        return 3
    out[0] = <char> (0xF0 | code >> 18)
    out[1] = <char> (0x80 | code >> 12 & 63)
    out[2] = <char> (0x80 | code >> 6 & 63)
    out[3] = <char> (0x80 | code & 63)
    return 4


cdef inline int32_t _four_hex(const char* p, const char* end) noexcept nogil:
    cdef int32_t code = 0
    cdef int i
    if end - p < 4:
        return -1
    for i in range(4):
        if HEX[<unsigned char> p[i]] < 0:
            return -1
        code = code * 16 + HEX[<unsigned char> p[i]]
    return code


cdef int64_t _decode_json(const char* p, const char* end, char* out) noexcept nogil:
    cdef char* start = out
    cdef char c
    cdef int32_t code, low
    while p < end:
        c = p[0]
        p += 1
        if c != c'\\' or p >= end:
            out[0] = c
            out += 1
            continue
        c = p[0]
        p += 1
        if c == c'u':
            code = _four_hex(p, end)
            if code < 0:
                out[0] = c'?'
                out += 1
                continue
            p += 4
            if 0xD800 <= code < 0xDC00 and end - p >= 6 and p[0] == c'\\' and p[1] == c'u':
                low = _four_hex(p + 2, end)
                if 0xDC00 <= low < 0xE000:
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                    p += 6
            out += _utf8(code, out)
            continue
        if c == c'n':
            c = c'\n'
        elif c == c't':
            c = c'\t'
        elif c == c'r':
            c = c'\r'
        elif c == c'b':
            c = c'\b'
        elif c == c'f':
            c = c'\f'
        out[0] = c
        out += 1
    return out - start


cdef int64_t _decode_percent(char* text, int64_t length) noexcept nogil:
    # In place.
    cdef const char* p = <const char*> memchr(text, c'%', length)
    cdef const char* end = text + length
    cdef char* out
    if p == NULL:
        return length
    out = <char*> p
    while p < end:
        if (p[0] == c'%' and end - p >= 3 and HEX[<unsigned char> p[1]] >= 0 and HEX[<unsigned char> p[2]] >= 0):
            out[0] = <char> (HEX[<unsigned char> p[1]] << 4 | HEX[<unsigned char> p[2]])
            p += 3
        else:
            out[0] = p[0]
            p += 1
        out += 1
    return out - text


cdef int64_t decode_text(const Value* v, char* out) noexcept nogil:
    cdef const char* p = v.ptr
    cdef uint32_t n = v.len
    cdef uint32_t i
    cdef int high, low
    cdef int64_t length
    if v.form != FORM_AUDIT:
        if memchr(p, c'\\', n) == NULL:
            memcpy(out, p, n)
            length = n
        else:
            length = _decode_json(p, p + n, out)
        return _decode_percent(out, length) if v.form == FORM_LAUREL else length
    if n and p[0] == c'"':
        n -= 1
        if n and p[n] == c'"':
            n -= 1
        memcpy(out, p + 1, n)
        return n
    if n & 1 == 0:
        for i in range(0, n, 2):
            high = HEX[<unsigned char> p[i]]
            low = HEX[<unsigned char> p[i + 1]]
            if high < 0 or low < 0:
                break
            out[i >> 1] = <char> (high << 4 | low)
        else:
            return n >> 1
    if (n == 6 and memcmp(p, b"(null)", 6) == 0) or (n == 1 and p[0] == c'?'):
        return -1
    memcpy(out, p, n)
    return n


cdef Span put_span(AuditEvent* e, const Value* v, uint32_t limit) noexcept nogil:
    cdef Span span
    cdef int64_t length
    span.at = 0
    span.len = 0
    span.known = False
    if e.text.len + v.len > MAX_EVENT_TEXT or not buf_reserve(&e.text, v.len + 1):
        e.texts_cut += 1
        return span
    length = decode_text(v, e.text.ptr + e.text.len)
    if length < 0:
        return span
    if length > limit:
        e.texts_cut += 1
        length = limit
    span.at = <uint32_t> e.text.len
    span.len = <uint32_t> length
    span.known = True
    e.text.len += length
    return span


cdef Span put_raw(AuditEvent* e, const char* ptr, uint32_t length) noexcept nogil:
    cdef Span span
    span.at = <uint32_t> e.text.len
    span.len = 0
    span.known = False
    if e.text.len + length > MAX_EVENT_TEXT or not buf_reserve(&e.text, length + 1):
        e.texts_cut += 1
        return span
    memcpy(e.text.ptr + e.text.len, ptr, length)
    span.len = length
    span.known = True
    e.text.len += length
    return span


# -- fields ----------------------------------------------------------------------------------------

cdef bint record_begin(AuditEvent* e, int kind) noexcept nogil:
    cdef AuditPath* path
    if kind == KIND_PATH:
        e.n_items += 1
        if e.n_paths == MAX_PATHS:
            e.records_lost += 1
            return False
        path = &e.paths[e.n_paths]
        memset(path, 0, sizeof(AuditPath))
        e.n_paths += 1
    elif kind == KIND_SYSCALL:
        e.seen |= SEEN_SYSCALL
    elif kind == KIND_BPRM_FCAPS:
        e.seen |= SEEN_FCAPS
    elif kind == KIND_CAPSET:
        e.seen |= SEEN_CAPSET
    elif kind == KIND_FD_PAIR:
        e.seen |= SEEN_PAIR
    elif kind == KIND_EXECVE:
        e.seen |= SEEN_EXECVE
    elif kind == KIND_OPENAT2:
        e.seen |= SEEN_OPENAT2
    elif kind == KIND_SOCKETCALL:
        e.seen |= SEEN_SOCKETCALL
    return True


cdef inline uint64_t _number(const Value* v, int base, uint64_t default) noexcept nogil:
    cdef uint64_t value
    return value if read_number(v, base, &value) else default


cdef uint32_t _device(const Value* v) noexcept nogil:
    # MAJOR:MINOR in hexadecimal
    cdef const char* colon = <const char*> memchr(v.ptr, c':', v.len)
    cdef Value part
    cdef uint64_t major, minor
    if colon == NULL:
        return 0
    part.form = FORM_JSON
    part.ptr = v.ptr
    part.len = <uint32_t> (colon - v.ptr)
    if not read_number(&part, 16, &major):
        return 0
    part.ptr = colon + 1
    part.len = v.len - part.len - 1
    if not read_number(&part, 16, &minor):
        return 0
    return <uint32_t> ((minor & 0xff) | (major & 0xfff) << 8 | (minor & ~<uint64_t> 0xff) << 12)


cdef int _nametype(const Value* v) noexcept nogil:
    cdef char first = v.ptr[0] if v.len else 0
    if first == c'"' and v.len > 1:
        first = v.ptr[1]
    if first == c'N':
        return NAME_NORMAL
    if first == c'P':
        return NAME_PARENT
    if first == c'C':
        return NAME_CREATE
    if first == c'D':
        return NAME_DELETE
    return NAME_UNKNOWN


cdef void _exec_field(AuditEvent* e, const char* key, uint32_t key_len, const Value* v) noexcept nogil:
    # argc, aN, aN_len, aN[K]
    cdef uint32_t i = 1
    cdef bint piece = False
    cdef bint more = True
    if key_len == 4 and memcmp(key, b"argc", 4) == 0:
        e.argc = <uint32_t> _number(v, 10, 0)
        return
    if key_len < 2 or key[0] != c'a':
        return
    while i < key_len and c'0' <= key[i] <= c'9':
        i += 1
    if i < key_len:
        if key[i] != c'[':
            return                           # aN_len: the pieces that follow tell
        piece = True
        more = not (i + 3 == key_len and key[i + 1] == c'0')
    add_arg(e, v, piece, more)


cdef void add_arg(AuditEvent* e, const Value* v, bint piece, bint more) noexcept nogil:
    cdef int64_t length
    cdef Value kept = v[0]
    if not (piece and more and e.n_argv):
        e.n_argv += 1
    elif 0 < e.argv.len <= MAX_ARGS_BYTES:
        e.argv.len -= 1                      # the NUL behind what it continues
        e.argv_bytes -= 1
    e.argv_bytes += 1
    if e.argv.len > MAX_ARGS_BYTES:
        e.argv_bytes += v.len                # counted, not kept
        return
    if kept.len > MAX_ARG_LETTERS:           # a line may be far longer than what is kept
        e.argv_bytes += kept.len - MAX_ARG_LETTERS
        kept.len = MAX_ARG_LETTERS
    if not buf_reserve(&e.argv, kept.len + 1):
        return
    length = decode_text(&kept, e.argv.ptr + e.argv.len)
    if length > 0:
        e.argv.len += length
        e.argv_bytes += length
    buf_putc(&e.argv, 0)


cdef OtherRecord* add_other(AuditEvent* e, const char* type, uint32_t type_len) noexcept nogil:
    cdef OtherRecord* record
    if e.n_others == MAX_OTHERS:
        e.records_lost += 1
        return NULL
    record = &e.others[e.n_others]
    e.n_others += 1
    record.type = put_raw(e, type, type_len)
    record.body.known = False
    record.body.at = 0
    record.body.len = 0
    record.pid = -1
    return record


cdef void set_account(AuditEvent* e, const char* key, uint32_t key_len, const Value* v) noexcept nogil:
    if key_len != 4:
        return
    if memcmp(key, b"AUID", 4) == 0:
        e.login_name = put_span(e, v, 255)
    elif memcmp(key, b"EUID", 4) == 0:
        e.user_name = put_span(e, v, 255)
    elif memcmp(key, b"EGID", 4) == 0:
        e.group_name = put_span(e, v, 255)


cdef const Key* expected_key(int kind, uint32_t hint) noexcept nogil:
    return &_tables[kind].keys[hint] if hint < _tables[kind].n else NULL


cdef void set_field(AuditEvent* e, int kind, const char* key, uint32_t key_len, const Value* v,
                    uint32_t* hint) noexcept nogil:
    cdef KeyTable* table = &_tables[kind]
    cdef uint64_t head
    cdef uint32_t i
    cdef uint64_t number = 0
    cdef int target
    cdef AuditPath* path
    cdef Span span
    if kind == KIND_EXECVE:
        _exec_field(e, key, key_len, v)
        return
    head = _head(key, key_len)
    i = hint[0]
    if i >= table.n or table.keys[i].head != head or table.keys[i].len != key_len:
        for i in range(table.n):
            if table.keys[i].head == head and table.keys[i].len == key_len:
                break
        else:
            return
    hint[0] = i + 1
    target = table.keys[i].target
    if target == T_IGNORE:
        return
    if kind == KIND_PATH:
        path = &e.paths[e.n_paths - 1]
        if target == T_NAME:
            path.name = put_span(e, v, MAX_TEXT)
        elif target == T_NAMETYPE:
            path.nametype = _nametype(v)
        elif target == T_INODE:
            path.has_inode = read_number(v, 10, &path.inode)
        elif target == T_MODE:
            path.mode = <uint32_t> _number(v, 8, 0)
        elif target == T_DEV:
            path.dev = _device(v)
        return
    if target == T_PID:
        e.pid = <int64_t> _number(v, 10, <uint64_t> -1)
    elif target == T_PPID:
        e.ppid = <int64_t> _number(v, 10, <uint64_t> -1)
    elif target == T_AUID:
        e.auid = <uint32_t> _number(v, 10, NO_NUMBER)
    elif target == T_UID:
        e.uid = <uint32_t> _number(v, 10, NO_NUMBER)
    elif target == T_GID:
        e.gid = <uint32_t> _number(v, 10, NO_NUMBER)
    elif target == T_EUID:
        e.euid = <uint32_t> _number(v, 10, NO_NUMBER)
    elif target == T_EGID:
        e.egid = <uint32_t> _number(v, 10, NO_NUMBER)
    elif target == T_SES:
        e.ses = <uint32_t> _number(v, 10, NO_NUMBER)
    elif target == T_COMM:
        e.comm = put_span(e, v, MAX_TEXT)
    elif target == T_EXE:
        e.exe = put_span(e, v, MAX_TEXT)
    elif target == T_TTY:
        e.tty = put_raw(e, v.ptr, v.len)
    elif target == T_KEY:
        e.key = put_span(e, v, MAX_TEXT)
    elif T_A0 <= target <= T_A3:
        if read_number(v, 16, &e.args[target - T_A0]):
            e.n_args = max(e.n_args, <uint32_t> (target - T_A0 + 1))
    elif target == T_ARCH:
        e.arch = <uint32_t> _number(v, 16, 0)
    elif target == T_SYSCALL:
        if read_number(v, 10, &number):
            e.syscall = <int64_t> number
        else:
            e.name = put_span(e, v, 64)
            e.seen |= SEEN_NAME
    elif target == T_SUCCESS:
        e.seen |= SEEN_SUCCESS
        e.success = v.len > 0 and (v.ptr[0] == c'y' or v.ptr[0] == c'1')
    elif target == T_EXIT:
        if read_number(v, 10, &number):
            e.exit = <int64_t> number
            e.seen |= SEEN_EXIT
    elif target == T_ITEMS:
        e.items = <uint32_t> _number(v, 10, 0)
    elif target == T_CWD:
        e.cwd = put_span(e, v, MAX_TEXT)
        if e.cwd.known:
            e.seen |= SEEN_CWD
    elif target == T_PROCTITLE:
        e.proctitle = put_span(e, v, MAX_TEXT)
        if e.proctitle.known:
            e.seen |= SEEN_PROCTITLE
    elif target == T_SADDR:
        span = put_span(e, v, MAX_SADDR)
        if span.known:
            e.saddr = span
            e.seen |= SEEN_SADDR
    elif target == T_CAP_P:
        e.cap_permitted = _number(v, 16, 0)
    elif target == T_CAP_I:
        e.cap_inheritable = _number(v, 16, 0)
    elif target == T_CAP_E:
        e.cap_effective = _number(v, 16, 0)
    elif target == T_FD0:
        e.pair[0] = <int64_t> _number(v, 10, <uint64_t> -1)
    elif target == T_FD1:
        e.pair[1] = <int64_t> _number(v, 10, <uint64_t> -1)
    elif target == T_FD:
        e.mmap_fd = <int64_t> _number(v, 10, <uint64_t> -1)
        e.seen |= SEEN_MMAP
    elif target == T_OFLAG:
        e.how_flags = _number(v, 8, 0)
    elif target == T_HOW_MODE:
        e.how_mode = _number(v, 8, 0)
    elif target == T_RESOLVE:
        e.how_resolve = _number(v, 16, 0)
    elif target == T_MODULE:
        e.module = put_span(e, v, MAX_TEXT)
        if e.module.known:
            e.seen |= SEEN_MODULE
    elif T_C0 <= target <= T_C5:
        e.call[target - T_C0] = _number(v, 16, 0)
