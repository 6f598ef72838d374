# Extractors of the class process, and the lists of texts that threads hold.

from libc.stdint cimport int32_t, uint32_t
from libc.string cimport memchr

from rulekit.native._scratch cimport Buf, buf_put
from rulekit.native._strings cimport Str
from rulekit.state._fields cimport Value, add_fn
from rulekit.state._state cimport Context, State, Thread

cdef Str* cmdline_of(State* state, Thread* thread) noexcept nogil          # comm and args; kept on the thread
cdef Thread* ancestor(State* state, Thread* thread, int32_t n) noexcept nogil  # process n levels up, 0 = itself; NULL: unknown
cdef bint join_to(Context* c, Str* items, Value* out) noexcept nogil       # items joined by blanks
cdef int register_proc(add_fn add) except -1


# NUL-separated lists: args, env, cgroups.

cdef inline uint32_t list_item(const char* at, uint32_t left) noexcept nogil:
    # Length of the first item; the list goes on after its NUL.
    cdef const void* nul = memchr(at, 0, left)
    return left if nul == NULL else <uint32_t> (<const char*> nul - at)


cdef inline void put_joined(Buf* out, Str* items) noexcept nogil:
    # Items joined by blanks. Inside an item no NUL can be, so a NUL is a joint or the end.
    cdef uint32_t i
    cdef uint32_t n
    cdef size_t start = out.len
    if items == NULL or items.len == 0:
        return
    n = items.len
    if items.ptr[n - 1] == 0:
        n -= 1
    buf_put(out, items.ptr, n)
    if out.failed:
        return
    for i in range(n):
        if out.ptr[start + i] == 0:
            out.ptr[start + i] = c' '


cdef inline uint32_t count_items(Str* items) noexcept nogil:
    cdef uint32_t n = 0
    cdef uint32_t at = 0
    if items == NULL:
        return 0
    while at < items.len:
        at += list_item(items.ptr + at, items.len - at) + 1
        n += 1
    return n
