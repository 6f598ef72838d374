# Matchers side by side over one capture, to compare and to time them.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from rulekit._fastmatch cimport Matcher, MatcherC, match_event
from rulekit.capture._blocks cimport NEXT_END, NEXT_EVENT, NEXT_NEED_DATA, decoder_next
from rulekit.capture._reader cimport CaptureReader
from rulekit.native._event cimport EventView
from rulekit.native._strings cimport strtab_wants_collection
from rulekit.state._state cimport Context, State, state_collect, state_free, state_new
from rulekit.state._update cimport state_event, state_event_done

import time

from rulekit.sources.opening import open_reader


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
