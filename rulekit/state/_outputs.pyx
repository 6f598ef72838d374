"""Output texts, made ready: rendered for an event without a search or a parse."""

from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcpy, memset

from rulekit.native._scratch cimport (
    buf_free, buf_put, buf_putc, buf_reserve, scratch_alloc,
)
from rulekit.state._fields cimport (
    REF_ANCESTORS, REF_DELTA, REF_ENDS, REF_TIME, REF_UNPRINTABLE, V_BOOL, V_DOUBLE, V_INT,
    V_LIST, V_NULL, V_TEXT, V_UINT, extract_printed, render_extracted,
)
from rulekit.state._render cimport PF_HEX, PF_NA, PF_OCT, PT_FD, PT_INT64, PT_PID, put_value
from rulekit.state._transform cimport eval_operand, free_operand, make_operand

# Numbered as BufferStyle of _render.pxd.
BUFFER_STYLES = ("dots", "base64", "hex", "hex-ascii", "text")


cdef str _decode(const char* text, size_t length):
    # Paths and arguments are bytes; what is no UTF-8 must survive the way out.
    return text[:length].decode("utf-8", "surrogateescape")


cdef object _rendered(const FieldRef* ref, const Value* value):
    cdef Buf text
    memset(&text, 0, sizeof(text))
    render_extracted(ref, value, &text)
    try:
        if text.failed:
            raise MemoryError
        return _decode(text.ptr, text.len)
    finally:
        buf_free(&text)


cdef object _typed(const FieldRef* ref, const Value* value):
    cdef const void* nul
    cdef size_t length
    cdef uint32_t i
    cdef int fmt = value.fmt or ref.fmt
    if value.kind == V_NULL:
        if value.pt != 0 and (fmt == PF_HEX or fmt == PF_OCT):
            return _rendered(ref, value)
        return None
    if value.kind == V_TEXT:
        length = value.len
        nul = memchr(value.ptr, 0, length) if length else NULL
        if nul != NULL:
            length = <size_t> (<const char*> nul - value.ptr)
        return _decode(value.ptr, length)
    if value.kind == V_INT or value.kind == V_UINT:
        if fmt == PF_HEX or fmt == PF_OCT:
            return _rendered(ref, value)
        if fmt == PF_NA and (value.pt == PT_FD or value.pt == PT_PID or value.pt == PT_INT64):
            return _rendered(ref, value)      # parameters that the table gives no base
        if value.kind == V_INT:
            return value.i64
        return value.u64
    if value.kind == V_BOOL:
        return value.u64 != 0
    if value.kind == V_DOUBLE:
        return value.f64
    if value.kind == V_LIST and not ref.flags & REF_ANCESTORS:
        # an empty list is printed as one, yet told apart from null nowhere else
        return [_typed(ref, &value.items[i]) for i in range(value.n_items)] or None
    return _rendered(ref, value)


cdef class OutputProgram:
    """An output text over the fields of an event.

    Args:
        template: A `rulekit.rules.output.OutputTemplate`.
        buffers: How byte buffers are printed: one of `BUFFER_STYLES`.

    One at a time: some fields (evt.deltatime) remember the event before. Not for several threads.
    """

    def __cinit__(self, object template, *, str buffers="dots"):
        cdef dict slot_of = {}
        parts = tuple(template.parts)
        named = tuple(template.fields)
        self.buffers = <uint8_t> BUFFER_STYLES.index(buffers)
        self.keys = tuple(key for key, _ in named)
        self.constants = template.constants
        self.slots = <Slot*> calloc(len(named) + 1, sizeof(Slot))
        self.parts = <Part*> calloc(len(parts) + 1, sizeof(Part))
        if self.slots == NULL or self.parts == NULL:
            raise MemoryError
        for key, bound in named:
            slot_of[key] = self.n_slots
            self._add_slot(bound)
        for part in parts:
            self._add_part(part, slot_of)

    def __dealloc__(self):
        cdef uint32_t i
        if self.slots != NULL:
            for i in range(self.n_slots):
                free_operand(self.slots[i].operand)
            free(self.slots)
        if self.parts != NULL:
            for i in range(self.n_parts):
                free(self.parts[i].text)
                free_operand(self.parts[i].call)
            free(self.parts)

    cdef int _add_slot(self, object bound) except -1:
        cdef Operand* operand = make_operand(bound)
        if operand.ref != NULL:
            operand.ref.buffers = self.buffers
        self.slots[self.n_slots].operand = operand
        self.slots[self.n_slots].ref = operand.ref
        self.n_slots += 1
        return 0

    cdef int _add_part(self, object part, dict slot_of) except -1:
        cdef Part* target = &self.parts[self.n_parts]
        cdef bytes raw
        self.n_parts += 1
        target.slot = -1
        target.width = -1
        operand = getattr(part, "operand", None)
        if operand is None:
            raw = part.text.encode("utf-8", "surrogateescape")
            target.text = <char*> malloc(len(raw) + 1)
            if target.text == NULL:
                raise MemoryError
            memcpy(target.text, <const char*> raw, len(raw) + 1)
            target.text_len = <uint32_t> len(raw)
            return 0
        if part.width is not None:
            target.width = part.width
        if hasattr(operand, "field"):
            target.slot = slot_of[part.fields[0][0]]
            self.slots[target.slot].in_text = True
        else:
            target.call = make_operand(operand)
        return 0

    cdef void put_text(self, Context* c, Buf* out) noexcept nogil:
        _put_parts(self, c, out, _extract_slots(self, c, True))

    cdef tuple render(self, Context* c):
        cdef Value* values = _extract_slots(self, c, False)
        return _text_of(self, c, values), _fields_of(self, c, values)

    cdef str text(self, Context* c):
        return _text_of(self, c, _extract_slots(self, c, True))

    cdef dict fields(self, Context* c):
        return _fields_of(self, c, _extract_slots(self, c, False))


cdef Value* _extract_slots(OutputProgram self, Context* c, bint for_text) noexcept nogil:
    # Kind V_NULL with pt 0 stands for null. NULL: no memory, everything is null then.
    cdef Value* values = <Value*> scratch_alloc(&c.state.scratch, (self.n_slots + 1) * sizeof(Value))
    cdef uint32_t i
    if values == NULL:
        return NULL
    memset(values, 0, (self.n_slots + 1) * sizeof(Value))
    for i in range(self.n_slots):
        if for_text and not self.slots[i].in_text:
            continue
        if not extract_printed(c, self.slots[i].ref, &values[i]):
            values[i].kind = V_NULL
            values[i].pt = 0
    return values


cdef void _put_call(Context* c, Operand* call, Buf* out, uint8_t style) noexcept nogil:
    cdef Value value
    if eval_operand(c, call, &value):
        put_value(out, &value, 0, style)
    else:
        buf_put(out, "<NA>", 4)


cdef void _put_parts(OutputProgram self, Context* c, Buf* out, Value* values) noexcept nogil:
    cdef uint32_t i
    cdef const Part* part
    cdef size_t start
    cdef size_t width
    for i in range(self.n_parts):
        part = &self.parts[i]
        start = out.len
        if part.text != NULL:
            buf_put(out, part.text, part.text_len)
            continue
        if part.call != NULL:
            _put_call(c, part.call, out, self.buffers)
        elif values != NULL:
            render_extracted(self.slots[part.slot].ref, &values[part.slot], out)
        else:
            buf_put(out, "<NA>", 4)
        if part.width >= 0:
            width = <size_t> part.width
            if out.len - start > width:
                out.len = start + width
            elif buf_reserve(out, width):
                while out.len - start < width:
                    buf_putc(out, c' ')


cdef str _text_of(OutputProgram self, Context* c, Value* values):
    cdef Buf text
    memset(&text, 0, sizeof(text))
    _put_parts(self, c, &text, values)
    try:
        if text.failed:
            raise MemoryError
        return _decode(text.ptr, text.len)
    finally:
        buf_free(&text)


cdef dict _fields_of(OutputProgram self, Context* c, Value* values):
    cdef uint32_t i
    cdef dict found = {}
    cdef const FieldRef* ref
    if values == NULL:
        raise MemoryError
    for i in range(self.n_slots):
        ref = self.slots[i].ref
        if ref.flags & (REF_UNPRINTABLE | REF_ENDS):
            found[self.keys[i]] = None
        elif ref.flags & REF_TIME:
            found[self.keys[i]] = c.ev.ts_ns
        elif ref.flags & REF_DELTA and self.slots[i].in_text:
            # Existing engines look a second time for these, and the text has just looked.
            found[self.keys[i]] = 0
        else:
            found[self.keys[i]] = _typed(ref, &values[i])
    found.update(self.constants)
    return found
