# hot: every event that is a document passes here
"""Extractors of the class json (and jevt, its older name), and what plugins tell of an event."""

from libc.stdint cimport uint32_t
from libc.string cimport memset

from rulekit.native._document cimport (
    Document, Place, document_at, place_child, place_root,
)
from rulekit.native._json cimport Json, json_indent, json_is_array, json_member, json_text
from rulekit.native._scratch cimport Buf, buf_u64
from rulekit.state._fields cimport SCOPE_EVENT, FieldRef, Value, put_cstr, put_text
from rulekit.state._render cimport put_buf
from rulekit.state._state cimport Context


cdef int prepare_json(FieldRef* ref, bytes pointer) except -1:
    cdef Place* place = place_root()
    if pointer:
        steps = pointer.removeprefix(b"/").split(b"/")
        if len(steps) > MAX_STEPS:
            raise ValueError(f"a JSON pointer of more than {MAX_STEPS} steps")
        for step in steps:
            place = place_child(place, step.replace(b"~1", b"/").replace(b"~0", b"~"))
    ref.number = <size_t> place
    return 0


cdef uint32_t steps_to(const Place* place, const Place** steps) noexcept nogil:
    cdef uint32_t i, n = 0
    cdef const Place* each = place
    while each.parent != NULL:
        n += 1
        each = each.parent
    for i in range(n):
        steps[n - 1 - i] = place
        place = place.parent
    return n


cdef bint put_json(Context* c, Value* out, Json value) noexcept nogil:
    cdef const char* text
    cdef uint32_t length
    if value.ptr == NULL or not json_text(&c.state.scratch, value, &text, &length):
        return False
    return put_text(out, text, length)


cdef bint x_value(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef const Place* place = <const Place*> <size_t> ref.number
    cdef const Place* steps[MAX_STEPS]
    cdef uint32_t i, n
    cdef Json value, below
    if c.document == NULL:
        return False
    value = document_at(c.document, place)
    if value.ptr != NULL:
        return put_json(c, out, value)
    # Behind an array: documents keep the members of objects only.
    n = steps_to(place, steps)
    value = c.document.root
    for i in range(n):
        if json_is_array(value):
            value = json_member(value, steps[i].key, steps[i].key_len)
        else:
            below = document_at(c.document, steps[i])
            if below.ptr == NULL:
                below = json_member(value, steps[i].key, steps[i].key_len)
            value = below
        if value.ptr == NULL:
            return False
    return put_json(c, out, value)


cdef bint x_obj(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Buf text
    if c.document == NULL:
        return False
    memset(&text, 0, sizeof(text))
    json_indent(c.document.root, &text)
    return put_buf(c, out, &text)


cdef bint x_rawtime(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    cdef Buf text
    memset(&text, 0, sizeof(text))
    buf_u64(&text, c.ev.ts_ns)
    return put_buf(c, out, &text)


cdef bint x_plugin_name(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return c.document != NULL and c.document.plugin != NULL and put_cstr(out, c.document.plugin)


cdef bint x_plugin_info(Context* c, FieldRef* ref, Value* out) noexcept nogil:
    return c.document != NULL and c.document.plugin != NULL and put_json(c, out, c.document.root)


cdef int register_json(add_fn add) except -1:
    add("json.value", x_value, SCOPE_EVENT)
    add("json.obj", x_obj, SCOPE_EVENT)
    add("json.rawtime", x_rawtime, SCOPE_EVENT)
    add("jevt.value", x_value, SCOPE_EVENT)
    add("jevt.obj", x_obj, SCOPE_EVENT)
    add("jevt.rawtime", x_rawtime, SCOPE_EVENT)
    add("evt.pluginname", x_plugin_name, SCOPE_EVENT)
    add("evt.plugininfo", x_plugin_info, SCOPE_EVENT)
    return 0
