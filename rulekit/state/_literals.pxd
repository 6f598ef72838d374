# The right sides of comparisons: literals of a program, ready to be compared with.

from libc.stdint cimport uint32_t

from rulekit.native._textindex cimport TextFn
from rulekit.state._compare cimport Literals

cdef class LiteralPool:
    cdef Literals c              # networks are owned; regular expressions are answered by this object
    cdef TextFn* tests           # owned
    cdef uint32_t n_tests
    cdef object _buffers         # arrays and texts that `c` points into
    cdef dict _regexes           # number of a text → full match
    cdef readonly object error   # first exception of a regular expression, or None
