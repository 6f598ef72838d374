# hot: every event that is a document passes here
"""The path of a JSON document: text, validation, places, matcher; one event after the other.

A text is validated as a whole before anything looks into it, and nothing is built of it; what the own
reader does not take is left to msgspec, which says what is wrong, or that it is JSON all the same.
After that its text is searched for the places that rules name, and only for those.
"""

import json
from libc.stdint cimport uint32_t, uint64_t
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from rulekit._fastmatch cimport Matcher, match_event
from rulekit.engine._window cimport PLACE_INSIDE, fill_window, place_of
from rulekit.native._document cimport (
    Place, document_at, document_begin, document_free, document_reserve, place_child, place_root,
)
from rulekit.native._event cimport event_infos
from rulekit.native._json cimport (
    Json, json_begin, json_is_array, json_is_string, json_key_is, json_next,
)
from rulekit.native._jsonlines cimport JsonTexts, json_texts
from rulekit.native._scratch cimport scratch_reset
from rulekit.native._strings cimport strtab_wants_collection
from rulekit.native._time cimport parse_rfc3339
from rulekit.state._outputs cimport OutputProgram
from rulekit.state._state cimport Limits, default_limits, state_collect, state_free, state_new

from rulekit.errors import RulekitError

cdef extern from *:
    """
    static size_t rk_lines(const char *text, size_t length) {
        size_t i, n = 0;
        for (i = 0; i < length; i++)
            n += text[i] == '\\n';
        return n;
    }
    """
    size_t rk_lines(const char* text, size_t length) noexcept nogil

cdef enum:
    PLUGIN_EVENT = 322       # the event type of everything that is no system call
    MAX_TOLD = 10            # problems told one by one; all are counted
    SHOWN = 80               # bytes of a document in a message

cdef Place* KIND = place_child(place_root(), b"kind")
cdef Place* ITEMS = place_child(place_root(), b"items")
cdef Place* STAGE_TIME = place_child(place_root(), b"stageTimestamp")


def json_validator():
    """Return a function that raises ValueError or RecursionError for bytes that are no JSON.

    Raises:
        RulekitError: The library is missing.
    """
    try:
        import msgspec
    except ImportError as error:
        raise RulekitError("JSON documents need the library msgspec: pip install msgspec") from error
    # Lines of one or more values; what comes back is their text, nothing is decoded.
    return msgspec.json.Decoder(msgspec.Raw).decode_lines


cdef inline bint _is(Json value, const char* text, uint32_t length) noexcept nogil:
    return json_is_string(value) and json_key_is(value, text, length)


cdef class DocumentLoop:
    """Runs one matcher over JSON documents, in the order of their reader; not thread-safe.

    Args:
        reader: Has ``read()``, which returns the next `rulekit.sources.lines.Block`, None at
            the end; ``stats()``, ``path`` and ``close()``.
        matcher: What is asked of each event; None shows every event.
        source: Event source of the rules. ``k8s_audit`` opens the envelopes of audit events.
        window: The `rulekit.engine.window.Window` to look at; None is everything.
        on_problem: Called with a message for each of the first few things that were left out.
    """

    def __cinit__(self, reader, Matcher matcher=None, *, str source="k8s_audit", window=None,
                  on_problem=None):
        cdef Limits limits
        fill_window(&self.window, window)
        default_limits(&limits)
        self.reader = reader
        self.matcher = matcher
        self.on_problem = on_problem
        self.audit = source == "k8s_audit"
        self.validate = json_validator()
        self.source = source.encode()
        self.plugin = b"k8saudit" if self.audit else b"json"
        self.document.source = self.source
        self.document.plugin = self.plugin
        self.state = state_new(&limits)
        self.capacity = matcher.c.n_rules if matcher is not None else 0
        self.hits = <uint32_t*> malloc((self.capacity + 1) * sizeof(uint32_t))
        if self.state == NULL or self.hits == NULL:
            raise MemoryError()
        self.event.type = PLUGIN_EVENT
        self.event.info = &event_infos[PLUGIN_EVENT]
        self.context.state = self.state
        self.context.ev = &self.event
        self.context.visible = True
        self.context.document = &self.document

    def __dealloc__(self):
        state_free(self.state)
        document_free(&self.document)
        free(self.texts)
        free(self.hits)

    cdef int advance(self) noexcept nogil:
        cdef Json value
        cdef int stop
        cdef bint certain
        self.open_event = False
        while True:
            if self.interrupted:
                self.interrupted = False
                return STOP_PAUSE
            if self.depth:
                if not json_next(&self.lists[self.depth - 1]):
                    self.depth -= 1
                    continue
                value = self.lists[self.depth - 1].value
                certain = self.items[self.depth - 1]
            else:
                if self.next_text == self.n_texts:
                    return STOP_TEXT
                value = self.texts[self.next_text]
                self.next_text += 1
                certain = False
            if json_is_array(value) and not certain:
                stop = self._open(value, False)
            else:
                # Everything that rules may ask of the top of the document is found in one go.
                document_begin(&self.document, value)
                if certain or not self.audit or _is(document_at(&self.document, KIND), "Event", 5):
                    stop = self._show(value)
                else:
                    self.odd = value
                    stop = STOP_UNKNOWN
                    if _is(document_at(&self.document, KIND), "EventList", 9):
                        value = document_at(&self.document, ITEMS)
                        if json_is_array(value):
                            stop = self._open(value, True)
            if stop:
                return stop

    cdef int _open(self, Json value, bint certain) noexcept nogil:
        if self.depth == MAX_LISTS:
            self.odd = value
            return STOP_DEEP
        json_begin(&self.lists[self.depth], value)
        self.items[self.depth] = certain
        self.depth += 1
        return 0

    cdef int _show(self, Json value) noexcept nogil:
        cdef Json when
        cdef bint dated
        self.n_events += 1
        scratch_reset(&self.state.scratch)
        if strtab_wants_collection(self.state.strings):
            state_collect(self.state)
        if self.audit:
            when = document_at(&self.document, STAGE_TIME)
            dated = json_is_string(when) and parse_rfc3339(
                when.ptr + 1, when.len - 2, &self.event.ts_ns
            )
            if not dated and not self.undated:
                self.odd = value
                return STOP_NO_TIME
        self.event.num += 1
        self.event.raw = self.n_events
        if self.state.first_event_ts_ns == 0:
            self.state.first_event_ts_ns = self.event.ts_ns
        # Documents need not be in the order of time: none ends the run.
        if self.window.active and place_of(
            &self.window, self.event.num, self.event.ts_ns, self.state.first_event_ts_ns
        ) != PLACE_INSIDE:
            return 0
        if self.matcher is None:
            self.n_hits = 0
            self.open_event = True
            return STOP_MATCH
        self.n_hits = match_event(self.matcher.c, &self.context, self.hits, <int> self.capacity)
        if self.n_hits:
            self.open_event = True
            return STOP_MATCH
        return 0

    def interrupt(self):
        """Let `next` return False before it looks at another document; from any thread."""
        self.interrupted = True

    def exchange(self, Matcher matcher not None):
        """Ask another matcher from the next document on; by the thread of the loop, between documents."""
        if self.matcher is None:
            raise RulekitError("only a loop that shows matches can change its matcher")
        # Its rules may name places that were unknown so far.
        if not document_reserve(&self.document):
            raise MemoryError()
        hits = <uint32_t*> malloc((matcher.c.n_rules + 1) * sizeof(uint32_t))
        if hits == NULL:
            raise MemoryError()
        free(self.hits)
        self.hits = hits
        self.n_hits = 0
        self.capacity = matcher.c.n_rules
        self.matcher = matcher

    def next(self):
        """Read on to the next match and return True; False at a pause (signals, progress), None at the end.

        Raises:
            SourceError: The source cannot be read on; everything before it was delivered.
        """
        cdef int stop
        while True:
            with nogil:
                stop = self.advance()
            if stop == STOP_MATCH:
                self.serial += 1
                return True
            if stop == STOP_PAUSE:
                self.serial += 1
                return False
            if stop != STOP_TEXT:
                self._tell_odd(stop)
                continue
            if self.block is not None and self._next_text():
                continue
            # Rules that were loaded meanwhile may have added places.
            if not document_reserve(&self.document):
                raise MemoryError()
            self.block = self.reader.read()
            self.serial += 1
            if self.block is None:
                return None
            self.position = 0
            self.tried = False
            self.line = self.block.line
            return False

    cdef bint _next_text(self) except -1:
        """Make the block, or its next line if not all of it is JSON, the text; False at its end."""
        cdef bytes data = self.block.data
        cdef Py_ssize_t end
        if self.position >= len(data):
            return False
        if not self.tried:
            self.tried = True
            if self._take(data, self.block.whole) is None:
                self.position = len(data)
                self.base = self.line  # the next block says itself where it begins
                return True
        end = data.find(b"\n", self.position)
        if end < 0:
            end = len(data)
        problem = self._take(data[self.position:end], True)
        self.position = end + 1
        self.base = self.line
        self.line += 1
        if problem is not None:
            self.n_malformed += 1
            self._tell(f"no JSON: {problem}: {_shown(self.text)}")
        return True

    cdef object _take(self, bytes text, bint half_pairs):
        """Find the documents of a text; return None, or why it is no JSON."""
        cdef Py_buffer view
        cdef Json* room
        cdef bint done
        cdef JsonTexts quick
        self.text = text
        self.depth = 0
        self.n_texts = self.next_text = 0
        quick.items = self.texts
        quick.room = self.room
        done = json_texts(<const char*> text, len(text), &quick)
        self.texts = quick.items
        self.room = quick.room
        if done:
            self.n_texts = quick.n
            self.n_bytes += len(text)
            return None
        try:
            found = self.validate(text)
        except (ValueError, RecursionError) as error:
            if not half_pairs or not _half_pairs(text):
                return error
            found = [text.strip()]
            self.text = found[0]
        if <uint32_t> len(found) > self.room:
            room = <Json*> realloc(self.texts, len(found) * sizeof(Json))
            if room == NULL:
                raise MemoryError()
            self.texts = room
            self.room = <uint32_t> len(found)
        for value in found:
            # A part of `text`, which stays.
            PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
            self.texts[self.n_texts].ptr = <const char*> view.buf
            self.texts[self.n_texts].len = <uint32_t> view.len
            self.n_texts += 1
            PyBuffer_Release(&view)
        self.n_bytes += len(text)
        return None

    cdef int _tell_odd(self, int stop) except -1:
        cdef const char* start = self.text
        text = _shown(self.odd.ptr[:min(self.odd.len, SHOWN + 1)])
        if self.on_problem is not None and self.n_told <= MAX_TOLD:
            self.base += rk_lines(start, self.odd.ptr - start)
        if stop == STOP_NO_TIME:
            self.n_without_time += 1
            self._tell(f"audit event without a stageTimestamp in RFC 3339: {text}")
        elif stop == STOP_DEEP:
            self.n_unknown += 1
            self._tell(f"more than {MAX_LISTS} lists in each other: {text}")
        else:
            self.n_unknown += 1
            self._tell(f"no Kubernetes audit event and no list of them: {text}")
        return 0

    cdef int _tell(self, str message) except -1:
        if self.on_problem is None or self.n_told > MAX_TOLD:
            return 0
        self.n_told += 1
        if self.n_told > MAX_TOLD:
            self.on_problem("more was left out, which is counted only")
        else:
            self.on_problem(f"{self.block.path}:{self.base + 1}: {message}")
        return 0

    def matched(self):
        """Return the indices of the rules that the current event matched, in definition order."""
        return [self.hits[i] for i in range(self.n_hits)]

    def render(self, OutputProgram output not None):
        """Return message and output fields of the current event."""
        if not self.open_event:
            raise RulekitError("the event is gone: its fields can be read only before the next one")
        return output.render(&self.context)

    def message(self, OutputProgram output not None):
        """Return the message of `render` alone."""
        if not self.open_event:
            raise RulekitError("the event is gone: its fields can be read only before the next one")
        return output.text(&self.context)

    @property
    def ts_ns(self):
        """Time of the current event, ns since the Unix epoch."""
        return self.event.ts_ns

    @property
    def raw(self):
        """Position of the current event among all events of the source, counted from 1."""
        return self.event.raw

    @property
    def n_drops(self):
        """Events known to be lost: none, whoever sends documents does not say."""
        return 0

    @property
    def losses(self):
        """See `n_drops`."""
        return {}

    def fill(self, stats):
        """Copy the loop's figures into a `rulekit.engine.stats.Stats`."""
        stats.events = self.n_events
        stats.delivered = stats.visible = self.event.num
        found = {
            "malformed_documents": self.n_malformed,
            "unknown_documents": self.n_unknown,
            "events_without_time": self.n_without_time,
            "strings_refused": self.state.strings.n_refused,
            **self.reader.stats(),
        }
        stats.counters = {name: n for name, n in found.items() if n}

    def close(self):
        """Give back the source; the loop cannot go on."""
        self.reader.close()


cdef bint _half_pairs(bytes text) except -1:
    """Return whether a text is JSON but for halves of surrogate pairs, which msgspec refuses.

    Go accepts them: without this a client could hide a patch by an escape in it.
    """
    if b"\\u" not in text:
        return False
    try:
        json.loads(text.decode("utf-8", "replace"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _no_constant(name):
    raise ValueError(f"{name} is no JSON")


cdef str _shown(bytes text):
    cut = text[:SHOWN].decode("utf-8", "replace")
    return f"{cut}…" if len(text) > SHOWN else cut
