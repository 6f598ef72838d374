# Extractors of the classes fd and fdlist.

from libc.stdint cimport uint8_t

from rulekit.native._event cimport EF_CREATES_FD, EF_DESTROYS_FD, EF_USES_FD
from rulekit.native._strings cimport Str
from rulekit.state._fields cimport add_fn
from rulekit.state._state cimport Context

cdef const uint8_t* nameless     # by event type: whether fd.name is "" without an fd

cdef Str* fd_name_by_number(const Context* c) noexcept nogil


# Whether an event has no fd.name, whatever its fd.
cdef inline bint no_fd_name(const Context* c) noexcept nogil:
    return not c.ev.info.flags & (EF_CREATES_FD | EF_USES_FD | EF_DESTROYS_FD)


# The interned text of fd.name where it takes no work to tell, of an event with a thread that can have
# one; NULL says nothing.
cdef inline Str* fd_name_at_hand(const Context* c) noexcept nogil:
    return c.fd.name if c.fd != NULL else fd_name_by_number(c)


cdef int register_fd(add_fn add) except -1
