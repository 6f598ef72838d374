"""Blocks copied from one capture into another.

A slice holds the events that were asked for as they are. Events that only change what readers know
of processes and files are marked, in a flag that the format has for this: they are applied and not
shown. Until early 2025 a system call was two events; the first of the two waits here until it is
known whether the second one is copied.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from rulekit.native._event cimport event_infos, n_event_types
from rulekit.native._scratch cimport buf_free, buf_put, buf_reserve

cdef enum:
    CHDIR_E = 94
    FCNTL_E = 150
    EXECVE_X = 293
    EXECVEAT_E = 330
    SECTION = 0x0A0D0D0A
    MAX_SMALL_BLOCK = 65536 + 8   # with its header
    HEADER = 10                   # of a block, and the number of the cpu
    N_SETS = 4096
    N_WAYS = 4
    MAX_EVENTS = 32               # waiting for one thread
    MAX_BYTES = 1 << 20           # likewise
    KEPT_BYTES = 4096
    MAX_TOTAL = 64 << 20


cdef inline uint32_t _u32(const uint8_t* p) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, p, 4)
    return value


# -- blocks ----------------------------------------------------------------------------------------

cdef uint32_t _flagged(uint32_t block) noexcept nogil:
    """Return the id of the same event block with flags; itself when it has them, 0 if it is none."""
    if block == 0x216 or block == 0x217:
        return 0x217
    if block == 0x221 or block == 0x222:
        return 0x222
    if block == 0x204 or block == <uint32_t> 0x8010ABCD or block == 0x208:
        return 0x208
    return 0


cdef RawBlock raw_block(const uint8_t* at) noexcept nogil:
    cdef RawBlock block
    cdef uint32_t id = _u32(at)
    cdef uint32_t flagged = _flagged(id)
    cdef const uint8_t* header = at + HEADER + (4 if flagged == id else 0)
    block.bytes = at
    block.size = _u32(at + 4)
    block.is_event = flagged != 0
    block.is_section = id == <uint32_t> SECTION
    block.tid = -1
    block.type = 0
    if flagged:
        memcpy(&block.tid, header + 8, 8)
        memcpy(&block.type, header + 20, 2)
    return block


cdef bint put_state_only(Buf* out, const RawBlock* block) noexcept nogil:
    cdef uint32_t id = _flagged(_u32(block.bytes))
    cdef uint32_t size = block.size
    cdef uint32_t flags = STATE_ONLY
    cdef size_t start = out.len
    if not buf_reserve(out, size + 4):
        return True                      # Buf.failed tells
    if id == _u32(block.bytes):
        buf_put(out, <const char*> block.bytes, size)
        flags |= _u32(block.bytes + HEADER)
        memcpy(out.ptr + start + HEADER, &flags, 4)
        return True
    size += 4
    if id != 0x222 and size > MAX_SMALL_BLOCK:
        return False
    buf_put(out, <const char*> &id, 4)
    buf_put(out, <const char*> &size, 4)
    buf_put(out, <const char*> block.bytes + 8, 2)
    buf_put(out, <const char*> &flags, 4)
    buf_put(out, <const char*> block.bytes + HEADER, block.size - HEADER - 4)
    buf_put(out, <const char*> &size, 4)
    return True


# -- events that wait ------------------------------------------------------------------------------

cdef WaitingTable* waiting_new() noexcept nogil:
    cdef WaitingTable* table = <WaitingTable*> calloc(1, sizeof(WaitingTable))
    if table == NULL:
        return NULL
    table.slots = <Waiting*> calloc(N_SETS * N_WAYS, sizeof(Waiting))
    if table.slots == NULL:
        free(table)
        return NULL
    return table


cdef void waiting_free(WaitingTable* table) noexcept nogil:
    cdef int i
    if table != NULL:
        for i in range(N_SETS * N_WAYS):
            buf_free(&table.slots[i].blocks)
        free(table.slots)
        free(table)


cdef void _empty(WaitingTable* table, Waiting* slot) noexcept nogil:
    table.bytes -= slot.blocks.len
    slot.blocks.len = 0
    slot.n_events = 0
    slot.enter_type = -1
    slot.used = False
    if slot.blocks.cap > KEPT_BYTES:
        buf_free(&slot.blocks)
        slot.blocks.ptr = NULL
        slot.blocks.len = slot.blocks.cap = 0


cdef void waiting_clear(WaitingTable* table) noexcept nogil:
    cdef int i
    for i in range(N_SETS * N_WAYS):
        if table.slots[i].used:
            _empty(table, &table.slots[i])


cdef inline Waiting* _set_of(WaitingTable* table, int64_t tid) noexcept nogil:
    cdef uint64_t hash = (<uint64_t> tid * <uint64_t> 0x9E3779B97F4A7C15) >> 52
    return &table.slots[hash * N_WAYS]


cdef Waiting* _find(WaitingTable* table, int64_t tid) noexcept nogil:
    cdef Waiting* ways = _set_of(table, tid)
    cdef int i
    for i in range(N_WAYS):
        if ways[i].used and ways[i].tid == tid:
            return &ways[i]
    return NULL


cdef Waiting* _take(WaitingTable* table, int64_t tid) noexcept nogil:
    cdef Waiting* ways = _set_of(table, tid)
    cdef Waiting* slot = &ways[0]
    cdef int i
    for i in range(N_WAYS):
        if not ways[i].used:
            slot = &ways[i]
            break
        if ways[i].stamp < slot.stamp:
            slot = &ways[i]
    if slot.used:
        table.n_lost += slot.n_events
        _empty(table, slot)
    slot.used = True
    slot.tid = tid
    slot.enter_type = -1
    return slot


cdef inline bint _is_enter(uint16_t type) noexcept nogil:
    # Only what an exit can follow: tracepoints and the like have even types too.
    return not type & 1 and type + 1 < n_event_types and event_infos[type + 1].known


cdef void _put_breaker(Buf* out, const RawBlock* block) noexcept nogil:
    """Append the first half of a chdir that never ends, at the time of `block`.

    sysdig (0.29.3, seen) forgets the first half of a call only after a second half that it shows. An
    unshown fcntl that duplicated an fd thus makes it take the next fcntl of the thread for one more
    duplication. Any other first half in between makes it forget; no reader does more with this one.
    """
    cdef uint32_t id = 0x217 if _flagged(_u32(block.bytes)) == 0x217 else 0x208
    cdef uint32_t length = 26 if id == 0x217 else 22
    cdef uint32_t padded = (length + 6 + 3) & ~<uint32_t> 3
    cdef uint32_t size = padded + 12
    cdef uint32_t flags = STATE_ONLY, zero = 0
    cdef uint16_t type = CHDIR_E
    cdef const uint8_t* header = block.bytes + HEADER + (4 if _u32(block.bytes) == id else 0)
    buf_put(out, <const char*> &id, 4)
    buf_put(out, <const char*> &size, 4)
    buf_put(out, <const char*> block.bytes + 8, 2)
    buf_put(out, <const char*> &flags, 4)
    buf_put(out, <const char*> header, 16)          # time and thread
    buf_put(out, <const char*> &length, 4)
    buf_put(out, <const char*> &type, 2)
    buf_put(out, <const char*> &zero, length - 22)  # number of parameters, where it is stored
    buf_put(out, <const char*> &zero, padded - length - 6)
    buf_put(out, <const char*> &size, 4)


cdef void _append(WaitingTable* table, Waiting* slot, const RawBlock* block) noexcept nogil:
    cdef size_t before
    before = slot.blocks.len
    slot.blocks.failed = False
    if block.type == FCNTL_E:
        _put_breaker(&slot.blocks, block)
    if not put_state_only(&slot.blocks, block) or slot.blocks.failed:
        table.n_lost += 1
        return
    table.bytes += slot.blocks.len - before
    slot.n_events += 1
    table.touches += 1
    slot.stamp = table.touches


cdef void wait_for_thread(WaitingTable* table, const RawBlock* block) noexcept nogil:
    cdef Waiting* slot = _find(table, block.tid)
    cdef bint enter = _is_enter(block.type)
    if slot == NULL:
        if not enter:
            return
        slot = _take(table, block.tid)
    if (slot.n_events >= MAX_EVENTS or slot.blocks.len + block.size > MAX_BYTES
            or table.bytes + block.size > <uint64_t> MAX_TOTAL):
        table.n_lost += slot.n_events
        _empty(table, slot)
        slot.used = True
        if table.bytes + block.size > <uint64_t> MAX_TOTAL:
            table.n_lost += 1
            return
    _append(table, slot, block)
    if enter:
        slot.enter_type = block.type


cdef void replace_waiting(WaitingTable* table, const RawBlock* block) noexcept nogil:
    cdef Waiting* slot = _find(table, block.tid)
    if slot == NULL:
        slot = _take(table, block.tid)
    slot.n_events = 0
    table.bytes -= slot.blocks.len
    slot.blocks.len = 0
    _append(table, slot, block)


cdef void forget_waiting(WaitingTable* table, int64_t tid) noexcept nogil:
    cdef Waiting* slot = _find(table, tid)
    if slot != NULL:
        _empty(table, slot)


cdef void end_waiting(WaitingTable* table, const RawBlock* exit) noexcept nogil:
    cdef Waiting* slot = _find(table, exit.tid)
    if slot == NULL:
        return
    if (slot.enter_type < 0 or slot.enter_type + 1 == exit.type
            or (slot.enter_type == EXECVEAT_E and exit.type == EXECVE_X)):
        _empty(table, slot)
    else:
        wait_for_thread(table, exit)     # out of order: the enter event may yet find its exit


cdef uint32_t put_waiting(WaitingTable* table, int64_t tid, Buf* out) noexcept nogil:
    cdef Waiting* slot = _find(table, tid)
    cdef uint32_t n
    if slot == NULL:
        return 0
    n = slot.n_events
    buf_put(out, slot.blocks.ptr, slot.blocks.len)
    _empty(table, slot)
    return n
