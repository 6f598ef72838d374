# Parameters of an event as the state reads them.

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memchr, memcmp

from rulekit.native._event cimport EventView
from rulekit.native._strings cimport Str, intern
from rulekit.state._state cimport Context, Fd, FdTable, State, Thread
from rulekit.state._threads cimport fd_table, main_thread
from rulekit.state._fds cimport find_fd

cdef struct Text:
    const char* ptr
    uint32_t len


# Text up to the first NUL; "" when absent.
cdef inline Text plain_text(const EventView* ev, uint32_t i) noexcept nogil:
    cdef Text text
    cdef const char* end
    text.ptr = b""
    text.len = 0
    if i < ev.nparams and ev.params[i].len != 0:
        text.ptr = <const char*> ev.params[i].ptr
        end = <const char*> memchr(text.ptr, 0, ev.params[i].len)
        text.len = ev.params[i].len if end == NULL else <uint32_t> (end - text.ptr)
    return text


# Absent texts, and the "(NULL)" of old producers, read as "<NA>".
cdef inline Text text_or_na(const EventView* ev, uint32_t i) noexcept nogil:
    cdef Text text = plain_text(ev, i)
    if i >= ev.nparams or ev.params[i].len == 0 or (text.len == 6 and memcmp(text.ptr, b"(NULL)", 6) == 0):
        text.ptr = b"<NA>"
        text.len = 4
    return text


cdef inline Str* intern_text(State* state, Text text) noexcept nogil:
    return intern(state.strings, text.ptr, text.len)


cdef inline bint is_na(Text text) noexcept nogil:
    return text.len == 4 and memcmp(text.ptr, b"<NA>", 4) == 0


# What programs do with an fd number: the entry also remembers the name it had (fd.name_changed).
cdef inline Fd* look_up_fd(State* state, Thread* thread, int64_t num) noexcept nogil:
    cdef FdTable* table
    cdef Fd* fd
    if num < 0 or thread == NULL:
        return NULL
    table = fd_table(state, thread)
    if table == NULL:
        return NULL
    fd = find_fd(table, num)
    if fd != NULL:
        fd.old_name = fd.name
    return fd


# Directory of a thread; "./" when its main thread is not known.
cdef inline Text working_dir(Thread* thread) noexcept nogil:
    cdef Text text
    cdef Thread* main = NULL if thread == NULL else main_thread(thread)
    if main == NULL:
        text.ptr = b"./"
        text.len = 2
    else:
        text.ptr = main.cwd.ptr
        text.len = main.cwd.len
    return text
