"""Strings and buffers as Python objects, for tests."""

from libc.stdint cimport uint32_t, uint64_t

from rulekit.native._scratch cimport (
    Buf, Scratch, buf_free, buf_i64, buf_put, buf_putc, buf_puts, buf_u64, scratch_alloc,
    scratch_free, scratch_init, scratch_reset
)
from rulekit.native._strings cimport (
    Str, StrTable, intern, intern_permanent, mark, strtab_begin, strtab_end, strtab_free, strtab_new,
    strtab_wants_collection
)


cdef class StringProbe:
    """A string table with the given limits in bytes."""

    cdef StrTable* _table      # owned

    def __cinit__(self, uint64_t soft_bytes=1 << 20, uint64_t hard_bytes=1 << 22):
        self._table = strtab_new(soft_bytes, hard_bytes)
        if self._table == NULL:
            raise MemoryError

    def __dealloc__(self):
        strtab_free(self._table)

    def intern(self, bytes text, *, bint permanent=False):
        """Return identity, id and bytes of the interned text."""
        cdef Str* s
        if permanent:
            s = intern_permanent(self._table, text, len(text))
        else:
            s = intern(self._table, text, len(text))
        return <size_t> s, s.id, s.ptr[:s.len]

    def collect(self, list keep):
        """Free what is neither permanent nor in `keep` (texts)."""
        cdef bytes text
        strtab_begin(self._table)
        for text in keep:
            mark(self._table, intern(self._table, text, len(text)))
        strtab_end(self._table)

    def stats(self):
        """Return counters, and whether a collection is due."""
        return {
            "n_strings": self._table.n_strings,
            "n_bytes": self._table.n_bytes,
            "n_refused": self._table.n_refused,
            "n_collected": self._table.n_collected,
            "due": bool(strtab_wants_collection(self._table)),
        }


def write_buf(list parts):
    """Return the bytes that a Buf holds after putting texts and integers."""
    cdef Buf b
    cdef bytes text
    b.ptr = NULL
    b.len = 0
    b.cap = 0
    b.failed = False
    try:
        for part in parts:
            if isinstance(part, bytes):
                text = part
                if len(text) == 1:
                    buf_putc(&b, text[0])
                elif 0 in text:
                    buf_put(&b, text, len(text))
                else:
                    buf_puts(&b, text)
            elif part < 0:
                buf_i64(&b, part)
            else:
                buf_u64(&b, part)
        return b"" if b.ptr == NULL else b.ptr[:b.len]
    finally:
        buf_free(&b)


def scratch_fill(list sizes, int turns=2):
    """Allocate blocks of all sizes, write to each; return whether all were distinct and aligned."""
    cdef Scratch s
    cdef char* p
    cdef size_t i
    cdef bint fine = True
    if not scratch_init(&s):
        raise MemoryError
    try:
        for _ in range(turns):
            held = []
            for number, size in enumerate(sizes):
                p = <char*> scratch_alloc(&s, size)
                if p == NULL:
                    raise MemoryError
                if <size_t> p % 16:
                    fine = False
                for i in range(<size_t> size):
                    p[i] = <char> (number & 127)
                held.append((<size_t> p, size, number & 127))
            for address, size, value in held:
                p = <char*> <size_t> address
                for i in range(<size_t> size):
                    if p[i] != <char> value:
                        fine = False
            scratch_reset(&s)
        return fine
    finally:
        scratch_free(&s)
