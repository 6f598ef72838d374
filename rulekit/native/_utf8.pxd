# Bytes as valid UTF-8.

from libc.stddef cimport size_t

from rulekit.native._scratch cimport Buf

# Append a text, every invalid part of it as U+FFFD, as Python's "replace" has it.
cdef void put_utf8(Buf* out, const char* text, size_t length) noexcept nogil

# Whether all of a text is UTF-8.
cdef bint utf8_valid(const char* text, size_t length) noexcept nogil
