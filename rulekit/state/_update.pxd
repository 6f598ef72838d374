# Event by event changes of the state.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from rulekit.native._event cimport EventView
from rulekit.native._strings cimport Str
from rulekit.state._state cimport Account, Container, Context, Fd, FdTable, State, Thread

cdef void state_import_done(State* state) noexcept nogil     # after the metadata blocks: link threads, fix sockets, container ids
cdef void state_event(State* state, const EventView* ev, Context* out) noexcept nogil  # pipeline steps 3 to 6 for a converted event
cdef void state_event_done(State* state, Context* ctx) noexcept nogil                    # step 8, after rules have seen the event
# step 5 for container/user/group/async events that lead a file is the same state_event
