# hot: every event passes here
# The State as a whole: creation, reset, collection of strings.

import os

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from rulekit.native._scratch cimport scratch_free, scratch_init, scratch_reset
from rulekit.native._strings cimport (
    StrTable, mark, strtab_begin, strtab_end, strtab_free, strtab_new
)
from rulekit.state._containers cimport add_host, free_accounts, free_containers, forget_memo
from rulekit.state._fds cimport free_fds
from rulekit.state._threads cimport free_threads

cdef enum:
    SOFT_STRING_BYTES = 64 << 20
    HARD_STRING_BYTES = 512 << 20

cdef uint64_t _seed = int.from_bytes(os.urandom(8), "little")


cdef void default_limits(Limits* limits) noexcept nogil:
    limits.max_threads = 262144
    limits.max_fds = 4096
    limits.max_fds_total = 2097152
    limits.max_containers = 16384
    limits.max_accounts = 262144


cdef State* state_new(const Limits* limits) noexcept nogil:
    cdef State* state = <State*> calloc(1, sizeof(State))
    if state == NULL:
        return NULL
    if limits == NULL:
        default_limits(&state.limits)
    else:
        state.limits = limits[0]
    state.hash_seed = _seed
    state.strings = strtab_new(SOFT_STRING_BYTES, HARD_STRING_BYTES)
    if state.strings == NULL or not scratch_init(&state.scratch):
        strtab_free(state.strings)
        free(state)
        return NULL
    _defaults(state)
    if not add_host(state):
        state_free(state)
        return NULL
    return state


cdef void _defaults(State* state) noexcept nogil:
    state.boot_ns = 0
    state.n_cpus = 0
    memset(state.hostname, 0, sizeof(state.hostname))
    state.pending_thread = -1
    state.pending_fd_tid = -1
    state.pending_fd = -1
    state.has_pending_thread = False
    memset(state.exit_tid, 0, sizeof(state.exit_tid))
    memset(state.exit_child, 0, sizeof(state.exit_child))
    memset(state.exit_ts, 0, sizeof(state.exit_ts))
    state.exit_pos = 0
    state.pending_container = NULL
    state.leading = True
    state.attention = True
    free(state.switch_ts)
    state.switch_ts = NULL


cdef void state_free(State* state) noexcept nogil:
    if state == NULL:
        return
    free_threads(state)
    free_fds(state)
    free_accounts(state)
    free_containers(state)
    free(state.interfaces)
    free(state.switch_ts)
    scratch_free(&state.scratch)
    strtab_free(state.strings)
    free(state)


cdef void state_reset(State* state) noexcept nogil:
    # Versions go on counting, so that nothing learned before is taken for true again. The strings
    # stay: what nobody names any more goes with the next collection.
    free_threads(state)
    free_fds(state)
    free_accounts(state)
    free_containers(state)
    free(state.interfaces)
    state.interfaces = NULL
    state.n_interfaces = 0
    scratch_reset(&state.scratch)
    _defaults(state)
    add_host(state)                  # which tells of the containers, and so of ancestors
    state.account_version += 1


cdef void _mark_table(StrTable* strings, const FdTable* table) noexcept nogil:
    cdef uint32_t i
    cdef Fd* fd
    if table.n_fds == 0:
        return
    for i in range(table.n_slots):
        fd = table.slots[i]
        if fd != NULL:
            mark(strings, fd.name)
            mark(strings, fd.name_raw)
            mark(strings, fd.old_name)


cdef void _mark_thread(StrTable* strings, Thread* thread) noexcept nogil:
    mark(strings, thread.comm)
    mark(strings, thread.exe)
    mark(strings, thread.exepath)
    mark(strings, thread.args)
    mark(strings, thread.env)
    mark(strings, thread.cgroups)
    mark(strings, thread.cwd)
    mark(strings, thread.root)
    mark(strings, thread.cmdline)
    mark(strings, thread.container_id)
    _mark_table(strings, &thread.fds)


cdef void _mark_container(StrTable* strings, Container* c) noexcept nogil:
    cdef uint32_t i
    mark(strings, c.id)
    mark(strings, c.full_id)
    mark(strings, c.name)
    mark(strings, c.image)
    mark(strings, c.image_id)
    mark(strings, c.image_repo)
    mark(strings, c.image_tag)
    mark(strings, c.image_digest)
    mark(strings, c.ip)
    mark(strings, c.cni_json)
    mark(strings, c.user)
    mark(strings, c.pod_sandbox_id)
    for i in range(c.n_labels):
        mark(strings, c.labels[i].key)
        mark(strings, c.labels[i].value)
    for i in range(c.n_pod_labels):
        mark(strings, c.pod_labels[i].key)
        mark(strings, c.pod_labels[i].value)
    for i in range(c.n_mounts):
        mark(strings, c.mounts[i].source)
        mark(strings, c.mounts[i].dest)
        mark(strings, c.mounts[i].mode)
        mark(strings, c.mounts[i].propagation)


cdef void state_collect(State* state) noexcept nogil:
    cdef StrTable* strings = state.strings
    cdef uint32_t i
    cdef Thread* thread
    cdef Account* account
    cdef Container* container
    strtab_begin(strings)
    forget_memo(state)
    for i in range(state.n_thread_buckets):
        thread = state.thread_buckets[i]
        while thread != NULL:
            _mark_thread(strings, thread)
            thread = thread.hash_next
    for i in range(state.n_account_buckets):
        account = state.account_buckets[i]
        while account != NULL:
            mark(strings, account.container_id)
            mark(strings, account.name)
            mark(strings, account.home)
            mark(strings, account.shell)
            account = account.hash_next
    for i in range(state.n_container_buckets):
        container = state.container_buckets[i]
        while container != NULL:
            _mark_container(strings, container)
            container = container.hash_next
    mark(strings, state.pending_container)
    for i in range(state.n_interfaces):
        mark(strings, state.interfaces[i].name)
    strtab_end(strings)
