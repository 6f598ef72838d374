# The state at a moment as the metadata blocks that begin a capture.

from rulekit.native._scratch cimport Buf
from rulekit.state._state cimport State

# Append a section header and everything that is known, as `_snapshot` would read it; False when there
# is no memory. Texts are cut at the lengths of the format.
cdef bint put_snapshot(const State* state, Buf* out) noexcept nogil
