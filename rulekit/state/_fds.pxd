# File descriptors of a process, and the text of socket tuples.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from rulekit.native._event cimport EventView
from rulekit.native._strings cimport Str
from rulekit.state._state cimport Account, Container, Context, Fd, FdTable, State, Thread

cdef Fd* find_fd(FdTable* table, int64_t num) noexcept nogil
cdef Fd* add_fd(State* state, FdTable* table, int64_t num) noexcept nogil # cleared entry, replaces an old one; NULL: limit reached (counted)
cdef void remove_fd(State* state, FdTable* table, int64_t num) noexcept nogil
cdef void clear_fds(State* state, FdTable* table) noexcept nogil
cdef bint copy_fds(State* state, FdTable* target, const FdTable* source) noexcept nogil
cdef Str* socket_name(State* state, const Fd* fd) noexcept nogil          # interned tuple text of the fd's addresses
