"""The path of an event: bytes, decoder, state, matcher, in one loop without the GIL."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from rulekit._fastmatch cimport Matcher, match_event
from rulekit.capture._blocks cimport (
    NEXT_END,
    NEXT_ERROR,
    NEXT_EVENT,
    NEXT_NEED_DATA,
    Decoder,
    decoder_next,
)
from rulekit.capture._reader cimport CaptureReader
from rulekit.engine._window cimport PLACE_AFTER, PLACE_INSIDE, Place, fill_window, place_of
from rulekit.native._scratch cimport Buf, buf_free
from rulekit.native._strings cimport strtab_wants_collection
from rulekit.state._outputs cimport OutputProgram
from rulekit.state._state cimport Limits, default_limits, state_collect, state_free, state_new
from rulekit.state._update cimport state_event, state_event_done

from rulekit.errors import RulekitError

cdef uint64_t PAUSE_EVERY = 1 << 17


cdef class EventLoop:
    """Runs one matcher over one source, in the order of the source; not thread-safe.

    Args:
        reader: Where the bytes come from.
        matcher: What is asked of each event; None shows every event.
        max_threads, max_fds: Bounds of the state tables (fds per process); 0: the default.
        window: The `rulekit.engine.window.Window` to look at; None is everything.
    """

    def __cinit__(self, CaptureReader reader not None, Matcher matcher=None, uint32_t max_threads=0,
                  uint32_t max_fds=0, window=None):
        cdef Limits limits
        fill_window(&self.window, window)
        default_limits(&limits)
        if max_threads:
            limits.max_threads = max_threads
        if max_fds:
            limits.max_fds = max_fds
        self.reader = reader
        self.matcher = matcher
        self.state = state_new(&limits)
        self.decoder = reader.decoder
        self.capacity = matcher.c.n_rules if matcher is not None else 0
        self.hits = <uint32_t*> malloc((self.capacity + 1) * sizeof(uint32_t))
        if self.state == NULL or self.hits == NULL:
            raise MemoryError()
        self.pause_at = PAUSE_EVERY

    def __dealloc__(self):
        state_free(self.state)
        free(self.hits)

    cdef int advance(self) noexcept nogil:
        cdef int result
        cdef Place place
        if self.open_event:
            state_event_done(self.state, &self.context)
            self.open_event = False
        while True:
            if self.decoder.n_headers >= self.pause_at:
                self.pause_at = self.decoder.n_headers + PAUSE_EVERY
                return STOP_PAUSE
            if strtab_wants_collection(self.state.strings):
                state_collect(self.state)
            result = decoder_next(self.decoder, self.state, &self.event)
            if result == NEXT_EVENT:
                state_event(self.state, &self.event, &self.context)
                if self.window.active:
                    place = place_of(&self.window, self.event.num, self.event.ts_ns,
                                     self.state.first_event_ts_ns)
                    if place != PLACE_INSIDE:
                        state_event_done(self.state, &self.context)
                        if place == PLACE_AFTER:
                            return STOP_END
                        continue
                if self.context.visible and not self.event.block_flags & 1:
                    self.n_visible += 1
                    if self.matcher is None:
                        self.n_hits = 0
                        self.open_event = True
                        return STOP_MATCH
                    self.n_hits = match_event(
                        self.matcher.c, &self.context, self.hits, self.capacity)
                    if self.n_hits:
                        self.open_event = True
                        return STOP_MATCH
                state_event_done(self.state, &self.context)
            elif result == NEXT_NEED_DATA:
                return STOP_DATA
            elif result == NEXT_END:
                return STOP_END
            elif result == NEXT_ERROR:
                return STOP_ERROR

    def next(self):
        """Read on to the next match and return True; False at a pause (signals, progress), None at the end.

        Raises:
            SourceError: The source is damaged here; everything before it was delivered.
        """
        cdef int stop
        while True:
            with nogil:
                stop = self.advance()
            if stop == STOP_MATCH:
                self.serial += 1
                return True
            if stop == STOP_PAUSE:
                return False
            if stop == STOP_DATA:
                self.reader.refill()
                continue
            self.serial += 1
            if stop == STOP_END:
                return None
            raise self.reader.error()

    def matched(self):
        """Return the indices of the rules that the current event matched, in definition order."""
        return [self.hits[i] for i in range(self.n_hits)]

    def render(self, OutputProgram output not None):
        """Return message and output fields of the current event."""
        self._must_be_open()
        return output.render(&self.context)

    def render_line(self, OutputProgram output not None, bint keep_nulls):
        """Return the text of the current event as bytes.

        None when one of the fields is null and `keep_nulls` is not set.
        """
        cdef Buf text
        self._must_be_open()
        if not keep_nulls and None in output.fields(&self.context).values():
            return None
        memset(&text, 0, sizeof(text))
        output.put_text(&self.context, &text)
        try:
            if text.failed:
                raise MemoryError
            return text.ptr[:text.len]
        finally:
            buf_free(&text)

    @property
    def ts_ns(self):
        """Time of the current event, ns since the Unix epoch."""
        return self.event.ts_ns

    @property
    def raw(self):
        """Position of the current event among all event headers, counted from 1."""
        return self.event.raw

    @property
    def n_events(self):
        """Event headers read so far."""
        return self.decoder.n_headers

    @property
    def n_bytes(self):
        """Inflated bytes of the source used so far."""
        return self.decoder.base + self.decoder.pos

    def _must_be_open(self):
        if not self.open_event:
            raise RulekitError("the event is gone: its fields can be read only before the next one")

    def fill(self, stats):
        """Copy the loop's figures into a `rulekit.engine.stats.Stats`."""
        counters = self.state.counters
        stats.events = self.decoder.n_headers
        stats.delivered = self.decoder.n_delivered
        stats.visible = self.n_visible
        stats.drops = self.decoder.n_drops
        found = {
            "threads_refused": counters.threads_refused,
            "fds_refused": counters.fds_refused,
            "containers_refused": counters.containers_refused,
            "accounts_refused": counters.accounts_refused,
            "placeholder_threads": counters.placeholders,
            "malformed_params": counters.bad_params,
            "strings_refused": self.state.strings.n_refused,
            **self.reader.stats(),
        }
        for name in ("headers", "delivered", "sections", "bytes"):
            del found[name]
        stats.counters = {name: n for name, n in found.items() if n}

    def close(self):
        """Give back the source; the loop cannot go on."""
        self.reader.close()
