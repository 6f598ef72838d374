"""The path of an event into another capture: decoder, state, matcher, copy.

An event that was asked for is copied as it is. Any other is left out, unless the state of a reader
would differ without it: then it is copied with the format's mark for events that are applied and not
shown. So every field of the events asked for has the value that it has in the whole capture.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from rulekit._fastmatch cimport Matcher, match_event
from rulekit.capture._blocks cimport (
    NEXT_END, NEXT_ERROR, NEXT_EVENT, NEXT_NEED_DATA, Decoder, decoder_next
)
from rulekit.capture._copy cimport (
    RawBlock, WaitingTable, end_waiting, forget_waiting, put_state_only, put_waiting, raw_block,
    replace_waiting, wait_for_thread, waiting_clear, waiting_free, waiting_new
)
from rulekit.capture._reader cimport CaptureReader
from rulekit.capture._write_snapshot cimport put_snapshot
from rulekit.engine._loop cimport fill_limits, refused_of
from rulekit.engine._window cimport (
    PLACE_AFTER, PLACE_INSIDE, EventWindow, Place, fill_window, place_of
)
from rulekit.native._event cimport (
    EF_MODIFIES_STATE, N_EVENT_TYPES, EventView, event_infos, n_event_types
)
from rulekit.native._scratch cimport Buf, buf_free, buf_put
from rulekit.native._strings cimport strtab_wants_collection
from rulekit.state._metadata cimport container_texts
from rulekit.state._state cimport (
    Context, Limits, State, state_collect, state_free, state_new,
)
from rulekit.state._update cimport has_handler, state_event, state_event_done, state_settle

from rulekit.capture.writer import encode_event
from rulekit.errors import SourceError

cdef enum:
    CHUNK_BYTES = 1 << 18
    CONNECT_X = 23
    PROCEXIT = 186
    PROCINFO = 234
    CONTAINER = 324
    # what an event of a type does to the state
    KEEP_NEVER = 0           # as far as the type tells
    KEEP_DONE = 1            # something, when the call succeeded
    KEEP_ALWAYS = 2

cdef enum Stop:
    STOP_DATA = 1
    STOP_OUT = 2
    STOP_END = 3
    STOP_ERROR = 4

cdef struct Mark:            # what tells that an event changed the state
    bint leading
    uint64_t first_event_ts_ns
    uint32_t next_version
    uint32_t ancestry_version
    uint64_t placeholders

cdef uint64_t PAUSE_EVERY = 1 << 17
cdef uint8_t _keep[N_EVENT_TYPES]

# Context switches are measured against the one before; records of losses belong to whatever is told
# of the time around them; an unfinished connect counts as done.
_ALWAYS = (148, 149, 152, 153, CONNECT_X)


def _fill_keep():
    cdef int i
    memset(_keep, KEEP_NEVER, sizeof(_keep))
    for i in range(n_event_types):
        if has_handler(<uint16_t> i) or event_infos[i].flags & EF_MODIFIES_STATE:
            _keep[i] = KEEP_DONE
    for i in _ALWAYS:
        _keep[i] = KEEP_ALWAYS


_fill_keep()


cdef inline bint _starts_thread(uint16_t type) noexcept nogil:
    return type == 223 or type == 225 or type == 227 or type == 335   # clone, fork, vfork, clone3


cdef inline Mark mark_of(const State* state) noexcept nogil:
    cdef Mark mark
    mark.leading = state.leading
    mark.first_event_ts_ns = state.first_event_ts_ns
    mark.next_version = state.next_version
    mark.ancestry_version = state.ancestry_version
    mark.placeholders = state.counters.placeholders
    return mark


cdef class SliceLoop:
    """Copies what a matcher and a window choose from one capture into the bytes of another.

    Args:
        matcher: Chooses events; None takes every event in the window.
        window: A `rulekit.engine.window.Window`; None is everything.
        keeps_state: Keep the state even where nothing asks for it: `snapshot` needs it.
        limits: How much to remember, a `rulekit.engine.limits.StateLimits`; None is the defaults.

    With neither matcher nor window every block is copied as it is.

    Attributes:
        limit: Number of chosen events at which `next` reads no further; 0: none.
    """

    cdef CaptureReader reader
    cdef Matcher matcher
    cdef State* state            # owned
    cdef Decoder* decoder        # the reader's
    cdef WaitingTable* waiting   # owned
    cdef WaitingTable* samples   # owned; the last CPU times of each thread: the next are measured from them
    cdef EventWindow window
    cdef EventView event
    cdef Context context
    cdef Buf out                 # owned
    cdef bint whole
    cdef bint keeps_state
    cdef bint ended
    cdef object error            # SourceError that ended it, or None
    cdef uint64_t pause_at
    cdef readonly uint64_t n_chosen      # events copied as they are
    cdef readonly uint64_t n_state_only  # events copied for the state only
    cdef readonly uint64_t n_needed      # of them, those before the last chosen event
    cdef readonly uint64_t needed        # bytes of what `next` returned last up to that event
    cdef uint64_t needed_end             # the same in `out`
    cdef readonly uint64_t n_too_long    # events that the mark made too long: left out
    cdef public uint64_t limit

    def __cinit__(self, CaptureReader reader not None, Matcher matcher=None, window=None,
                  bint keeps_state=False, limits=None):
        cdef Limits bounds
        self.reader = reader
        self.decoder = reader.decoder
        self.matcher = matcher
        fill_window(&self.window, window)
        self.whole = matcher is None and not self.window.active
        self.keeps_state = keeps_state
        fill_limits(&bounds, limits)
        self.state = state_new(&bounds)
        self.waiting = waiting_new()
        self.samples = waiting_new()
        memset(&self.out, 0, sizeof(Buf))
        if self.state == NULL or self.waiting == NULL or self.samples == NULL:
            raise MemoryError
        self.pause_at = PAUSE_EVERY

    def __dealloc__(self):
        state_free(self.state)
        waiting_free(self.waiting)
        waiting_free(self.samples)
        buf_free(&self.out)

    cdef void copy_skipped(self, uint64_t start, uint64_t end) noexcept nogil:
        """Deal with blocks that the decoder passed over without delivering an event."""
        cdef RawBlock block
        while start < end:
            block = raw_block(self.decoder.data + start)
            start += block.size
            if not block.is_event:
                if block.is_section:
                    waiting_clear(self.waiting)
                    waiting_clear(self.samples)
                buf_put(&self.out, <const char*> block.bytes, block.size)
            elif block.type < n_event_types:
                wait_for_thread(self.waiting, &block)

    cdef void need_all(self) noexcept nogil:
        """Note that all that is copied so far belongs to the slice."""
        self.needed_end = self.out.len
        self.n_needed = self.n_state_only

    cdef void copy_marked(self, const RawBlock* block) noexcept nogil:
        self.n_state_only += put_waiting(self.waiting, block.tid, &self.out)
        if put_state_only(&self.out, block):
            self.n_state_only += 1
        else:
            self.n_too_long += 1

    cdef bint changes_state(self, const RawBlock* block, const Mark* before) noexcept nogil:
        """Whether a reader needs the event to know what we know."""
        cdef Mark after = mark_of(self.state)
        cdef uint8_t keep = _keep[self.event.type]
        if keep == KEEP_ALWAYS or _keep[block.type] == KEEP_ALWAYS:
            return True
        # What is shown next must not be taken for the lead of the file, and times count from here.
        if before.leading != after.leading or before.first_event_ts_ns != after.first_event_ts_ns:
            return True
        # Threads made up for unknown numbers, connections told by their first transfer.
        if (before.next_version != after.next_version
                or before.ancestry_version != after.ancestry_version
                or before.placeholders != after.placeholders):
            return True
        if keep == KEEP_DONE or _keep[block.type] == KEEP_DONE:
            return not self.context.has_retval or self.context.retval >= 0
        return False

    cdef bint take(self, uint64_t start) noexcept nogil:
        """Bring an event into the state and copy it as far as need be; False behind the window.

        Args:
            start: Of the first block since the last event.
        """
        cdef State* state = self.state
        cdef EventView* ev = &self.event
        cdef RawBlock block
        cdef Mark before
        cdef Place place = PLACE_INSIDE
        cdef uint32_t hit
        cdef bint chosen
        while True:
            block = raw_block(self.decoder.data + start)
            if start + block.size == self.decoder.pos:
                break
            self.copy_skipped(start, start + block.size)
            start += block.size
        before = mark_of(state)
        state_event(state, ev, &self.context)
        if self.window.active:
            place = place_of(&self.window, ev.num, ev.ts_ns, state.first_event_ts_ns)
        chosen = place == PLACE_INSIDE and self.context.visible and not ev.block_flags & 1
        if chosen and self.matcher is not None:
            chosen = match_event(self.matcher.c, &self.context, &hit, 1) != 0
        if ev.type == PROCINFO:
            if chosen:
                self.n_state_only += put_waiting(self.samples, block.tid, &self.out)
        elif ev.type == PROCEXIT or _starts_thread(ev.type):
            forget_waiting(self.samples, self.context.retval if self.context.retval > 0 else block.tid)
        if chosen:
            self.n_state_only += put_waiting(self.waiting, block.tid, &self.out)
            buf_put(&self.out, <const char*> block.bytes, block.size)
            self.n_chosen += 1
            self.need_all()
        elif self.changes_state(&block, &before):
            if ev.type == PROCINFO:
                forget_waiting(self.samples, block.tid)
            self.copy_marked(&block)
            if self.n_needed == 0 and self.n_chosen == 0:
                self.need_all()          # a capture without any event is none
        elif ev.type == PROCINFO:
            replace_waiting(self.samples, &block)
        elif block.type & 1:
            end_waiting(self.waiting, &block)
        else:
            wait_for_thread(self.waiting, &block)
        state_event_done(state, &self.context)
        return place != PLACE_AFTER

    cdef int advance(self) noexcept nogil:
        cdef Decoder* d = self.decoder
        cdef uint64_t start
        cdef int result
        while True:
            if self.out.len >= CHUNK_BYTES or self.out.failed:
                return STOP_OUT
            if self.limit and self.n_chosen >= self.limit:
                return STOP_OUT
            if d.n_headers >= self.pause_at:
                self.pause_at = d.n_headers + PAUSE_EVERY
                return STOP_OUT
            start = d.pos
            if self.whole:
                if self.keeps_state and strtab_wants_collection(self.state.strings):
                    state_collect(self.state)
                result = decoder_next(d, self.state if self.keeps_state else NULL, &self.event)
                buf_put(&self.out, <const char*> d.data + start, d.pos - start)
                self.needed_end = self.out.len
                if result == NEXT_EVENT:
                    if self.keeps_state:
                        state_event(self.state, &self.event, &self.context)
                        state_event_done(self.state, &self.context)
                    self.n_chosen += 1
                    continue
            else:
                if strtab_wants_collection(self.state.strings):
                    state_collect(self.state)
                result = decoder_next(d, self.state, &self.event)
                if result == NEXT_EVENT:
                    if not self.take(start):
                        return STOP_END
                    continue
                self.copy_skipped(start, d.pos)
            if result == NEXT_NEED_DATA:
                return STOP_DATA
            if result == NEXT_END:
                return STOP_END
            if result == NEXT_ERROR:
                return STOP_ERROR

    def next(self):
        """Return the next bytes of the slice, which may be none for once; None at its end.

        What follows the last of all bytes that are `needed` can be left out.

        Raises:
            SourceError: The source is damaged here; everything before it was returned.
        """
        cdef int stop
        while not self.ended:
            with nogil:
                stop = self.advance()
            if stop == STOP_DATA:
                try:
                    self.reader.refill()
                except SourceError as error:
                    self.error = error
                else:
                    if not self.reader.idle:
                        continue
                    stop = STOP_OUT
            elif stop == STOP_ERROR:
                self.error = self.reader.error()
            self.ended = stop != STOP_OUT
            break
        if self.out.failed:
            raise MemoryError
        if self.ended and self.out.len == 0:
            if self.error is not None:
                raise self.error
            return None
        data = self.out.ptr[:self.out.len] if self.out.len else b""
        self.needed = self.needed_end
        self.out.len = self.needed_end = 0
        return data

    def snapshot(self):
        """Return what is known now as the start of a capture: what `next` returns next can follow it."""
        cdef Buf blocks
        memset(&blocks, 0, sizeof(Buf))
        state_settle(self.state)
        try:
            if not put_snapshot(self.state, &blocks):
                raise MemoryError
            # Containers have no list in the format: events at the start tell of them.
            told = [encode_event(CONTAINER, [text + b"\0"], ts_ns=self.event.ts_ns, tid=-1)
                    for text in container_texts(self.state)]
            return b"".join([blocks.ptr[:blocks.len], *told])
        finally:
            buf_free(&blocks)

    @property
    def n_events(self):
        """Event headers read so far."""
        return self.decoder.n_headers

    @property
    def n_bytes(self):
        """Inflated bytes of the source used so far."""
        return self.decoder.base + self.decoder.pos

    @property
    def n_drops(self):
        """Events that the source reported as lost, or lost, so far."""
        return self.decoder.n_drops + self.reader.n_lost

    @property
    def losses(self):
        """Events that a live source lost so far, by reason."""
        return self.reader.losses

    @property
    def refused(self):
        """What of the state found no room, by name; zero ones left out."""
        return {name: n for name, n in refused_of(self.state).items() if n}

    @property
    def n_lost(self):
        """Events that waited for another one of their thread and were forgotten for want of room."""
        return self.waiting.n_lost + self.samples.n_lost

    def close(self):
        """Give back the source."""
        self.reader.close()
