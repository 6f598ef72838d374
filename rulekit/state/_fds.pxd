# File descriptors of a process.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from rulekit.state._state cimport Fd, FdTable, State

cdef Fd* find_fd_slow(FdTable* table, int64_t num) noexcept nogil
cdef Fd* add_fd(State* state, FdTable* table, int64_t num) noexcept nogil # cleared entry, replaces an old one; NULL: limit reached (counted)
cdef Fd* copy_fd(State* state, FdTable* table, int64_t num, const Fd* source) noexcept nogil  # NULL: as add_fd
cdef void remove_fd(State* state, FdTable* table, int64_t num) noexcept nogil
cdef void remove_fd_range(State* state, FdTable* table, uint64_t first, uint64_t last) noexcept nogil
cdef void clear_fds(State* state, FdTable* table) noexcept nogil
cdef bint copy_fds(State* state, FdTable* target, const FdTable* source) noexcept nogil   # entries are marked cloned
cdef void free_fds(State* state) noexcept nogil
# All entries in the order in which fd.types lists them; `out` has room for n_fds. Returns how many.
cdef uint32_t fds_in_order(State* state, const FdTable* table, Fd** out) noexcept nogil
cdef void touch_fd(State* state, Fd* fd) noexcept nogil                   # new version; call after changing name, tuple, role, type or flags


cdef inline uint32_t fd_slot(const FdTable* table, int64_t num) noexcept nogil:
    # Small numbers spread by themselves; the fold keeps huge ones from meeting in one slot.
    cdef uint64_t n = <uint64_t> num
    return <uint32_t> (n ^ (n >> 13) ^ (n >> 29) ^ (n >> 47)) & (table.n_slots - 1)


cdef inline Fd* find_fd(FdTable* table, int64_t num) noexcept nogil:
    if table.last != NULL and table.last_num == num:
        return table.last
    if table.n_fds == 0:
        return NULL
    return find_fd_slow(table, num)
