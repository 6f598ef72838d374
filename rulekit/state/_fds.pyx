# hot: every event passes here
# Tables of file descriptors: open addressing by number; entries come from slabs.

from libc.stdint cimport UINT32_MAX
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memset

from rulekit.native._scratch cimport scratch_alloc
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


# -- order -----------------------------------------------------------------------------------------
# Existing readers keep fds in a chained hash table with one list through all of it, and fd.types
# shows its order: the youngest bucket first, in a bucket the youngest entry first. When the table
# grows, the list is put in again from its start. What it takes is kept here: the moment at which a
# number came in, and the number of buckets.

cdef enum:
    N_PRIMES = 13
    SMALL = 16               # up to here comparing all with all is faster than sorting
    SORTED = 64

cdef uint32_t[N_PRIMES] _primes
_primes[:] = [13, 29, 59, 127, 257, 541, 1109, 2357, 5087, 10273, 20753, 42043, 85229]

cdef struct Place:
    uint32_t slot            # bucket of the number
    uint32_t bucket          # moment at which the first entry of that bucket came in
    uint32_t order
    Fd* fd


cdef int _younger(const void* a, const void* b) noexcept nogil:
    cdef const Place* x = <const Place*> a
    cdef const Place* y = <const Place*> b
    if x.bucket != y.bucket:
        return -1 if x.bucket > y.bucket else 1
    return -1 if x.order > y.order else 1


cdef uint32_t fds_in_order(State* state, const FdTable* table, Fd** out) noexcept nogil:
    cdef Place few[SMALL]
    cdef Place* places = few
    cdef uint32_t* oldest = NULL
    cdef uint32_t i, j
    cdef uint32_t n = 0
    cdef Place held
    if table.n_fds > SMALL:
        places = <Place*> scratch_alloc(&state.scratch, table.n_fds * sizeof(Place))
        oldest = <uint32_t*> scratch_alloc(&state.scratch, table.n_buckets * sizeof(uint32_t))
        if places == NULL or oldest == NULL:
            return 0
        memset(oldest, 0, table.n_buckets * sizeof(uint32_t))
    for i in range(table.n_slots):
        if table.slots[i] != NULL:
            places[n].fd = table.slots[i]
            places[n].order = table.slots[i].order
            places[n].bucket = table.slots[i].order
            places[n].slot = <uint32_t> (<uint64_t> places[n].fd.num % table.n_buckets)
            n += 1
    if oldest != NULL:
        for i in range(n):
            if oldest[places[i].slot] == 0 or places[i].order < oldest[places[i].slot]:
                oldest[places[i].slot] = places[i].order
        for i in range(n):
            places[i].bucket = oldest[places[i].slot]
        qsort(places, n, sizeof(Place), _younger)
    else:
        for i in range(n):
            for j in range(n):
                if places[j].slot == places[i].slot and places[j].order < places[i].bucket:
                    places[i].bucket = places[j].order
        for i in range(1, n):
            held = places[i]
            j = i
            while j > 0 and _younger(&held, &places[j - 1]) < 0:
                places[j] = places[j - 1]
                j -= 1
            places[j] = held
    for i in range(n):
        out[i] = places[i].fd
    return n


cdef void _renumber(State* state, FdTable* table, uint32_t n_buckets) noexcept nogil:
    cdef Fd* few[SMALL]
    cdef Fd** fds = few
    cdef uint32_t i, n
    if table.n_fds > SMALL:
        fds = <Fd**> scratch_alloc(&state.scratch, table.n_fds * sizeof(Fd*))
    if fds != NULL and table.n_fds:
        n = fds_in_order(state, table, fds)
        for i in range(n):
            fds[i].order = i + 1
        table.last_order = n
    table.n_buckets = n_buckets


cdef uint32_t _next_order(State* state, FdTable* table) noexcept nogil:
    # Of an entry that the table does not count yet.
    cdef int i
    if table.n_fds >= table.n_buckets:
        for i in range(N_PRIMES):
            if _primes[i] >= 2 * table.n_buckets and _primes[i] > table.n_fds:
                _renumber(state, table, _primes[i])
                break
    elif table.last_order == UINT32_MAX:
        _renumber(state, table, table.n_buckets)
    table.last_order += 1
    return table.last_order


# -- entries ---------------------------------------------------------------------------------------

cdef Fd* _insert(State* state, FdTable* table, int64_t num) noexcept nogil:
    # An entry of that number with undefined contents but its place in the order.
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
    fd.order = _next_order(state, table)
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
    cdef uint32_t order
    if fd == NULL:
        return NULL
    order = fd.order
    memset(fd, 0, sizeof(Fd))
    fd.order = order
    fd.num = num
    fd.name = state.strings.empty
    fd.name_raw = state.strings.empty
    fd.old_name = state.strings.empty
    fd.version = new_version(state)
    return fd


cdef Fd* copy_fd(State* state, FdTable* table, int64_t num, const Fd* source) noexcept nogil:
    # The source may be an entry of the same table, even the one that is replaced.
    cdef Fd* fd = _insert(state, table, num)
    cdef uint32_t order
    if fd == NULL:
        return NULL
    if fd != source:
        order = fd.order
        fd[0] = source[0]
        fd.order = order
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
    memset(table, 0, sizeof(FdTable))


cdef inline Fd* _copied(State* state, const Fd* source, uint32_t order) noexcept nogil:
    cdef Fd* fd = _alloc(state)
    if fd != NULL:
        fd[0] = source[0]
        fd.order = order
        fd.flags |= FDF_CLONED
        fd.version = new_version(state)
    return fd


cdef bint copy_fds(State* state, FdTable* target, const FdTable* source) noexcept nogil:
    # Put in one by one in the order of the source, as existing readers do: that turns it round. Of a
    # big table it is turned round only, which is the same as long as few numbers share a bucket.
    cdef Fd* fds[SORTED]
    cdef uint32_t i, at
    cdef uint32_t n = source.n_fds
    cdef bint sorted_ = n <= SORTED
    cdef Fd* fd
    clear_fds(state, target)
    if n == 0:
        return True
    if not _grow(target, source.n_slots):
        state.counters.fds_refused += n
        return False
    if sorted_:
        n = fds_in_order(state, source, fds)
    else:
        n = source.n_slots
        target.n_buckets = source.n_buckets
        target.last_order = source.last_order
    for i in range(n):
        if sorted_:
            fd = _copied(state, fds[i], _next_order(state, target))
        elif source.slots[i] == NULL:
            continue
        else:
            fd = _copied(state, source.slots[i], source.last_order + 1 - source.slots[i].order)
        if fd == NULL:
            state.counters.fds_refused += source.n_fds - target.n_fds
            return False
        at = fd_slot(target, fd.num)
        while target.slots[at] != NULL:
            at = (at + 1) & (target.n_slots - 1)
        target.slots[at] = fd
        target.n_fds += 1
    return True


cdef void touch_fd(State* state, Fd* fd) noexcept nogil:
    fd.version = new_version(state)
