"""Finds containers in the events of a live source, before anything else looks at these.

The control groups of a process come with the events that start one. Each id is told once; what is
known of it already costs a look at the header of each event, and a look-up for each started process.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from rulekit.capture._blocks cimport (
    BLOCK_HEADER, EV_V2, EVF_V2, NEXT_EVENT, NEXT_NEED_DATA, V2_HEADER, decoder_next, get_u16,
    get_u32, get_u64,
)
from rulekit.capture._reader cimport CaptureReader
from rulekit.native._event cimport EventView
from rulekit.native._scratch cimport scratch_reset
from rulekit.native._strings cimport Str, intern, strtab_wants_collection
from rulekit.state._containers cimport (
    add_container, container_id_of, find_container, remove_container
)
from rulekit.state._process cimport cgroups_text
from rulekit.state._state cimport Limits, State, Thread, default_limits, state_collect, state_free, state_new

cdef enum:
    FULL_ID = 64                 # digits
    FRAME = 12                   # header and trailer of a block

# clone, fork, vfork, execve, execveat, clone3, and processes that a recorder tells again
cdef enum:
    CGROUPS = 14                 # number of the parameter
    CGROUPS_OF_TASK = 27
    TASK = 430


cdef inline bint _tells_cgroups(uint32_t type) noexcept nogil:
    return (type == 293 or type == 223 or type == 335 or type == 225 or type == 227 or type == 331
            or type == TASK)


cdef bytes _full_id(const Str* cgroups, const Str* id):
    """Return the whole id: the digits of which the short id is the beginning."""
    cdef bytes text = cgroups.ptr[:cgroups.len]
    cdef bytes short = id.ptr[:id.len]
    cdef Py_ssize_t at = text.find(short)
    while at >= 0:
        digits = text[at:at + FULL_ID]
        if len(digits) == FULL_ID and digits.isalnum():
            return digits
        at = text.find(short, at + 1)
    return short


class _Once:
    """A stream of one chunk."""

    cut = False
    path = "snapshot"

    def __init__(self, chunk):
        self._chunk = chunk

    def next_chunk(self):
        chunk, self._chunk = self._chunk, None
        return chunk

    def close(self):
        pass


cdef class Sightings:
    """Remembers which containers were seen; for one thread.

    Args:
        max_known: Containers remembered at a time; beyond that none is told any more until some are
            forgotten.
    """

    cdef State* state            # owned; only its tables of texts and containers are used

    def __cinit__(self, uint32_t max_known=16384):
        cdef Limits limits
        default_limits(&limits)
        limits.max_containers = max_known + 1     # and the host
        self.state = state_new(&limits)
        if self.state == NULL:
            raise MemoryError

    def __dealloc__(self):
        state_free(self.state)

    cdef Str* fresh(self, Str* cgroups) noexcept nogil:
        """Return the id of a container that was not seen before and remember it, or NULL."""
        cdef Str* id = container_id_of(self.state, cgroups)
        if id.len == 0 or find_container(self.state, id) != NULL:
            return NULL
        return id if add_container(self.state, id) != NULL else NULL

    def snapshot(self, bytes blocks not None):
        """Return the containers of the processes with which a capture begins: (id, whole id)."""
        cdef CaptureReader reader = CaptureReader(_Once(blocks), lenient=True)
        cdef State* state = state_new(NULL)
        cdef EventView event
        cdef Thread* thread
        cdef Str* id
        cdef Str* cgroups
        cdef uint32_t i
        cdef int result
        if state == NULL:
            raise MemoryError
        found = []
        try:
            while True:
                result = decoder_next(reader.decoder, state, &event)
                if result == NEXT_NEED_DATA:
                    reader.refill()
                elif result != NEXT_EVENT:
                    break
            for i in range(state.n_thread_buckets):
                thread = state.thread_buckets[i]
                while thread != NULL:
                    if thread.cgroups != NULL and thread.cgroups.len:
                        cgroups = intern(self.state.strings, thread.cgroups.ptr, thread.cgroups.len)
                        id = self.fresh(cgroups)
                        if id != NULL:
                            found.append((id.ptr[:id.len].decode("utf-8", "replace"),
                                          _full_id(cgroups, id).decode("utf-8", "replace")))
                    thread = thread.hash_next
        finally:
            state_free(state)
            reader.close()
        return found

    def scan(self, data not None):
        """Return the containers seen for the first time in whole blocks of a capture, in order.

        Returns:
            (offset of the block of the first event, its time in ns, id, whole id) of each.
        """
        cdef Py_buffer view
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            return self.scanned(<const uint8_t*> view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    cdef list scanned(self, const uint8_t* start, uint64_t size):
        cdef uint64_t at = 0
        cdef uint64_t here
        cdef Str* cgroups = NULL
        cdef Str* id = NULL
        cdef list found = []
        while True:
            with nogil:
                if strtab_wants_collection(self.state.strings):
                    state_collect(self.state)
                at = self.find(start, size, at, &here, &cgroups, &id)
            if id == NULL:
                return found
            found.append((here, get_u64(start + here + BLOCK_HEADER + 2
                                        + (4 if get_u32(start + here) == EVF_V2 else 0)),
                          id.ptr[:id.len].decode("utf-8", "replace"),
                          _full_id(cgroups, id).decode("utf-8", "replace")))

    cdef uint64_t find(self, const uint8_t* data, uint64_t size, uint64_t at, uint64_t* here,
                       Str** cgroups, Str** id) noexcept nogil:
        """Return where to go on after the next container that was not seen before; `id` is NULL: none."""
        cdef const uint8_t* p
        cdef const uint8_t* header
        cdef const uint8_t* value
        cdef const uint8_t* end
        cdef uint32_t block, total, type, n, wanted, i
        id[0] = NULL
        while size - at >= FRAME + 2 + V2_HEADER:
            p = data + at
            block = get_u32(p)
            total = get_u32(p + 4)
            if total < FRAME or total > size - at:
                return size                  # not sound: whoever decodes it will say so
            here[0] = at
            at += total
            if block != EV_V2 and block != EVF_V2:
                continue
            header = p + BLOCK_HEADER + (2 if block == EV_V2 else 6)
            end = p + total - 4
            if header + V2_HEADER > end:
                continue
            type = get_u16(header + 20)
            if not _tells_cgroups(type):
                continue
            n = get_u32(header + 22)
            wanted = CGROUPS_OF_TASK if type == TASK else CGROUPS
            if n <= wanted or n > 64 or header + V2_HEADER + 2 * n > end:
                continue
            value = header + V2_HEADER + 2 * n
            for i in range(wanted):
                value += get_u16(header + V2_HEADER + 2 * i)
            i = get_u16(header + V2_HEADER + 2 * wanted)
            if i == 0 or value + i > end:
                continue
            scratch_reset(&self.state.scratch)
            cgroups[0] = cgroups_text(self.state, <const char*> value, i)
            id[0] = self.fresh(cgroups[0])
            if id[0] != NULL:
                return at
        return size

    def forget(self, str id not None):
        """Tell a container again when it is seen again."""
        cdef bytes raw = id.encode()
        remove_container(self.state, intern(self.state.strings, raw, len(raw)))

    @property
    def n_known(self):
        """Containers remembered now."""
        return self.state.n_containers - 1
