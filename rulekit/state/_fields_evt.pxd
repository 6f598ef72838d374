# Extractors of the classes evt, syscall and util.

from rulekit.native._event cimport EventView
from rulekit.state._fields cimport add_fn

cdef const char* event_name(const EventView* ev) noexcept nogil     # evt.type; NULL: unknown
cdef int register_evt(add_fn add) except -1
