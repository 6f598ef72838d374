# Containers, users, groups and network interfaces.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from rulekit.native._event cimport EventView
from rulekit.native._strings cimport Str
from rulekit.state._state cimport Account, Container, Context, Fd, FdTable, State, Thread

cdef Account* find_account(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil
cdef Account* add_account(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil
cdef void remove_account(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil
cdef Container* find_container(State* state, Str* id) noexcept nogil
cdef Str* container_id_of(State* state, Str* cgroups) noexcept nogil      # "" = host; remembered per cgroups string
cdef bint address_is_local(State* state, const uint8_t* addr, bint v6) noexcept nogil
