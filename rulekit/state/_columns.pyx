"""Fields of many events as columns, filled without the GIL; nothing is made per row in Python."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memset

from rulekit.native._scratch cimport buf_free, buf_put, buf_putc
from rulekit.native._utf8 cimport put_utf8
from rulekit.state._fields cimport (
    REF_ANCESTORS, REF_ENDS, REF_RAW, REF_UNPRINTABLE, V_BOOL, V_BYTES, V_DOUBLE, V_INT, V_LIST,
    V_NULL, V_TEXT, V_UINT, extract_printed, render_extracted
)
from rulekit.state._render cimport put_value
from rulekit.state._transform cimport free_operand, make_operand

_KINDS = {"text": COLUMN_TEXT, "bytes": COLUMN_BYTES, "int": COLUMN_INT, "uint": COLUMN_UINT,
          "bool": COLUMN_BOOL, "port": COLUMN_UINT, "double": COLUMN_DOUBLE}
_NAMES = {COLUMN_TEXT: "text", COLUMN_BYTES: "bytes", COLUMN_INT: "int", COLUMN_UINT: "uint",
          COLUMN_BOOL: "bool", COLUMN_DOUBLE: "double"}


cdef inline void _put_u32(Buf* out, uint32_t value) noexcept nogil:
    buf_put(out, <const char*> &value, 4)


cdef inline void _put_bit(Buf* out, uint64_t position, bint bit) noexcept nogil:
    if position & 7 == 0:
        buf_putc(out, 0)
    if bit and not out.failed:
        out.ptr[out.len - 1] = <char> (<uint8_t> out.ptr[out.len - 1] | (1 << (position & 7)))


cdef void _put_item(Column* column, const Value* value, Buf* scratch) noexcept nogil:
    """Append one value; NULL appends a place for none."""
    cdef int64_t number = 0
    cdef double real = 0
    cdef const void* nul
    cdef size_t length
    if column.kind == COLUMN_BOOL:
        _put_bit(&column.data, column.n_items, value != NULL and value.u64 != 0)
    elif column.kind == COLUMN_DOUBLE:
        if value != NULL:
            real = value.f64 if value.kind == V_DOUBLE else <double> value.i64
        buf_put(&column.data, <const char*> &real, 8)
    elif column.kind == COLUMN_INT or column.kind == COLUMN_UINT:
        if value != NULL:
            number = <int64_t> value.f64 if value.kind == V_DOUBLE else value.i64
        buf_put(&column.data, <const char*> &number, 8)
    else:
        if value != NULL:
            if value.kind == V_TEXT:
                nul = memchr(value.ptr, 0, value.len) if value.len else NULL
                length = value.len if nul == NULL else <size_t> (<const char*> nul - value.ptr)
                if column.kind == COLUMN_TEXT:
                    put_utf8(&column.data, value.ptr, length)
                else:
                    buf_put(&column.data, value.ptr, length)
            elif value.kind == V_BYTES and column.kind == COLUMN_BYTES:
                buf_put(&column.data, value.ptr, value.len)
            else:                    # an address, or a number where the event decides on the type
                scratch.len = 0
                render_extracted(column.ref, value, scratch)
                put_utf8(&column.data, scratch.ptr, scratch.len)
        _put_u32(&column.offsets, <uint32_t> column.data.len)
    column.n_items += 1


cdef inline bint _extract(Column* column, Context* c, Value* value) noexcept nogil:
    if column.ref.flags & (REF_UNPRINTABLE | REF_ENDS):
        return False
    value.kind = V_NULL
    value.pt = 0
    return extract_printed(c, column.ref, value) and value.kind != V_NULL


cdef class ColumnSet:
    """Columns of fields.

    Args:
        fields: (name, `rulekit.rules.bound.BoundField`) of each column.
    """

    def __cinit__(self, object fields):
        cdef Column* column
        fields = tuple(fields)
        self.names = tuple(name for name, _ in fields)
        self.columns = <Column*> calloc(len(fields) + 1, sizeof(Column))
        if self.columns == NULL:
            raise MemoryError
        for _, bound in fields:
            column = &self.columns[self.n_columns]
            column.operand = make_operand(bound)
            column.ref = column.operand.ref
            self.n_columns += 1
            column.is_list = bound.is_list and not column.ref.flags & REF_ANCESTORS
            column.kind = _KINDS.get(bound.kind.value, COLUMN_TEXT)
            if column.ref.flags & (REF_ANCESTORS | REF_RAW):
                column.kind = COLUMN_TEXT    # joined; of a type that the event decides on
        self._begin()

    def __dealloc__(self):
        cdef uint32_t i
        cdef Column* column
        if self.columns == NULL:
            return
        for i in range(self.n_columns):
            column = &self.columns[i]
            free_operand(column.operand)
            buf_free(&column.validity)
            buf_free(&column.rows)
            buf_free(&column.offsets)
            buf_free(&column.data)
        free(self.columns)

    cdef int _begin(self) except -1:
        cdef uint32_t i
        cdef Column* column
        self.n_rows = self.n_bytes = 0
        for i in range(self.n_columns):
            column = &self.columns[i]
            column.n_rows = column.n_nulls = column.n_items = 0
            column.validity.len = column.rows.len = column.offsets.len = column.data.len = 0
            if column.is_list:
                _put_u32(&column.rows, 0)
            if column.kind == COLUMN_TEXT or column.kind == COLUMN_BYTES:
                _put_u32(&column.offsets, 0)
        return 0

    cdef void append(self, Context* c) noexcept nogil:
        cdef uint32_t i, k
        cdef Column* column
        cdef Value value
        cdef Buf scratch
        cdef bint found
        cdef uint64_t before
        memset(&scratch, 0, sizeof(scratch))
        for i in range(self.n_columns):
            column = &self.columns[i]
            before = column.data.len
            found = _extract(column, c, &value)
            if found and column.is_list and value.kind == V_LIST and value.n_items == 0:
                found = False
            _put_bit(&column.validity, column.n_rows, found)
            column.n_nulls += not found
            column.n_rows += 1
            if not column.is_list:
                _put_item(column, &value if found else NULL, &scratch)
            else:
                if found and value.kind == V_LIST:
                    for k in range(value.n_items):
                        _put_item(column, &value.items[k], &scratch)
                elif found:
                    _put_item(column, &value, &scratch)
                _put_u32(&column.rows, <uint32_t> column.n_items)
            self.n_bytes += column.data.len - before
            if column.validity.failed or column.rows.failed or column.offsets.failed or column.data.failed:
                self.failed = True
        buf_free(&scratch)
        self.n_rows += 1

    def kinds(self):
        """Return (kind, whether it is a list) of each column; text bytes int uint bool double."""
        return [(_NAMES[self.columns[i].kind], bool(self.columns[i].is_list))
                for i in range(self.n_columns)]

    def take(self):
        """Return the columns and begin anew.

        Each is (rows, nulls, items, validity, list offsets or None, offsets or None, data).

        Raises:
            MemoryError: Rows are missing.
        """
        cdef uint32_t i
        cdef Column* column
        if self.failed:
            raise MemoryError
        taken = []
        for i in range(self.n_columns):
            column = &self.columns[i]
            taken.append((
                column.n_rows,
                column.n_nulls,
                column.n_items,
                _bytes(&column.validity),
                _bytes(&column.rows) if column.is_list else None,
                _bytes(&column.offsets) if column.offsets.len else None,
                _bytes(&column.data),
            ))
        self._begin()
        return taken


cdef bytes _bytes(const Buf* buf):
    return buf.ptr[:buf.len] if buf.len else b""
