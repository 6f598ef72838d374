# Textual joining and normalising of paths.

from libc.stdint cimport uint32_t

from rulekit.native._strings cimport Str
from rulekit.state._state cimport State

cdef Str* concat_path(State* state, const char* dir, uint32_t dir_len, const char* path, uint32_t path_len) noexcept nogil
cdef Str* concat_dir(State* state, const char* dir, uint32_t dir_len, const char* path, uint32_t path_len) noexcept nogil  # the same with a final "/"
