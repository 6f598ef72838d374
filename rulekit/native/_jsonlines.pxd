# Texts of JSON documents, one after the other, checked and cut apart.

from libc.stdint cimport uint32_t

from rulekit.native._json cimport Json

cdef struct JsonTexts:
    Json* items              # owned; parts of the text
    uint32_t n
    uint32_t room

# Cut a text of documents, each of which ends its line. True: all of it is JSON. False: it may not
# be, or is in a way that is left to slower readers: halves of surrogate pairs, bytes that are no
# UTF-8, deep nesting, two documents in a line; or there is no memory.
cdef bint json_texts(const char* text, size_t length, JsonTexts* found) noexcept nogil
cdef void json_texts_free(JsonTexts* found) noexcept nogil
