# Fields of many events, column by column, laid out as Apache Arrow wants them.

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from rulekit.native._scratch cimport Buf
from rulekit.state._fields cimport FieldRef, Value
from rulekit.state._state cimport Context
from rulekit.state._transform cimport Operand

cdef enum ColumnKind:
    COLUMN_TEXT = 1
    COLUMN_BYTES = 2
    COLUMN_INT = 3           # 64 bits, as the next one
    COLUMN_UINT = 4
    COLUMN_BOOL = 5
    COLUMN_DOUBLE = 6

cdef struct Column:
    Operand* operand         # owned
    FieldRef* ref            # the operand's
    uint8_t kind             # of the values, or of the items of a list
    bint is_list
    uint64_t n_rows
    uint64_t n_nulls
    uint64_t n_items         # of all lists; rows of a column that is no list
    Buf validity             # owned; a bit a row, 1: has a value
    Buf rows                 # owned; lists: first item of each row and one more, 32 bits
    Buf offsets              # owned; texts and bytes: start of each item and one more, 32 bits
    Buf data                 # owned; texts and bytes one after the other, numbers, bits

cdef class ColumnSet:
    cdef Column* columns     # owned
    cdef uint32_t n_columns
    cdef readonly tuple names
    cdef readonly uint64_t n_rows
    cdef readonly uint64_t n_bytes       # of texts and bytes
    cdef bint failed                     # no memory

    # Append the fields of an event as a row.
    cdef void append(self, Context* c) noexcept nogil
    cdef int _begin(self) except -1
