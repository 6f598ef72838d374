# Event by event changes of the state.

from libc.stdint cimport uint16_t

from rulekit.native._event cimport EventView
from rulekit.state._state cimport Context, State

cdef void state_import_done(State* state) noexcept nogil     # after the metadata blocks: link threads, fix sockets, container ids
cdef void state_event(State* state, const EventView* ev, Context* out) noexcept nogil  # pipeline steps 3 to 6 for a converted event
cdef void state_event_done(State* state, Context* ctx) noexcept nogil                    # step 8, after rules have seen the event; for every event, visible or not
cdef bint has_handler(uint16_t type) noexcept nogil           # whether events of this type change the state by themselves
# step 5 for container/user/group/async events that lead a file is the same state_event
