# Sockets: tuples, roles and names.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from rulekit.native._event cimport EventView
from rulekit.native._strings cimport Str
from rulekit.state._state cimport Context, Fd, State

cdef struct Address:         # of a socket as a parameter spells it
    int family               # AF_UNIX 1, AF_INET 2, AF_INET6 10; mapped IPv6 reads as IPv4
    uint8_t ip[16]
    uint16_t port
    const char* path         # of a unix socket
    uint32_t path_len

cdef struct Tuple:
    int family
    uint8_t sip[16]
    uint8_t dip[16]
    uint16_t sport
    uint16_t dport
    uint64_t unix_src
    uint64_t unix_dst
    const char* path
    uint32_t path_len

cdef bint read_address(const EventView* ev, uint32_t i, Address* out) noexcept nogil   # False: absent or malformed
cdef bint read_tuple(const EventView* ev, uint32_t i, Tuple* out) noexcept nogil
cdef Str* tuple_text(State* state, const Tuple* t, int l4proto) noexcept nogil
cdef Str* address_text(State* state, const Address* a) noexcept nogil
cdef Str* socket_name(State* state, const Fd* fd) noexcept nogil      # text of the fd's addresses; unix sockets: its name
cdef void fill_zero_addresses(State* state, Fd* fd) noexcept nogil
cdef void fix_initial_sockets(State* state) noexcept nogil

cdef void on_socket(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_bind(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_connect(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_accept(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_send(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_receive(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_socketpair(State* state, const EventView* ev, Context* c) noexcept nogil
