# Parameters of an event as texts and typed values.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from rulekit.native._event cimport EventView, ParamInfo
from rulekit.native._scratch cimport Buf
from rulekit.native._strings cimport Str
from rulekit.state._fields cimport Value
from rulekit.state._state cimport Context, Fd, Thread

cdef enum ParamText:
    PARAM_BOTH = 0       # raw(resolved)
    PARAM_BEST = 1       # the resolved text if there is one, else the raw one

# A text parameter up to its first NUL; the null forms read as "<NA>". `i` must be below nparams.
cdef void param_text(const EventView* ev, uint32_t i, const char** ptr, uint32_t* length) noexcept nogil
cdef void render_param(Context* c, uint32_t i, Buf* out, int how, uint8_t style) noexcept nogil
cdef bint put_param(Context* c, uint32_t i, Value* out) noexcept nogil      # typed by the parameter itself
cdef void put_fd(Buf* out, const Fd* fd) noexcept nogil                     # <4t>1.2.3.4:5->6.7.8.9:10

# Directory that ends with "/": of a thread ("./" when its main thread is unknown), of a directory fd.
cdef void cwd_of(Context* c, Thread* thread, const char** ptr, uint32_t* length) noexcept nogil
cdef bint fd_dir(Context* c, Thread* thread, int64_t num, const char** ptr, uint32_t* length) noexcept nogil  # False: unknown fd
# Interned join; NULL never.
cdef Str* join_path(Context* c, const char* dir, uint32_t dir_len, const char* path, uint32_t path_len) noexcept nogil

cdef const char* fd_type_name(const Fd* fd) noexcept nogil
cdef char fd_type_char(const Fd* fd) noexcept nogil
cdef int fd_l4proto(const Fd* fd) noexcept nogil       # L4Proto as reported: without role not applicable, but raw
