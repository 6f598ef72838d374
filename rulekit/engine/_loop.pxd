# The loop that joins decoder, state and matcher.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from rulekit._fastmatch cimport Matcher
from rulekit.capture._blocks cimport Decoder
from rulekit.capture._reader cimport CaptureReader
from rulekit.engine._window cimport EventWindow
from rulekit.engine._tally cimport TallyC
from rulekit.native._event cimport EventView
from rulekit.state._state cimport Context, Limits, State

cdef enum Stop:
    STOP_MATCH = 1      # the current event matched: `hits` holds rule indices
    STOP_DATA = 2       # the window is used up
    STOP_PAUSE = 3      # so many events were read that Python should look at signals and progress
    STOP_END = 4
    STOP_ERROR = 5


cdef void fill_limits(Limits* out, object limits)     # of a StateLimits, or None: the defaults
cdef dict refused_of(const State* state)              # what found no room, by name


cdef class EventLoop:
    cdef State* state           # owned
    cdef Decoder* decoder       # the reader's
    cdef EventView event
    cdef Context context
    cdef CaptureReader reader
    cdef readonly Matcher matcher
    cdef object stats           # filled by close(), or None
    cdef uint32_t* hits         # owned; room for every rule
    cdef uint32_t capacity
    cdef int n_hits
    cdef EventWindow window
    cdef TallyC** tallies       # owned; one per rule, or NULL: events that match are shown
    cdef uint32_t n_tallies
    cdef tuple _tallies         # keeps what `tallies` points to
    cdef uint64_t least_ns      # calls that took less, or nobody knows how long, are not shown
    cdef bint open_event        # the current event was shown and is not finished yet
    cdef uint64_t n_visible
    cdef uint64_t first_ns      # time of the first visible event
    cdef uint64_t pause_at
    cdef readonly uint64_t serial    # changes with each event shown, so that stale views notice

    cdef int advance(self) noexcept nogil
    cdef bint _slow(self) noexcept nogil
    cdef void _tally(self) noexcept nogil
