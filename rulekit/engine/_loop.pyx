# hot: every event passes here
"""The path of an event: bytes, decoder, state, matcher, in one loop without the GIL."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from rulekit._fastmatch cimport Matcher, MatcherC, match_event
from rulekit.capture._blocks cimport (
    NEXT_END,
    NEXT_ERROR,
    NEXT_EVENT,
    NEXT_NEED_DATA,
    Decoder,
)
from rulekit.capture._reader cimport CaptureReader
from rulekit.capture._latency cimport clock_new
from rulekit.engine._quick cimport ALL_QUICK, next_asked
from rulekit.engine._tables cimport fd_rows, thread_rows
from rulekit.engine._tally cimport Tally, TallyC, tally_take
from rulekit.engine._window cimport PLACE_AFTER, PLACE_INSIDE, Place, fill_window, place_of
from rulekit.native._scratch cimport Buf, buf_free
from rulekit.native._strings cimport strtab_wants_collection
from rulekit.state._columns cimport ColumnSet
from rulekit.state._outputs cimport OutputProgram
from rulekit.state._state cimport Limits, default_limits, state_collect, state_free, state_new
from rulekit.state._update cimport state_event, state_event_done

from rulekit.errors import RulekitError

cdef uint64_t PAUSE_EVERY = 1 << 17


cdef void fill_limits(Limits* out, object limits):
    default_limits(out)
    if limits is not None:
        out.max_threads = limits.threads
        out.max_fds = limits.fds_per_process
        out.max_fds_total = limits.fds
        out.max_containers = limits.containers
        out.max_accounts = limits.accounts


cdef dict refused_of(const State* state):
    return {
        "threads_refused": state.counters.threads_refused,
        "fds_refused": state.counters.fds_refused,
        "containers_refused": state.counters.containers_refused,
        "accounts_refused": state.counters.accounts_refused,
        "strings_refused": state.strings.n_refused,
    }


cdef class EventLoop:
    """Runs one matcher over one source, in the order of the source; not thread-safe.

    Args:
        reader: Where the bytes come from.
        matcher: What is asked of each event; None shows every event.
        max_threads, max_fds: Bounds of the state tables (fds per process); 0: the default.
        limits: `rulekit.engine.limits.StateLimits`: all bounds at once; None is the defaults.
        window: The `rulekit.engine.window.Window` to look at; None is everything.
        stats: The `rulekit.engine.stats.Stats` to fill when the loop is closed.
    """

    def __cinit__(self, CaptureReader reader not None, Matcher matcher=None, uint32_t max_threads=0,
                  uint32_t max_fds=0, window=None, limits=None, stats=None):
        cdef Limits bounds
        fill_window(&self.window, window)
        fill_limits(&bounds, limits)
        if max_threads:
            bounds.max_threads = max_threads
        if max_fds:
            bounds.max_fds = max_fds
        self.reader = reader
        self.stats = stats
        self.matcher = matcher
        self.state = state_new(&bounds)
        self.decoder = reader.decoder
        self.capacity = matcher.c.n_rules if matcher is not None else 0
        self.hits = <uint32_t*> malloc((self.capacity + 1) * sizeof(uint32_t))
        if self.state == NULL or self.hits == NULL:
            raise MemoryError()
        self.pause_at = PAUSE_EVERY

    def __dealloc__(self):
        state_free(self.state)
        free(self.hits)
        free(self.tallies)

    cdef int advance(self) noexcept nogil:
        # What does not change on the way is kept in locals: after each store to memory the compiler
        # would have to read the members again.
        cdef State* state = self.state
        cdef Decoder* decoder = self.decoder
        cdef EventView* event = &self.event
        cdef Context* context = &self.context
        cdef MatcherC* matcher = NULL if self.matcher is None else self.matcher.c
        cdef bint windowed = self.window.active
        cdef bint timed = self.least_ns != 0
        cdef bint plain = matcher != NULL and not windowed and not timed
        cdef uint8_t wanted = ALL_QUICK if plain and self.n_visible else 0
        cdef int result
        cdef Place place
        if self.open_event:
            state_event_done(state, context)
            self.open_event = False
        while True:
            if decoder.n_headers >= self.pause_at:
                self.pause_at = decoder.n_headers + PAUSE_EVERY
                return STOP_PAUSE
            if strtab_wants_collection(state.strings):
                state_collect(state)
            result = next_asked(decoder, state, matcher, wanted, event, &self.n_visible)
            if result == NEXT_EVENT:
                state_event(state, event, context)
                if plain:
                    if context.visible:
                        self.n_visible += 1
                        if self.n_visible == 1:
                            self.first_ns = event.ts_ns
                            wanted = ALL_QUICK
                        self.n_hits = match_event(matcher, context, self.hits, self.capacity)
                        if self.n_hits:
                            if self.tallies != NULL:
                                self._tally()
                                continue
                            self.open_event = True
                            return STOP_MATCH
                    state_event_done(state, context)
                    continue
                if windowed:
                    place = place_of(&self.window, event.num, event.ts_ns, state.first_event_ts_ns)
                    if place != PLACE_INSIDE:
                        state_event_done(state, context)
                        if place == PLACE_AFTER:
                            return STOP_END
                        continue
                if context.visible:
                    self.n_visible += 1
                    if self.n_visible == 1:
                        self.first_ns = event.ts_ns
                    if timed and not self._slow():
                        state_event_done(state, context)
                        continue
                    if matcher == NULL:
                        self.n_hits = 0
                        if self.tallies != NULL:
                            self._tally()
                            continue
                        self.open_event = True
                        return STOP_MATCH
                    self.n_hits = match_event(matcher, context, self.hits, self.capacity)
                    if self.n_hits:
                        if self.tallies != NULL:
                            self._tally()
                            continue
                        self.open_event = True
                        return STOP_MATCH
                state_event_done(state, context)
            elif result == NEXT_NEED_DATA:
                return STOP_DATA
            elif result == NEXT_END:
                return STOP_END
            elif result == NEXT_ERROR:
                return STOP_ERROR

    cdef bint _slow(self) noexcept nogil:
        return self.decoder.clock.known and self.decoder.clock.latency_ns >= self.least_ns

    cdef void _tally(self) noexcept nogil:
        cdef bint known = self.decoder.clock != NULL and self.decoder.clock.known
        cdef uint64_t latency = self.decoder.clock.latency_ns if known else 0
        cdef uint32_t i
        if self.matcher is None:
            for i in range(self.n_tallies):
                tally_take(self.tallies[i], &self.context, known, latency)
        else:
            for i in range(<uint32_t> self.n_hits):
                tally_take(self.tallies[self.hits[i]], &self.context, known, latency)
        state_event_done(self.state, &self.context)

    def time_calls(self):
        """From here on take the time between enter and exit of each call, see `latency_ns`."""
        if self.decoder.clock == NULL:
            self.decoder.short_end = 0
            self.decoder.clock = clock_new()
            if self.decoder.clock == NULL:
                raise MemoryError

    def tally(self, tallies):
        """Count events instead of showing them: one `Tally` per rule of the matcher.

        Without a matcher every tally takes every event. `next` then stops at pauses and the end.
        """
        cdef Tally one
        kept = tuple(tallies)
        if self.matcher is not None and len(kept) != self.capacity:
            raise ValueError("as many tallies as rules")
        free(self.tallies)
        self.tallies = <TallyC**> calloc(len(kept) + 1, sizeof(TallyC*))
        if self.tallies == NULL:
            raise MemoryError
        self._tallies = kept
        self.n_tallies = 0
        for one in kept:
            self.tallies[self.n_tallies] = one.c
            self.n_tallies += 1

    def slower_than(self, uint64_t least_ns):
        """Show only calls known to have taken so many nanoseconds; may be changed on the way."""
        self.time_calls()
        self.least_ns = least_ns

    def interrupt(self):
        """Let `next` return False before it looks at another event; from any thread."""
        self.pause_at = 0

    def exchange(self, Matcher matcher not None):
        """Ask another matcher from the next event on; by the thread of the loop, between events.

        What the state knows stays. `matched` is empty until the next match.
        """
        if self.matcher is None or self.tallies != NULL:
            raise RulekitError("only a loop that shows matches can change its matcher")
        hits = <uint32_t*> malloc((matcher.c.n_rules + 1) * sizeof(uint32_t))
        if hits == NULL:
            raise MemoryError
        free(self.hits)
        self.hits = hits
        self.n_hits = 0
        self.capacity = matcher.c.n_rules
        self.matcher = matcher

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
                if self.reader.idle:
                    return False
                continue
            self.serial += 1
            if stop == STOP_END:
                return None
            raise self.reader.error()

    def collect(self, ColumnSet columns not None, uint64_t max_rows, uint64_t max_bytes):
        """Append the next matches to columns, until these hold so many rows or bytes.

        Returns:
            True to be called again with the same columns (the caller may look at signals between);
            False when they are full, None at the end.

        Raises:
            SourceError: The source is damaged here; the rows of everything before it were appended.
        """
        cdef int stop
        while True:
            with nogil:
                while True:
                    stop = self.advance()
                    if stop != STOP_MATCH:
                        break
                    columns.append(&self.context)
                    if columns.n_rows >= max_rows or columns.n_bytes >= max_bytes:
                        break
            self.serial += 1
            if stop == STOP_MATCH:
                return False
            if stop == STOP_PAUSE:
                return True
            if stop == STOP_END:
                return None
            if stop == STOP_ERROR:
                raise self.reader.error()
            self.reader.refill()

    def matched(self):
        """Return the indices of the rules that the current event matched, in definition order."""
        return [self.hits[i] for i in range(min(self.n_hits, self.capacity))]

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

    def fields(self, OutputProgram output not None):
        """Return the output fields of the current event by key; None is null."""
        self._must_be_open()
        return output.fields(&self.context)

    def threads(self, OutputProgram output not None, Matcher only=None):
        """Return the fields of every thread known now, by tid.

        Args:
            output: Names the fields; those of fds are null.
            only: Leaves out threads for which it holds neither of itself nor of one of its fds.
        """
        self.context.state = self.state
        return thread_rows(&self.context, output, only)

    def descriptors(self, OutputProgram output not None, Matcher only=None):
        """Return the fields of every open descriptor known now, by tid and number.

        Args:
            output: Names the fields.
            only: Leaves out descriptors for which it does not hold.
        """
        self.context.state = self.state
        return fd_rows(&self.context, output, only)

    @property
    def latency_ns(self):
        """How long the current call took, or None where that is not known; see `time_calls`."""
        clock = self.decoder.clock
        return clock.latency_ns if clock != NULL and clock.known else None

    @property
    def n_enters(self):
        """Enter events since `time_calls`; without any, nobody knows how long a call took."""
        return self.decoder.clock.n_enters if self.decoder.clock != NULL else 0

    @property
    def span_ns(self):
        """Nanoseconds between the first event that could be shown and the latest one."""
        return self.event.ts_ns - self.first_ns if self.event.ts_ns > self.first_ns else 0

    @property
    def tid(self):
        """Thread that caused the current event."""
        return self.event.tid

    @property
    def num(self):
        """Number of the current event, `evt.num`."""
        return self.event.num

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
    def n_drops(self):
        """Events that the recorder reported as lost, or a live source lost, so far."""
        return self.decoder.n_drops + self.reader.n_lost

    @property
    def losses(self):
        """Events that a live source lost so far, by reason; a recorder does not say why."""
        return self.reader.losses

    @property
    def n_bytes(self):
        """Inflated bytes of the source used so far."""
        return self.decoder.base + self.decoder.pos

    def _must_be_open(self):
        if not self.open_event:
            raise RulekitError("the event is gone: its fields can be read only before the next one")

    def tables(self):
        """Return how many entries the tables of the state have now; by any thread."""
        return {
            "threads": self.state.n_threads,
            "descriptors": self.state.n_fds_total,
            "containers": self.state.n_containers - 1,      # without the host
            "accounts": self.state.n_accounts,
            "texts": self.state.strings.n_strings,
        }

    def fill(self, stats):
        """Copy the loop's figures into a `rulekit.engine.stats.Stats`."""
        counters = self.state.counters
        stats.events = self.n_events
        stats.delivered = self.decoder.n_delivered
        stats.visible = self.n_visible
        stats.drops = self.n_drops
        found = {
            **refused_of(self.state),
            "placeholder_threads": counters.placeholders,
            "malformed_params": counters.bad_params,
            "calls_evicted": self.decoder.clock.n_evicted if self.decoder.clock != NULL else 0,
            **self.reader.stats(),
        }
        # Sources that have no capture count events their own way.
        stats.events = found.pop("events", stats.events)
        for name in ("headers", "delivered", "sections", "bytes"):
            del found[name]
        stats.counters = {name: n for name, n in found.items() if n}

    def close(self):
        """Give back the source; the loop cannot go on."""
        if self.stats is not None:
            self.fill(self.stats)
        self.reader.close()
