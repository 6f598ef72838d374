# The matcher over values given by hand, and matchers side by side over one capture.

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from rulekit._fastmatch cimport (
    NONE, Matcher, MatcherC, O_FIELD, Operand, begin_event, match_class, match_event
)
from rulekit.capture._blocks cimport NEXT_END, NEXT_EVENT, NEXT_NEED_DATA, decoder_next
from rulekit.capture._reader cimport CaptureReader
from rulekit.native._event cimport EventView
from rulekit.native._scratch cimport scratch_reset
from rulekit.native._strings cimport intern, strtab_wants_collection
from rulekit.state._compare cimport K_ADDRESS, K_BOOL, K_BYTES, K_NETWORK
from rulekit.state._fields cimport (
    V_ADDRESS, V_BOOL, V_BYTES, V_DOUBLE, V_INT, Value, put_list, put_text
)
from rulekit.state._state cimport (
    Container, Context, State, Thread, state_collect, state_free, state_new
)
from rulekit.state._threads cimport add_thread, find_thread, link_thread
from rulekit.state._update cimport state_event, state_event_done

import time

from rulekit.sources.opening import open_reader


cdef class Probe:
    """Runs a program over values given by hand, for tests: no capture, no extractors.

    Everything after the extraction is what runs in the engine.
    """

    cdef Matcher matcher
    cdef State* state
    cdef EventView event
    cdef Context context
    cdef Container container
    cdef list held
    cdef Probe other         # whose state this is, or None

    def __cinit__(self, program, *, bint caches=True, uint64_t max_cache_bytes=64 << 20,
                  Probe beside=None):
        self.matcher = Matcher(program, caches=caches, max_cache_bytes=max_cache_bytes)
        self.other = beside
        self.state = state_new(NULL) if beside is None else beside.state
        if self.state == NULL:
            raise MemoryError
        memset(&self.container, 0, sizeof(Container))
        memset(&self.event, 0, sizeof(EventView))
        memset(&self.context, 0, sizeof(Context))
        self.context.state = self.state
        self.context.ev = &self.event
        self.held = []

    def __dealloc__(self):
        if self.state != NULL and self.other is None:
            state_free(self.state)

    def set_thread(self, int64_t tid, uint32_t version, *, parent=None, pid=None, args=None,
                   env=None, capabilities=None):
        """Make or change a thread; changes of facts are told to nobody else.

        A parent that nobody knows is named all the same, as by events that lie.
        """
        cdef Thread* thread = find_thread(self.state, tid)
        if thread == NULL:
            thread = add_thread(self.state, tid)
            if thread == NULL:
                raise MemoryError
            thread.pid = tid if pid is None else pid
            thread.ptid = 0 if parent is None else parent
            thread.vtid = tid
            link_thread(self.state, thread)
        elif parent is not None:
            thread.ptid = parent
            if find_thread(self.state, parent) != NULL:
                link_thread(self.state, thread)
        if args is not None:
            thread.args = intern(self.state.strings, args, len(args))
        if env is not None:
            thread.env = intern(self.state.strings, env, len(env))
        if capabilities is not None:
            thread.cap_effective, thread.cap_permitted, thread.cap_inheritable = capabilities
        thread.version = version

    def changed(self, *, bint ancestors=False, bint accounts=False, bint containers=False):
        """Tell that facts of ancestors, or the tables, may have changed."""
        self.state.ancestry_version += ancestors or accounts or containers
        self.state.account_version += accounts
        self.state.container_version += containers

    def refuse_strings(self):
        """Let the table of strings take nothing more."""
        self.state.strings.hard_limit_bytes = 0

    def collect(self):
        """Free all strings that the state does not name."""
        state_collect(self.state)

    def stats(self):
        """Return the counters of the matcher."""
        return self.matcher.stats()

    def match(self, uint32_t slot, dict values, *, tid=None, version=None, bint interned=True,
              bint container_event=False):
        """Return the numbers of the rules that match.

        `values` is by ``(field, index, key)``; what is missing is null. With `tid` the event has a
        thread, and what it showed under the same `version` may be taken for known.
        """
        cdef MatcherC* m = self.matcher.c
        cdef uint32_t out[4096]
        cdef uint32_t number, i
        cdef Operand* operand
        cdef Thread* thread
        cdef int n
        scratch_reset(&self.state.scratch)
        self.held.clear()
        self.context.thread = NULL
        self.context.event_container = &self.container if container_event else NULL
        if tid is not None:
            thread = find_thread(self.state, tid)
            if thread == NULL:
                thread = add_thread(self.state, tid)
                if thread == NULL:
                    raise MemoryError
            if version is not None:
                thread.version = version
            self.context.thread = thread
        number = m.slots[slot]
        if number == 0:
            return []
        begin_event(m, &self.context)
        tables = self.matcher.program.tables
        for i in range(m.n_operands):
            operand = &m.operands[i]
            if operand.form != O_FIELD:
                continue
            index = tables["operand_index"][i]
            key = tables["operand_key"][i]
            value = values.get((
                self.matcher.program.text(tables["operand_name"][i]).decode(),
                None if index < 0 else index,
                None if key == <uint32_t> NONE else self.matcher.program.text(key).decode(),
            ))
            operand.epoch = m.epoch
            operand.present = value is not None
            if value is not None:
                self.put(&operand.value, operand.kind, value, interned)
        with nogil:
            n = match_class(m, number - 1, out, 4096)
        if self.matcher.error is not None:
            raise self.matcher.error
        return [out[i] for i in range(min(n, 4096))]

    cdef int put(self, Value* out, int kind, value, bint interned) except -1:
        cdef uint32_t i
        memset(out, 0, sizeof(Value))
        if isinstance(value, list):
            if not put_list(&self.context, out, len(value)):
                raise MemoryError
            for i in range(len(value)):
                self.put(&out.items[i], kind, value[i], interned)
            out.n_items = len(value)
        elif isinstance(value, bytes):
            self.held.append(value)
            put_text(out, <const char*> (<bytes> value), len(value))
            if kind == K_BYTES:
                out.kind = V_BYTES
            elif kind == K_ADDRESS or kind == K_NETWORK:
                out.kind = V_ADDRESS
            elif interned:
                out.str = intern(self.state.strings, out.ptr, out.len)
                out.ptr = out.str.ptr
        elif isinstance(value, float):
            out.kind = V_DOUBLE
            out.f64 = value
        else:
            out.kind = V_BOOL if kind == K_BOOL else V_INT
            out.u64 = value & 0xFFFFFFFFFFFFFFFF
            out.i64 = <int64_t> out.u64
        return 0


def replay(source, list matchers, *, bint keep=True):
    """Run matchers over a capture, each event through all of them.

    Returns:
        ``(matches, n_headers, cpu_s)``: per matcher a list of (raw position, rule number), empty
        unless `keep`; event headers read; CPU time of decoding, state and matching together.

    Raises:
        SourceError: At damage, after everything before it.
    """
    cdef CaptureReader reader = open_reader(source)
    cdef State* state = state_new(NULL)
    cdef MatcherC* cores[16]
    cdef EventView event
    cdef Context context
    cdef uint32_t i, n_matchers = len(matchers), capacity = 0
    cdef int result, n
    cdef uint32_t* hits
    if n_matchers > 16:
        raise ValueError("at most 16 matchers")
    for i in range(n_matchers):
        cores[i] = (<Matcher> matchers[i]).c
        capacity = max(capacity, cores[i].n_rules)
    hits = <uint32_t*> malloc((capacity + 1) * sizeof(uint32_t))
    matches = [[] for _ in matchers]
    start = time.process_time()
    try:
        if state == NULL or hits == NULL:
            raise MemoryError
        while True:
            with nogil:
                n = 0
                while True:
                    if strtab_wants_collection(state.strings):
                        state_collect(state)
                    result = decoder_next(reader.decoder, state, &event)
                    if result != NEXT_EVENT:
                        break
                    state_event(state, &event, &context)
                    if context.visible and not event.block_flags & 1:
                        for i in range(n_matchers):
                            n = match_event(cores[i], &context, hits, <int> capacity)
                            if n and keep:
                                with gil:
                                    matches[i].extend([(event.raw, hits[k]) for k in range(n)])
                    state_event_done(state, &context)
            if result == NEXT_NEED_DATA:
                reader.refill()
            elif result == NEXT_END:
                break
            else:
                if reader.decoder.error_code:
                    raise reader.error()
        return matches, reader.decoder.n_headers, time.process_time() - start
    finally:
        state_free(state)
        free(hits)
        reader.close()
