# hot: every event passes here
# Values of a document by place.

from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcpy, memset

from rulekit.native._json cimport (
    Json, JsonItems, json_begin, json_is_object, json_key_is, json_next,
)

cdef Place _root
cdef uint32_t _n_places = 1
memset(&_root, 0, sizeof(_root))


cdef Place* place_root() noexcept nogil:
    return &_root


cdef Place* place_child(Place* parent, bytes key) except NULL:
    global _n_places
    cdef Place* place = parent.children
    cdef Place* made
    cdef char* text
    while place != NULL:
        if place.key[:place.key_len] == key:
            return place
        place = place.sibling
    made = <Place*> calloc(1, sizeof(Place))
    text = <char*> malloc(len(key) + 1)
    if made == NULL or text == NULL:
        free(made)
        free(text)
        raise MemoryError
    memcpy(text, <const char*> key, len(key) + 1)
    made.key = text
    made.key_len = <uint32_t> len(key)
    made.parent = parent
    made.number = _n_places
    made.sibling = parent.children
    _n_places += 1
    parent.children = made          # last: other threads may be walking over the children
    return made


cdef bint document_reserve(Document* document) noexcept nogil:
    cdef uint32_t n = _n_places
    cdef void* values
    cdef void* found
    cdef void* searched
    if n <= document.capacity:
        return True
    values = realloc(document.values, n * sizeof(Json))
    if values != NULL:
        document.values = <Json*> values
    found = realloc(document.found, n * sizeof(uint32_t))
    if found != NULL:
        document.found = <uint32_t*> found
    searched = realloc(document.searched, n * sizeof(uint32_t))
    if searched != NULL:
        document.searched = <uint32_t*> searched
    if values == NULL or found == NULL or searched == NULL:
        return False
    document.capacity = n
    _forget(document)
    return True


cdef void _forget(Document* document) noexcept nogil:
    memset(document.found, 0, document.capacity * sizeof(uint32_t))
    memset(document.searched, 0, document.capacity * sizeof(uint32_t))
    document.epoch = 0
    document.pod_epoch = 0


cdef void document_free(Document* document) noexcept nogil:
    free(document.values)
    free(document.found)
    free(document.searched)
    memset(document, 0, sizeof(Document))


cdef void document_begin(Document* document, Json root) noexcept nogil:
    document.epoch += 1
    if document.epoch == 0:
        _forget(document)
        document.epoch = 1
    document.root = root


cdef void _search(Document* document, const Place* place, Json value) noexcept nogil:
    cdef JsonItems items
    cdef const Place* child
    cdef uint32_t missing = 0
    cdef bint escaped
    document.searched[place.number] = document.epoch
    child = place.children
    while child != NULL:
        missing += child.number < document.capacity
        child = child.sibling
    json_begin(&items, value)
    while missing and json_next(&items):
        escaped = memchr(items.key.ptr, c'\\', items.key.len) != NULL
        child = place.children
        while child != NULL:
            if (
                (child.key_len + 2 == items.key.len or escaped)
                and child.number < document.capacity
                and document.found[child.number] != document.epoch
                and json_key_is(items.key, child.key, child.key_len)
            ):
                document.values[child.number] = items.value
                document.found[child.number] = document.epoch
                missing -= 1
                break
            child = child.sibling


cdef Json document_at(Document* document, const Place* place) noexcept nogil:
    cdef Json value
    if place.parent == NULL:
        return document.root
    value.ptr = NULL
    value.len = 0
    if place.number >= document.capacity:
        return value
    if document.searched[place.parent.number] != document.epoch:
        value = document_at(document, place.parent)
        if json_is_object(value):
            _search(document, place.parent, value)
        else:
            document.searched[place.parent.number] = document.epoch
        value.ptr = NULL
        value.len = 0
    if document.found[place.number] == document.epoch:
        return document.values[place.number]
    return value
