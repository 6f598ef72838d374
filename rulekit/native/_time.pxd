# Times as texts of documents give them.

from libc.stdint cimport uint32_t, uint64_t

# "2024-05-01T10:00:00.123456Z" or with an offset, to ns since the epoch; False: no such text, or
# a time before 1970 or after 2261.
cdef bint parse_rfc3339(const char* text, uint32_t length, uint64_t* ts_ns) noexcept nogil
