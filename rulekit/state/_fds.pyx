# Tables of file descriptors: open addressing by number; entries come from slabs.

from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from rulekit.state._state cimport FDF_CLONED, new_version

cdef enum:
    SLAB_FDS = 128
    FIRST_SLOTS = 16

cdef struct Slab:
    Slab* next
    Fd fds[SLAB_FDS]

cdef union FreeLink:     # a free entry holds nothing but the link to the next one
    Fd fd
    Fd* next


cdef Fd* _alloc(State* state) noexcept nogil:
    cdef Slab* slab
    cdef Fd* fd
    cdef int i
    if state.n_fds_total >= state.limits.max_fds_total:
        return NULL
    if state.free_fds == NULL:
        slab = <Slab*> malloc(sizeof(Slab))
        if slab == NULL:
            return NULL
        slab.next = <Slab*> state.fd_slabs
        state.fd_slabs = slab
        for i in range(SLAB_FDS - 1, -1, -1):
            (<FreeLink*> &slab.fds[i]).next = state.free_fds
            state.free_fds = &slab.fds[i]
    fd = state.free_fds
    state.free_fds = (<FreeLink*> fd).next
    state.n_fds_total += 1
    return fd


cdef inline void _release(State* state, Fd* fd) noexcept nogil:
    (<FreeLink*> fd).next = state.free_fds
    state.free_fds = fd
    state.n_fds_total -= 1


cdef void free_fds(State* state) noexcept nogil:
    cdef Slab* slab
    while state.fd_slabs != NULL:
        slab = <Slab*> state.fd_slabs
        state.fd_slabs = slab.next
        free(slab)
    state.free_fds = NULL
    state.n_fds_total = 0


cdef Fd* find_fd_slow(FdTable* table, int64_t num) noexcept nogil:
    cdef uint32_t i
    cdef Fd* fd
    if table.n_slots == 0:
        return NULL
    i = fd_slot(table, num)
    while True:
        fd = table.slots[i]
        if fd == NULL:
            return NULL
        if fd.num == num:
            table.last_num = num
            table.last = fd
            return fd
        i = (i + 1) & (table.n_slots - 1)


cdef bint _grow(FdTable* table, uint32_t n) noexcept nogil:
    cdef FdTable bigger
    cdef uint32_t i, at
    bigger.slots = <Fd**> calloc(n, sizeof(Fd*))
    if bigger.slots == NULL:
        return False
    bigger.n_slots = n
    for i in range(table.n_slots):
        if table.slots[i] != NULL:
            at = fd_slot(&bigger, table.slots[i].num)
            while bigger.slots[at] != NULL:
                at = (at + 1) & (n - 1)
            bigger.slots[at] = table.slots[i]
    free(table.slots)
    table.slots = bigger.slots
    table.n_slots = n
    return True


cdef inline bint _has_room(FdTable* table) noexcept nogil:
    # Three quarters full at most, or failed look-ups get long.
    if (table.n_fds + 1) * 4 <= table.n_slots * 3:
        return True
    return _grow(table, table.n_slots * 2 if table.n_slots else FIRST_SLOTS)


cdef Fd* _insert(State* state, FdTable* table, int64_t num) noexcept nogil:
    # An entry of that number with undefined contents.
    cdef Fd* fd = find_fd(table, num)
    cdef uint32_t i
    if fd != NULL:
        return fd
    if table.n_fds >= state.limits.max_fds or not _has_room(table):
        state.counters.fds_refused += 1
        return NULL
    fd = _alloc(state)
    if fd == NULL:
        state.counters.fds_refused += 1
        return NULL
    i = fd_slot(table, num)
    while table.slots[i] != NULL:
        i = (i + 1) & (table.n_slots - 1)
    table.slots[i] = fd
    table.n_fds += 1
    table.last_num = num
    table.last = fd
    return fd


cdef Fd* add_fd(State* state, FdTable* table, int64_t num) noexcept nogil:
    cdef Fd* fd = _insert(state, table, num)
    if fd == NULL:
        return NULL
    memset(fd, 0, sizeof(Fd))
    fd.num = num
    fd.name = state.strings.empty
    fd.name_raw = state.strings.empty
    fd.old_name = state.strings.empty
    fd.version = new_version(state)
    return fd


cdef Fd* copy_fd(State* state, FdTable* table, int64_t num, const Fd* source) noexcept nogil:
    # The source may be an entry of the same table, even the one that is replaced.
    cdef Fd* fd = _insert(state, table, num)
    if fd == NULL:
        return NULL
    if fd != source:
        fd[0] = source[0]
    fd.num = num
    fd.version = new_version(state)
    return fd


cdef void remove_fd(State* state, FdTable* table, int64_t num) noexcept nogil:
    cdef uint32_t hole, i, home, mask
    cdef Fd* fd
    if table.n_fds == 0:
        return
    mask = table.n_slots - 1
    hole = fd_slot(table, num)
    while True:
        fd = table.slots[hole]
        if fd == NULL:
            return
        if fd.num == num:
            break
        hole = (hole + 1) & mask
    _release(state, fd)
    table.n_fds -= 1
    table.last = NULL
    # Close the gap: entries that were pushed past it move back.
    i = hole
    while True:
        i = (i + 1) & mask
        fd = table.slots[i]
        if fd == NULL:
            break
        home = fd_slot(table, fd.num)
        if ((i - home) & mask) >= ((i - hole) & mask):
            table.slots[hole] = fd
            hole = i
    table.slots[hole] = NULL


cdef void remove_fd_range(State* state, FdTable* table, uint64_t first, uint64_t last) noexcept nogil:
    cdef uint32_t i = 0
    cdef uint64_t num
    if first > last or table.n_fds == 0:
        return
    if last - first < table.n_slots:
        num = first
        while True:
            remove_fd(state, table, <int64_t> num)
            if num == last:
                return
            num += 1
    # Removal moves entries back, so the same slot is looked at until it holds one that stays.
    # What wraps around to the end of the array is caught by the second turn.
    for i in range(2 * table.n_slots):
        while True:
            if table.slots[i & (table.n_slots - 1)] == NULL:
                break
            num = <uint64_t> table.slots[i & (table.n_slots - 1)].num
            if num < first or num > last:
                break
            remove_fd(state, table, <int64_t> num)


cdef void clear_fds(State* state, FdTable* table) noexcept nogil:
    cdef uint32_t i
    if table.n_fds:
        for i in range(table.n_slots):
            if table.slots[i] != NULL:
                _release(state, table.slots[i])
    free(table.slots)
    table.slots = NULL
    table.n_slots = 0
    table.n_fds = 0
    table.last = NULL


cdef bint copy_fds(State* state, FdTable* target, const FdTable* source) noexcept nogil:
    cdef uint32_t i
    cdef Fd* fd
    cdef bint complete = True
    clear_fds(state, target)
    if source.n_fds == 0:
        return True
    if not _grow(target, source.n_slots):
        state.counters.fds_refused += source.n_fds
        return False
    for i in range(source.n_slots):
        if source.slots[i] == NULL:
            continue
        fd = _alloc(state)
        if fd == NULL:
            # Holes would hide entries behind them, so what follows is put in one by one.
            state.counters.fds_refused += 1
            complete = False
            continue
        fd[0] = source.slots[i][0]
        fd.flags |= FDF_CLONED
        fd.version = new_version(state)
        target.slots[i] = fd
        target.n_fds += 1
    if not complete:
        _grow(target, target.n_slots)
    return complete


cdef void touch_fd(State* state, Fd* fd) noexcept nogil:
    fd.version = new_version(state)
