# Descriptors that are no sockets: opening, duplicating, closing.

from libc.stdint cimport int64_t

from rulekit.native._event cimport EventView
from rulekit.state._params cimport Text
from rulekit.state._state cimport Context, Fd, FD_EVENTPOLL, FD_MEMFD, State, Thread

# Directory that a path relative to `dirfd` starts from; "." for absolute paths, "<UNKNOWN>" if not known.
cdef Text dirfd_dir(State* state, Thread* thread, int64_t dirfd, Text path) noexcept nogil
# New entry of the event's thread, which also becomes the event's fd; NULL: limit reached.
cdef Fd* new_fd(State* state, Context* c, int64_t num, int type) noexcept nogil

cdef void on_open(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_close(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_close_range(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_dup(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_fcntl(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_pipe(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_anonymous(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_memfd_create(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_pidfd_open(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_pidfd_getfd(State* state, const EventView* ev, Context* c) noexcept nogil


cdef inline bint closes_on_exec(const Fd* fd) noexcept nogil:
    # O_CLOEXEC is bit 12; the calls for these two types have a bit 0 of their own.
    if fd.open_flags & 4096:
        return True
    return (fd.open_flags & 1) != 0 and (fd.type == FD_EVENTPOLL or fd.type == FD_MEMFD)


cdef inline void set_cloexec(Fd* fd, bint on) noexcept nogil:
    fd.open_flags &= ~4096
    if fd.type == FD_EVENTPOLL or fd.type == FD_MEMFD:
        fd.open_flags &= ~1
    if on:
        fd.open_flags |= 4096
