# The loop that joins JSON documents and matcher.

from libc.stdint cimport uint32_t, uint64_t

from rulekit._fastmatch cimport Matcher
from rulekit.engine._window cimport EventWindow
from rulekit.native._document cimport Document
from rulekit.native._event cimport EventView
from rulekit.native._json cimport Json, JsonItems
from rulekit.state._state cimport Context, State

cdef enum DocumentStop:
    STOP_MATCH = 1      # the current event matched: `hits` holds rule indices
    STOP_TEXT = 2       # the text is used up
    STOP_UNKNOWN = 3    # `odd` is no audit event and no list of them
    STOP_NO_TIME = 4    # `odd` is an audit event that does not say when it was
    STOP_DEEP = 5       # lists in lists in lists
    STOP_PAUSE = 6      # somebody asked for it

cdef enum:
    MAX_LISTS = 16


cdef class DocumentLoop:
    cdef State* state                # owned; nothing but scratch memory and strings
    cdef EventView event
    cdef Context context
    cdef Document document           # its tables are owned
    cdef readonly Matcher matcher
    cdef uint32_t* hits              # owned; room for every rule
    cdef uint32_t capacity
    cdef int n_hits
    cdef EventWindow window
    cdef bint audit                  # Kubernetes audit: envelopes are opened, events have a time
    cdef bint undated                # an audit event without a time is of now
    cdef bint interrupted            # `next` is to return before the next document
    cdef bint open_event             # the current event was shown and is not finished yet
    # the text that is being looked at
    cdef object reader
    cdef object validate             # bytes → raises when they are no JSON
    cdef bytes source, plugin
    cdef object block                # from the reader
    cdef bint tried                  # to take the block as a whole
    cdef bytes text                  # the block, a line of it
    cdef Py_ssize_t position         # of the next line in the block
    cdef uint64_t line               # lines up to `position`
    cdef uint64_t base               # lines before `text`
    cdef Json* texts                 # owned; the documents in `text`
    cdef uint32_t n_texts, next_text, room
    cdef JsonItems lists[MAX_LISTS]  # that are walked over, outermost first
    cdef bint items[MAX_LISTS]       # of an EventList: they are events, whatever they say
    cdef int depth
    cdef Json odd
    # what was seen
    cdef readonly uint64_t n_events, n_bytes
    cdef uint64_t n_malformed, n_unknown, n_without_time
    cdef object on_problem
    cdef int n_told
    cdef readonly uint64_t serial

    cdef int advance(self) noexcept nogil
    cdef int _open(self, Json value, bint certain) noexcept nogil
    cdef int _show(self, Json value) noexcept nogil
    cdef bint _next_text(self) except -1
    cdef object _take(self, bytes text, bint half_pairs)
    cdef int _tell_odd(self, int stop) except -1
    cdef int _tell(self, str message) except -1
