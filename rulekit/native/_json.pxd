# Looking around in the text of a JSON document without building objects. The text has been validated
# before; on text that is not valid JSON the answers mean nothing, but nothing outside it is read.

from libc.stdint cimport uint32_t

from rulekit.native._scratch cimport Buf, Scratch

cdef struct Json:            # the text of one value, without blanks around it
    const char* ptr          # NULL: no value
    uint32_t len

cdef struct JsonItems:       # a walk over the items of an array or the members of an object
    const char* at
    const char* end
    bint is_object
    Json key                 # of the member last returned, with its quotes
    Json value

cdef inline bint json_is_object(Json value) noexcept nogil:
    return value.len != 0 and value.ptr[0] == c'{'

cdef inline bint json_is_array(Json value) noexcept nogil:
    return value.len != 0 and value.ptr[0] == c'['

cdef inline bint json_is_string(Json value) noexcept nogil:
    return value.len != 0 and value.ptr[0] == c'"'

# Begin a walk; over anything but an array or object it ends at once.
cdef void json_begin(JsonItems* items, Json value) noexcept nogil
cdef bint json_next(JsonItems* items) noexcept nogil

# Whether a key (with its quotes, escapes or not) is this text.
cdef bint json_key_is(Json key, const char* text, uint32_t length) noexcept nogil

# The first member of that name of an object, or the item at that decimal position of an array.
cdef Json json_member(Json value, const char* key, uint32_t length) noexcept nogil
cdef Json json_item(Json value, uint32_t index) noexcept nogil

# A string as its contents, everything else as its text without blanks between its parts. The result
# lies in the document where that is possible, else in scratch memory. False: no memory.
cdef bint json_text(Scratch* scratch, Json value, const char** text, uint32_t* length) noexcept nogil

# The value over several lines, indented by two blanks a level.
cdef void json_indent(Json value, Buf* out) noexcept nogil
