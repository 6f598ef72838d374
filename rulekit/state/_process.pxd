# Changes of threads: clone, execve, exit, credentials, directories, limits.

from libc.stdint cimport int64_t

from rulekit.native._event cimport EventView
from rulekit.native._strings cimport Str
from rulekit.state._state cimport Context, State, Thread

cdef Str* cgroups_text(State* state, const char* text, size_t length) noexcept nogil   # names of subsystems made canonical
cdef Str* list_text(State* state, const char* text, size_t length) noexcept nogil      # args, env: with a final NUL
cdef void set_container_id(State* state, Thread* thread) noexcept nogil

cdef void on_clone(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_execve(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_task(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_procexit(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_prctl(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_chdir(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_fchdir(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_chroot(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_setsid(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_setuid(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_setgid(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_capset(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_new_user_namespace(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_rlimit(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_memory(State* state, const EventView* ev, Context* c) noexcept nogil
cdef void on_switch(State* state, const EventView* ev, Context* c) noexcept nogil
