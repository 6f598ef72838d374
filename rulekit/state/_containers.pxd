# Containers, users, groups and network interfaces.

from libc.stdint cimport uint8_t, uint32_t

from rulekit.native._strings cimport Str
from rulekit.state._state cimport Account, Container, State

cdef Account* find_account(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil
# The account that names an id in a container: its own, else the host's. A capture holds the accounts of
# containers only when their engine announced them; the core of every peer looks at the host's then.
cdef Account* account_of(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil
cdef Account* add_account(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil   # the known or a new, empty one; NULL: limit reached
cdef void remove_account(State* state, Str* container_id, uint32_t id, bint is_group) noexcept nogil
cdef Container* find_container(State* state, Str* id) noexcept nogil
cdef Container* add_container(State* state, Str* id) noexcept nogil       # emptied, to be filled; NULL: limit reached
cdef void remove_container(State* state, Str* id) noexcept nogil
cdef Str* container_id_of(State* state, Str* cgroups) noexcept nogil      # "" = host; remembered per cgroups string
cdef bint address_is_local(State* state, const uint8_t* addr, bint v6) noexcept nogil

# For _state.pyx
cdef bint add_host(State* state) noexcept nogil
cdef void free_accounts(State* state) noexcept nogil
cdef void free_containers(State* state) noexcept nogil
cdef void forget_memo(State* state) noexcept nogil
