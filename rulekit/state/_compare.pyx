# hot: every event passes here
# Comparisons of field values. Null never comes here: whatever is compared with null is false.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from rulekit.native._text cimport text_equals, text_length, texts_len, texts_ptr
from rulekit.native._textindex cimport (
    M_ALLOF, M_ONEOF, T_EXISTS, T_GE, T_GT, T_IN, T_INTERSECTS, T_LE, T_LT, T_NE, text_compare,
    textfn_holds,
)
from rulekit.state._fields cimport (
    V_ADDRESS, V_BOOL, V_BYTES, V_DOUBLE, V_INT, V_LIST, V_TEXT, V_UINT, Value
)


cdef inline bint _number(uint8_t op, bint signed, int64_t a, int64_t b) noexcept nogil:
    if op == T_IN or op == T_INTERSECTS:
        return a == b
    if op == T_NE:
        return a != b
    if signed:
        if op == T_LT:
            return a < b
        if op == T_LE:
            return a <= b
        if op == T_GT:
            return a > b
        return op == T_GE and a >= b
    if op == T_LT:
        return <uint64_t> a < <uint64_t> b
    if op == T_LE:
        return <uint64_t> a <= <uint64_t> b
    if op == T_GT:
        return <uint64_t> a > <uint64_t> b
    return op == T_GE and <uint64_t> a >= <uint64_t> b


cdef inline bint _double(uint8_t op, double a, double b) noexcept nogil:
    if op == T_IN or op == T_INTERSECTS:
        return a == b
    if op == T_NE:
        return a != b
    if op == T_LT:
        return a < b
    if op == T_LE:
        return a <= b
    if op == T_GT:
        return a > b
    return op == T_GE and a >= b


cdef bint _inside(const Network* network, const Value* value) noexcept nogil:
    cdef uint32_t i
    if value.len != network.len:
        return False
    for i in range(network.len):
        if (<uint8_t> value.ptr[i] ^ network.bytes[i]) & network.mask[i]:
            return False
    return True


cdef inline bint _is_number(const Value* value) noexcept nogil:
    return value.kind == V_INT or value.kind == V_UINT or value.kind == V_BOOL


# One value against one literal of its predicate (not for text and bytes).
cdef bint _against(const Literals* l, const Comparison* p, const Value* value, uint32_t i) noexcept nogil:
    cdef bint same
    if p.kind == K_NETWORK:
        if value.kind != V_ADDRESS:
            return False
        return _inside(&l.networks[i], value) == (p.op != T_NE)
    if p.kind == K_ADDRESS:
        if value.kind != V_ADDRESS:
            return False
        same = text_equals(value.ptr, value.len, texts_ptr(&l.texts, i), texts_len(&l.texts, i))
        return same == (p.op != T_NE)
    if p.kind == K_DOUBLE:
        return value.kind == V_DOUBLE and _double(p.op, value.f64, l.doubles[i])
    return _is_number(value) and _number(p.op, p.kind == K_INT, value.i64, l.numbers[i])


cdef bint _find_number(const int64_t* numbers, uint32_t n, bint signed, int64_t value) noexcept nogil:
    cdef uint32_t low = 0, high = n, middle
    while low < high:
        middle = (low + high) >> 1
        if _number(T_LT, signed, numbers[middle], value):
            low = middle + 1
        else:
            high = middle
    return low < n and numbers[low] == value


# One value against all literals of its predicate.
cdef bint _value_holds(const Literals* l, const Comparison* p, const Value* value) noexcept nogil:
    cdef uint32_t i, true = 0
    if p.kind == K_TEXT:
        if value.kind != V_TEXT:
            return False
        return textfn_holds(
            p.test, &l.texts, value.ptr, text_length(value.ptr, value.len), l.owner, l.regex
        )
    if p.kind == K_BYTES:
        if value.kind != V_BYTES and value.kind != V_TEXT:
            return False
        return textfn_holds(p.test, &l.texts, value.ptr, value.len, l.owner, l.regex)
    if p.n > 8 and p.op == T_IN and p.kind <= K_PORT:      # `in` has no modifier; values are sorted
        return _is_number(value) and _find_number(l.numbers + p.first, p.n, p.kind == K_INT, value.i64)
    for i in range(p.first, p.first + p.n):
        if _against(l, p, value, i):
            true += 1
            if p.modifier < M_ALLOF:
                return True
        elif p.modifier == M_ALLOF:
            return False
    if p.modifier == M_ALLOF:
        return p.n > 0
    return p.modifier == M_ONEOF and true == 1


# Both ends of a socket: one of them must satisfy the operator, but for `!=` both.
cdef bint _ends_hold(const Literals* l, const Comparison* p, const Value* value) noexcept nogil:
    cdef const Value* items = value.items if value.kind == V_LIST else value
    cdef uint32_t n = value.n_items if value.kind == V_LIST else 1
    cdef uint32_t i, k, true = 0
    cdef bint holds
    if n == 0:
        return False
    if p.kind <= K_BYTES:
        for k in range(n):
            if _value_holds(l, p, &items[k]) != (p.op != T_NE):
                return p.op != T_NE
        return p.op == T_NE
    for i in range(p.first, p.first + p.n):
        holds = p.op == T_NE
        for k in range(n):
            if _against(l, p, &items[k], i) != holds:
                holds = not holds
                break
        if holds:
            true += 1
            if p.modifier < M_ALLOF:
                return True
        elif p.modifier == M_ALLOF:
            return False
    if p.modifier == M_ALLOF:
        return p.n > 0
    return p.modifier == M_ONEOF and true == 1


# A field against a field.
cdef bint _pair_holds(const Comparison* p, const Value* a, const Value* b) noexcept nogil:
    cdef uint32_t n, m
    cdef bint same
    if p.kind <= K_BYTES:
        if (a.kind != V_TEXT and a.kind != V_BYTES) or (b.kind != V_TEXT and b.kind != V_BYTES):
            return False
        n = text_length(a.ptr, a.len) if p.kind == K_TEXT else a.len
        m = text_length(b.ptr, b.len) if p.kind == K_TEXT else b.len
        return text_compare(p.op, a.ptr, n, b.ptr, m)
    if p.kind == K_ADDRESS or p.kind == K_NETWORK:
        if a.kind != V_ADDRESS or b.kind != V_ADDRESS:
            return False
        same = text_equals(a.ptr, a.len, b.ptr, b.len)
        return same == (p.op != T_NE)
    if p.kind == K_DOUBLE:
        return a.kind == V_DOUBLE and b.kind == V_DOUBLE and _double(p.op, a.f64, b.f64)
    return _is_number(a) and _is_number(b) and _number(p.op, p.kind == K_INT, a.i64, b.i64)


cdef bint _any_pair(const Comparison* p, const Value* a, const Value* b) noexcept nogil:
    cdef uint32_t i
    if b.kind != V_LIST:
        return _pair_holds(p, a, b)
    for i in range(b.n_items):
        if _pair_holds(p, a, &b.items[i]):
            return True
    return False


cdef bint compare_value(
    const Literals* l, const Comparison* p, const Value* value, const Value* other
) noexcept nogil:
    cdef uint32_t i, n
    cdef const Value* items
    cdef bint holds
    if p.op == T_EXISTS:
        return True
    if p.quantifier == Q_ONE:
        return _value_holds(l, p, value) if other == NULL else _any_pair(p, value, other)
    if p.quantifier == Q_ENDS:
        return _ends_hold(l, p, value)
    items = value.items if value.kind == V_LIST else value
    n = value.n_items if value.kind == V_LIST else 1
    for i in range(n):
        holds = _value_holds(l, p, &items[i]) if other == NULL else _any_pair(p, &items[i], other)
        if p.quantifier == Q_ANCESTORS or p.op == T_INTERSECTS:
            if holds:
                return True
        elif not holds:
            return False
    # Every element of an empty list is in the set.
    return p.quantifier == Q_LIST and p.op != T_INTERSECTS
