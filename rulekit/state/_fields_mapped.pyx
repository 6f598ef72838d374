"""Extractors of fields that users declare: values at JSON pointers, as texts, numbers and so on.

`null` is no value, and neither is what does not fit the type.
"""

from libc.stdint cimport UINT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport strtod
from libc.string cimport memcmp, memcpy

from rulekit.native._document cimport (
    Document, Place, document_at, place_child, place_root,
)
from rulekit.native._json cimport (
    Json, JsonItems, json_begin, json_is_array, json_is_object, json_is_string, json_member, json_next,
    json_text,
)
from rulekit.native._scratch cimport scratch_alloc
from rulekit.state._fields cimport (
    FieldRef, Value, extract_fn, put_address, put_bool, put_double, put_int, put_list, put_text,
    put_uint,
)
from rulekit.state._fields_json cimport MAX_STEPS, steps_to
from rulekit.state._state cimport Context

cdef extern from "<arpa/inet.h>" nogil:
    int inet_pton(int family, const char* text, void* address)
    enum: AF_INET
    enum: AF_INET6

cdef enum Type:              # FieldRef.memory
    T_TEXT, T_INT, T_UINT, T_DOUBLE, T_BOOL, T_ADDRESS

cdef enum:
    MAX_ITEMS = 1 << 16      # of one list; more are left out
    MAX_NUMBER = 64          # characters of a number or an address

_TYPES = ("text", "int", "uint", "double", "bool", "address")


cdef inline bint _is_null(Json value) noexcept nogil:
    return value.len == 0 or (value.len == 4 and memcmp(value.ptr, <const char*> "null", 4) == 0)


cdef bint _put(Context* c, Json value, Type type, Value* out) noexcept nogil:
    cdef char short_text[MAX_NUMBER + 1]
    cdef uint8_t* address
    cdef const char* text
    cdef char* end
    cdef uint32_t length
    cdef double number
    if _is_null(value) or not json_text(&c.state.scratch, value, &text, &length):
        return False
    if type == T_TEXT:
        return put_text(out, text, length)
    if type == T_BOOL:
        if length == 4 and memcmp(text, <const char*> "true", 4) == 0:
            return put_bool(out, True)
        return length == 5 and memcmp(text, <const char*> "false", 5) == 0 and put_bool(out, False)
    if length == 0 or length > MAX_NUMBER:
        return False
    if type == T_INT or type == T_UINT:
        return _put_integer(out, text, length, type == T_INT)
    memcpy(short_text, text, length)
    short_text[length] = 0
    if type == T_DOUBLE:
        number = strtod(short_text, &end)
        # What JSON calls a number, not what C does.
        if end != short_text + length or not (text[0] == c'-' or c'0' <= text[0] <= c'9'):
            return False
        return put_double(out, number)
    address = <uint8_t*> scratch_alloc(&c.state.scratch, 16)
    if address == NULL:
        return False
    if inet_pton(AF_INET, short_text, address) == 1:
        return put_address(out, address, False)
    return inet_pton(AF_INET6, short_text, address) == 1 and put_address(out, address, True)


cdef bint _put_integer(Value* out, const char* text, uint32_t length, bint is_signed) noexcept nogil:
    cdef uint64_t number = 0, digit, most = UINT64_MAX
    cdef uint32_t i, start = 0
    if text[0] == c'-':
        start = 1
    if length == start:
        return False
    if is_signed:
        most = (UINT64_MAX >> 1) + start
    elif start:
        return False
    for i in range(start, length):
        if not c'0' <= text[i] <= c'9':
            return False
        digit = <uint64_t> (text[i] - c'0')
        if number > (most - digit) // 10:
            return False
        number = number * 10 + digit
    if is_signed:
        return put_int(out, <int64_t> (0 - number if start else number))
    return put_uint(out, number)


cdef Json _at(Document* document, const Place* place) noexcept nogil:
    # Also behind arrays, whose items a document does not remember.
    cdef const Place* steps[MAX_STEPS]
    cdef Json value = document_at(document, place)
    cdef Json below
    cdef uint32_t i, n
    if value.ptr != NULL:
        return value
    n = steps_to(place, steps)
    value = document.root
    for i in range(n):
        if json_is_array(value):
            value = json_member(value, steps[i].key, steps[i].key_len)
        else:
            below = document_at(document, steps[i])
            if below.ptr == NULL:
                below = json_member(value, steps[i].key, steps[i].key_len)
            value = below
        if value.ptr == NULL:
            break
    return value


cdef bint x_mapped(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Json value
    if c.document == NULL:
        return False
    value = _at(c.document, <const Place*> <size_t> ref.number)
    return _put(c, value, <Type> ref.memory, out)


cdef uint32_t _collect(
    Context* c, Json value, const Place** steps, uint32_t n, Value* items, uint32_t room
) noexcept nogil:
    """Count the texts along some steps, and put them into `items` unless that is NULL."""
    cdef JsonItems walk
    cdef uint32_t i, found = 0
    for i in range(n):
        if steps[i].key_len == 1 and steps[i].key[0] == c'*' and json_is_array(value):
            json_begin(&walk, value)
            while found < room and json_next(&walk):
                found += _collect(
                    c, walk.value, steps + i + 1, n - i - 1,
                    NULL if items == NULL else items + found, room - found,
                )
            return found
        value = json_member(value, steps[i].key, steps[i].key_len)
        if value.ptr == NULL:
            return 0
    if json_is_array(value):
        json_begin(&walk, value)
        while found < room and json_next(&walk):
            if _is_null(walk.value):
                continue
            if items != NULL and not _put(c, walk.value, T_TEXT, items + found):
                continue
            found += 1
        return found
    if _is_null(value) or room == 0 or (items != NULL and not _put(c, value, T_TEXT, items)):
        return 0
    return 1


cdef bint x_mapped_list(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef const Place* steps[MAX_STEPS]
    cdef uint32_t i = 0, n, count
    cdef Json value
    if c.document == NULL:
        return False
    n = steps_to(<const Place*> <size_t> ref.number, steps)
    value = c.document.root
    while i < n and json_is_object(value):
        value = document_at(c.document, steps[i])
        if value.ptr == NULL:
            return False
        i += 1
    count = _collect(c, value, steps + i, n - i, NULL, MAX_ITEMS)
    if count == 0 or not put_list(c, out, count):
        return False
    out.n_items = _collect(c, value, steps + i, n - i, out.items, count)
    if ref.index >= 0:
        if <uint32_t> ref.index >= out.n_items:
            return False
        out.items = out.items + ref.index
        out.n_items = 1
    return out.n_items != 0


cdef int prepare_mapped(FieldRef* ref, object declared) except -1:
    cdef Place* place = place_root()
    pointer = declared.pointer.encode("utf-8", "surrogateescape")
    if pointer:
        steps = pointer.removeprefix(b"/").split(b"/")
        if len(steps) > MAX_STEPS:
            raise ValueError(f"a JSON pointer of more than {MAX_STEPS} steps")
        for step in steps:
            place = place_child(place, step.replace(b"~1", b"/").replace(b"~0", b"~"))
    ref.number = <size_t> place
    ref.memory = _TYPES.index(declared.type)
    if declared.is_list:
        ref.extract = <void*> <extract_fn> x_mapped_list
    else:
        ref.extract = <void*> <extract_fn> x_mapped
    return 0
