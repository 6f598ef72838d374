from libc.stdint cimport uint32_t

from rulekit.native._document cimport Document, Place
from rulekit.native._json cimport Json
from rulekit.state._fields cimport FieldRef, Value, add_fn
from rulekit.state._state cimport Context

cdef int register_json(add_fn add) except -1

# Resolve the JSON pointer of `json.value`. Raises ValueError when it has too many steps.
cdef int prepare_json(FieldRef* ref, bytes pointer) except -1

# A place may be this deep at most.
cdef enum:
    MAX_STEPS = 64

# The places from below the document down to `place`; returns how many.
cdef uint32_t steps_to(const Place* place, const Place** steps) noexcept nogil

# Strings as their contents, everything else as compact JSON text; False for no value.
cdef bint put_json(Context* c, Value* out, Json value) noexcept nogil
