# Events that carry facts about containers, users and groups.

from rulekit.native._event cimport EventView
from rulekit.state._state cimport Context, State

cdef void on_container(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_async(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_user(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_group(State* state, const EventView* ev, Context* c) noexcept nogil
# Every container that is known as the text of an event that tells of it; with the GIL.
cdef list container_texts(State* state)
