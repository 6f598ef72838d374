# Textual joining and normalising of paths.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from rulekit.native._event cimport EventView
from rulekit.native._strings cimport Str
from rulekit.state._state cimport Account, Container, Context, Fd, FdTable, State, Thread

cdef Str* concat_path(State* state, const char* dir, uint32_t dir_len, const char* path, uint32_t path_len) noexcept nogil
