# Threads and thread groups: look-up, insertion, linking, removal with reparenting.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from rulekit.native._event cimport EventView
from rulekit.native._strings cimport Str
from rulekit.state._state cimport Account, Container, Context, Fd, FdTable, State, Thread

cdef Thread* find_thread(State* state, int64_t tid) noexcept nogil
cdef Thread* add_thread(State* state, int64_t tid) noexcept nogil        # defaults of the data model; replaces an old one; NULL: limit reached (counted)
cdef void link_thread(State* state, Thread* thread) noexcept nogil       # group and parent
cdef void remove_thread(State* state, int64_t tid) noexcept nogil        # with reparenting, see procexit
cdef Thread* main_thread(Thread* thread) noexcept nogil                  # NULL: none
cdef FdTable* fd_table(State* state, Thread* thread) noexcept nogil      # NULL: none
cdef void touch_thread(State* state, Thread* thread) noexcept nogil      # new version; call after changing process-scoped facts
cdef bint is_invalid(const Thread* thread) noexcept nogil
cdef bint in_pidns(const Thread* thread) noexcept nogil
