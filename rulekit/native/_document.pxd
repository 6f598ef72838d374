# A JSON document that rules look at: values by path, each object on the way searched once for
# everything that any rule may ask of it.

from libc.stdint cimport uint32_t

from rulekit.native._json cimport Json

# A place in documents: the member `key` of the parent. Places exist once in the process, for ever,
# and are the same for all programs; that bounds them by the number of distinct paths in rules.
cdef struct Place:
    uint32_t number
    Place* parent            # NULL: the document itself
    Place* children
    Place* sibling
    const char* key          # NUL-terminated
    uint32_t key_len

cdef struct Document:
    Json root
    const char* source       # name of the event source, NUL-terminated, permanent
    const char* plugin       # name of the plugin that Falco would read it with, or NULL
    uint32_t epoch
    uint32_t capacity        # places with a number below it can be looked up
    Json* values             # owned; by number of the place
    uint32_t* found          # owned; epoch in which the value was found
    uint32_t* searched       # owned; epoch in which the children were looked for
    void* pod                # in scratch memory: the document's pod taken apart, or NULL
    uint32_t pod_epoch       # epoch in which that was done

cdef Place* place_root() noexcept nogil
cdef Place* place_child(Place* parent, bytes key) except NULL

# Make room for all places that exist. False: no memory.
cdef bint document_reserve(Document* document) noexcept nogil
cdef void document_free(Document* document) noexcept nogil
cdef void document_begin(Document* document, Json root) noexcept nogil
cdef Json document_at(Document* document, const Place* place) noexcept nogil
