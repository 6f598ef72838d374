"""Transformers over values, and operands as trees."""

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcpy, memset

from rulekit.native._scratch cimport Buf, buf_free, buf_put, scratch_alloc
from rulekit.state._fields cimport (
    V_ADDRESS, V_BOOL, V_BYTES, V_DOUBLE, V_INT, V_LIST, V_NULL, V_TEXT, V_UINT, extract,
    free_field_ref, init_field_ref, put_list, put_text, put_uint,
)
from rulekit.state._render cimport put_buf, put_value

_OPS = {
    "tolower": T_TOLOWER,
    "toupper": T_TOUPPER,
    "b64": T_B64,
    "basename": T_BASENAME,
    "len": T_LEN,
    "val": T_VAL,
    "concat": T_CONCAT,
    "join": T_JOIN,
    "getopt": T_GETOPT,
}
_KINDS = {
    "text": V_TEXT,
    "bytes": V_BYTES,
    "int": V_INT,
    "uint": V_UINT,
    "bool": V_BOOL,
    "port": V_UINT,
    "double": V_DOUBLE,
    "address": V_ADDRESS,
    "network": V_ADDRESS,
}


cdef int transform_op(str name) except -1:
    op = _OPS.get(name)
    if op is None:
        raise ValueError(f"no such transformer: {name}")
    return op


# --- One value -----------------------------------------------------------------------------------

cdef uint32_t _text_len(const Value* value) noexcept nogil:
    cdef const void* nul = memchr(value.ptr, 0, value.len) if value.len else NULL
    return value.len if nul == NULL else <uint32_t> (<const char*> nul - value.ptr)


cdef bint _fold(Context* c, const Value* value, bint upper, Value* out) noexcept nogil:
    cdef uint32_t n = value.len
    cdef uint32_t i
    cdef char byte
    cdef char* text
    if value.kind != V_TEXT:
        return False
    text = <char*> scratch_alloc(&c.state.scratch, n)
    if text == NULL:
        return False
    for i in range(n):
        byte = value.ptr[i]
        if upper and c'a' <= byte <= c'z':
            byte -= 32
        elif not upper and c'A' <= byte <= c'Z':
            byte += 32
        text[i] = byte
    return put_text(out, text, n)


cdef int _digit(unsigned char byte) noexcept nogil:
    if c'A' <= byte <= c'Z':
        return byte - c'A'
    if c'a' <= byte <= c'z':
        return byte - c'a' + 26
    if c'0' <= byte <= c'9':
        return byte - c'0' + 52
    if byte == c'+':
        return 62
    return 63 if byte == c'/' else -1


cdef bint _b64(Context* c, const Value* value, Value* out) noexcept nogil:
    # Padding may be missing; bits that no byte takes must be zero.
    cdef uint32_t n
    cdef uint32_t i
    cdef uint32_t size = 0
    cdef uint32_t word = 0
    cdef int bits = 0
    cdef int digit
    cdef char* text
    if value.kind != V_TEXT and value.kind != V_BYTES:
        return False
    n = _text_len(value) if value.kind == V_TEXT else value.len
    if n and n % 4 == 0:
        if value.ptr[n - 1] == c'=':
            n -= 1
            if value.ptr[n - 1] == c'=':
                n -= 1
    if n % 4 == 1:
        return False
    text = <char*> scratch_alloc(&c.state.scratch, n // 4 * 3 + 3)
    if text == NULL:
        return False
    for i in range(n):
        digit = _digit(<unsigned char> value.ptr[i])
        if digit < 0:
            return False
        word = (word << 6) | <uint32_t> digit
        bits += 6
        if bits >= 8:
            bits -= 8
            text[size] = <char> (word >> bits & 0xff)
            size += 1
            word &= (1 << bits) - 1
    if word != 0:
        return False
    put_text(out, text, size)
    out.kind = value.kind
    return True


cdef bint _basename(const Value* value, Value* out) noexcept nogil:
    cdef uint32_t n
    cdef uint32_t at
    if value.kind != V_TEXT:
        return False
    n = _text_len(value)
    at = n
    while at > 0 and value.ptr[at - 1] != c'/':
        at -= 1
    if at == 0:
        out[0] = value[0]            # an interned text stays one
        return True
    return put_text(out, value.ptr + at, n - at)


cdef bint _len(const Value* value, Value* out) noexcept nogil:
    if value.kind == V_LIST:
        return put_uint(out, value.n_items)
    if value.kind == V_TEXT:
        return put_uint(out, _text_len(value))
    return value.kind == V_BYTES and put_uint(out, value.len)


cdef bint _one(Context* c, int op, const Value* value, Value* out) noexcept nogil:
    if op == T_TOLOWER or op == T_TOUPPER:
        return _fold(c, value, op == T_TOUPPER, out)
    if op == T_B64:
        return _b64(c, value, out)
    if op == T_BASENAME:
        return _basename(value, out)
    return False


cdef bint _each(Context* c, int op, const Value* value, Value* out) noexcept nogil:
    # Of a list every item; one that cannot be transformed makes the whole null.
    cdef uint32_t i
    if value.kind != V_LIST:
        return _one(c, op, value, out)
    if not put_list(c, out, value.n_items):
        return False
    for i in range(value.n_items):
        if not _one(c, op, &value.items[i], &out.items[i]):
            return False
    out.n_items = value.n_items
    return True


# --- Several values ------------------------------------------------------------------------------

cdef bint _concat(Context* c, const Value* args, uint32_t n_args, Value* out) noexcept nogil:
    cdef Buf text
    cdef uint32_t i
    memset(&text, 0, sizeof(text))
    for i in range(n_args):
        if args[i].kind != V_TEXT:
            buf_free(&text)
            return False
        buf_put(&text, args[i].ptr, _text_len(&args[i]))
    return put_buf(c, out, &text)


cdef bint _join(Context* c, const Value* args, uint32_t n_args, Value* out) noexcept nogil:
    cdef Buf text
    cdef uint32_t i
    cdef uint32_t separator_len
    if n_args != 2 or args[0].kind != V_TEXT or args[1].kind != V_LIST:
        return False
    separator_len = _text_len(&args[0])
    memset(&text, 0, sizeof(text))
    for i in range(args[1].n_items):
        if i:
            buf_put(&text, args[0].ptr, separator_len)
        put_value(&text, &args[1].items[i], 0, False)
    return put_buf(c, out, &text)


cdef struct Options:
    bint valid[256]
    bint takes_value[256]


cdef void _read_options(const Value* value, Options* options) noexcept nogil:
    # "ab:" - a, and b with a value. A colon in front has no meaning here.
    cdef uint32_t i
    cdef uint32_t n = _text_len(value)
    cdef unsigned char letter
    memset(options, 0, sizeof(Options))
    for i in range(n):
        letter = <unsigned char> value.ptr[i]
        if letter == c':':
            continue
        options.valid[letter] = True
        if i + 1 < n and value.ptr[i + 1] == c':':
            options.takes_value[letter] = True


cdef inline void _emit(Value* out, uint32_t room, const char* text, uint32_t length) noexcept nogil:
    if out.n_items < room:
        put_text(&out.items[out.n_items], text, length)
        out.n_items += 1


cdef bint _getopt(Context* c, const Value* args, uint32_t n_args, uint8_t key, Value* out) noexcept nogil:
    # Letters, each followed by its value if it takes one; "?" for an unknown letter, "" for a value
    # that is missing. With `key` the value of that option alone (the letter if it takes none), the
    # last one given; null if it was not.
    cdef Options options
    cdef const Value* words
    cdef const char* word
    cdef const char* value
    cdef uint32_t n, i, at, value_len
    cdef uint32_t room = 0
    cdef unsigned char letter
    cdef bint found = False
    cdef Value picked
    if n_args != 2 or args[0].kind != V_LIST or args[1].kind != V_TEXT:
        return False
    _read_options(&args[1], &options)
    words = args[0].items
    for i in range(args[0].n_items):
        if words[i].kind != V_TEXT:
            return False
        room += words[i].len * 2
    if not put_list(c, out, room):
        return False
    i = 0
    while i < args[0].n_items:
        word = words[i].ptr
        n = _text_len(&words[i])
        i += 1
        if n == 2 and word[0] == c'-' and word[1] == c'-':
            break
        if n > 2 and word[0] == c'-' and word[1] == c'-':
            continue                 # a long option
        if n < 2 or word[0] != c'-':
            break
        at = 1
        while at < n:
            letter = <unsigned char> word[at]
            at += 1
            if not options.valid[letter] or letter == c':':
                _emit(out, room, "?", 1)
                continue
            if not options.takes_value[letter]:
                _emit(out, room, word + at - 1, 1)
                if letter == key:
                    found = put_text(&picked, word + at - 1, 1)
                continue
            if at < n:
                value = word + at
                value_len = n - at
            elif i < args[0].n_items:
                value = words[i].ptr
                value_len = _text_len(&words[i])
                i += 1
            else:
                _emit(out, room, "", 0)
                if letter == key:
                    found = put_text(&picked, "", 0)
                break
            _emit(out, room, word + at - 1, 1)
            _emit(out, room, value, value_len)
            if letter == key:
                found = put_text(&picked, value, value_len)
            break
    if key == 0:
        return True
    if found:
        out[0] = picked
    return found


cdef bint apply_transform(Context* c, int op, const Value* args, uint32_t n_args, uint8_t key, Value* out) noexcept nogil:
    cdef uint32_t i
    for i in range(n_args):
        if args[i].kind == V_NULL:
            return False
    if op == T_CONCAT:
        return _concat(c, args, n_args, out)
    if op == T_JOIN:
        return _join(c, args, n_args, out)
    if op == T_GETOPT:
        return _getopt(c, args, n_args, key, out)
    if n_args != 1:
        return False
    if op == T_LEN:
        return _len(&args[0], out)
    if op == T_VAL:
        out[0] = args[0]
        return True
    return _each(c, op, &args[0], out)


# --- Operands ------------------------------------------------------------------------------------

cdef bint _eval_all(Context* c, Operand* operand, Value* values) noexcept nogil:
    cdef uint32_t i
    for i in range(operand.n_args):
        if not eval_operand(c, &operand.args[i], &values[i]):
            return False
    return True


cdef bint eval_operand(Context* c, Operand* operand, Value* out) noexcept nogil:
    cdef Value few[4]
    cdef Value* values = few
    if operand.kind == OPERAND_FIELD:
        return extract(c, operand.ref, out)
    if operand.kind == OPERAND_LITERAL:
        out[0] = operand.literal
        return True
    if operand.kind == OPERAND_TUPLE:
        if not put_list(c, out, operand.n_args) or not _eval_all(c, operand, out.items):
            return False
        out.n_items = operand.n_args
        return True
    if operand.n_args > 4:
        values = <Value*> scratch_alloc(&c.state.scratch, operand.n_args * sizeof(Value))
        if values == NULL:
            return False
    if not _eval_all(c, operand, values):
        return False
    return apply_transform(c, operand.op, values, operand.n_args, operand.key, out)


cdef int _fill_args(Operand* operand, tuple items) except -1:
    cdef Py_ssize_t i
    operand.args = <Operand*> calloc(len(items) if items else 1, sizeof(Operand))
    if operand.args == NULL:
        raise MemoryError
    operand.n_args = <uint32_t> len(items)      # those that a failure leaves unmade are all zero
    for i in range(len(items)):
        _fill(&operand.args[i], items[i], True)
    return 0


cdef int _fill(Operand* operand, object bound, bint nested=False) except -1:
    # State knows nothing of rules, so operands are told apart by what they have.
    cdef bytes raw
    cdef char* copy
    memset(operand, 0, sizeof(Operand))
    if hasattr(bound, "field"):
        operand.kind = OPERAND_FIELD
        operand.ref = <FieldRef*> calloc(1, sizeof(FieldRef))
        if operand.ref == NULL:
            raise MemoryError
        try:
            init_field_ref(
                operand.ref, bound.field.name, bound.index, bound.key,
                V_LIST if bound.is_list else _KINDS[bound.kind.value], nested,
            )
        except BaseException:
            free(operand.ref)
            operand.ref = NULL
            raise
    elif hasattr(bound, "items"):
        operand.kind = OPERAND_TUPLE
        _fill_args(operand, tuple(bound.items))
    elif hasattr(bound, "args"):
        operand.kind = OPERAND_CALL
        operand.op = transform_op(bound.name)
        key = bound.key
        if key is not None:
            raw = key.encode("utf-8", "surrogateescape") if isinstance(key, str) else bytes(key)
            if len(raw) != 1:
                raise ValueError("the argument in brackets must be one option letter")
            operand.key = raw[0]
        _fill_args(operand, tuple(bound.args))
    else:
        operand.kind = OPERAND_LITERAL
        raw = bytes(bound.value)
        copy = <char*> malloc(len(raw) + 1)
        if copy == NULL:
            raise MemoryError
        memcpy(copy, <const char*> raw, len(raw) + 1)
        put_text(&operand.literal, copy, <uint32_t> len(raw))
    return 0


cdef void _clear(Operand* operand) noexcept:
    cdef uint32_t i
    if operand.kind == OPERAND_LITERAL:
        free(<void*> operand.literal.ptr)
    if operand.ref != NULL:
        free_field_ref(operand.ref)
        free(operand.ref)
    if operand.args != NULL:
        for i in range(operand.n_args):
            _clear(&operand.args[i])
        free(operand.args)
    memset(operand, 0, sizeof(Operand))


cdef Operand* make_operand(object bound) except NULL:
    cdef Operand* operand = <Operand*> calloc(1, sizeof(Operand))
    if operand == NULL:
        raise MemoryError
    try:
        _fill(operand, bound)
    except BaseException:
        free_operand(operand)
        raise
    return operand


cdef void free_operand(Operand* operand) noexcept:
    if operand != NULL:
        _clear(operand)
        free(operand)
