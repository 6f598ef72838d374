# Output texts, made ready: rendered for an event without a search or a parse.

from libc.stdint cimport int32_t, uint8_t, uint32_t

from rulekit.native._scratch cimport Buf
from rulekit.state._fields cimport FieldRef, Value
from rulekit.state._state cimport Context
from rulekit.state._transform cimport Operand

cdef struct Slot:            # a field of the output, extracted once an event
    FieldRef* ref            # owned by the operand below
    Operand* operand         # owned
    bint in_text             # printed as it is, not only inside a call

cdef struct Part:
    char* text               # owned; literal piece, or NULL
    uint32_t text_len
    int32_t slot             # a plain field, or -1
    Operand* call            # owned; a transformer call, or NULL
    int32_t width            # -1: as long as it is

cdef class OutputProgram:
    cdef Slot* slots         # owned
    cdef uint32_t n_slots
    cdef Part* parts         # owned
    cdef uint32_t n_parts
    cdef readonly tuple keys # of the fields, as in output_fields
    cdef dict constants      # what output_fields holds besides: key → text
    cdef uint8_t buffers     # BufferStyle

    # The text with nulls as <NA>, appended to `out`.
    cdef void put_text(self, Context* c, Buf* out) noexcept nogil
    # (text, fields): fields by key with typed values; None is null.
    cdef tuple render(self, Context* c)
    cdef str text(self, Context* c)
    cdef dict fields(self, Context* c)
    cdef int _add_part(self, object part, dict slot_of) except -1
    cdef int _add_slot(self, object bound) except -1
