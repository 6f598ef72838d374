# hot: every event passes here
# Threads and thread groups. Parent links and groups are intrusive lists, so that a process with a
# quarter of a million children costs no more per removal than one with two.

from libc.stdint cimport UINT32_MAX
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from rulekit.state._fds cimport clear_fds
from rulekit.state._state cimport CL_CLOSED, CL_NAME_CHANGED, hash_id, new_version

cdef enum:
    SLAB_THREADS = 64
    MAX_BUCKETS = 1 << 22

cdef struct Slab:
    Slab* next
    Thread threads[SLAB_THREADS]


# -- memory ----------------------------------------------------------------------------------------

cdef Thread* _alloc(State* state) noexcept nogil:
    cdef Slab* slab
    cdef Thread* thread
    cdef int i
    if state.free_threads == NULL:
        slab = <Slab*> malloc(sizeof(Slab))
        if slab == NULL:
            return NULL
        slab.next = <Slab*> state.thread_slabs
        state.thread_slabs = slab
        for i in range(SLAB_THREADS - 1, -1, -1):
            slab.threads[i].free_next = state.free_threads
            state.free_threads = &slab.threads[i]
    thread = state.free_threads
    state.free_threads = thread.free_next
    memset(thread, 0, sizeof(Thread))
    return thread


cdef void _release(State* state, Thread* thread) noexcept nogil:
    clear_fds(state, &thread.fds)
    if thread.enter_bytes != NULL:
        state.enter_bytes_held -= thread.enter_cap
        free(thread.enter_bytes)
        thread.enter_bytes = NULL
    thread.free_next = state.free_threads
    state.free_threads = thread


cdef void _grow(State* state) noexcept nogil:
    cdef uint32_t n = state.n_thread_buckets * 2 if state.n_thread_buckets else 1024
    cdef uint32_t i
    cdef Thread** buckets
    cdef Thread** slot
    cdef Thread* thread
    cdef Thread* following
    if n > MAX_BUCKETS:
        return
    buckets = <Thread**> calloc(n, sizeof(Thread*))
    if buckets == NULL:
        return
    for i in range(state.n_thread_buckets):
        thread = state.thread_buckets[i]
        while thread != NULL:
            following = thread.hash_next
            slot = &buckets[hash_id(state, thread.tid) & (n - 1)]
            thread.hash_next = slot[0]
            slot[0] = thread
            thread = following
    free(state.thread_buckets)
    state.thread_buckets = buckets
    state.n_thread_buckets = n


cdef void free_threads(State* state) noexcept nogil:
    cdef uint32_t i
    cdef Thread* thread
    cdef Group* group
    cdef Group* following
    cdef Slab* slab
    for i in range(state.n_thread_buckets):
        thread = state.thread_buckets[i]
        while thread != NULL:
            clear_fds(state, &thread.fds)
            free(thread.enter_bytes)
            thread = thread.hash_next
    free(state.thread_buckets)
    state.thread_buckets = NULL
    state.n_thread_buckets = 0
    state.n_threads = 0
    state.enter_bytes_held = 0
    while state.thread_slabs != NULL:
        slab = <Slab*> state.thread_slabs
        state.thread_slabs = slab.next
        free(slab)
    state.free_threads = NULL
    state.last_thread = NULL
    state.last_tid = -1
    for i in range(state.n_group_buckets):
        group = state.group_buckets[i]
        while group != NULL:
            following = group.hash_next
            free(group)
            group = following
    free(state.group_buckets)
    state.group_buckets = NULL
    state.n_group_buckets = 0
    state.n_groups = 0


# -- look-up ---------------------------------------------------------------------------------------

cdef Thread* find_thread_slow(State* state, int64_t tid) noexcept nogil:
    cdef Thread* thread
    if state.n_thread_buckets == 0:
        return NULL
    thread = state.thread_buckets[hash_id(state, tid) & (state.n_thread_buckets - 1)]
    while thread != NULL:
        if thread.tid == tid:
            state.last_tid = tid
            state.last_thread = thread
            return thread
        thread = thread.hash_next
    return NULL


cdef Group* find_group(State* state, int64_t pid) noexcept nogil:
    cdef Group* group
    if state.n_group_buckets == 0:
        return NULL
    group = state.group_buckets[hash_id(state, pid) & (state.n_group_buckets - 1)]
    while group != NULL:
        if group.pid == pid:
            return group
        group = group.hash_next
    return NULL


# -- versions --------------------------------------------------------------------------------------

cdef void touch_thread(State* state, Thread* thread) noexcept nogil:
    # Who can see a thread from elsewhere: its children, those of its group when it is the main
    # thread, and everybody who names tid 0, 1 or -1 as parent without being linked. A leaf changes
    # nobody.
    thread.version = new_version(state)
    if (thread.first_child != NULL or -1 <= thread.tid <= 1
            or (thread.group != NULL and thread.group.n_threads > 1 and is_main(thread))):
        state.ancestry_version += 1


cdef void touch_group(State* state, Thread* main) noexcept nogil:
    if main.group != NULL and main.group.n_threads > 1:
        _touch_members(state, main.group)
    else:
        touch_thread(state, main)


# -- parents ---------------------------------------------------------------------------------------

cdef void _leave_parent(Thread* thread) noexcept nogil:
    if thread.parent == NULL:
        return
    if thread.prev_sibling != NULL:
        thread.prev_sibling.next_sibling = thread.next_sibling
    else:
        thread.parent.first_child = thread.next_sibling
    if thread.next_sibling != NULL:
        thread.next_sibling.prev_sibling = thread.prev_sibling
    thread.parent = NULL
    thread.prev_sibling = NULL
    thread.next_sibling = NULL


cdef void _join_parent(Thread* thread, Thread* parent) noexcept nogil:
    thread.parent = parent
    thread.prev_sibling = NULL
    thread.next_sibling = parent.first_child
    if parent.first_child != NULL:
        parent.first_child.prev_sibling = thread
    parent.first_child = thread


cdef void _give_children(State* state, Thread* thread, Thread* reaper) noexcept nogil:
    # NULL reaper: the children become orphans.
    cdef Thread* child = thread.first_child
    cdef Thread* following
    if child == NULL:
        return
    thread.first_child = NULL
    while child != NULL:
        following = child.next_sibling
        child.parent = NULL
        child.prev_sibling = NULL
        child.next_sibling = NULL
        if reaper == NULL or reaper == child:
            child.ptid = 0
        else:
            child.ptid = reaper.tid
            _join_parent(child, reaper)
        child.version = new_version(state)
        child = following
    state.ancestry_version += 1


cdef Thread* _alive_in(Group* group, Thread* but) noexcept nogil:
    cdef Thread* thread
    if group == NULL or group.n_alive <= 0:
        return NULL
    thread = group.first
    while thread != NULL:
        if thread != but and not thread.flags & CL_CLOSED:
            return thread
        thread = thread.group_next
    return NULL


cdef Thread* _search_reaper(State* state, Thread* thread) noexcept nogil:
    cdef Thread* found = _alive_in(thread.group, thread)
    cdef Thread* walker
    cdef Thread* checkpoint
    cdef uint32_t steps = 0
    cdef uint32_t limit = 2
    cdef bint nested
    if found != NULL:
        return found
    nested = in_pidns(thread)
    walker = find_thread(state, thread.ptid)
    checkpoint = thread
    # Brent's loop detection: the checkpoint moves up at each power of two.
    while walker != NULL and walker != checkpoint and walker != thread:
        if in_pidns(walker) != nested:
            return NULL
        if walker.group != NULL and walker.group.reaper:
            found = _alive_in(walker.group, thread)
            if found != NULL:
                return found
        steps += 1
        if steps == limit:
            limit *= 2
            steps = 0
            checkpoint = walker
        walker = find_thread(state, walker.ptid)
    return NULL


# -- groups ----------------------------------------------------------------------------------------

cdef void _touch_members(State* state, Group* group) noexcept nogil:
    # Directory, environment and ancestors of all threads are those of the main thread.
    cdef Thread* thread = group.first
    while thread != NULL:
        thread.version = new_version(state)
        thread = thread.group_next
    state.ancestry_version += 1


cdef void _grow_groups(State* state) noexcept nogil:
    cdef uint32_t n = state.n_group_buckets * 2 if state.n_group_buckets else 1024
    cdef uint32_t i
    cdef Group** buckets
    cdef Group** slot
    cdef Group* group
    cdef Group* following
    if n > MAX_BUCKETS:
        return
    buckets = <Group**> calloc(n, sizeof(Group*))
    if buckets == NULL:
        return
    for i in range(state.n_group_buckets):
        group = state.group_buckets[i]
        while group != NULL:
            following = group.hash_next
            slot = &buckets[hash_id(state, group.pid) & (n - 1)]
            group.hash_next = slot[0]
            slot[0] = group
            group = following
    free(state.group_buckets)
    state.group_buckets = buckets
    state.n_group_buckets = n


cdef Group* _add_group(State* state, int64_t pid, bint reaper) noexcept nogil:
    cdef Group* group
    cdef Group** slot
    if state.n_groups >= state.n_group_buckets:
        _grow_groups(state)
    if state.n_group_buckets == 0:
        return NULL
    group = <Group*> calloc(1, sizeof(Group))
    if group == NULL:
        return NULL
    group.pid = pid
    group.reaper = reaper
    slot = &state.group_buckets[hash_id(state, pid) & (state.n_group_buckets - 1)]
    group.hash_next = slot[0]
    slot[0] = group
    state.n_groups += 1
    return group


cdef void _drop_group(State* state, Group* group) noexcept nogil:
    cdef Group** link = &state.group_buckets[hash_id(state, group.pid) & (state.n_group_buckets - 1)]
    while link[0] != NULL and link[0] != group:
        link = &link[0].hash_next
    if link[0] == group:
        link[0] = group.hash_next
        state.n_groups -= 1
    free(group)


cdef void _leave_group(State* state, Thread* thread) noexcept nogil:
    cdef Group* group = thread.group
    cdef bint was_first
    if group == NULL:
        return
    was_first = group.first == thread
    if thread.group_prev != NULL:
        thread.group_prev.group_next = thread.group_next
    else:
        group.first = thread.group_next
    if thread.group_next != NULL:
        thread.group_next.group_prev = thread.group_prev
    else:
        group.last = thread.group_prev
    group.n_threads -= 1
    if not thread.flags & CL_CLOSED:
        group.n_alive -= 1
    thread.group = NULL
    thread.group_prev = NULL
    thread.group_next = NULL
    if group.n_threads == 0:
        _drop_group(state, group)
    elif was_first:          # what it is now says nothing: an execve may have made it another process
        _touch_members(state, group)


cdef void _join_group(State* state, Thread* thread, Group* group) noexcept nogil:
    thread.group = group
    if is_main(thread) and group.first != NULL:
        thread.group_next = group.first
        group.first.group_prev = thread
        group.first = thread
    else:
        thread.group_prev = group.last
        if group.last != NULL:
            group.last.group_next = thread
        else:
            group.first = thread
        group.last = thread
    group.n_threads += 1
    if not thread.flags & CL_CLOSED:
        group.n_alive += 1


cdef void link_thread(State* state, Thread* thread) noexcept nogil:
    _leave_group(state, thread)
    _leave_parent(thread)
    if not is_invalid(thread):
        _link(state, thread)
    if is_main(thread):
        touch_group(state, thread)
    else:
        touch_thread(state, thread)


cdef void _link(State* state, Thread* thread) noexcept nogil:
    cdef Group* group = find_group(state, thread.pid)
    cdef Thread* parent
    if group == NULL:
        group = _add_group(state, thread.pid, thread.pid == 1 or thread.vpid == 1)
    if group != NULL:
        _join_group(state, thread, group)
    if thread.pid != 1:
        parent = find_thread(state, thread.ptid)
        if parent == NULL or parent == thread or is_invalid(parent):
            thread.ptid = 0
        else:
            _join_parent(thread, parent)


# -- insertion and removal -------------------------------------------------------------------------

cdef void _erase(State* state, Thread* thread) noexcept nogil:
    cdef Thread** link = &state.thread_buckets[hash_id(state, thread.tid) & (state.n_thread_buckets - 1)]
    _leave_parent(thread)
    _leave_group(state, thread)
    while link[0] != NULL and link[0] != thread:
        link = &link[0].hash_next
    if link[0] == thread:
        link[0] = thread.hash_next
        state.n_threads -= 1
    state.last_thread = NULL
    if -1 <= thread.tid <= 1:
        state.ancestry_version += 1
    _release(state, thread)


cdef Thread* add_thread(State* state, int64_t tid) noexcept nogil:
    cdef Thread* old = find_thread(state, tid)
    cdef Thread* children = NULL
    cdef Thread* thread
    cdef Thread** slot
    if old != NULL:
        # Children keep naming this tid, so they now mean the new thread. Who replaces a thread links
        # the new one, and that tells them.
        children = old.first_child
        old.first_child = NULL
        _erase(state, old)
    elif state.n_threads >= state.limits.max_threads:
        state.counters.threads_refused += 1
        return NULL
    if state.n_threads >= state.n_thread_buckets:
        _grow(state)
    thread = _alloc(state) if state.n_thread_buckets else NULL
    if thread == NULL:       # not behind _erase, which left one
        state.counters.threads_refused += 1
        return NULL
    thread.first_child = children
    while children != NULL:
        children.parent = thread
        children = children.next_sibling
    thread.tid = tid
    thread.pid = -1
    thread.ptid = -1
    thread.vtid = -1
    thread.vpid = -1
    thread.sid = -1
    thread.pgid = -1
    thread.vpgid = -1
    thread.reaper_tid = -1
    thread.flags = CL_NAME_CHANGED
    thread.uid = UINT32_MAX
    thread.gid = UINT32_MAX
    thread.loginuid = UINT32_MAX
    thread.fdlimit = -1
    thread.last_event_type = -1
    thread.last_event_fd = -1
    thread.enter_type = -1
    thread.fds.last_num = -1
    thread.comm = state.strings.empty
    thread.exe = thread.comm
    thread.exepath = thread.comm
    thread.args = thread.comm
    thread.env = thread.comm
    thread.cgroups = thread.comm
    thread.cwd = thread.comm
    thread.root = thread.comm
    thread.container_id = thread.comm
    thread.version = new_version(state)
    if -1 <= tid <= 1:
        state.ancestry_version += 1
    slot = &state.thread_buckets[hash_id(state, tid) & (state.n_thread_buckets - 1)]
    thread.hash_next = slot[0]
    slot[0] = thread
    state.n_threads += 1
    state.last_tid = tid
    state.last_thread = thread
    return thread


cdef Thread* add_placeholder(State* state, int64_t tid) noexcept nogil:
    cdef Thread* thread = add_thread(state, tid)
    if thread != NULL:
        thread.comm = state.strings.na
        thread.exe = state.strings.na
        state.counters.placeholders += 1
    return thread


cdef void mark_dead(State* state, Thread* thread) noexcept nogil:
    if thread.flags & CL_CLOSED:
        return
    thread.flags |= CL_CLOSED
    if thread.group != NULL:
        thread.group.n_alive -= 1


cdef void remove_thread(State* state, int64_t tid) noexcept nogil:
    cdef Thread* thread = find_thread(state, tid)
    cdef Thread* reaper
    cdef Thread* main
    cdef Group* group
    cdef bint other_than_main
    if thread == NULL:
        return
    group = thread.group
    if group == NULL or is_invalid(thread):
        _give_children(state, thread, NULL)
        _erase(state, thread)
        return
    mark_dead(state, thread)
    if thread.first_child != NULL:
        reaper = NULL
        if thread.reaper_tid > 0:
            reaper = find_thread(state, thread.reaper_tid)
            if reaper == thread or (reaper != NULL and is_invalid(reaper)):
                reaper = NULL
        if reaper == NULL:
            reaper = _search_reaper(state, thread)
        if reaper != NULL:
            thread.reaper_tid = reaper.tid
            if reaper.pid != thread.pid and reaper.group != NULL:
                reaper.group.reaper = True
        _give_children(state, thread, reaper)
    other_than_main = not is_main(thread)
    if group.n_alive <= 0:
        # The last live thread takes its (long dead) main thread with it.
        main = find_thread(state, group.pid)
        if main != NULL and main != thread:
            _give_children(state, main, NULL)
            _erase(state, main)
        _erase(state, thread)
    elif other_than_main:
        _erase(state, thread)


cdef void remove_other_threads(State* state, Thread* thread) noexcept nogil:
    cdef Group* group = thread.group
    cdef Thread* other
    cdef Thread* following
    if group == NULL or group.n_threads < 2:
        return
    other = group.first
    while other != NULL:
        following = other.group_next
        if other != thread and not is_main(other):
            remove_thread(state, other.tid)
        other = following
