# hot: every event passes here
# Sockets. Tuples are kept as client -> server once a role is known.

from libc.stdint cimport int64_t
from libc.string cimport memchr, memcmp, memcpy, memset, strlen

from rulekit.native._event cimport BLOCK_PARTIAL, has_param, param_i64, param_u64
from rulekit.native._scratch cimport scratch_alloc
from rulekit.native._strings cimport intern
from rulekit.state._fds cimport touch_fd
from rulekit.state._files cimport new_fd, set_cloexec
from rulekit.state._state cimport (
    FD_IPV4_SERVSOCK, FD_IPV4_SOCK, FD_IPV6_SERVSOCK, FD_IPV6_SOCK, FD_NETLINK, FD_UNIX_SOCK,
    FD_UNKNOWN, FDF_CONNECTED, FDF_PARTIAL, FDF_ROLE_CLIENT, FDF_ROLE_SERVER, FdTable, Interface,
    L4_ICMP, L4_RAW, L4_TCP, L4_UDP, L4_UNKNOWN, Thread
)
from rulekit.state._threads cimport fd_table

cdef extern from "arpa/inet.h" nogil:
    int AF_INET6
    const char* inet_ntop(int family, const void* address, char* out, unsigned int size)

cdef enum:
    FAMILY_UNIX = 1
    FAMILY_INET = 2
    FAMILY_INET6 = 10
    FAMILY_NETLINK = 16
    EINPROGRESS = 115
    SOCK_STREAM = 1
    SOCK_DGRAM = 2
    SOCK_RAW = 3
    SENDMMSG_X = 51
    RECVFROM_X = 35
    RECVMSG_X = 53
    ACCEPT4_X = 389
    O_CLOEXEC = 4096
    FDF_ROLES = 6


# -- reading ---------------------------------------------------------------------------------------

cdef inline bint _all_zero(const uint8_t* a, int n) noexcept nogil:
    cdef int i
    for i in range(n):
        if a[i] != 0:
            return False
    return True


cdef inline bint _mapped(const uint8_t* a) noexcept nogil:
    # ::ffff:a.b.c.d, and :: which stands for "any" of both families
    return _all_zero(a, 10) and ((a[10] == 255 and a[11] == 255) or _all_zero(a + 10, 6))


cdef bint read_address(const EventView* ev, uint32_t i, Address* out) noexcept nogil:
    cdef const uint8_t* p
    cdef uint32_t n
    if not has_param(ev, i):
        return False
    p = ev.params[i].ptr
    n = ev.params[i].len
    out.family = p[0]
    if out.family == FAMILY_INET and n >= 7:
        memset(out.ip, 0, 16)
        memcpy(out.ip, p + 1, 4)
        memcpy(&out.port, p + 5, 2)
        return True
    if out.family == FAMILY_INET6 and n >= 19:
        memcpy(out.ip, p + 1, 16)
        memcpy(&out.port, p + 17, 2)
        if _mapped(out.ip):
            out.family = FAMILY_INET
            memcpy(out.ip, p + 13, 4)
            memset(out.ip + 4, 0, 12)
        return True
    if out.family == FAMILY_UNIX and n >= 2 and p[n - 1] == 0:
        out.path = <const char*> p + 1
        out.path_len = <uint32_t> strlen(out.path)
        return True
    return False


cdef bint read_tuple(const EventView* ev, uint32_t i, Tuple* out) noexcept nogil:
    cdef const uint8_t* p
    cdef uint32_t n
    if not has_param(ev, i):
        return False
    p = ev.params[i].ptr
    n = ev.params[i].len
    out.family = p[0]
    if out.family == FAMILY_INET and n >= 13:
        memset(out.sip, 0, 16)
        memset(out.dip, 0, 16)
        memcpy(out.sip, p + 1, 4)
        memcpy(&out.sport, p + 5, 2)
        memcpy(out.dip, p + 7, 4)
        memcpy(&out.dport, p + 11, 2)
        return True
    if out.family == FAMILY_INET6 and n >= 37:
        memcpy(out.sip, p + 1, 16)
        memcpy(&out.sport, p + 17, 2)
        memcpy(out.dip, p + 19, 16)
        memcpy(&out.dport, p + 35, 2)
        if _mapped(out.sip) and _mapped(out.dip):
            out.family = FAMILY_INET
            memcpy(out.sip, p + 13, 4)
            memset(out.sip + 4, 0, 12)
            memcpy(out.dip, p + 31, 4)
            memset(out.dip + 4, 0, 12)
        return True
    if out.family == FAMILY_UNIX and n >= 18 and p[n - 1] == 0:
        memcpy(&out.unix_src, p + 1, 8)
        memcpy(&out.unix_dst, p + 9, 8)
        out.path = <const char*> p + 17
        out.path_len = <uint32_t> strlen(out.path)
        return True
    return False


# -- text ------------------------------------------------------------------------------------------

cdef char* _put_u(char* out, unsigned int value) noexcept nogil:
    cdef char digits[12]
    cdef int i = 0
    while True:
        digits[i] = <char> (48 + value % 10)
        value //= 10
        i += 1
        if value == 0:
            break
    while i > 0:
        i -= 1
        out[0] = digits[i]
        out += 1
    return out


cdef char* _put_hex(char* out, uint64_t value) noexcept nogil:
    cdef int shift = 60
    while shift > 0 and (value >> shift) == 0:
        shift -= 4
    while shift >= 0:
        out[0] = b"0123456789abcdef"[(value >> shift) & 15]
        out += 1
        shift -= 4
    return out


cdef char* _put_ip(char* out, const uint8_t* ip, bint v6) noexcept nogil:
    cdef int i
    if v6:
        inet_ntop(AF_INET6, ip, out, 46)
        return out + strlen(out)
    for i in range(4):
        out = _put_u(out, ip[i])
        if i < 3:
            out[0] = 46
            out += 1
    return out


cdef char* _put_end(char* out, const uint8_t* ip, uint16_t port, bint v6, bint with_port) noexcept nogil:
    out = _put_ip(out, ip, v6)
    if with_port:
        out[0] = 58
        out = _put_u(out + 1, port)
    return out


cdef char* _put_arrow(char* out) noexcept nogil:
    out[0] = 45
    out[1] = 62
    return out + 2


cdef Str* _ends_text(State* state, const uint8_t* sip, uint16_t sport, const uint8_t* dip, uint16_t dport,
                     bint v6, int l4proto) noexcept nogil:
    cdef char out[160]
    cdef char* p
    cdef bint with_port = l4proto == L4_TCP or l4proto == L4_UDP
    if not with_port and l4proto != L4_ICMP and (v6 or l4proto != L4_RAW):
        return intern(state.strings, b"<unknown>", 9)
    p = _put_end(out, sip, sport, v6, with_port)
    p = _put_end(_put_arrow(p), dip, dport, v6, with_port)
    return intern(state.strings, out, p - out)


cdef Str* tuple_text(State* state, const Tuple* t, int l4proto) noexcept nogil:
    cdef char* out
    cdef char* p
    if t.family != FAMILY_UNIX:
        return _ends_text(state, t.sip, t.sport, t.dip, t.dport, t.family == FAMILY_INET6, l4proto)
    out = <char*> scratch_alloc(&state.scratch, <size_t> t.path_len + 48)
    if out == NULL:
        return state.strings.empty
    p = _put_hex(_put_arrow(_put_hex(out, t.unix_src)), t.unix_dst)
    p[0] = 32
    memcpy(p + 1, t.path, t.path_len)
    return intern(state.strings, out, p + 1 + t.path_len - out)


cdef Str* address_text(State* state, const Address* a) noexcept nogil:
    cdef char out[64]
    cdef char* p
    if a.family == FAMILY_UNIX:
        return intern(state.strings, a.path, a.path_len)
    p = _put_end(out, a.ip, a.port, a.family == FAMILY_INET6, True)
    return intern(state.strings, out, p - out)


cdef Str* _spelled_address(State* state, const uint8_t* p, const Address* a) noexcept nogil:
    # As the program gave it: of a dual-stack socket in the form of IPv6.
    cdef char out[64]
    if p[0] != FAMILY_INET6:
        return address_text(state, a)
    return intern(state.strings, out, _put_end(out, p + 1, a.port, True, True) - out)


cdef Str* socket_name(State* state, const Fd* fd) noexcept nogil:
    cdef Address a
    if fd.type == FD_IPV4_SOCK or fd.type == FD_IPV6_SOCK:
        return _ends_text(state, fd.sip, fd.sport, fd.dip, fd.dport, fd.type == FD_IPV6_SOCK, fd.l4proto)
    if fd.type == FD_IPV4_SERVSOCK or fd.type == FD_IPV6_SERVSOCK:
        a.family = FAMILY_INET if fd.type == FD_IPV4_SERVSOCK else FAMILY_INET6
        memcpy(a.ip, fd.dip, 16)
        a.port = fd.dport
        return address_text(state, &a)
    return fd.name


# -- tuples ----------------------------------------------------------------------------------------

cdef inline bint _is_ip(const Fd* fd) noexcept nogil:
    return fd.type == FD_IPV4_SOCK or fd.type == FD_IPV6_SOCK


cdef void _swap(Fd* fd) noexcept nogil:
    cdef uint8_t ip[16]
    cdef uint16_t port = fd.sport
    memcpy(ip, fd.sip, 16)
    memcpy(fd.sip, fd.dip, 16)
    memcpy(fd.dip, ip, 16)
    fd.sport = fd.dport
    fd.dport = port


cdef void _clear_ends(Fd* fd) noexcept nogil:
    memset(fd.sip, 0, 16)
    memset(fd.dip, 0, 16)
    fd.sport = 0
    fd.dport = 0


cdef void _become(Fd* fd, int type) noexcept nogil:
    # The protocol stays, addresses of the other kind do not: a dual-stack or bound socket turns
    # into a connection.
    if fd.type != type:
        fd.type = type
        _clear_ends(fd)


cdef bint _store(Fd* fd, const Tuple* t) noexcept nogil:
    # False: nothing new, the same ends either way round.
    if fd.sport == t.sport and fd.dport == t.dport:
        if memcmp(fd.sip, t.sip, 16) == 0 and memcmp(fd.dip, t.dip, 16) == 0:
            return False
    if fd.sport == t.dport and fd.dport == t.sport:
        if memcmp(fd.sip, t.dip, 16) == 0 and memcmp(fd.dip, t.sip, 16) == 0:
            return False
    memcpy(fd.sip, t.sip, 16)
    memcpy(fd.dip, t.dip, 16)
    fd.sport = t.sport
    fd.dport = t.dport
    return True


cdef inline void _note_partial(const EventView* ev, Fd* fd) noexcept nogil:
    if ev.block_flags & BLOCK_PARTIAL:
        fd.flags |= FDF_PARTIAL


cdef inline void _add_flags(State* state, Fd* fd, uint32_t flags) noexcept nogil:
    if fd.flags & flags != flags:
        fd.flags |= flags
        touch_fd(state, fd)


# -- addresses of this machine ---------------------------------------------------------------------

cdef bint _same_net(const Interface* interface, const uint8_t* other) noexcept nogil:
    cdef int i
    if interface.v6:
        return memcmp(interface.addr, other, 8) == 0
    for i in range(4):
        if (interface.addr[i] & interface.mask[i]) != (other[i] & interface.mask[i]):
            return False
    return True


cdef bint _is_loopback(const Interface* interface) noexcept nogil:
    if interface.v6:
        return _all_zero(interface.addr, 15) and interface.addr[15] == 1
    return interface.addr[0] == 127 and interface.addr[1] == 0 and interface.addr[2] == 0 and interface.addr[3] == 1


cdef const Interface* _interface_towards(State* state, const uint8_t* other, bint v6) noexcept nogil:
    cdef uint32_t i
    cdef int n = 16 if v6 else 4
    cdef const Interface* interface
    for i in range(state.n_interfaces):
        interface = &state.interfaces[i]
        if interface.v6 == v6 and memcmp(interface.addr, other, n) == 0:
            return interface
    for i in range(state.n_interfaces):
        interface = &state.interfaces[i]
        if interface.v6 == v6 and _same_net(interface, other):
            return interface
    for i in range(state.n_interfaces):
        interface = &state.interfaces[i]
        if interface.v6 == v6 and not _is_loopback(interface):
            return interface
    return NULL


cdef void fill_zero_addresses(State* state, Fd* fd) noexcept nogil:
    # Unbound sockets name no own address; it must be the one that leads to the other end.
    cdef bint v6 = fd.type == FD_IPV6_SOCK
    cdef int n = 16 if v6 else 4
    cdef const Interface* interface
    cdef uint8_t* target = fd.sip
    cdef uint8_t* other = fd.dip
    if state.n_interfaces == 0 or not _is_ip(fd):
        return
    if not _all_zero(fd.sip, n):
        if not _all_zero(fd.dip, n):
            return
        target = fd.dip
        other = fd.sip
    interface = _interface_towards(state, other, v6)
    if interface == NULL or (fd.sport == fd.dport and memcmp(interface.addr, other, n) == 0):
        return
    memcpy(target, interface.addr, n)


# -- roles -----------------------------------------------------------------------------------------

cdef inline uint32_t _guessed_role(const Fd* fd, bint received) noexcept nogil:
    # Nobody saw the socket being bound or connected: servers begin with a receive. The peers look for
    # other sockets with these ports, too, but find this very one.
    if received and fd.type == FD_IPV4_SOCK:
        return FDF_ROLE_SERVER
    return FDF_ROLE_CLIENT


# -- events ----------------------------------------------------------------------------------------

cdef void on_socket(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef int64_t domain = param_i64(ev, 1, -1)
    cdef int64_t kind = param_i64(ev, 2, 0)
    cdef int64_t protocol = param_i64(ev, 3, 0)
    cdef int type = FD_UNKNOWN
    cdef int l4proto = L4_UNKNOWN
    cdef Fd* fd
    if c.thread == NULL or not c.has_retval or c.retval < 0:
        return
    if domain == FAMILY_UNIX:
        type = FD_UNIX_SOCK
    elif domain == FAMILY_NETLINK:
        type = FD_NETLINK
    elif domain == FAMILY_INET or domain == FAMILY_INET6:
        type = FD_IPV4_SOCK if domain == FAMILY_INET else FD_IPV6_SOCK
        if protocol == 6 or protocol == 17 or protocol == 1:
            if kind == SOCK_RAW:
                l4proto = L4_RAW
            else:
                l4proto = L4_TCP if protocol == 6 else L4_UDP if protocol == 17 else L4_ICMP
        elif protocol == 0:
            if kind & 255 == SOCK_STREAM:
                l4proto = L4_TCP
            elif kind & 255 == SOCK_DGRAM:
                l4proto = L4_UDP
        elif protocol == 255:
            l4proto = L4_RAW
    fd = new_fd(state, c, c.retval, type)
    if fd != NULL:
        fd.l4proto = <uint8_t> l4proto
        fd.open_flags = <uint32_t> param_u64(ev, 4, 0)


cdef void on_bind(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Fd* fd = c.fd
    cdef Address a
    if fd == NULL or not c.has_retval or c.retval < 0 or not read_address(ev, 1, &a):
        return
    if a.family != FAMILY_UNIX and a.port > 0:
        fd.type = FD_IPV4_SERVSOCK if a.family == FAMILY_INET else FD_IPV6_SERVSOCK
        _clear_ends(fd)
        memcpy(fd.dip, a.ip, 16)
        fd.dport = a.port
        fd.flags = (fd.flags & ~<uint32_t> FDF_ROLES) | FDF_ROLE_SERVER
    fd.name = _spelled_address(state, ev.params[1].ptr, &a)
    touch_fd(state, fd)


cdef void _replace_destination(const EventView* ev, Context* c, Tuple* t) noexcept nogil:
    # Where the tuple's destination is only what the program's memory held at the end of the call,
    # the address copied at its begin counts.
    cdef Address left, entered
    if c.enter == NULL or not read_address(c.enter, 1, &entered):
        return
    if t.family == FAMILY_UNIX:
        if (entered.family == FAMILY_UNIX and read_address(ev, 3, &left) and left.family == FAMILY_UNIX
                and left.path_len == t.path_len and memcmp(left.path, t.path, t.path_len) == 0):
            t.path = entered.path
            t.path_len = entered.path_len
        return
    if entered.family != t.family:
        return
    if _all_zero(t.dip, 16) and ev.params[1].ptr[0] != c.enter.params[1].ptr[0]:
        # An IPv4 address given to a dual-stack socket.
        memcpy(t.dip, entered.ip, 16)
        t.dport = entered.port
        return
    if (read_address(ev, 3, &left) and left.family == t.family and left.port == t.dport
            and memcmp(left.ip, t.dip, 16) == 0):
        memcpy(t.dip, entered.ip, 16)
        t.dport = entered.port


cdef void on_connect(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Fd* fd = c.fd
    cdef Tuple t
    cdef Address entered
    if fd == NULL or not c.has_retval or (c.retval < 0 and c.retval != -EINPROGRESS):
        return
    _add_flags(state, fd, FDF_CONNECTED)
    if not has_param(ev, 1):
        # A fast-open socket has no tuple yet: all that is known is where it goes. Its name and role
        # come with the first message.
        if c.enter == NULL or not read_address(c.enter, 1, &entered) or entered.family == FAMILY_UNIX:
            return
        _become(fd, FD_IPV4_SOCK if entered.family == FAMILY_INET else FD_IPV6_SOCK)
        memcpy(fd.dip, entered.ip, 16)
        fd.dport = entered.port
        touch_fd(state, fd)
        return
    if not read_tuple(ev, 1, &t):
        return
    _replace_destination(ev, c, &t)
    if t.family == FAMILY_UNIX:
        if fd.type != FD_UNIX_SOCK:
            return
        fd.unix_src = t.unix_src
        fd.unix_dst = t.unix_dst
    else:
        _become(fd, FD_IPV4_SOCK if t.family == FAMILY_INET else FD_IPV6_SOCK)
        # A server that connects its UDP socket answers one client from now on.
        _note_partial(ev, fd)
        if _store(fd, &t) and fd.l4proto == L4_UDP and fd.flags & FDF_ROLE_SERVER:
            _swap(fd)
    fd.name = tuple_text(state, &t, fd.l4proto)
    if not fd.flags & FDF_ROLES:
        fd.flags |= FDF_ROLE_CLIENT
    touch_fd(state, fd)


cdef void on_accept(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Fd* fd
    cdef Tuple t
    if c.thread == NULL or not c.has_retval or c.retval < 0:
        return
    if not read_tuple(ev, 1, &t):
        c.thread.last_event_fd = c.retval
        return
    fd = new_fd(state, c, c.retval, FD_UNIX_SOCK)
    if fd == NULL:
        return
    if t.family == FAMILY_UNIX:
        fd.unix_src = t.unix_src
        fd.unix_dst = t.unix_dst
    else:
        fd.type = FD_IPV4_SOCK if t.family == FAMILY_INET else FD_IPV6_SOCK
        fd.l4proto = L4_TCP
        _note_partial(ev, fd)
        _store(fd, &t)
    fd.name = tuple_text(state, &t, fd.l4proto)
    fd.flags |= FDF_ROLE_SERVER | FDF_CONNECTED
    if ev.type == ACCEPT4_X and param_u64(ev, 5, 0) & O_CLOEXEC:
        set_cloexec(fd, True)


cdef void _transfer(State* state, const EventView* ev, Context* c, uint32_t tuple_at, bint received) noexcept nogil:
    cdef Fd* fd = c.fd
    cdef Tuple t
    cdef bint changed
    if _is_ip(fd):
        _add_flags(state, fd, FDF_CONNECTED)
        if fd.name.len and fd.type == FD_IPV4_SOCK and fd.l4proto == L4_TCP:
            return                   # the tuple of a connection does not change
    if not read_tuple(ev, tuple_at, &t):
        return
    if t.family == FAMILY_UNIX:
        if (fd.type == FD_UNIX_SOCK and fd.unix_src == t.unix_src and fd.unix_dst == t.unix_dst
                and fd.name.len > t.path_len and fd.name.ptr[fd.name.len - t.path_len - 1] == 32
                and memcmp(fd.name.ptr + fd.name.len - t.path_len, t.path, t.path_len) == 0):
            return                   # the name would come out the same
        fd.type = FD_UNIX_SOCK
        fd.unix_src = t.unix_src
        fd.unix_dst = t.unix_dst
        fd.name = tuple_text(state, &t, L4_UNKNOWN)
        touch_fd(state, fd)
        return
    changed = fd.type != (FD_IPV4_SOCK if t.family == FAMILY_INET else FD_IPV6_SOCK)
    _become(fd, FD_IPV4_SOCK if t.family == FAMILY_INET else FD_IPV6_SOCK)
    _note_partial(ev, fd)
    if not _store(fd, &t):
        if changed:
            touch_fd(state, fd)
        return
    if fd.l4proto == L4_UNKNOWN:
        fd.l4proto = L4_UDP          # TCP could not change its ends
    fill_zero_addresses(state, fd)
    if not fd.flags & FDF_ROLES:
        fd.flags |= _guessed_role(fd, received)
    if fd.flags & (FDF_ROLE_CLIENT if received else FDF_ROLE_SERVER):
        _swap(fd)
    fd.name = socket_name(state, fd)
    touch_fd(state, fd)


cdef void on_send(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef Tuple t
    cdef Fd* fd
    if c.thread == NULL or not c.has_retval or c.retval < 0:
        return
    if c.fd == NULL:
        # Nobody saw the socket being made. Only datagrams name their destination each time.
        if ev.type == SENDMMSG_X or not read_tuple(ev, 4, &t) or t.family == FAMILY_UNIX:
            return
        fd = new_fd(state, c, c.thread.last_event_fd,
                    FD_IPV4_SOCK if t.family == FAMILY_INET else FD_IPV6_SOCK)
        if fd == NULL:
            return
        fd.l4proto = L4_UDP
    _transfer(state, ev, c, 4, False)


cdef void on_receive(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef uint32_t at = 2 if ev.type == RECVFROM_X else 3 if ev.type == RECVMSG_X else 4
    if c.thread != NULL and c.fd != NULL and c.has_retval and c.retval >= 0:
        _transfer(state, ev, c, at, True)


cdef void on_socketpair(State* state, const EventView* ev, Context* c) noexcept nogil:
    cdef int64_t first = param_i64(ev, 1, -1)
    cdef int64_t second = param_i64(ev, 2, -1)
    cdef Fd* fd
    cdef Fd* one
    if c.thread == NULL or not c.has_retval or c.retval < 0 or first == second:
        return
    one = new_fd(state, c, first, FD_UNIX_SOCK)
    if one != NULL:
        one.unix_src = param_u64(ev, 3, 0)
        one.unix_dst = param_u64(ev, 4, 0)
    fd = new_fd(state, c, second, FD_UNIX_SOCK)
    if fd != NULL:
        fd.unix_src = param_u64(ev, 3, 0)
        fd.unix_dst = param_u64(ev, 4, 0)
    c.fd = one


# -- the process list ------------------------------------------------------------------------------

cdef void _complete_initial(State* state, Fd* fd, uint8_t* ports) noexcept nogil:
    if fd.type == FD_UNIX_SOCK:
        fd.flags |= FDF_ROLE_SERVER if fd.name.len else FDF_ROLE_CLIENT
        return
    if fd.type == FD_IPV6_SOCK and _mapped(fd.sip) and _mapped(fd.dip):
        fd.type = FD_IPV4_SOCK
        memcpy(fd.sip, fd.sip + 12, 4)
        memset(fd.sip + 4, 0, 12)
        memcpy(fd.dip, fd.dip + 12, 4)
        memset(fd.dip + 4, 0, 12)
    if _is_ip(fd):
        if fd.l4proto == L4_TCP:
            fd.flags |= FDF_CONNECTED
        fill_zero_addresses(state, fd)
    elif fd.type == FD_IPV4_SERVSOCK or fd.type == FD_IPV6_SERVSOCK:
        ports[fd.dport >> 3] |= <uint8_t> (1 << (fd.dport & 7))
    else:
        return
    fd.name = socket_name(state, fd)


cdef void _orient_initial(State* state, Fd* fd, const uint8_t* ports) noexcept nogil:
    # /proc lists the local end first; who listens on that port is the server.
    if fd.type != FD_IPV4_SOCK:
        return
    if ports[fd.sport >> 3] & (1 << (fd.sport & 7)):
        _swap(fd)
        fd.name = socket_name(state, fd)
        fd.flags |= FDF_ROLE_SERVER
    else:
        fd.flags |= FDF_ROLE_CLIENT


cdef void fix_initial_sockets(State* state) noexcept nogil:
    cdef uint8_t ports[8192]
    cdef uint32_t i, j
    cdef int turn
    cdef Thread* thread
    cdef Fd* fd
    memset(ports, 0, sizeof(ports))
    for turn in range(2):
        for i in range(state.n_thread_buckets):
            thread = state.thread_buckets[i]
            while thread != NULL:
                for j in range(thread.fds.n_slots):
                    fd = thread.fds.slots[j]
                    if fd == NULL:
                        continue
                    if turn == 0:
                        _complete_initial(state, fd, ports)
                    else:
                        _orient_initial(state, fd, ports)
                thread = thread.hash_next
